# The two captures side by side: packets are taken in the order of the common time, whichever point saw them.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from fluxcap.base.columns cimport free_columns
from fluxcap.compare.account cimport take_quantiles
from fluxcap.compare.ahead cimport expect
from fluxcap.compare.arrivals cimport free_arrivals, open_arrivals
from fluxcap.compare.clock cimport ClockSamples, common_time, estimate_clock
from fluxcap.compare.direction cimport conclude_direction
from fluxcap.compare.matcher cimport Matcher
from fluxcap.compare.meeting cimport end_matching, take_sighting
from fluxcap.compare.pending cimport free_in_flight, open_in_flight
from fluxcap.compare.sighting cimport POINT_A, POINT_B, Watch
from fluxcap.compare.ways cimport forget_counts, forget_direction, free_ways, open_ways

cdef enum WalkStop:
    WALK_WANTS_A
    WALK_WANTS_B
    WALK_ENDED
    WALK_NO_MEMORY

cdef inline bint open_walk(Matcher* m) noexcept nogil:
    m.samples = <ClockSamples*>calloc(1, sizeof(ClockSamples))
    return m.samples != NULL and open_ways(&m.ways) and open_in_flight(&m.flight) and open_arrivals(&m.arrivals)

cdef inline void free_walk(Matcher* m) noexcept nogil:
    free(m.samples)
    free_ways(&m.ways)
    free_in_flight(&m.flight)
    free_arrivals(&m.arrivals)
    free_columns(&m.account.rows)
    free(m.account.octaves.at)

cdef inline WalkStop walk(Matcher* m, Watch* a, Watch* b, bint a_ended, bint b_ended) noexcept nogil:
    """Take packets until a capture that has not ended must be read on."""
    cdef bint a_is_next
    while True:
        if a.taken == a.n and not a_ended:
            return WALK_WANTS_A
        if b.taken == b.n and not b_ended:
            return WALK_WANTS_B
        if a.taken == a.n and b.taken == b.n:
            return WALK_ENDED if end_matching(m) else WALK_NO_MEMORY
        a_is_next = b.taken == b.n or a.taken < a.n and \
            common_time(&m.clock, POINT_A, a.seen[a.taken].time) <= common_time(&m.clock, POINT_B, b.seen[b.taken].time)
        if a_is_next:
            expect(m, POINT_A, a)
            a.taken += 1
            if not take_sighting(m, POINT_A, &a.seen[a.taken - 1]):
                return WALK_NO_MEMORY
        else:
            expect(m, POINT_B, b)
            b.taken += 1
            if not take_sighting(m, POINT_B, &b.seen[b.taken - 1]):
                return WALK_NO_MEMORY

cdef inline bint learn_again(Matcher* m) noexcept nogil:
    """Forget what was learned from ways that are not one, but not which ways are. False: there were none."""
    cdef uint64_t i
    if not m.misled:
        return False
    m.misled = False
    memset(m.samples, 0, sizeof(ClockSamples))
    for i in range(1, m.ways.n):
        forget_counts(&m.ways.at[i])
        forget_direction(&m.ways.at[i])
    return True

cdef inline void begin_counting(Matcher* m) noexcept nogil:
    """The clock is learned from the first reading. The second one counts."""
    cdef uint64_t i
    estimate_clock(m.samples, &m.clock)
    free(m.samples)
    m.samples = NULL
    for i in range(1, m.ways.n):
        if m.ways.at[i].stands == 0:
            conclude_direction(&m.ways, <uint32_t>i, &m.clock)
        forget_counts(&m.ways.at[i])

cdef inline void end_counting(Matcher* m) noexcept nogil:
    cdef uint64_t i
    for i in range(1, m.ways.n):
        take_quantiles(&m.account, &m.ways.at[i])
