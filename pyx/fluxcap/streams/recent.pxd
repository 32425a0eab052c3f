# The bytes that streams delivered last. A segment that is sent again is compared with them: a sender can show one text
# to the receiver and another to whoever records, with the same sequence numbers.
#
# Streams that deliver take turns with a fixed number of rings. So memory is fixed, whatever the capture holds, and
# which bytes are compared does not depend on where batches begin.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from fluxcap.base.memory cimport pages_free, pages_new

cdef enum:
    RINGS = 2048                # streams remembered at once
    RING = 1 << 14              # bytes of each: the initial window of ten full Ethernet frames (RFC 6928) fits

cdef struct Ring:
    uint64_t owner              # 1 + place of the stream, 0 = none
    uint64_t start              # position in the stream of the first byte kept
    uint64_t end                # position behind the last byte kept

cdef struct Recent:
    Ring* rings
    uint8_t* octets             # RINGS * RING
    uint64_t taken              # rings given out so far

cdef inline bint open_recent(Recent* r) noexcept nogil:
    if r.rings == NULL:
        r.rings = <Ring*>calloc(RINGS, sizeof(Ring))
        r.octets = <uint8_t*>pages_new(RINGS * RING)
    return r.rings != NULL and r.octets != NULL

cdef inline void free_recent(Recent* r) noexcept nogil:
    free(r.rings)
    pages_free(r.octets, RINGS * RING)

cdef inline Ring* ring_of(const Recent* r, uint32_t number, uint64_t place) noexcept nogil:
    """The ring that the stream was given (1 + its number, 0 = none); NULL if another stream has it now."""
    if number and r.rings[number - 1].owner == place + 1:
        return &r.rings[number - 1]
    return NULL

cdef inline uint32_t give_ring(Recent* r, uint64_t place) noexcept nogil:
    """Give the stream the ring that was given out longest ago. Returned: 1 + its number."""
    cdef uint32_t number = <uint32_t>(r.taken % RINGS)
    r.taken += 1
    r.rings[number].owner = place + 1
    r.rings[number].start = r.rings[number].end = 0
    return number + 1

cdef inline void remember(const Recent* r, Ring* ring, uint64_t position, const uint8_t* octets,
                          uint32_t length) noexcept nogil:
    cdef uint8_t* base = r.octets + <uint64_t>(ring - r.rings) * RING
    cdef uint32_t at, first
    if ring.end != position:
        ring.start = position   # there was a gap
    ring.end = position + length
    if length > RING:
        octets += length - RING
        length = RING
    if ring.end - ring.start > RING:
        ring.start = ring.end - RING
    at = <uint32_t>(ring.end - length) & RING - 1
    first = min(length, RING - at)
    memcpy(base + at, octets, first)
    memcpy(base, octets + first, length - first)

cdef inline bint contradicts(const Recent* r, const Ring* ring, uint64_t position, const uint8_t* octets,
                             uint64_t length) noexcept nogil:
    """Do these bytes differ from the bytes that the ring has at the same positions?"""
    cdef const uint8_t* base = r.octets + <uint64_t>(ring - r.rings) * RING
    cdef uint64_t skip = ring.start - position if ring.start > position else 0, first
    cdef uint32_t at
    if ring.start >= position + length or ring.end <= position:
        return False
    octets += skip
    position += skip
    length = min(length - skip, ring.end - position)
    at = <uint32_t>position & RING - 1
    first = min(length, <uint64_t>(RING - at))
    return memcmp(base + at, octets, first) != 0 or memcmp(base, octets + first, length - first) != 0
