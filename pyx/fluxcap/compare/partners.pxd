# Which packet in flight is this one? The same packet; the same between other ends, which addresses and ports were
# translated to; the same but for its payload.

from libc.math cimport fabs
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp

from fluxcap.compare.clock cimport after
from fluxcap.compare.matcher cimport Matcher, delay_of, head_key, list_key, same_key
from fluxcap.compare.pending cimport InFlight, LIST_CHANGED, LIST_MOVED, LIST_SAME, first_in_list
from fluxcap.compare.sighting cimport PARTS, POINTS, POINT_A, Sighting
from fluxcap.compare.ways cimport EVERY_POINT, NOT_TOLD, Way, Ways, join_ways, standing
from fluxcap.streams.stream cimport Ends

cdef enum:
    # Packets that look alike and were sent so close together, in ns, are matched in order. Between others the delay
    # tells: a keep-alive that was lost is not taken for the next one, which comes a second later or more.
    ALIKE_WITHIN = 400_000_000
    MOST_ALIKE = 64             # packets that look alike and are compared with one: so each takes bounded time
    # A packet is seen to arrive before it was sent by so much at most, in ns: clocks do not drift evenly, and the
    # fastest packets may be some that the clock is not learned from, as they were changed.
    EARLIEST = 10_000_000
    # Payload that tells a packet from those between other ends, bytes: two of 8 random bytes are never equal.
    TELLING = 8

cdef inline double most_early(const Matcher* m) noexcept nogil:
    """How much earlier than it is sent a packet may be seen to arrive, ns. Where packets of both directions contradict
    each other, the gap between them is negative, and the clock wrong by half of it."""
    return EARLIEST + fabs(m.clock.gap) / 2

cdef inline bint is_timely(const Matcher* m, const Way* w, uint32_t point, int64_t apart) noexcept nogil:
    """May a packet of this way have been seen so much later at B?"""
    return m.samples != NULL or w.from_ == NOT_TOLD or \
        <double>(apart if w.from_ == POINT_A else -apart) >= -most_early(m)

cdef inline int64_t off(const Way* w, int64_t apart) noexcept nogil:
    """By how much the delay of a packet differs from that of the packet before."""
    cdef int64_t by = after(apart, w.last_apart)
    return by if by >= 0 else -by

cdef inline uint32_t find_same(const Matcher* m, uint32_t place, uint32_t point, const Sighting* s,
                               int64_t time) noexcept nogil:
    """The same packet between the same ends; of several the oldest, unless it is late by far and another one is not."""
    cdef const InFlight* f = &m.flight
    cdef const Way* w = &m.ways.at[place]
    cdef uint32_t number = first_in_list(f, head_key(m, POINTS - 1 - point, w.hash, s)), best = 0, i = 0
    cdef int64_t apart, least = 0
    while number and i < MOST_ALIKE:
        apart = delay_of(point, time, &f.at[number])
        if f.at[number].s.identity.data == s.identity.data and is_timely(m, w, point, apart):
            if best == 0 or off(w, apart) < least:
                best = number
                least = off(w, apart)
            if not w.paired or least <= ALIKE_WITHIN:
                return best
        number = f.at[number].links[LIST_SAME].newer
        i += 1
    return best

cdef inline bint is_turned(const Ends* a, const Ends* b) noexcept nogil:
    """Is a source of one the target of the other? A packet and its answer may be the same bytes."""
    return a.src_port == b.dst_port and memcmp(a.src_ip, b.dst_ip, sizeof(a.src_ip)) == 0 or \
        a.dst_port == b.src_port and memcmp(a.dst_ip, b.src_ip, sizeof(a.dst_ip)) == 0

cdef inline bint may_be_moved(const Way* a, const Way* b) noexcept nogil:
    """May one be the other, with its ends translated? Not if packets of either had the same ends at both points."""
    return a.ends.protocol == b.ends.protocol and not (a.straight or b.straight or is_turned(&a.ends, &b.ends)) and \
        a.stands == 0 and b.stands == 0 and a.other == 0 and b.other == 0 and a.seen_at ^ b.seen_at == EVERY_POINT

cdef inline bint is_of_one_way(const Matcher* m, uint32_t point, const Sighting* s, uint32_t place) noexcept nogil:
    """Are all packets in flight that look like this one, between any ends, of the way at this place? Keep-alives of
    several flows are the same bytes, and do not tell which flow is which."""
    cdef const InFlight* f = &m.flight
    cdef uint32_t number = first_in_list(f, same_key(m, LIST_MOVED, point, 0, s)), i = 0
    while number and i < MOST_ALIKE:
        if standing(&m.ways, f.at[number].way) != place:
            return False
        number = f.at[number].links[LIST_MOVED].newer
        i += 1
    return number == 0

cdef inline uint32_t find_moved(const Matcher* m, uint32_t own, uint32_t point, const Sighting* s,
                                int64_t time) noexcept nogil:
    """The same packet between other ends."""
    cdef const InFlight* f = &m.flight
    cdef const Ways* ways = &m.ways
    cdef uint32_t number = first_in_list(f, same_key(m, LIST_MOVED, POINTS - 1 - point, 0, s)), there, i = 0
    cdef bint tells = s.identity.own or s.length >= TELLING
    while number and i < MOST_ALIKE:
        there = standing(ways, f.at[number].way)
        if there == standing(ways, own) or \
                tells and may_be_moved(&ways.at[f.at[number].way], &ways.at[own]) and \
                is_of_one_way(m, POINTS - 1 - point, s, there) and is_of_one_way(m, point, s, own):
            if is_timely(m, &ways.at[standing(ways, own)], point, delay_of(point, time, &f.at[number])):
                return number
        number = f.at[number].links[LIST_MOVED].newer
        i += 1
    return 0

cdef inline uint32_t equal_parts(const Sighting* a, const Sighting* b) noexcept nogil:
    cdef uint32_t n = 0
    cdef int i
    for i in range(PARTS):
        n += a.parts[i] == b.parts[i] and a.parts[i] != 0
    return n

cdef inline bint may_be_cut(const Sighting* a, const Sighting* b) noexcept nogil:
    """May two packets be one of which a snap length has cut a part at one of the points?"""
    return (a.identity.cut or b.identity.cut) and (a.start == b.start or a.start == 0 or b.start == 0)

cdef inline uint32_t find_changed(const Matcher* m, uint32_t place, uint32_t point, const Sighting* s,
                                  int64_t time) noexcept nogil:
    """The same packet with another payload: of several the one that is most alike, then the oldest."""
    cdef const InFlight* f = &m.flight
    cdef const Way* w = &m.ways.at[place]
    cdef const Sighting* other
    cdef uint32_t kind = LIST_SAME if s.identity.own else LIST_CHANGED
    cdef uint64_t key = list_key(m, kind, POINTS - 1 - point, w.hash, s.identity.head)
    cdef uint32_t number = first_in_list(f, key), best = 0, most = 0, alike, i = 0
    cdef bint tells
    while number and i < MOST_ALIKE:
        other = &f.at[number].s
        tells = s.identity.own or may_be_cut(s, other)
        alike = equal_parts(s, other) + tells
        if alike > most and not f.at[number].copy and is_timely(m, w, point, delay_of(point, time, &f.at[number])):
            best = number
            most = alike
        number = f.at[number].links[kind].newer
        i += 1
    return best

cdef inline uint32_t find_partner(Matcher* m, uint32_t own, uint32_t point, const Sighting* s,
                                  int64_t time) noexcept nogil:
    """The number of the packet in flight that is this one, 0 without one."""
    cdef uint32_t place = standing(&m.ways, own)
    cdef Way* w = &m.ways.at[place]
    cdef uint32_t number = find_same(m, place, point, s, time)
    if number:
        w.straight |= m.flight.at[number].way == own
        return number
    if not m.ways.at[own].straight:
        number = find_moved(m, own, point, s, time)
        if number:
            if place != standing(&m.ways, m.flight.at[number].way):
                join_ways(&m.ways, m.flight.at[number].way, own)
            return number
    # The clock is learned from a changed packet as well, if its number tells which it is: it may be the fastest.
    return find_changed(m, place, point, s, time) if m.samples == NULL or s.identity.own else 0
