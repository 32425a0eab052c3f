# A packet that a point has seen meets its partner, or waits for it, for `window` at most.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fluxcap.compare.account cimport count_alone, count_arrival
from fluxcap.compare.arrivals cimport expect_arrival, reserve_arrivals
from fluxcap.compare.direction cimport count_fewer_hops, learn_direction, tell_direction
from fluxcap.compare.matcher cimport Matcher, delay_of, has_waited, head_key, list_key, same_key
from fluxcap.compare.partners cimport MOST_ALIKE, find_partner
from fluxcap.compare.pending cimport (
    InFlight, LIST_CHANGED, LIST_MOVED, LIST_SAME, LIST_STARTS, Pending, begin_waiting, first_in_list, join_list,
    let_go, new_pending, reserve_pending)
from fluxcap.compare.ranges cimport has_range, is_copy, remember_arrival, settle
from fluxcap.compare.sighting cimport POINT_B, Sighting
from fluxcap.compare.ways cimport EVERY_POINT, Way, part_ways, reserve_ways, standing, way_of

cdef inline void wait_for_partner(Matcher* m, uint32_t own, uint32_t point, const Sighting* s, int64_t time,
                                  uint64_t order) noexcept nogil:
    """Put a packet among those in flight; room for one was reserved."""
    cdef InFlight* f = &m.flight
    cdef const Way* w = &m.ways.at[standing(&m.ways, own)]
    cdef uint32_t number = new_pending(f)
    cdef Pending* p = &f.at[number]
    p.s = s[0]
    p.time = time
    p.order = order
    p.way = own
    p.point = <uint8_t>point
    p.left = s.length
    p.copy = is_copy(m, w, point, s)
    begin_waiting(f, number)
    join_list(f, number, LIST_SAME, head_key(m, point, w.hash, s))
    if not w.straight:
        join_list(f, number, LIST_MOVED, same_key(m, LIST_MOVED, point, 0, s))
    if m.samples == NULL and not p.copy:
        if not s.identity.own:
            join_list(f, number, LIST_CHANGED, list_key(m, LIST_CHANGED, point, w.hash, s.identity.head))
        if has_range(s):
            join_list(f, number, LIST_STARTS, list_key(m, LIST_STARTS, point, w.hash, s.seq))

cdef inline void mark_copies(Matcher* m, uint32_t met) noexcept nogil:
    """The first of some equal packets has met its partner, which came after them. The others are copies."""
    cdef InFlight* f = &m.flight
    cdef uint32_t number = first_in_list(f, f.at[met].links[LIST_SAME].key), i = 0
    while number and i < MOST_ALIKE:
        f.at[number].copy |= f.at[number].s.identity.data == f.at[met].s.identity.data
        number = f.at[number].links[LIST_SAME].newer
        i += 1

cdef inline bint meet_partner(Matcher* m, uint32_t number, uint32_t point, const Sighting* s, int64_t time,
                              uint64_t order) noexcept nogil:
    """A packet was seen at both points. False: memory is out."""
    cdef Pending* p = &m.flight.at[number]
    cdef uint32_t place = standing(&m.ways, p.way)
    cdef Way* w = &m.ways.at[place]
    cdef int64_t apart = delay_of(point, time, p)
    cdef const Sighting* a = s
    cdef const Sighting* b = &p.s
    cdef bint done
    if point == POINT_B:
        a, b = b, a
    w.paired = True
    w.last_apart = apart
    if m.samples != NULL:
        learn_direction(&m.ways, place, m.samples, a, b)
        expect_arrival(&m.arrivals, time)
        let_go(&m.flight, number)
        return True
    tell_direction(&m.ways, place, &m.clock, <double>apart, count_fewer_hops(a, b))
    if w.from_ == POINT_B:
        a, b = b, a
        apart = -apart
    done = count_arrival(&m.account, w, place, a, b, p.order if p.point == w.from_ else order,
                         time if point != w.from_ else p.time, apart, 0)
    if point == w.from_:
        mark_copies(m, number)
    remember_arrival(m, w, number)
    return done

cdef inline bint give_up(Matcher* m, uint32_t number) noexcept nogil:
    """The other point has not seen this packet. False: memory is out."""
    cdef const Pending* p = &m.flight.at[number]
    cdef uint32_t place = standing(&m.ways, p.way)
    cdef Way* w = &m.ways.at[place]
    cdef bint done = True
    if m.samples == NULL:
        done = count_alone(&m.account, w, place, p.point, &p.s, p.copy and w.from_ != p.point)
    let_go(&m.flight, number)
    return done

cdef inline bint let_old_go(Matcher* m) noexcept nogil:
    """Give up the packets that have waited for too long. False: memory is out."""
    while m.flight.oldest and has_waited(m, m.flight.oldest, m.window):
        if not give_up(m, m.flight.oldest):
            return False
    return True

cdef inline bint end_matching(Matcher* m) noexcept nogil:
    """Both captures have ended: give up all that wait. False: memory is out."""
    if not settle(m, True):
        return False
    while m.flight.oldest:
        if not give_up(m, m.flight.oldest):
            return False
    return True

cdef inline uint64_t count_sighting(Way* w, uint32_t point, const Sighting* s, int64_t time) noexcept nogil:
    """Count a packet that a point has seen. Returned: how many it has seen of the way."""
    if w.seen[0] + w.seen[1] == 0:
        w.first = w.last = time
    w.first = min(w.first, time)
    w.last = max(w.last, time)
    w.seen[point] += 1
    w.octets[point] += s.length
    return w.seen[point]

cdef inline bint take_sighting(Matcher* m, uint32_t point, const Sighting* s, int64_t time) noexcept nogil:
    """The next packet that a point has seen, at this time of the common clock. False: memory is out."""
    cdef uint32_t own, number
    cdef uint64_t order = 0
    m.now = time
    if not (reserve_ways(&m.ways) and reserve_pending(&m.flight) and reserve_arrivals(&m.arrivals, time) and
            settle(m, False) and let_old_go(m)):
        return False
    own = way_of(&m.ways, &s.ends, s.identity.ends, &m.key)
    m.ways.at[own].seen_at |= 1 << point
    if m.ways.at[own].seen_at == EVERY_POINT and part_ways(&m.ways, own):
        m.misled = True
    number = find_partner(m, own, point, s, time)
    if m.samples == NULL:
        order = count_sighting(&m.ways.at[standing(&m.ways, own)], point, s, time)
    if number:
        return meet_partner(m, number, point, s, time, order)
    wait_for_partner(m, own, point, s, time, order)
    return True
