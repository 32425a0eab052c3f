# The two captures side by side: packets are taken in the order of the common time, whichever point saw them. Where the
# times of a capture go back far, it waits until those of the other one have gone as far and do so too, or go on: two
# captures stay side by side, whatever a clock did that both have seen.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from fluxcap.base.columns cimport free_columns
from fluxcap.base.memory cimport prefetch
from fluxcap.compare.account cimport take_quantiles
from fluxcap.compare.arrivals cimport free_arrivals, open_arrivals
from fluxcap.compare.clock cimport ClockSamples, after, common_time, estimate_clock
from fluxcap.compare.delays cimport Octave, step_of
from fluxcap.compare.direction cimport add_rest, conclude_direction, ignore_answers
from fluxcap.compare.matcher cimport Matcher, arrival_key, head_key, list_key
from fluxcap.compare.meeting cimport end_matching, take_sighting
from fluxcap.compare.partners cimport most_early
from fluxcap.compare.pending cimport (
    LIST_CHANGED, LIST_STARTS, Pending, first_in_list, free_in_flight, open_in_flight)
from fluxcap.compare.ranges cimport has_range
from fluxcap.compare.sighting cimport POINTS, POINT_A, POINT_B, Sighting, Sightings, Watch, open_sightings
from fluxcap.compare.ways cimport NOT_TOLD, Way, forget_counts, forget_direction, free_ways, open_ways, way_slot

cdef enum WalkStop:
    WALK_WANTS_A
    WALK_WANTS_B
    WALK_ENDED
    WALK_NO_MEMORY

# The packets of a point that are taken now, and those behind them. The point sees more meanwhile: its reading and the
# walk are work for two threads.
cdef struct Coming:
    Sightings now
    uint32_t taken              # of these
    Sightings behind
    int64_t next_time           # of the next one by the common clock, where it is `timed`
    bint timed
    bint begun                  # some were taken
    int64_t latest              # of those that have come since times went back far,
    uint64_t times_back         # ... how often they did,
    int64_t before              # ... and the latest one before they did so last

cdef inline bint open_coming(Coming* c) noexcept nogil:
    return open_sightings(&c.now) and open_sightings(&c.behind)

cdef inline void free_coming(Coming* c) noexcept nogil:
    free(c.now.at)
    free(c.behind.at)

cdef inline void forget_coming(Coming* c) noexcept nogil:
    """None have come yet."""
    c.now.n = c.taken = c.behind.n = 0
    c.timed = False
    c.begun = False
    c.times_back = 0

cdef inline bint accept_seen(Coming* c, Watch* w) noexcept nogil:
    """Have what a point has seen come behind the others. False: some are behind them already."""
    if c.behind.n:
        return False
    c.behind, w.seen = w.seen, c.behind
    return True

cdef inline bint has_come(Coming* c) noexcept nogil:
    """Is there a packet to take?"""
    if c.taken == c.now.n:
        c.now, c.behind = c.behind, c.now
        c.taken = c.behind.n = 0
    return c.taken < c.now.n

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

# Memory that a packet will need, asked for while packets before it are taken. Ways, lists and packets in flight of a
# long capture fit into no cache, and each packet needs some ten places in them: waiting for one after the other takes
# most of the time. The keys follow from the packet alone, but where ends are translated.

cdef enum:
    SLOTS_AHEAD = 16            # packets: a miss takes as long as a few packets, and there are several a packet
    PLACES_AHEAD = 8            # ... to which the slots lead
    WAYS_AHEAD = 5              # ... to which the ways lead
    OCTAVES_AHEAD = 2           # ... to which the delays of a way lead
    LINE = 64                   # bytes

cdef inline void expect_list(const Matcher* m, uint64_t key) noexcept nogil:
    prefetch(&m.flight.lists.slots[key & m.flight.lists.mask])

cdef inline void expect_slots(const Matcher* m, uint32_t point, const Sighting* s) noexcept nogil:
    cdef uint64_t ends = s.identity.ends
    cdef int there
    prefetch(&m.ways.slots[ends & m.ways.mask])
    for there in range(POINTS):
        expect_list(m, head_key(m, there, ends, s))
        if m.samples == NULL and not s.identity.own:
            expect_list(m, list_key(m, LIST_CHANGED, there, ends, s.identity.head))
    if m.samples == NULL and has_range(s):
        expect_list(m, list_key(m, LIST_STARTS, point, ends, s.seq))

cdef inline void expect_octets(const void* at, uint32_t octets) noexcept nogil:
    cdef uint32_t i
    for i in range((octets + LINE - 1) // LINE):
        prefetch(<const char*>at + i * LINE)

cdef inline void expect_way(const Way* w, bint learns) noexcept nogil:
    """What is learned from each packet, or counted with each that a point has seen."""
    if learns:
        expect_octets(w, <uint32_t>(<const char*>&w.first - <const char*>w))
    else:
        expect_octets(&w.hash, <uint32_t>(<const char*>&w.arrived - <const char*>&w.hash))

cdef inline void expect_places(const Matcher* m, uint32_t point, const Sighting* s) noexcept nogil:
    cdef uint32_t place = way_slot(&m.ways, s.identity.ends).place
    cdef uint32_t number = first_in_list(&m.flight, head_key(m, POINTS - 1 - point, s.identity.ends, s))
    if place:
        expect_way(&m.ways.at[place], m.samples != NULL)
    if number:
        expect_octets(&m.flight.at[number], sizeof(Pending))

cdef inline void expect_of_way(const Matcher* m, uint32_t point, const Sighting* s) noexcept nogil:
    """What is told by the opposite way, or counted with a packet that arrives."""
    cdef uint32_t place = way_slot(&m.ways, s.identity.ends).place
    cdef const Way* w = &m.ways.at[place]
    if place == 0:
        return
    if m.samples != NULL:
        expect_way(&m.ways.at[w.back], True)
    elif w.from_ != point:
        prefetch(&m.arrivals.at[arrival_key(m, s.identity.ends, s) & m.arrivals.mask])
        expect_octets(&w.arrived, <uint32_t>(<const char*>&w.alone - <const char*>&w.arrived))

cdef inline void expect_octave(const Matcher* m, uint32_t point, const Sighting* s) noexcept nogil:
    """The counters that the last packet of the way was counted in, where this one arrives."""
    cdef const Way* w = &m.ways.at[way_slot(&m.ways, s.identity.ends).place]
    cdef const Octave* octave = &m.account.octaves.at[w.delays.first]
    if w.from_ != point and w.delays.first:
        prefetch(&octave.number)
        prefetch(&octave.counts[step_of(octave.number, <uint64_t>w.last_delay)])

cdef inline void expect(const Matcher* m, uint32_t point, const Coming* c) noexcept nogil:
    """Ask for what the packets behind the next one need."""
    cdef const Sighting* next = c.now.at + c.taken
    cdef uint32_t left = c.now.n - c.taken
    if m.samples == NULL and OCTAVES_AHEAD < left:
        expect_octave(m, point, next + OCTAVES_AHEAD)
    if WAYS_AHEAD < left:
        expect_of_way(m, point, next + WAYS_AHEAD)
    if SLOTS_AHEAD < left:
        expect_slots(m, point, next + SLOTS_AHEAD)
    if PLACES_AHEAD < left:
        expect_places(m, point, next + PLACES_AHEAD)

cdef inline int64_t time_of_next(const Matcher* m, uint32_t point, Coming* c) noexcept nogil:
    """The time of the next packet that a point has seen, by the common clock."""
    if not c.timed:
        c.next_time = common_time(&m.clock, point, c.now.at[c.taken].time)
        c.timed = True
        if c.begun and after(c.latest, c.next_time) > m.window // 2:   # else it finds its partner still
            c.before = c.latest
            c.times_back += 1
            c.latest = c.next_time
        c.latest = max(c.latest, c.next_time) if c.begun else c.next_time
    return c.next_time

cdef inline bint waits_for(const Matcher* m, const Coming* c, Coming* other) noexcept nogil:
    """Have the times of a point gone back, while the other one may still come to where they did so?"""
    if c.times_back <= other.times_back:
        return False
    if <double>after(other.next_time, c.before) <= most_early(m):
        return True
    other.times_back = c.times_back     # it went on
    return False

cdef inline bint is_a_next(const Matcher* m, Coming* a, Coming* b) noexcept nogil:
    cdef int64_t of_a = time_of_next(m, POINT_A, a), of_b = time_of_next(m, POINT_B, b)
    if waits_for(m, a, b):
        return False
    if waits_for(m, b, a):
        return True
    return of_a <= of_b

cdef inline bint take_next(Matcher* m, uint32_t point, Coming* c) noexcept nogil:
    """False: memory is out."""
    cdef int64_t time = time_of_next(m, point, c)
    expect(m, point, c)
    c.taken += 1
    c.begun = True
    c.timed = False
    return take_sighting(m, point, &c.now.at[c.taken - 1], time)

cdef inline WalkStop walk(Matcher* m, Coming* a, Coming* b, bint a_ended, bint b_ended) noexcept nogil:
    """Take packets until what a point has seen next, if its capture has not ended, must be there."""
    cdef bint from_a, from_b
    while True:
        from_a, from_b = has_come(a), has_come(b)
        if not from_a and not a_ended:
            return WALK_WANTS_A
        if not from_b and not b_ended:
            return WALK_WANTS_B
        if not from_a and not from_b:
            return WALK_ENDED if end_matching(m) else WALK_NO_MEMORY
        if from_a and from_b:
            from_a = is_a_next(m, a, b)
        if not take_next(m, POINT_A if from_a else POINT_B, a if from_a else b):
            return WALK_NO_MEMORY

cdef inline bint learn_again(Matcher* m) noexcept nogil:
    """Forget what was learned from ways that are not one, but not which ways are; then, what was learned from answers
    that contradict each other. False: there were none."""
    cdef uint64_t i
    cdef bint ignores_answers
    if not (m.misled or ignore_answers(m.samples)):
        return False
    m.misled = False
    ignores_answers = m.samples.ignores_answers
    memset(m.samples, 0, sizeof(ClockSamples))
    m.samples.ignores_answers = ignores_answers
    for i in range(1, m.ways.n):
        forget_counts(&m.ways.at[i])
        forget_direction(&m.ways.at[i])
    return True

cdef inline bint begin_counting(Matcher* m) noexcept nogil:
    """The clock is learned from the first reading. The second one counts. False: memory is out."""
    cdef uint64_t i
    add_rest(&m.ways, m.samples)
    estimate_clock(m.samples, &m.clock)
    free(m.samples)
    m.samples = NULL
    for i in range(1, m.ways.n):
        if m.ways.at[i].stands == 0:
            conclude_direction(&m.ways, <uint32_t>i, &m.clock)
        forget_counts(&m.ways.at[i])
    free_arrivals(&m.arrivals)
    return open_arrivals(&m.arrivals)

cdef inline void end_counting(Matcher* m) noexcept nogil:
    cdef uint64_t i
    for i in range(1, m.ways.n):
        take_quantiles(&m.account, &m.ways.at[i])
        if m.clock.together and m.ways.at[i].from_ == NOT_TOLD:     # seen at one point only
            m.ways.at[i].from_ = POINT_B if m.clock.kind & 1 else POINT_A
