# The distinct values of a column, in the order of their first rows: the dictionary of a dictionary-encoded column.
#
# A slot has 64 bits: 32 bits of the hash in the upper half, the code plus one in the lower half, 0 if it is free. The
# upper bits of the hash are the home of the slot, so the index grows without reading a value.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from fluxcap.base.bytes cimport multiply_fold, native64
from fluxcap.base.memory cimport pages_free, pages_new, prefetch

cdef enum:
    FIRST_SLOT_BITS = 10        # slots: 8 KiB, more than enough for the hosts of most captures
    WIDE = 16                   # bytes of an IP address
    AHEAD = 32                  # values whose slots are prefetched together, so that the cache misses overlap

cdef struct Distinct:
    uint64_t seed[2]            # drawn for this process, so that no sender can aim at one slot
    uint64_t* slots
    uint32_t bits               # 2^bits slots
    uint32_t n                  # distinct values
    uint32_t* rows              # first row of each; room for one a row

cdef inline bint open_distinct(Distinct* d) noexcept nogil:
    d.bits = FIRST_SLOT_BITS
    d.slots = <uint64_t*>pages_new(<uint64_t>sizeof(uint64_t) << d.bits)
    return d.slots != NULL

cdef inline void close_distinct(Distinct* d) noexcept nogil:
    pages_free(d.slots, <uint64_t>sizeof(uint64_t) << d.bits)

cdef inline uint64_t hash_octets(const Distinct* d, const uint8_t* at, uint32_t size) noexcept nogil:
    cdef uint64_t low = 0, high = 0
    if size == WIDE:
        low, high = native64(at), native64(at + 8)
    else:
        memcpy(&low, at, size)
    return multiply_fold(multiply_fold(low ^ d.seed[0], high ^ d.seed[1]), d.seed[0] | 1)

cdef inline uint64_t free_slot(const uint64_t* slots, uint32_t bits, uint32_t tag) noexcept nogil:
    cdef uint64_t place = tag >> (32 - bits)
    while slots[place]:
        place = (place + 1) & ((<uint64_t>1 << bits) - 1)
    return place

cdef inline bint grow_distinct(Distinct* d) noexcept nogil:
    cdef uint32_t bits = d.bits + 2
    cdef uint64_t* grown = <uint64_t*>pages_new(<uint64_t>sizeof(uint64_t) << bits)
    cdef uint64_t place
    if grown == NULL:
        return False
    for place in range(<uint64_t>1 << d.bits):
        if d.slots[place]:
            grown[free_slot(grown, bits, <uint32_t>(d.slots[place] >> 32))] = d.slots[place]
    close_distinct(d)
    d.slots, d.bits = grown, bits
    return True

cdef inline void prefetch_tags(const Distinct* d, const uint8_t* values, uint32_t size, uint32_t n,
                               uint32_t* tags) noexcept nogil:
    """Hash the next values, and prefetch their home slots."""
    cdef uint32_t i
    for i in range(n):
        tags[i] = <uint32_t>(hash_octets(d, values + i * size, size) >> 32)
        prefetch(d.slots + (tags[i] >> (32 - d.bits)))

cdef inline bint find_distinct(Distinct* d, const uint8_t* values, uint32_t size, uint64_t n,
                               uint32_t* codes) noexcept nogil:
    """Find the code of every value; False when memory is out. `n` is below 2^31, `size` at most WIDE."""
    cdef uint64_t row, place, slot
    cdef const uint8_t* at
    cdef uint32_t tags[AHEAD]
    cdef uint32_t tag
    for row in range(n):
        if <uint64_t>d.n << 1 >> d.bits and not grow_distinct(d):     # half full
            return False
        at = values + row * size
        if row % AHEAD == 0:
            prefetch_tags(d, at, size, <uint32_t>min(n - row, <uint64_t>AHEAD), tags)
        tag = tags[row % AHEAD]
        place = tag >> (32 - d.bits)
        while True:
            slot = d.slots[place]
            if slot == 0:
                d.rows[d.n] = <uint32_t>row
                codes[row] = d.n
                d.n += 1
                d.slots[place] = <uint64_t>tag << 32 | d.n
                break
            if slot >> 32 == tag and memcmp(values + <uint64_t>d.rows[<uint32_t>slot - 1] * size, at, size) == 0:
                codes[row] = <uint32_t>slot - 1
                break
            place = (place + 1) & ((<uint64_t>1 << d.bits) - 1)
    return True
