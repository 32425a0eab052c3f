# From which point does a way come? Its TTL tells, where a router is between the points. Else a packet and one of the
# opposite way tell: how much later each was seen at B differs by both delays, whatever the clocks say, so the way for
# which it was more comes from A. Two ways that nothing tells of are told by the clocks, once these are known.
#
# Both points may also be beside one link, or behind one tap: packets and their answers pass them in the same order. How
# much later they are seen at B differs by chance then, and answers contradict each other, which they cannot do where
# packets cross: the round trip between the points is never negative.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fluxcap.compare.clock cimport (
    CLOCK_ONE_WAY, DRIFT_MAX, FROM_A, FROM_B, MAYBE_FROM_A, MAYBE_FROM_B, Between, ClockSamples, CommonClock, add_low,
    after)
from fluxcap.compare.sighting cimport POINT_A, POINT_B, Sighting
from fluxcap.compare.ways cimport NOT_TOLD, Apart, Way, Ways, way_back

cdef inline void note_direction(Way* w, int64_t earlier) noexcept nogil:
    """TTL goes before times."""
    w.earlier += earlier
    if w.fewer_hops:
        w.from_ = POINT_A if w.fewer_hops > 0 else POINT_B
    elif w.earlier:
        w.from_ = POINT_A if w.earlier > 0 else POINT_B

cdef enum:
    MOST_AGREE = 4              # answers that agree, to one that contradicts, where packets cross: by chance it is 1

cdef inline double drifted(int64_t between) noexcept nogil:
    """By how much two clocks may move apart in a time, ns."""
    return (between if between > 0 else -between) * (DRIFT_MAX * 1e-6)

cdef inline void count_answer(ClockSamples* samples, const Way* w, const Way* back, int64_t proved) noexcept nogil:
    """Does a packet with its answer say of the way what those before them said, and of the clocks what the last ones
    of any flow did?"""
    cdef Between* last = &samples.last
    cdef Between now
    cdef double apart
    cdef bint agrees
    if not proved:
        return
    now.least, now.most = min(w.last_raw, back.last_raw), max(w.last_raw, back.last_raw)
    now.time = w.last_time
    if last.time and now.time != last.time:
        apart = drifted(after(now.time, last.time)) + drifted(after(w.last_time, back.last_time))
        agrees = after(now.least, last.most) <= apart and after(last.least, now.most) <= apart and \
            (w.earlier == 0 or (proved > 0) == (w.earlier > 0))
        samples.agreed += agrees
        samples.contradicted += not agrees
    last[0] = now

cdef inline bint ignore_answers(ClockSamples* samples) noexcept nogil:
    """Do answers prove nothing, so that the clock must be learned anew without them? True once at most."""
    if samples.ignores_answers or samples.contradicted * MOST_AGREE <= samples.agreed:
        return False
    samples.ignores_answers = True
    return True

cdef inline void compare_ways(ClockSamples* samples, Way* w, Way* back) noexcept nogil:
    """Compare the last packets of two opposite ways. What drift may have made of their times proves nothing."""
    cdef int64_t more = after(w.last_raw, back.last_raw)
    cdef double apart = drifted(after(w.last_time, back.last_time))
    cdef int64_t proved = 1 if <double>more > apart else -1 if -<double>more > apart else 0
    count_answer(samples, w, back, proved)
    note_direction(w, proved)
    note_direction(back, -proved)

cdef inline void keep_untold(Way* w, int64_t time, int64_t raw) noexcept nogil:
    """Keep what the clock will be learned from once the direction is known."""
    cdef Apart now
    now.time = time
    now.raw = raw
    if not w.untold or raw < w.least.raw:
        w.least = now
    if not w.untold or raw > w.most.raw:
        w.most = now
    w.untold = True

cdef inline void add_untold(Way* w, ClockSamples* samples) noexcept nogil:
    """Learn from the packet with the least delay of those before the direction was known."""
    if w.untold and w.from_ == POINT_B:
        add_low(samples, FROM_B, w.most.time, w.most.raw)
    elif w.untold:
        add_low(samples, FROM_A, w.least.time, w.least.raw)
    w.untold = False

cdef inline void add_rest(Ways* ways, ClockSamples* samples) noexcept nogil:
    """Learn from the ways that were told by the last answer, and had no packet after it."""
    cdef uint64_t i
    for i in range(1, ways.n):
        if ways.at[i].from_ != NOT_TOLD:
            add_untold(&ways.at[i], samples)

cdef inline int64_t count_fewer_hops(const Sighting* a, const Sighting* b) noexcept nogil:
    """1 where TTL is lower at B, -1 where it is lower at A."""
    return <int64_t>(b.ttl < a.ttl) - (b.ttl > a.ttl)

cdef inline void learn_direction(Ways* ways, uint32_t place, ClockSamples* samples, const Sighting* a,
                                 const Sighting* b) noexcept nogil:
    """Learn from a packet that was seen at both points."""
    cdef Way* w = &ways.at[place]
    cdef uint32_t back = way_back(ways, place)
    cdef int64_t raw = after(b.time, a.time), time = after(b.time, raw // 2)
    w.fewer_hops += count_fewer_hops(a, b)
    w.last_raw = raw
    w.last_time = time
    note_direction(w, 0)
    if back and ways.at[back].paired and not samples.ignores_answers:
        compare_ways(samples, w, &ways.at[back])
    w.met += 1
    w.sum_raw += <double>raw
    w.sum_time += <double>after(time, samples.origin) if samples.begun else 0
    if w.from_ != NOT_TOLD:
        add_low(samples, FROM_B if w.from_ == POINT_B else FROM_A, time, raw)
        add_untold(w, samples)
    else:
        keep_untold(w, time, raw)
        add_low(samples, MAYBE_FROM_A, time, raw)
        add_low(samples, MAYBE_FROM_B, time, raw)

cdef inline void tell_direction(Ways* ways, uint32_t place, const CommonClock* clock, double apart,
                                int64_t fewer_hops) noexcept nogil:
    """Tell the direction where nothing has told before: by TTL, by the opposite way, else by how much later packets
    were seen at B. Where all go one way, this one does as well."""
    cdef Way* w = &ways.at[place]
    cdef uint32_t back
    if w.from_ != NOT_TOLD:
        return
    back = way_back(ways, place)
    if fewer_hops:
        w.from_ = POINT_A if fewer_hops > 0 else POINT_B
    elif back and ways.at[back].from_ != NOT_TOLD and not clock.together:
        w.from_ = POINT_B if ways.at[back].from_ == POINT_A else POINT_A
    elif clock.basis == CLOCK_ONE_WAY:
        w.from_ = POINT_B if clock.kind & 1 else POINT_A
    else:
        w.from_ = POINT_A if apart >= 0 else POINT_B

cdef inline void conclude_direction(Ways* ways, uint32_t place, const CommonClock* clock) noexcept nogil:
    """Tell the direction from all packets that were learned from, now that the clock is known."""
    cdef const Way* w = &ways.at[place]
    cdef double n = <double>w.met
    if w.met:
        tell_direction(ways, place, clock, (w.sum_raw - clock.line.drift * w.sum_time) / n - clock.line.offset, 0)
