# The bytes that streams delivered last, to hold against what is sent again: is it the same? Whoever answers "yes" by
# the sequence numbers alone can be told two stories, one to him and one to the receiver.
#
# A fixed number of rings go round among the streams that deliver: memory is fixed, whatever the capture holds, and what
# is compared does not depend on where batches begin.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from fluxcap.base.memory cimport pages_free, pages_new

cdef enum:
    RINGS = 2048                # streams remembered at once
    RING = 1 << 14              # bytes of each: ten full Ethernet frames, the initial window (RFC 6928)

cdef struct Ring:
    uint64_t owner              # 1 + place of the stream, 0 = nobody
    uint64_t start              # positions in the stream: of the first byte that is there
    uint64_t end                # ... and behind the last

cdef struct Recent:
    Ring* rings
    uint8_t* octets             # RINGS * RING
    uint64_t taken              # rings ever given out

cdef inline bint open_recent(Recent* r) noexcept nogil:
    if r.rings == NULL:
        r.rings = <Ring*>calloc(RINGS, sizeof(Ring))
        r.octets = <uint8_t*>pages_new(RINGS * RING)
    return r.rings != NULL and r.octets != NULL

cdef inline void free_recent(Recent* r) noexcept nogil:
    free(r.rings)
    pages_free(r.octets, RINGS * RING)

cdef inline Ring* ring_of(const Recent* r, uint32_t number, uint64_t place) noexcept nogil:
    """The ring that the stream was given (1 + its number, 0 = none), if it has it still."""
    if number and r.rings[number - 1].owner == place + 1:
        return &r.rings[number - 1]
    return NULL

cdef inline uint32_t give_ring(Recent* r, uint64_t place) noexcept nogil:
    """1 + the number of the ring that was given out longest ago: it is this stream's now."""
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
    """Do these bytes say anything else, as far as those of the same positions are there?"""
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
