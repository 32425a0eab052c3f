# Sequence space: what of it a side sent, what came again, what came late, and what was never seen. All comparisons are
# modulo 2^32 (RFC 9293 section 3.4).

from libc.stdint cimport int32_t, uint32_t, uint64_t

from fluxcap.base.numbers cimport TCP_WINDOW_MAX
from fluxcap.flows.connection cimport Hole, MAX_HOLES, Side

cdef enum Coverage:             # what a segment brings
    COVERS_NEW                  # something beyond all before it, or nothing at all
    COVERS_HOLE                 # nothing beyond it, but something that was missing
    COVERS_OLD                  # only what had been seen

cdef inline int32_t ahead(uint32_t a, uint32_t b) noexcept nogil:
    """How far `a` lies ahead of `b`."""
    return <int32_t>(a - b)

cdef inline void drop_hole(Side* s, uint32_t i) noexcept nogil:
    s.n_holes -= 1
    for i in range(i, s.n_holes):
        s.holes[i] = s.holes[i + 1]

cdef inline void give_up_hole(Side* s) noexcept nogil:
    """The lowest hole is no longer kept, and taken for a gap: so late it will hardly be filled."""
    s.gap_octets += s.holes[0].end - s.holes[0].start
    drop_hole(s, 0)

cdef inline void miss(Side* s, uint32_t up_to) noexcept nogil:
    """What lies between the edge and here has not been seen."""
    if up_to - s.edge <= TCP_WINDOW_MAX:
        if s.n_holes == MAX_HOLES:
            give_up_hole(s)
        s.holes[s.n_holes].start = s.edge
        s.holes[s.n_holes].end = up_to
        s.n_holes += 1
    s.edge = up_to

cdef inline bint fill(Side* s, uint32_t start, uint32_t end) noexcept nogil:
    """Take this out of the holes; False if it lies in none."""
    cdef uint32_t i = 0, j
    cdef int32_t first, last, size
    cdef Hole* hole
    cdef bint filled = False
    while i < s.n_holes:
        hole = &s.holes[i]
        size = ahead(hole.end, hole.start)
        first = max(ahead(start, hole.start), 0)
        last = min(ahead(end, hole.start), size)
        i += 1
        if first >= last:
            continue
        filled = True
        if first == 0 and last == size:
            i -= 1
            drop_hole(s, i)
        elif first == 0:
            hole.start += last
        elif last == size:
            hole.end = hole.start + first
        elif s.n_holes == MAX_HOLES:
            s.gap_octets += first       # no room for two: the lower part is taken for a gap
            hole.start += last
        else:
            for j in range(s.n_holes, i, -1):
                s.holes[j] = s.holes[j - 1]
            s.n_holes += 1
            s.holes[i].start = hole.start + last
            s.holes[i].end = hole.end
            hole.end = hole.start + first
    return filled

cdef inline Coverage cover(Side* s, uint32_t start, uint32_t end) noexcept nogil:
    """A segment took up this much."""
    if ahead(start, s.edge) > 0:
        miss(s, start)
    if ahead(end, s.edge) > 0:
        if s.n_holes:
            fill(s, start, end)
        s.edge = end
        return COVERS_NEW
    if start == end:
        return COVERS_NEW
    # What lies before the first segment of a connection that was under way is not known to have been there before.
    return COVERS_HOLE if fill(s, start, end) or ahead(start, s.start) < 0 else COVERS_OLD

cdef inline void restart(Side* s, uint32_t at) noexcept nogil:
    """Another sequence begins."""
    while s.n_holes:
        give_up_hole(s)
    s.edge = at

cdef inline uint64_t gap_octets(const Side* s) noexcept nogil:
    """Octets never seen."""
    cdef uint64_t missing = s.gap_octets
    cdef uint32_t i
    for i in range(s.n_holes):
        missing += s.holes[i].end - s.holes[i].start
    return missing
