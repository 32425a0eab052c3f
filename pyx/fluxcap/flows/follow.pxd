# Following connections: how each record changes its connection, and how a connection is read into the table.

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fluxcap.base.numbers cimport ACK, FIN, IP_TCP, IP_UDP, RST, SYN
from fluxcap.base.sequence cimport ASIDE_FIN, FAR, ahead
from fluxcap.base.times cimport NO_TIME, later_by
from fluxcap.base.types cimport (
    ACKS_UNSEEN, AFTER_ACK, COUNTED, Digest, RESENT, SHAKEN, VERDICT_BAD, VERDICT_ILLEGAL)
from fluxcap.flows.aside cimport Aside, Hole
from fluxcap.flows.connection cimport (
    BASIS_FIRST, BASIS_PORT, BASIS_SYN, BASIS_SYNACK, CLOSED, Connection, ESTABLISHED, INACTIVE, NOT_MEASURED,
    REQUESTED, RESET, SEEN_ABORT, SEEN_ACK, SEEN_DATA, SEEN_SYN, SYN_ACK_SENT, SYN_SENT, Side, UNKNOWN, aside_of,
    connection_at, is_closed, is_over, open_aside)
from fluxcap.flows.doubt cimport (
    confirms_syn, is_acceptable_ack, is_acknowledged, is_doubtful, is_expected, is_foreign_syn, set_syn_aside)
from fluxcap.flows.history cimport (
    FLIP, LETTER_C, LETTER_D, LETTER_G, LETTER_T, LETTER_W, add_letter, add_once, add_scaled, add_segment)
from fluxcap.flows.record cimport FlowRecord
from fluxcap.flows.roles cimport is_to_server
from fluxcap.flows.sequence cimport (
    COVERS_HOLE, COVERS_OLD, Coverage, catch_up, cover, front, gap_octets, holes_of, miss, take_back_ack)
from fluxcap.flows.states cimport state_of, step_state
from fluxcap.flows.table cimport FlowRow, Flows, is_flipped, key_of

cdef enum:
    # The farthest that a SYN or an acknowledgment of zero may lie from the numbers known. One further away is
    # ignored as a mistake, as in Zeek.
    TOO_FAR = 1 << 20

cdef inline bint is_corrupt(const Flows* f, const Digest* d) noexcept nogil:
    """Would a receiver drop the packet? A checksum that was left to the network card is not corrupt."""
    return (d.verdict == VERDICT_BAD or d.verdict == VERDICT_ILLEGAL) and not f.ignores_checksums

cdef inline bint lapsed(const Flows* f, const Connection* c, const FlowRow* row, int64_t time) noexcept nogil:
    """Has the connection timed out, as in Zeek, before this record?"""
    if (c.sides[0].state == SYN_SENT or c.sides[0].state == SYN_ACK_SENT) and c.sides[1].state == INACTIVE:
        return later_by(time, row.first) >= <uint64_t>f.attempt_timeout
    return (c.sides[0].ended or c.sides[1].ended) and later_by(time, row.last) >= <uint64_t>f.close_timeout

cdef inline bint is_another(const Flows* f, const Connection* c, uint32_t way, const Digest* d) noexcept nogil:
    """Does a SYN begin another connection? A retransmitted SYN has the same sequence number, and a SYN in an open
    connection has to be acknowledged first."""
    cdef const Side* s = &c.sides[way]
    cdef const Side* peer = &c.sides[way ^ 1]
    if s.state == INACTIVE and peer.state == INACTIVE:
        return False
    if d.tcp_flags & ACK:       # the capture has only one direction, that of the answers
        return way == 1 and peer.state == INACTIVE and d.tcp_seq != s.start
    if f.close_timeout and (is_closed(s) or is_closed(peer)):
        return True             # Zeek forgets a connection that ended, and its numbers too
    if way and s.state == INACTIVE:     # both sides may open at the same time (RFC 9293 section 3.5)
        return peer.state != SYN_SENT
    return d.tcp_seq != s.start and (is_over(c, way) or is_over(c, way ^ 1) or not is_acknowledged(s))

cdef inline bint is_undecided(const Connection* c, uint32_t way, uint32_t seq) noexcept nogil:
    """May a SYN begin another connection, if it is acknowledged later? A SYN with the same number may, after a reset
    and a SYN of the other side; without that SYN it is the same attempt once more."""
    cdef const Side* s = &c.sides[way]
    cdef const Side* peer = &c.sides[way ^ 1]
    if s.state == INACTIVE:
        return False
    return seq != s.start or (c.seen[way ^ 1] & SEEN_SYN and (s.state == RESET or peer.state == RESET))

cdef inline bint begins_another(Flows* f, uint64_t i, const FlowRow* row, const Digest* d) noexcept nogil:
    """Does this record begin another connection with the same five-tuple? A SYN that may or may not is set aside."""
    cdef Connection* c = connection_at(f, i)
    cdef uint32_t way = d.flip ^ is_flipped(row)
    cdef bint asks = d.tcp_flags & (SYN | RST | FIN) == SYN
    if d.protocol != IP_TCP:
        return False
    if f.close_timeout and lapsed(f, c, row, d.time):
        return True
    if (not asks and c.sides[way ^ 1].aside == 0) or is_corrupt(f, d):
        return False
    if confirms_syn(f, c, way, d) or (asks and is_another(f, c, way, d)):
        return True
    if asks and d.tcp_flags & ACK == 0 and is_undecided(c, way, d.tcp_seq):
        set_syn_aside(f, &c.sides[way], way, row, d)
    return False

cdef inline void begin_connection(Flows* f, uint64_t i, FlowRow* row, const Digest* d) noexcept nogil:
    """Begin the connection of a new row. The direction of the row is settled."""
    cdef Connection* c = connection_at(f, i)
    cdef bint turned = d.flip != is_flipped(row)
    c.synack_rtt = UNKNOWN
    c.ack_rtt = UNKNOWN
    c.response = UNKNOWN
    if turned:
        add_letter(c, 0, FLIP)
    if d.protocol == IP_TCP and d.tcp_flags & (SYN | RST | FIN) == SYN:
        c.basis = BASIS_SYNACK if d.tcp_flags & ACK else BASIS_SYN
    else:
        c.basis = BASIS_PORT if turned or is_to_server(f, key_of(row), d) else BASIS_FIRST

cdef inline void continue_connection(Flows* f, uint64_t i, uint64_t before) noexcept nogil:
    """Continue the connection of a row that an active timeout ended: who began it is known from that row."""
    cdef Connection* c = connection_at(f, i)
    c.synack_rtt = UNKNOWN
    c.ack_rtt = UNKNOWN
    c.response = UNKNOWN
    c.basis = connection_at(f, before).basis

cdef inline void remember_older(Flows* f, uint64_t i, uint64_t before) noexcept nogil:
    """Keep the row of the connection before: late segments of it may still come."""
    if f.close_timeout == 0:
        open_aside(f, &connection_at(f, i).sides[0]).older = <uint32_t>before + 1

cdef inline void place(Side* s, uint32_t flags, uint32_t seq) noexcept nogil:
    """Set where the sequence numbers of a side begin: at its SYN, else one before its first segment. The number of a
    RST does not tell: it may be that of an acknowledgment, zero, or wild."""
    if s.state == INACTIVE or (not s.placed and flags & RST == 0):
        s.start = seq if flags & SYN else seq - 1
        s.ack = s.start
        s.last = s.edge = s.floor = seq
        s.placed = flags & RST == 0

cdef inline bint is_late_syn(const Connection* c, uint32_t way, uint32_t flags, uint32_t seq) noexcept nogil:
    """Is this SYN the first segment of a side, and was it acknowledged before? take_ack() has put the edge at its
    number then; a peer that has sent a SYN alone has acknowledged nothing."""
    cdef const Side* s = &c.sides[way]
    cdef const Side* peer = &c.sides[way ^ 1]
    if flags & (SYN | RST | FIN) != SYN or s.state != INACTIVE or peer.state == INACTIVE or s.edge != seq:
        return False
    return peer.state != SYN_SENT or c.seen[way ^ 1] & (SEEN_ACK | SEEN_DATA) != 0

cdef inline bint take_ack(Side* peer, uint32_t flags, uint32_t ack) noexcept nogil:
    """Record that the bytes of `peer` up to `ack` were acknowledged; False if they had been before."""
    cdef int more
    if peer.state == INACTIVE:
        peer.start = peer.ack = peer.last = peer.edge = peer.floor = ack - 1
        return False
    more = ahead(ack, peer.ack)
    if flags & RST or more <= 0 or (ack == 0 and more > TOO_FAR):
        return False
    peer.ack = ack
    return True

cdef inline bint is_keep_alive(const Side* s, uint32_t flags, uint32_t seq, uint32_t length) noexcept nogil:
    """Does a segment have the number of the last byte sent, and at most that byte (RFC 9293 section 3.8.4)? A repeated
    probe of a closed window looks the same (section 3.8.6.1)."""
    return length <= 1 and seq + 1 == s.last and not s.fins and flags & (SYN | FIN | RST) == 0

cdef inline void advance(Connection* c, uint32_t way, uint32_t flags, uint32_t end, uint32_t length) noexcept nogil:
    cdef Side* s = &c.sides[way]
    cdef int more = ahead(end, s.last)
    if flags & RST or (flags & SYN and (more > TOO_FAR or more < -TOO_FAR)):
        return
    if flags & FIN and s.last == s.start + 1:
        s.last = end
    elif c.seen[way] & SEEN_ABORT:
        return
    elif more > 0:
        s.last = end
    elif length:
        add_scaled(c, way, &s.late, LETTER_T)

cdef inline bint is_sound(const Side* s) noexcept nogil:
    return s.state == ESTABLISHED or s.state == CLOSED and s.before == ESTABLISHED

cdef inline void find_gaps(Flows* f, Connection* c, uint32_t way, uint32_t before, uint32_t ack) noexcept nogil:
    """Bytes were acknowledged that the capture does not have: count the gaps."""
    cdef Side* s = &c.sides[way]
    cdef Hole* holes
    cdef uint32_t i
    cdef bint sound
    # In a connection under way, the first byte may be one that a keep-alive sent again.
    if not s.placed or (c.seen[way] & SEEN_SYN == 0 and ack - s.start <= 2):
        return
    if ahead(ack, s.edge) > 0 and not s.fins:
        s.unseen = max(s.unseen, 1)
        f.mark |= ACKS_UNSEEN
    if s.n_holes:
        holes = holes_of(f, s)
        sound = is_sound(s) and is_sound(&c.sides[way ^ 1])
        for i in range(s.n_holes):
            if ahead(holes[i].start, before) >= 0 and ahead(holes[i].start, ack) < 0:
                f.mark |= ACKS_UNSEEN
                if sound:
                    add_scaled(c, way, &s.gaps, LETTER_G)

cdef inline void find_last_gap(Connection* c, uint32_t way) noexcept nogil:
    if is_sound(&c.sides[way]) and is_sound(&c.sides[way ^ 1]):
        add_scaled(c, way, &c.sides[way].gaps, LETTER_G)

cdef inline void believe_ack(Flows* f, Connection* c, uint32_t way) noexcept nogil:
    """The capture does not have what was acknowledged to this side."""
    c.sides[way].unseen = 0
    miss(f, &c.sides[way], c.sides[way].ack)
    find_last_gap(c, way)

cdef inline void weigh_acks(Flows* f, Connection* c, uint32_t way, const Digest* d) noexcept nogil:
    """An acknowledgment of bytes never seen is of a gap, or of bytes never sent (RFC 9293 section 3.10.7.4). It is
    believed when it is repeated, and when the other side goes on from there; a lower one of a new segment or a
    keep-alive takes it back."""
    cdef Side* s = &c.sides[way]
    cdef Side* peer = &c.sides[way ^ 1]
    cdef int32_t more = ahead(d.tcp_ack, peer.ack)
    if d.tcp_flags & RST:
        return
    if s.unseen and ahead(d.tcp_seq, s.ack) >= 0:
        believe_ack(f, c, way)
    if not peer.unseen or d.tcp_flags & ACK == 0:
        return
    if 0 <= more <= FAR:
        believe_ack(f, c, way ^ 1)
    elif more < 0 and ahead(d.tcp_ack, peer.start) > 0 and ahead(d.tcp_seq + 1, front(s)) >= 0:
        take_back_ack(peer, d.tcp_ack)

cdef inline int64_t since(int64_t time, int64_t then) noexcept nogil:
    return <int64_t>(<uint64_t>time - <uint64_t>then) if time >= then and then != NO_TIME else UNKNOWN

cdef inline bint is_timed(const Connection* c) noexcept nogil:
    """Are both round trips of the handshake known?"""
    return c.synack_rtt != UNKNOWN and c.ack_rtt != UNKNOWN

cdef inline void time_handshake(Connection* c, uint32_t way, const Digest* d) noexcept nogil:
    """Measure the round trips of the handshake, from the last SYN before the answer."""
    cdef Side* peer = &c.sides[way ^ 1]
    cdef bint answers = c.seen[way ^ 1] & SEEN_SYN and d.tcp_flags & ACK and d.tcp_ack == peer.start + 1
    cdef bint over = c.response != UNKNOWN      # then `asked` is that of the request
    if d.tcp_flags & (SYN | RST | FIN) == SYN:
        if way and answers and c.synack_rtt == UNKNOWN and not over:
            c.synack_rtt = since(d.time, c.asked)
        if not over:
            c.asked = d.time
        if way == 0 and d.tcp_flags & ACK == 0:
            c.basis = BASIS_SYN
        elif way and d.tcp_flags & ACK and c.basis != BASIS_SYN:
            c.basis = BASIS_SYNACK
    elif way == 0 and answers and c.ack_rtt == UNKNOWN and d.tcp_flags & RST == 0 and not over:
        c.ack_rtt = since(d.time, c.asked)
        if d.time == NO_TIME:   # what comes after this answer is none
            c.asked = NO_TIME

cdef inline void time_response(Connection* c, uint32_t way, const Digest* d) noexcept nogil:
    """Measure the time from the first data that forward sent to the first data of the other side after it."""
    if way == 0 and c.response == UNKNOWN:
        c.asked = d.time
        c.response = REQUESTED
    elif way and c.response == REQUESTED:
        c.response = since(d.time, c.asked)
        if c.response == UNKNOWN:
            c.response = NOT_MEASURED

cdef inline bint tells_response(const Connection* c, uint32_t flags) noexcept nogil:
    """Can the data of a segment be a request or its answer? Not where the beginning of the connection was not seen: an
    answer may be that to a request before the capture. Nor in a SYN: it may have to be sent again (RFC 7413)."""
    return c.response < 0 and (c.seen[0] | c.seen[1]) & SEEN_SYN and flags & SYN == 0

cdef inline void end_far(Flows* f, Connection* c, uint32_t way) noexcept nogil:
    """End a side by the FIN of a far segment, once that segment is believed."""
    cdef Side* s = &c.sides[way]
    cdef Aside* x = aside_of(f, s)
    if x != NULL and x.held & ASIDE_FIN and s.edge == x.end:
        x.held &= ~ASIDE_FIN
        s.fins = FIN
        step_state(c, way, FIN, 0)

cdef inline void follow_segment(Flows* f, Connection* c, uint32_t way, const Digest* d) noexcept nogil:
    cdef Side* s = &c.sides[way]
    cdef Side* peer = &c.sides[way ^ 1]
    cdef uint32_t flags = d.tcp_flags, length = d.payload_length, seq = d.tcp_seq, before
    cdef uint32_t end = seq + (flags >> 1 & 1) + (flags & 1) + (0 if flags & RST else length)
    cdef Coverage coverage
    cdef bint acknowledged = False, alive, between, timed
    if flags & (SYN | RST | FIN) == SYN:
        if is_foreign_syn(f, c, way, d):
            return
    elif s.placed and flags & RST == 0 and is_doubtful(f, c, way, seq, end, flags):
        return
    if is_late_syn(c, way, flags, seq):
        f.mark |= AFTER_ACK
    place(s, flags, seq)
    if s.unseen | peer.unseen:
        weigh_acks(f, c, way, d)
    alive = is_keep_alive(s, flags, seq, length)
    add_segment(c, way, flags, seq - s.start, length)
    if d.tcp_window == 0 and flags & RST == 0 and peer.state != CLOSED and s.state != RESET:
        add_scaled(c, way, &s.zero_window, LETTER_W)
    timed = is_timed(c)
    time_handshake(c, way, d)
    if not timed and is_timed(c):
        f.mark |= SHAKEN
    s.fins |= flags & FIN
    before = peer.ack
    if flags & ACK and (peer.state == INACTIVE or is_acceptable_ack(f, c, way ^ 1, d.tcp_ack)):
        acknowledged = take_ack(peer, flags, d.tcp_ack)
    if not alive:
        advance(c, way, flags, end, length)
    step_state(c, way, flags, length)
    if acknowledged:
        find_gaps(f, c, way ^ 1, before, d.tcp_ack)
        end_far(f, c, way ^ 1)
    if flags & RST:
        c.seen[way] |= SEEN_ABORT if is_expected(s, seq) else 0
    else:
        between = s.unseen and seq != end and ahead(end, s.edge) > 0 and ahead(end, s.ack) <= 0
        coverage = cover(f, s, seq, end)
        if between or coverage == COVERS_HOLE and not alive and ahead(end, s.ack) <= 0:
            f.mark |= AFTER_ACK
        if s.unseen:
            catch_up(s, between)
        if coverage == COVERS_HOLE and seq == s.start and not s.raised:
            s.floor = seq       # a SYN that came late, or the byte before the first one seen
        alive = alive and (coverage != COVERS_HOLE or seq == s.start)
        s.keep_alives += alive
        if coverage == COVERS_OLD and not alive:
            f.mark |= RESENT
            s.retransmitted += 1
        s.out_of_order += coverage == COVERS_HOLE and not alive
        if length and f.mark & RESENT == 0 and not alive and tells_response(c, flags):
            time_response(c, way, d)

cdef inline bint has_header(const Digest* d) noexcept nogil:
    """Was a TCP header read? Fragments after the first one have none, and the snap length may have cut it."""
    return (d.tcp_flags | d.tcp_seq | d.tcp_ack | d.tcp_window) != 0

cdef inline void follow(Flows* f, uint64_t i, const FlowRow* row, const Digest* d) noexcept nogil:
    """Apply a record to its connection. The row has counted the record already."""
    cdef Connection* c = connection_at(f, i)
    cdef uint32_t way = d.flip ^ is_flipped(row)
    f.mark = 0
    if d.disposition != COUNTED or (d.protocol != IP_TCP and d.protocol != IP_UDP):
        return
    if is_corrupt(f, d):
        add_scaled(c, way, &open_aside(f, &c.sides[way]).bad_sums, LETTER_C)
    elif d.protocol == IP_UDP:
        add_once(c, way, SEEN_DATA, LETTER_D)
        time_response(c, way, d)
    elif has_header(d):
        follow_segment(f, c, way, d)

cdef inline void read_round_trips(const Flows* f, const int64_t* rows, int64_t* trips, uint64_t n) noexcept nogil:
    """Read the round trips of the handshakes of some rows: from the SYN to the ACK that completes it. A row that there
    is not, and one without a handshake, leaves a place as it is."""
    cdef Connection* c
    cdef uint64_t i
    for i in range(n):
        if <uint64_t>rows[i] < f.n:
            c = connection_at(f, rows[i])
            if is_timed(c):
                trips[i] = c.synack_rtt + c.ack_rtt

cdef inline void read_last_gaps(const Connection* c, FlowRecord* record) noexcept nogil:
    """An acknowledgment that nothing follows is believed."""
    cdef Connection last = c[0]
    cdef uint32_t way
    for way in range(2):
        if last.sides[way].unseen:
            find_last_gap(&last, way)
    memcpy(record.connection.history, last.history, sizeof(last.history))

cdef inline void read_connection(const Flows* f, uint64_t i, const FlowRow* row, FlowRecord* record) noexcept nogil:
    """Fill in the connection of a record. The rare counts of the record are filled in already."""
    cdef Connection* c = connection_at(f, i)
    cdef Side* s
    cdef uint32_t way
    record.connection.state = state_of(c)
    record.connection.basis = c.basis
    memcpy(record.connection.history, c.history, sizeof(c.history))
    if c.sides[0].unseen | c.sides[1].unseen:
        read_last_gaps(c, record)
    record.connection.synack_rtt = c.synack_rtt
    record.connection.ack_rtt = c.ack_rtt
    record.connection.response = max(c.response, <int64_t>UNKNOWN)
    for way in range(2):
        s = &c.sides[way]
        record.connection.retransmitted[way] = s.retransmitted
        record.connection.out_of_order[way] = s.out_of_order
        record.connection.gap_octets[way] = gap_octets(f, s)
        record.connection.zero_window[way] = s.zero_window
        record.connection.keep_alives[way] = s.keep_alives
        record.connection.unreachable[way] = record.rare.unreachable[way ^ is_flipped(row)]
