# What became of a packet, counted in its way and, where there is something to say, as a row.

from libc.math cimport fabs
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fluxcap.base.columns cimport Columns, append_rows, reserve_columns
from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport VERDICT_GOOD
from fluxcap.compare.delays cimport Delays, Octaves, add_delay, quantile
from fluxcap.compare.sighting cimport POINTS, Sighting
from fluxcap.compare.ways cimport Way

cdef enum:                      # Crossed: the outcomes of a packet
    CROSSED                     # seen at both points
    CROSSED_NOT                 # at one of them only
    CROSSED_COPY                # at one of them once more
    CROSSED_END

cdef enum:                      # CrossedMark: bits
    MARK_REORDERED = 1
    MARK_CHANGED = 2            # payload
    MARK_UNCOMPARED = 4         # payload that was cut at one of the points
    MARK_DSCP = 8
    MARK_MSS = 16
    MARK_TTL = 32               # lowered by another number than in the first packet of its way
    MARK_PIECES = 64            # its bytes came in other segments

cdef enum:
    DSCP_SHIFT = 2              # above ECN (RFC 2474 section 3)

cdef struct CrossedRow:
    uint32_t way
    uint32_t file[POINTS]
    uint64_t packet[POINTS]     # numbers of the records; 0: not seen there
    int64_t time[POINTS]        # ns, by the clock of the point
    int64_t delay               # ns, -1 where it did not arrive
    uint32_t length             # bytes of payload
    uint16_t mss[POINTS]
    uint8_t outcome
    uint8_t marks
    uint8_t point               # where it was seen, if at one point only
    uint8_t verdict[POINTS]
    uint8_t ttl[POINTS]
    uint8_t tos[POINTS]

cdef struct Account:
    Octaves octaves
    Delays delays[POINTS]       # of all ways from a point
    Columns rows
    uint64_t early              # packets that were seen to arrive before they were sent,
    int64_t earliest            # ... and by how much at most, ns
    bint every                  # packets of which there is nothing to say have a row as well

cdef inline void show(CrossedRow* row, uint32_t point, const Sighting* s) noexcept nogil:
    """What a point has seen of the packet."""
    row.file[point] = s.file
    row.packet[point] = s.packet
    row.time[point] = s.time
    row.mss[point] = s.mss
    row.verdict[point] = s.verdict
    row.ttl[point] = s.ttl
    row.tos[point] = s.tos

cdef inline bint put_row(Account* a, const CrossedRow* row) noexcept nogil:
    """Append a row, if it says something. False: memory is out."""
    if row.outcome == CROSSED and not a.every and not row.marks & ~(MARK_PIECES | MARK_UNCOMPARED):
        return True
    if a.rows.n_columns == 0:
        return True
    if not reserve_columns(&a.rows, 1):
        return False
    append_rows(&a.rows, row, sizeof(CrossedRow), NULL, 1)
    return True

cdef inline uint32_t count_order(Way* w, uint64_t order, int64_t came, uint32_t marks) noexcept nogil:
    """RFC 4737 section 3.3: a packet is reordered if one that was sent later has arrived before it. One in pieces is
    counted some time after it came."""
    if order >= w.next_order:
        w.next_order = order + 1
        w.next_came = came
        return 0
    if marks & MARK_PIECES and came <= w.next_came:
        return 0
    w.reordered += 1
    return MARK_REORDERED

cdef inline uint32_t count_hops(Way* w, int16_t hops) noexcept nogil:
    if w.arrived == 1:
        w.hops = w.hops_least = w.hops_most = hops
    w.hops_least = min(w.hops_least, hops)
    w.hops_most = max(w.hops_most, hops)
    return MARK_TTL if hops != w.hops else 0

cdef inline uint32_t count_changes(Way* w, const Sighting* sent, const Sighting* came,
                                   uint32_t marks) noexcept nogil:
    """Add what was changed between the points to the marks."""
    if sent.identity.data != came.identity.data:
        if marks & MARK_PIECES or sent.identity.cut or came.identity.cut:
            w.uncompared += 1
            marks |= MARK_UNCOMPARED
        else:
            w.changed += 1
            w.changed_good += came.verdict == VERDICT_GOOD
            marks |= MARK_CHANGED
    if sent.tos >> DSCP_SHIFT != came.tos >> DSCP_SHIFT:
        w.remarked += 1
        marks |= MARK_DSCP
    if sent.mss != came.mss:
        w.clamped += 1
        marks |= MARK_MSS
    return marks

cdef inline bint count_delay(Account* a, Way* w, int64_t delay) noexcept nogil:
    if delay < 0:
        a.early += 1
        a.earliest = max(a.earliest, -delay)
    if w.arrived > 1:
        w.variation += fabs(<double>delay - <double>w.last_delay)
    w.last_delay = delay
    return add_delay(&a.octaves, &w.delays, delay) and add_delay(&a.octaves, &a.delays[w.from_], delay)

cdef inline bint count_arrival(Account* a, Way* w, uint32_t place, const Sighting* sent, const Sighting* came,
                               uint64_t order, int64_t time, int64_t delay, uint32_t marks) noexcept nogil:
    """A packet has arrived at this time of the common clock, so much after it was sent. `order`: of all that were sent.
    False: memory is out."""
    cdef CrossedRow row
    cdef uint32_t from_ = w.from_, to = POINTS - 1 - w.from_
    w.arrived += 1
    w.mss[from_] = sent.mss if sent.mss else w.mss[from_]
    w.mss[to] = came.mss if came.mss else w.mss[to]
    marks |= count_order(w, order, time, marks) | count_hops(w, <int16_t>sent.ttl - came.ttl)
    marks = count_changes(w, sent, came, marks)
    row.outcome = CROSSED
    row.marks = <uint8_t>marks
    row.way = place
    row.delay = max(delay, <int64_t>0)
    row.length = sent.length
    row.point = <uint8_t>from_
    show(&row, from_, sent)
    show(&row, to, came)
    return count_delay(a, w, delay) and put_row(a, &row)

cdef inline bint count_alone(Account* a, Way* w, uint32_t place, uint32_t point, const Sighting* s,
                             bint copy) noexcept nogil:
    """A packet was seen at one point only, or `copy` once more. False: memory is out."""
    cdef CrossedRow row
    cdef uint32_t other = POINTS - 1 - point
    if copy:
        w.copies[point] += 1
    else:
        w.alone[point] += 1
    row.outcome = CROSSED_COPY if copy else CROSSED_NOT
    row.marks = 0
    row.way = place
    row.delay = -1
    row.length = s.length
    row.point = <uint8_t>point
    show(&row, point, s)
    row.file[other] = 0
    row.packet[other] = 0
    row.time[other] = NO_TIME
    row.mss[other] = row.verdict[other] = row.ttl[other] = row.tos[other] = 0
    return put_row(a, &row)

cdef inline void take_quantiles(const Account* a, Way* w) noexcept nogil:
    w.median = quantile(&a.octaves, &w.delays, 0.5)
    w.most_of_20 = quantile(&a.octaves, &w.delays, 0.95)
    w.most_of_100 = quantile(&a.octaves, &w.delays, 0.99)
