# The sequence space of one side: which numbers were sent, sent again, sent late, and never seen.

from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from fluxcap.base.numbers cimport TCP_WINDOW_MAX
from fluxcap.base.sequence cimport ahead
from fluxcap.flows.aside cimport FEW_HOLES, Hole, MANY_HOLES
from fluxcap.flows.connection cimport Side
from fluxcap.flows.table cimport Flows

cdef enum:
    # A hole that begins further back is counted as a gap. Past half of the sequence space, 0x80000000, comparisons of
    # sequence numbers turn round.
    MAX_REACH = 0x7FF00000

cdef enum Coverage:             # the numbers of a segment:
    COVERS_NEW                  # numbers beyond the edge, or none, or numbers too old to tell
    COVERS_HOLE                 # numbers that were missing, and none beyond the edge
    COVERS_OLD                  # only numbers that had been seen

cdef inline Hole* holes_of(const Flows* f, Side* s) noexcept nogil:
    return &f.blocks[s.block - 1].holes[0] if s.block else &s.holes[0]

cdef inline void drop_hole(Side* s, Hole* holes, uint32_t i) noexcept nogil:
    s.n_holes -= 1
    memmove(holes + i, holes + i + 1, (s.n_holes - i) * sizeof(Hole))

cdef inline void raise_floor(Side* s, uint32_t to) noexcept nogil:
    if ahead(to, s.floor) > 0:
        s.floor = to
        s.raised = True

cdef inline void give_up_hole(Side* s, Hole* holes) noexcept nogil:
    """Count the lowest hole as a gap and forget it. Later segments there count neither as late nor as sent again."""
    s.gap_octets += holes[0].end - holes[0].start
    raise_floor(s, holes[0].end)
    drop_hole(s, holes, 0)

cdef inline void add_hole(Flows* f, Side* s, uint32_t i, uint32_t start, uint32_t end) noexcept nogil:
    """Add a hole as the i-th."""
    cdef Hole* holes = holes_of(f, s)
    if s.block == 0 and s.n_holes == FEW_HOLES:
        f.n_blocks += 1
        s.block = <uint32_t>f.n_blocks
        memcpy(holes_of(f, s), holes, FEW_HOLES * sizeof(Hole))
        holes = holes_of(f, s)
    elif s.n_holes == MANY_HOLES:
        give_up_hole(s, holes)
        i -= i != 0
    memmove(holes + i + 1, holes + i, (s.n_holes - i) * sizeof(Hole))
    holes[i].start = start
    holes[i].end = end
    s.n_holes += 1

cdef inline void miss(Flows* f, Side* s, uint32_t up_to) noexcept nogil:
    """The numbers from the edge up to `up_to` were not seen."""
    add_hole(f, s, s.n_holes, s.edge, up_to)
    s.edge = up_to

cdef inline uint32_t front(const Side* s) noexcept nogil:
    """The end of what this side has sent, as far as it is seen or acknowledged."""
    return s.ack if s.unseen else s.edge

cdef inline void take_back_ack(Side* s, uint32_t ack) noexcept nogil:
    """The acknowledgment of bytes never seen did not hold; this one does."""
    s.out_of_order -= s.unseen - 1
    s.unseen = ahead(ack, s.edge) > 0
    s.ack = ack

cdef inline void catch_up(Side* s, bint is_between) noexcept nogil:
    """A segment was seen after bytes that were acknowledged before they were seen. Out of order is one of these."""
    if is_between:
        s.out_of_order += 1
        s.unseen += s.unseen < 255
    if ahead(s.edge, s.ack) >= 0:
        s.unseen = 0
    elif s.fins:
        take_back_ack(s, s.edge)    # what lies behind the FIN was never sent

cdef inline bint fill(Flows* f, Side* s, uint32_t start, uint32_t end) noexcept nogil:
    """Take these numbers out of the holes; False if no hole has any of them."""
    cdef Hole* holes = holes_of(f, s)
    cdef uint32_t i = 0, above
    cdef int32_t first, last, size
    cdef bint filled = False
    while i < s.n_holes and ahead(holes[i].start, end) < 0:
        size = ahead(holes[i].end, holes[i].start)
        first = max(ahead(start, holes[i].start), 0)
        last = min(ahead(end, holes[i].start), size)
        if first >= last:
            i += 1
            continue
        filled = True
        if first == 0 and last == size:
            drop_hole(s, holes, i)
        elif first == 0:
            holes[i].start += last
            break               # the segment ends here
        elif last == size:
            holes[i].end = holes[i].start + first
            i += 1
        else:
            above, end = holes[i].start + last, holes[i].end
            holes[i].end = holes[i].start + first
            add_hole(f, s, i + 1, above, end)
            break
    return filled

cdef inline void keep_in_reach(Flows* f, Side* s) noexcept nogil:
    """The edge has moved: give up holes, and raise the floor, that lie too far behind it."""
    cdef uint32_t lowest = s.edge - TCP_WINDOW_MAX
    while s.n_holes and s.edge - holes_of(f, s)[0].start > MAX_REACH:
        give_up_hole(s, holes_of(f, s))
    if s.edge - s.floor > TCP_WINDOW_MAX:
        s.floor = lowest
        s.raised = True

cdef inline Coverage cover(Flows* f, Side* s, uint32_t start, uint32_t end) noexcept nogil:
    """A segment has these numbers."""
    if ahead(start, s.edge) > 0:
        miss(f, s, start)
    if ahead(end, s.edge) > 0:
        if s.n_holes:
            fill(f, s, start, end)
        s.edge = end
        keep_in_reach(f, s)
        return COVERS_NEW
    if start == end:
        return COVERS_NEW
    if s.n_holes and fill(f, s, start, end):
        return COVERS_HOLE
    if ahead(start, s.floor) < 0:
        # It is not known whether numbers before the first segment of a connection under way were sent before.
        return COVERS_NEW if s.raised else COVERS_HOLE
    return COVERS_OLD

cdef inline void restart(Side* s, uint32_t at) noexcept nogil:
    """Another sequence of numbers begins. Nobody acknowledged the one before, so its holes do not count."""
    s.n_holes = 0
    s.gap_octets = 0
    s.edge = s.floor = at
    s.raised = False
    s.unseen = 0

cdef inline uint64_t gap_octets(const Flows* f, Side* s) noexcept nogil:
    """Bytes that were never seen."""
    cdef uint64_t missing = s.gap_octets + (front(s) - s.edge)
    cdef Hole* holes = holes_of(f, s)
    cdef uint32_t i
    for i in range(s.n_holes):
        missing += holes[i].end - holes[i].start
    return missing
