# Columns of addresses as dictionaries: each text is made once, and a row holds its number.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

import os

from fluxcap.base.types cimport MAC_OCTETS
from fluxcap.text.addresses cimport ADDRESS_WIDTH, put_address, put_mac
from fluxcap.text.digits cimport SLACK
from fluxcap.text.distinct cimport Distinct, WIDE, close_distinct, find_distinct, open_distinct


def dictionary(const uint8_t[:, ::1] values):
    cdef Distinct d
    cdef uint64_t n = values.shape[0]
    cdef uint32_t size = <uint32_t>values.shape[1]
    cdef const uint8_t* at = &values[0, 0] if n else NULL
    cdef bytes codes, offsets, seed = os.urandom(sizeof(d.seed))
    cdef uint8_t* to = NULL
    cdef int64_t length = 0
    cdef bint done
    if size not in (MAC_OCTETS, WIDE):
        raise TypeError(f"an address has {MAC_OCTETS} or {WIDE} bytes, not {size}")
    if n > INT32_MAX:
        raise ValueError(f"a dictionary is for {INT32_MAX:,} rows, not {n:,}")
    memset(&d, 0, sizeof(Distinct))
    memcpy(d.seed, <const char*>seed, sizeof(d.seed))
    codes = PyBytes_FromStringAndSize(NULL, n * sizeof(uint32_t))
    d.rows = <uint32_t*>malloc((n or 1) * sizeof(uint32_t))
    try:
        if d.rows == NULL or not open_distinct(&d):
            raise MemoryError
        place = PyBytes_AS_STRING(codes)
        with nogil:
            done = find_distinct(&d, at, size, n, <uint32_t*><void*>place)
        if not done:
            raise MemoryError
        offsets = PyBytes_FromStringAndSize(NULL, (<uint64_t>d.n + 1) * sizeof(int32_t))
        to = <uint8_t*>malloc(<uint64_t>d.n * ADDRESS_WIDTH + SLACK)
        if to == NULL:
            raise MemoryError
        ends = PyBytes_AS_STRING(offsets)
        with nogil:
            length = put_distinct(to, <int32_t*><void*>ends, at, size, &d)
        if length > INT32_MAX:
            raise ValueError(f"the texts of {d.n:,} addresses take {length:,} bytes, more than Arrow can point into")
        return codes, offsets, (<const char*>to)[:length]
    finally:
        free(to)
        free(d.rows)
        close_distinct(&d)


cdef int64_t put_distinct(uint8_t* to, int32_t* ends, const uint8_t* at, uint32_t size,
                          const Distinct* d) noexcept nogil:
    cdef uint8_t* stopped = to
    cdef uint32_t i
    ends[0] = 0
    for i in range(d.n):
        if size == WIDE:
            stopped = put_address(stopped, at + <uint64_t>d.rows[i] * size)
        else:
            stopped = put_mac(stopped, at + <uint64_t>d.rows[i] * size)
        ends[i + 1] = <int32_t>(stopped - to)
    return stopped - to


def distinct(const uint8_t[:, ::1] values):
    cdef Distinct d
    cdef uint64_t n = values.shape[0]
    cdef uint32_t size = <uint32_t>values.shape[1]
    cdef const uint8_t* at = &values[0, 0] if n else NULL
    cdef bytes codes, seed = os.urandom(sizeof(d.seed))
    cdef char* place
    cdef bint done
    if size > WIDE:
        raise TypeError(f"values of {size} bytes are wider than {WIDE}")
    if n >= 1 << 31:
        raise ValueError(f"{n:,} values are more than 2^31 - 1")
    memset(&d, 0, sizeof(Distinct))
    memcpy(d.seed, <const char*>seed, sizeof(d.seed))
    codes = PyBytes_FromStringAndSize(NULL, n * sizeof(uint32_t))
    d.rows = <uint32_t*>malloc((n or 1) * sizeof(uint32_t))
    try:
        if d.rows == NULL or not open_distinct(&d):
            raise MemoryError
        place = PyBytes_AS_STRING(codes)
        with nogil:
            done = find_distinct(&d, at, size, n, <uint32_t*><void*>place)
        if not done:
            raise MemoryError
        return codes, (<const char*>d.rows)[:d.n * sizeof(uint32_t)]
    finally:
        free(d.rows)
        close_distinct(&d)
