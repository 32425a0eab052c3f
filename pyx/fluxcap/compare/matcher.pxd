# What a comparison knows while it goes on: the clocks, the ways, the packets in flight, and what is counted.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport multiply_fold
from fluxcap.compare.account cimport Account
from fluxcap.compare.arrivals cimport Arrivals
from fluxcap.compare.clock cimport ClockSamples, CommonClock, after
from fluxcap.compare.pending cimport InFlight, LIST_SAME, Pending
from fluxcap.compare.sighting cimport POINT_A, POINT_B, Sighting
from fluxcap.compare.ways cimport Ways
from fluxcap.pipeline.identity cimport IdentityKey

cdef enum:                      # beside ListKind, in keys
    KEY_ARRIVED = 16

cdef struct Matcher:
    IdentityKey key
    Ways ways
    InFlight flight
    Arrivals arrivals
    ClockSamples* samples       # where the clock is learned; NULL: packets are counted
    bint misled                 # ... from two ways as if they were one
    CommonClock clock
    Account account
    int64_t window              # ns
    int64_t now                 # by the common clock

cdef inline uint64_t list_key(const Matcher* m, uint32_t kind, uint32_t point, uint64_t a, uint64_t b) noexcept nogil:
    """Never 0."""
    return multiply_fold(a ^ m.key.words[0], b ^ m.key.words[1] ^ (<uint64_t>kind << 8 | point)) | <uint64_t>1 << 63

cdef inline uint64_t same_key(const Matcher* m, uint32_t kind, uint32_t point, uint64_t ends,
                              const Sighting* s) noexcept nogil:
    return list_key(m, kind, point, ends,
                    multiply_fold(s.identity.head ^ m.key.words[1], s.identity.data ^ m.key.words[0]))

cdef inline uint64_t head_key(const Matcher* m, uint32_t point, uint64_t ends, const Sighting* s) noexcept nogil:
    """The key of LIST_SAME. A number of its own tells a packet from others, so one whose payload was changed is in the
    same list; where there is none, all packets of a length would be."""
    if s.identity.own:
        return list_key(m, LIST_SAME, point, ends, s.identity.head)
    return same_key(m, LIST_SAME, point, ends, s)

cdef inline uint64_t arrival_key(const Matcher* m, uint64_t ends, const Sighting* s) noexcept nogil:
    """Without a point: packets of a way arrive at one."""
    return same_key(m, KEY_ARRIVED, POINT_A, ends, s)

cdef inline bint has_waited(const Matcher* m, uint32_t number, int64_t least) noexcept nogil:
    """Has a packet in flight waited for more than so many ns? It may be one from before the clock was set back, too."""
    cdef int64_t apart = after(m.now, m.flight.at[number].time)
    return apart > least or -apart > least

cdef inline int64_t delay_of(uint32_t point, int64_t time, const Pending* p) noexcept nogil:
    """How much later the packet was seen at B than at A, by the common clock; one of both waits, one comes now."""
    return after(time, p.time) if point == POINT_B else after(p.time, time)
