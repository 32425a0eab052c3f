# What a capture does not have of a connection, although its receiver acknowledged it: the proof that the capture lost
# it, and not the network.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fluxcap.base.sequence cimport FAR, ahead
from fluxcap.flows.aside cimport Hole
from fluxcap.flows.connection cimport (
    CLOSED, Connection, ESTABLISHED, PARTIAL, RESET, SEEN_SYN, Side, connection_at)
from fluxcap.flows.sequence cimport holes_of
from fluxcap.flows.table cimport Flows

cdef inline bint has_sent(const Side* s) noexcept nogil:
    """Did this side send more than a SYN? The acknowledgment of a lone SYN may be of an older connection."""
    cdef uint8_t state = s.before if s.state == RESET else s.state
    return state == ESTABLISHED or state == PARTIAL or state == CLOSED

cdef inline bint may_tell(const Side* s, bint began, uint32_t at) noexcept nogil:
    """Is it certain that the capture was running when bytes from `at` on were sent? Of a connection that began before
    it, what is sent again at its beginning may have later bytes before it that the capture is too young to have."""
    return began or at - s.start > FAR

cdef inline uint64_t lost_octets(const Flows* f, Side* s, bint began) noexcept nogil:
    """Bytes of a side that were acknowledged and never seen. `began`: its SYN was seen."""
    cdef Hole* holes = holes_of(f, s)
    cdef uint64_t lost = s.gap_octets       # far behind what was acknowledged since
    cdef uint32_t i
    for i in range(s.n_holes):
        if ahead(holes[i].start, s.ack) < 0 and may_tell(s, began, holes[i].start):
            lost += min(ahead(holes[i].end, holes[i].start), ahead(s.ack, holes[i].start))
    if s.unseen and ahead(s.ack, s.edge) > 0 and may_tell(s, began, s.edge):
        lost += ahead(s.ack, s.edge)
    return lost

cdef inline void read_losses(const Flows* f, uint64_t* lost, uint64_t n) noexcept nogil:
    """Read of the two sides of the first n rows how many bytes were acknowledged and never seen."""
    cdef Connection* c
    cdef uint64_t i
    cdef uint32_t way
    for i in range(min(n, f.n)):
        c = connection_at(f, i)
        if has_sent(&c.sides[0]) and has_sent(&c.sides[1]):
            for way in range(2):
                lost[2 * i + way] = lost_octets(f, &c.sides[way], c.seen[way] & SEEN_SYN)
