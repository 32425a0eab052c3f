# Segments that were cut or joined between the points: a card sends a segment of 64 KiB as many, and another one joins
# them. They are matched by the bytes of the stream that they carry. The bytes themselves are not compared. Of two
# segments with the same bytes one may have been lost and the other one sent for it: they are matched only when the same
# packet can come no more.

from libc.stdint cimport int64_t, uint32_t

from fluxcap.base.numbers cimport IP_TCP
from fluxcap.compare.account cimport MARK_PIECES, count_arrival
from fluxcap.compare.arrivals cimport has_arrived, note_arrival, reserve_arrivals
from fluxcap.compare.clock cimport after
from fluxcap.compare.direction cimport count_fewer_hops, tell_direction
from fluxcap.compare.matcher cimport Matcher, arrival_key, delay_of, has_waited, list_key
from fluxcap.compare.partners cimport MOST_ALIKE, most_early
from fluxcap.compare.pending cimport InFlight, LIST_STARTS, Pending, last_in_list, let_go
from fluxcap.compare.sighting cimport POINTS, POINT_B, Sighting
from fluxcap.compare.ways cimport NOT_TOLD, Way, standing

cdef enum:
    # Segments that one is joined of at most: BIG TCP has packets of 512 KiB, which are 978 segments of 536 bytes.
    MOST_JOINED = 1024

cdef inline bint has_range(const Sighting* s) noexcept nogil:
    return s.ends.protocol == IP_TCP and s.length > 0

cdef inline bint is_copy(const Matcher* m, const Way* w, uint32_t point, const Sighting* s) noexcept nogil:
    """Has the point that packets of this way come to seen the same packet just before?"""
    return w.from_ != point and has_arrived(&m.arrivals, arrival_key(m, w.hash, s), m.now)

cdef inline void remember_arrival(Matcher* m, const Way* w, uint32_t number) noexcept nogil:
    """A packet is in flight no longer; copies of it at the point that it came to are known for some time."""
    note_arrival(&m.arrivals, arrival_key(m, w.hash, &m.flight.at[number].s), m.now)
    let_go(&m.flight, number)

cdef inline bint holds(const Matcher* m, uint32_t place, uint32_t point, uint32_t number, uint32_t seq) noexcept nogil:
    """Is this a segment of the way, in flight, seen at this point, with this byte of the stream? Its number may be that
    of another packet by now."""
    cdef const Pending* p = &m.flight.at[number]
    return number != 0 and p.waiting and p.point == point and standing(&m.ways, p.way) == place and \
        has_range(&p.s) and p.left > 0 and <uint32_t>(seq - p.s.seq) < p.s.length

cdef inline uint32_t find_start(const Matcher* m, uint32_t place, uint32_t point, uint32_t seq,
                                int64_t time) noexcept nogil:
    """A segment in flight that was seen at a point and holds this byte: the one that others were cut from before, else
    the last one that begins with it and was sent by this time, as an earlier one was lost and sent again. 0 without
    one."""
    cdef const Way* w = &m.ways.at[place]
    cdef uint32_t number = w.open_[point], best = 0, i = 0
    if holds(m, place, point, number, seq):
        return number
    number = last_in_list(&m.flight, list_key(m, LIST_STARTS, point, w.hash, seq))
    while number and i < MOST_ALIKE:
        if holds(m, place, point, number, seq):
            best = number
            if w.from_ == NOT_TOLD or after(time, m.flight.at[number].time) >= 0:
                break
        number = m.flight.at[number].links[LIST_STARTS].older
        i += 1
    return best

cdef inline bint arrive_in_pieces(Matcher* m, Way* w, uint32_t place, uint32_t number, const Sighting* came,
                                  int64_t time) noexcept nogil:
    """All bytes of a segment have come, the first ones at this time. False: memory is out."""
    cdef const Pending* p = &m.flight.at[number]
    return count_arrival(&m.account, w, place, &p.s, came, p.order, time, after(time, p.time), MARK_PIECES)

cdef inline bint close_segment(Matcher* m, Way* w, uint32_t place, uint32_t number, uint32_t other) noexcept nogil:
    """The other point has seen all bytes of a segment, the last ones in `other`. False: memory is out."""
    cdef bint done = True
    if m.flight.at[number].point == w.from_:
        done = arrive_in_pieces(m, w, place, number, &m.flight.at[other].s, m.flight.at[number].met)
    if w.open_[m.flight.at[number].point] == number:
        w.open_[m.flight.at[number].point] = 0
    remember_arrival(m, w, number)
    return done

cdef inline bint meet_range(Matcher* m, uint32_t number) noexcept nogil:
    """Match the bytes of a segment in flight with those that the other point has seen. False: memory is out."""
    cdef InFlight* f = &m.flight
    cdef Pending* p = &f.at[number]
    cdef Pending* other
    cdef uint32_t place = standing(&m.ways, p.way), found = 0, share, seq = p.s.seq, i = 0
    cdef Way* w = &m.ways.at[place]
    cdef int64_t fewer_hops
    while p.left and i < MOST_JOINED:
        found = find_start(m, place, POINTS - 1 - p.point, seq, p.time)
        if found == 0:
            break
        other = &f.at[found]
        share = min(min(other.s.seq + other.s.length - seq, p.s.seq + p.s.length - seq), min(other.left, p.left))
        fewer_hops = count_fewer_hops(&other.s, &p.s) if p.point == POINT_B else count_fewer_hops(&p.s, &other.s)
        tell_direction(&m.ways, place, &m.clock, <double>delay_of(p.point, p.time, other), fewer_hops)
        if other.left == other.s.length:
            other.met = p.time
        if p.left == p.s.length:
            p.met = other.time
        w.paired = True
        p.left -= share
        other.left -= share
        seq += share
        w.open_[other.point] = found
        if other.left == 0 and not close_segment(m, w, place, found, number):
            return False
        i += 1
    if p.left:
        if p.left < p.s.length:
            w.open_[p.point] = number
        return True
    return close_segment(m, w, place, number, found)

cdef inline int64_t settling(const Matcher* m) noexcept nogil:
    """How much earlier than it is sent a packet may be seen to arrive, ns. Half of a shorter window is left to wait
    for a segment with the same bytes."""
    return min(<int64_t>most_early(m), m.window // 2)

cdef inline bint settle_one(Matcher* m, uint32_t number) noexcept nogil:
    """The same packet can come no more: match the bytes of a segment. False: memory is out."""
    cdef Pending* p = &m.flight.at[number]
    cdef const Way* w = &m.ways.at[standing(&m.ways, p.way)]
    if w.from_ == p.point or not has_range(&p.s) or p.left < p.s.length:
        return True
    p.copy |= is_copy(m, w, p.point, &p.s)
    return p.copy or reserve_arrivals(&m.arrivals, m.now) and meet_range(m, number)

cdef inline bint settle(Matcher* m, bint ended) noexcept nogil:
    """Match by ranges what has waited long enough, or all where both captures have `ended`. False: memory is out."""
    cdef uint32_t number = m.flight.unsettled if m.samples == NULL else 0
    while number and (ended or has_waited(m, number, settling(m))):
        m.flight.unsettled = m.flight.at[number].newer
        if not settle_one(m, number):
            return False
        number = m.flight.unsettled
    return True
