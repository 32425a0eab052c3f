# Rows of text from columns. The formats differ only in the text between the cells of a row: a tab, a comma, or the name
# of a JSON member with its quotes.

from libc.math cimport isfinite
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fluxcap.base.bytes cimport native16, native32, native64, native_double
from fluxcap.text.addresses cimport ADDRESS_WIDTH, MAC_WIDTH, put_address, put_mac
from fluxcap.text.digits cimport (
    INT64_WIDTH, UINT16_WIDTH, UINT32_WIDTH, UINT64_WIDTH, UINT8_WIDTH, put_hex_octet, put_signed, put_unsigned)
from fluxcap.text.floats cimport FLOAT_WIDTH, Power, put_float
from fluxcap.text.times cimport Clock, JSON_TIME_WIDTH, TIME_WIDTH, put_json_time, put_time

cdef extern from "string.h" nogil:
    size_t strnlen(const char* text, size_t most)

cdef enum Kind:                 # the kind of the cells of a column
    CELL_UINT8
    CELL_UINT16
    CELL_UINT32
    CELL_UINT64
    CELL_INT8
    CELL_INT16
    CELL_INT32
    CELL_INT64
    CELL_FLOAT                  # nothing for NaN
    CELL_JSON_FLOAT             # null there, and for an infinity, of which JSON has none
    CELL_INTEGERS               # several integers a row: 1,2,3
    CELL_JSON_INTEGERS          # [1, 2, 3]
    CELL_ADDRESS
    CELL_JSON_ADDRESS           # with its quotes, which null has not
    CELL_MAC
    CELL_OCTETS                 # two hexadecimal digits each
    CELL_TIME
    CELL_JSON_TIME              # with its quotes, which null has not
    CELL_DURATION               # nothing where it is negative, that is, not known
    CELL_JSON_DURATION          # null there
    CELL_NAME                   # a code of one byte, written as its name
    CELL_JSON_NAME              # letters with their quotes; null for none
    CELL_LETTERS                # bytes as they are, up to the first zero
    CELL_TEXT                   # bytes as they are, of any length

cdef enum:
    NAME_WIDTH = 31             # with its length 32 bytes: a move or two copies a name

cdef struct Name:
    uint8_t text[NAME_WIDTH]
    uint8_t length

cdef struct Literal:            # the text before a cell, or behind the last one
    const uint8_t* text
    uint64_t length

cdef struct Cells:              # the cells of one column
    Kind kind
    Literal before
    const uint8_t* values       # one after the other
    uint32_t size               # bytes a value, except CELL_TEXT
    Kind item                   # CELL_INTEGERS, CELL_JSON_INTEGERS: the kind of each integer
    uint32_t n_items            # and how many a row has
    const Power* powers         # CELL_FLOAT, CELL_JSON_FLOAT
    const uint8_t* there        # of addresses: a byte a row, zero where there is none; NULL: there always is
    uint64_t* ends              # CELL_TEXT: where in `values` each cell ends
    Name* names                 # CELL_NAME
    uint32_t n_names
    Clock clock                 # CELL_TIME, CELL_JSON_TIME

cdef inline uint32_t widest_of(Kind kind) noexcept nogil:
    if kind == CELL_UINT8:
        return UINT8_WIDTH
    elif kind == CELL_UINT16:
        return UINT16_WIDTH
    elif kind == CELL_UINT32:
        return UINT32_WIDTH
    elif kind == CELL_UINT64:
        return UINT64_WIDTH
    elif CELL_INT8 <= kind <= CELL_INT64 or kind == CELL_DURATION or kind == CELL_JSON_DURATION:
        return INT64_WIDTH
    elif kind == CELL_FLOAT or kind == CELL_JSON_FLOAT:
        return FLOAT_WIDTH
    elif kind == CELL_ADDRESS:
        return ADDRESS_WIDTH
    elif kind == CELL_JSON_ADDRESS:
        return ADDRESS_WIDTH + 2
    elif kind == CELL_MAC:
        return MAC_WIDTH
    elif kind == CELL_TIME:
        return TIME_WIDTH
    elif kind == CELL_JSON_TIME:
        return JSON_TIME_WIDTH
    elif kind == CELL_NAME:
        return NAME_WIDTH
    return 0

cdef inline uint64_t widest(const Cells* c) noexcept nogil:
    """The most bytes that a cell can take; 0 for CELL_TEXT, where `ends` tells."""
    if c.kind == CELL_INTEGERS or c.kind == CELL_JSON_INTEGERS:
        return <uint64_t>c.n_items * (widest_of(c.item) + 2) + 2   # a comma and a space behind each; brackets
    if c.kind == CELL_OCTETS:
        return <uint64_t>c.size * 2
    if c.kind == CELL_LETTERS or c.kind == CELL_JSON_NAME:
        return 2 * <uint64_t>max(c.size, <uint32_t>4) + 2            # null, or backslashes doubled between quotes
    return widest_of(c.kind)

cdef inline uint8_t* put_octets(uint8_t* to, const uint8_t* text, uint64_t length) noexcept nogil:
    if length == 1:             # a tab or a comma is not worth a call
        to[0] = text[0]
    else:
        memcpy(to, text, length)
    return to + length

cdef inline uint8_t* put_name(uint8_t* to, const Cells* c, uint8_t code) noexcept nogil:
    if code >= c.n_names:
        return put_unsigned(to, code)
    memcpy(to, c.names[code].text, NAME_WIDTH)
    return to + c.names[code].length

cdef inline uint8_t* put_null(uint8_t* to, bint as_json) noexcept nogil:
    return put_octets(to, b"null", 4) if as_json else to

cdef inline uint8_t* put_end(uint8_t* to, const Cells* c, const uint8_t* at, uint64_t row) noexcept nogil:
    """An address of an end, where there is one."""
    cdef bint as_json = c.kind == CELL_JSON_ADDRESS
    if c.there != NULL and c.there[row] == 0:
        return put_null(to, as_json)
    if not as_json:
        return put_address(to, at)
    to = put_address(put_octets(to, b'"', 1), at)
    return put_octets(to, b'"', 1)

cdef inline uint8_t* put_json_name(uint8_t* to, const uint8_t* at, uint32_t size) noexcept nogil:
    """A name of printable ASCII without quotes: a backslash in it, as in \\xNN, is doubled (RFC 8259 section 7)."""
    cdef uint64_t length = strnlen(<const char*>at, size), i
    if length == 0:
        return put_null(to, True)
    to = put_octets(to, b'"', 1)
    for i in range(length):
        to[0] = at[i]
        to[1] = at[i]           # overwritten, unless it is a backslash
        to += 2 if at[i] == b'\\' else 1
    return put_octets(to, b'"', 1)

cdef inline uint8_t* put_duration(uint8_t* to, int64_t ns, bint as_json) noexcept nogil:
    if ns >= 0:
        return put_unsigned(to, <uint64_t>ns)
    return put_null(to, as_json)

cdef inline uint8_t* put_json_float(uint8_t* to, double value, const Power* powers) noexcept nogil:
    return put_float(to, value, powers) if isfinite(value) else put_null(to, True)

cdef inline uint8_t* put_integer(uint8_t* to, Kind kind, const uint8_t* at) noexcept nogil:
    if kind == CELL_UINT8:
        return put_unsigned(to, at[0])
    elif kind == CELL_UINT16:
        return put_unsigned(to, native16(at))
    elif kind == CELL_UINT32:
        return put_unsigned(to, native32(at))
    elif kind == CELL_UINT64:
        return put_unsigned(to, native64(at))
    elif kind == CELL_INT8:
        return put_signed(to, <int8_t>at[0])
    elif kind == CELL_INT16:
        return put_signed(to, <int16_t>native16(at))
    elif kind == CELL_INT32:
        return put_signed(to, <int32_t>native32(at))
    return put_signed(to, <int64_t>native64(at))

cdef inline uint8_t* put_integers(uint8_t* to, const Cells* c, const uint8_t* at) noexcept nogil:
    cdef bint as_json = c.kind == CELL_JSON_INTEGERS
    cdef uint32_t size = c.size // c.n_items
    cdef uint32_t i
    if as_json:
        to = put_octets(to, b"[", 1)
    for i in range(c.n_items):
        if i:
            to = put_octets(to, b", ", 2 if as_json else 1)
        to = put_integer(to, c.item, at + i * size)
    return put_octets(to, b"]", 1) if as_json else to

cdef inline uint8_t* put_hex_octets(uint8_t* to, const uint8_t* at, uint32_t n) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        to = put_hex_octet(to, at[i])
    return to

cdef inline uint8_t* put_cell(uint8_t* to, Cells* c, uint64_t row) noexcept nogil:
    cdef const uint8_t* at = c.values + row * c.size
    cdef uint64_t start
    if c.kind <= CELL_INT64:
        return put_integer(to, c.kind, at)
    elif c.kind == CELL_FLOAT:
        return put_float(to, native_double(at), c.powers)
    elif c.kind == CELL_JSON_FLOAT:
        return put_json_float(to, native_double(at), c.powers)
    elif c.kind == CELL_INTEGERS or c.kind == CELL_JSON_INTEGERS:
        return put_integers(to, c, at)
    elif c.kind == CELL_ADDRESS or c.kind == CELL_JSON_ADDRESS:
        return put_end(to, c, at, row)
    elif c.kind == CELL_MAC:
        return put_mac(to, at)
    elif c.kind == CELL_OCTETS:
        return put_hex_octets(to, at, c.size)
    elif c.kind == CELL_TIME:
        return put_time(to, <int64_t>native64(at), &c.clock)
    elif c.kind == CELL_JSON_TIME:
        return put_json_time(to, <int64_t>native64(at), &c.clock)
    elif c.kind == CELL_DURATION or c.kind == CELL_JSON_DURATION:
        return put_duration(to, <int64_t>native64(at), c.kind == CELL_JSON_DURATION)
    elif c.kind == CELL_NAME:
        return put_name(to, c, at[0])
    elif c.kind == CELL_JSON_NAME:
        return put_json_name(to, at, c.size)
    elif c.kind == CELL_LETTERS:
        return put_octets(to, at, strnlen(<const char*>at, c.size))
    start = c.ends[row - 1] if row else 0
    return put_octets(to, c.values + start, c.ends[row] - start)

cdef inline uint8_t* put_rows(uint8_t* to, Cells* columns, uint32_t n_columns, const Literal* behind, uint64_t first,
                              uint64_t end) noexcept nogil:
    cdef uint64_t row
    cdef uint32_t i
    for row in range(first, end):
        for i in range(n_columns):
            to = put_octets(to, columns[i].before.text, columns[i].before.length)
            to = put_cell(to, &columns[i], row)
        to = put_octets(to, behind.text, behind.length)
    return to
