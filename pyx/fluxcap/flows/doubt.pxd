# Which TCP segments are believed. A kernel drops segments outside its window (RFC 9293 section 3.10.7.4), and answers
# a SYN in an open connection with an acknowledgment of the number that it expects (RFC 5961 section 4). A capture does
# not show the window, but it shows what the other side acknowledges. So another initial sequence number, or a segment
# far from all others, is set aside and changes nothing until the other side acknowledges it.

from libc.stdint cimport int32_t, uint32_t

from fluxcap.base.numbers cimport ACK, FIN, RST, SYN
from fluxcap.base.sequence cimport (
    ASIDE_ACK, ASIDE_FAR, ASIDE_FIN, ASIDE_OTHER, ASIDE_SYN, ASIDE_SYN_ACK, FAR, NOWHERE, ahead, apart)
from fluxcap.base.types cimport Digest
from fluxcap.flows.aside cimport Aside
from fluxcap.flows.connection cimport (
    Connection, INACTIVE, RESET, SEEN_ABORT, SEEN_SYN, SYN_SENT, Side, aside_of, connection_at, open_aside)
from fluxcap.flows.history cimport LETTER_H, add_letter
from fluxcap.flows.sequence cimport front, miss, restart
from fluxcap.flows.table cimport FlowRow, Flows, is_flipped

cdef inline bint is_acknowledged(const Side* s) noexcept nogil:
    """Has the other side acknowledged the SYN of this one, or more?"""
    return s.ack != s.start

cdef inline bint acknowledges_begin(const Side* s, const Digest* d) noexcept nogil:
    """Does a SYN+ACK answer the SYN of this side, with or without its data (RFC 7413)?"""
    return s.state == INACTIVE or (ahead(d.tcp_ack, s.start) > 0 and ahead(d.tcp_ack, s.last) <= 0)

cdef inline int32_t misfit(const Connection* c, uint32_t way, const Digest* d) noexcept nogil:
    """The distance of a segment from the edges of a connection: of its sequence number or of its acknowledgment,
    whichever is further off."""
    cdef const Side* s = &c.sides[way]
    cdef const Side* peer = &c.sides[way ^ 1]
    cdef int32_t worst = -1
    if d.tcp_flags & SYN:
        if s.state != INACTIVE:
            return 0 if d.tcp_seq == s.start else NOWHERE
        return 0 if d.tcp_flags & ACK and acknowledges_begin(peer, d) else NOWHERE
    if d.tcp_flags & ACK and d.tcp_ack and peer.state != INACTIVE:
        worst = apart(d.tcp_ack, front(peer))
        if d.tcp_flags & RST:
            return worst        # a RST that refuses a SYN has no sequence number of its own
    if s.state != INACTIVE:
        if s.fins and ahead(d.tcp_seq, front(s)) > 0:
            return NOWHERE
        worst = max(worst, apart(d.tcp_seq, front(s)))
    return worst if worst >= 0 else NOWHERE

cdef inline uint32_t connection_of(const Flows* f, uint32_t number, const FlowRow* row, const Digest* d) noexcept nogil:
    """1 + the row that a segment belongs to: the row of the last connection with these addresses and ports, or of the
    connection before it if the numbers of the segment lie nearer to that one."""
    cdef const Connection* c = connection_at(f, number - 1)
    cdef const Aside* x = aside_of(f, &c.sides[0])
    cdef const FlowRow* older
    if x == NULL or x.older == 0:
        return number
    older = <const FlowRow*>(f.rows + (x.older - 1) * f.stride)
    if misfit(connection_at(f, x.older - 1), d.flip ^ is_flipped(older), d) < misfit(c, d.flip ^ is_flipped(row), d):
        return x.older
    return number

cdef inline bint confirms_syn(const Flows* f, const Connection* c, uint32_t way, const Digest* d) noexcept nogil:
    """Does a segment acknowledge a SYN that was set aside? If so, that SYN began another connection."""
    cdef const Side* peer = &c.sides[way ^ 1]
    cdef const Aside* x = aside_of(f, peer)
    if x == NULL or x.held & ASIDE_SYN == 0 or d.tcp_flags & (ACK | RST) != ACK or \
            d.tcp_ack - (x.syn.tcp_seq + 1) > x.syn.payload_length:
        return False
    if d.tcp_flags & SYN:
        return d.tcp_seq != c.sides[way].start
    return ahead(d.tcp_ack, peer.start) < 0 or ahead(d.tcp_ack, front(peer)) > 0

cdef inline void set_syn_aside(Flows* f, Side* s, uint32_t way, const FlowRow* row, const Digest* d) noexcept nogil:
    """Keep a SYN in an open connection and the values of the row before it, so that it can be uncounted."""
    cdef Aside* x = open_aside(f, s)
    x.syn = d[0]
    x.first = row.first
    x.last = row.last
    x.flags = row.tcp_flags[way]
    x.held |= ASIDE_SYN

cdef inline bint is_foreign_syn(Flows* f, Connection* c, uint32_t way, const Digest* d) noexcept nogil:
    """Is a SYN to be left out, because its number is not the initial sequence number that holds? A SYN that the other
    side refused may be sent again and accepted, and so may one whose sender reset an old connection first (RFC 9293
    section 3.5.1)."""
    cdef Side* s = &c.sides[way]
    cdef Side* peer = &c.sides[way ^ 1]
    cdef Aside* x
    if d.tcp_flags & ACK == 0:
        if s.state != INACTIVE and d.tcp_seq != s.start:
            return True
        if c.seen[way ^ 1] & SEEN_SYN == 0 and s.state != INACTIVE:
            peer.ended = False
            c.seen[way] &= ~SEEN_ABORT
            c.seen[way ^ 1] &= ~SEEN_ABORT
            if s.state == RESET and s.before == SYN_SENT:
                s.state = SYN_SENT
                s.ended = False
        return False
    if s.state == RESET and not s.placed and acknowledges_begin(peer, d):
        s.state = s.before = INACTIVE
        s.ended = False
        c.seen[way] &= ~SEEN_ABORT
        return False
    if s.state == INACTIVE or d.tcp_seq == s.start:
        return False
    if c.seen[way ^ 1] & SEEN_SYN and not acknowledges_begin(peer, d):
        return True
    x = open_aside(f, s)
    x.isn = d.tcp_seq
    x.held |= ASIDE_SYN_ACK
    return True

cdef inline bint is_of_other_line(Aside* x, const Side* s, uint32_t seq, uint32_t end) noexcept nogil:
    """Is a segment nearer to the second line of sequence numbers than to the first?"""
    if x.held & ASIDE_OTHER == 0 or apart(seq, front(s)) <= apart(seq, x.line):
        return False
    if ahead(end, x.line) > 0:
        x.line = end
    return True

cdef inline void believe(Flows* f, Side* s, Aside* x) noexcept nogil:
    """The far segment is real, and the bytes before it are missing from the capture."""
    miss(f, s, x.start)
    s.edge = x.end
    s.unseen = 0
    s.last = x.end
    x.held &= ~(ASIDE_FAR | ASIDE_ACK)

cdef inline bint is_doubtful(Flows* f, Connection* c, uint32_t way, uint32_t seq, uint32_t end,
                             uint32_t flags) noexcept nogil:
    """Do the numbers of a segment, not the first one of its side, contradict what is known of the connection?"""
    cdef Side* s = &c.sides[way]
    cdef Aside* x = aside_of(f, s)
    cdef int32_t distance = ahead(seq, front(s))
    if x != NULL and is_of_other_line(x, s, seq, end):
        return True
    if distance <= FAR:
        if s.raised:
            return False
        if c.seen[way] & SEEN_SYN:
            return ahead(seq, s.start) < 0          # of an earlier connection
        return distance < -FAR and ahead(end, s.floor) < 0
    if x != NULL and x.held & ASIDE_ACK and ahead(seq, x.ack) <= FAR and ahead(end, x.ack) >= -FAR:
        x.held &= ~ASIDE_ACK    # its acknowledgment was recorded before it
        s.last = seq
        return False
    x = open_aside(f, s)
    if x.held & ASIDE_FAR and seq == x.end:
        if not is_acknowledged(s):      # there are no acknowledgments: two segments in a row are believed
            believe(f, s, x)
            return False
        x.end = end
    else:
        x.start = seq
        x.end = end
    x.held |= ASIDE_FAR
    if flags & FIN:
        x.held |= ASIDE_FIN
    return True

cdef inline bint is_expected(const Side* s, uint32_t seq) noexcept nogil:
    """Is this the number that the receiver expects next, as far as the capture shows it? A RST of another number is
    ignored or challenged (RFC 5961 section 3.2). A side that was not seen before has no numbers to compare."""
    return not s.placed or seq == s.edge or seq == s.ack

cdef inline void begin_again(Connection* c, uint32_t way, uint32_t isn) noexcept nogil:
    """The second initial sequence number was acknowledged, and the first was not."""
    cdef Side* s = &c.sides[way]
    restart(s, isn + 1)
    s.start = s.ack = s.floor = isn
    s.last = isn + 1
    s.placed = True
    c.seen[way] |= SEEN_SYN
    add_letter(c, way, LETTER_H)

cdef inline bint is_acceptable_ack(Flows* f, Connection* c, uint32_t way, uint32_t ack) noexcept nogil:
    """Can this side have sent what the other side acknowledges? A segment or SYN+ACK that was set aside is believed
    when it is acknowledged."""
    cdef Side* s = &c.sides[way]
    cdef Aside* x = aside_of(f, s)
    cdef int32_t beyond = ahead(ack, front(s))
    if x != NULL:
        if x.held & ASIDE_SYN_ACK and ack == x.isn + 1:
            x.held &= ~ASIDE_SYN_ACK
            if is_acknowledged(s):
                x.held |= ASIDE_OTHER
                x.line = ack
                return False
            begin_again(c, way, x.isn)
            return True
        if x.held & ASIDE_OTHER and apart(ack, x.line) < apart(ack, front(s)):
            return False
        if x.held & ASIDE_FAR and ahead(ack, x.start) > 0 and ahead(ack, x.end) <= 0:
            believe(f, s, x)
            return True
    if beyond <= FAR:
        return True
    x = open_aside(f, s)
    if x.held & ASIDE_ACK and 0 < ahead(ack, x.ack) <= FAR:
        x.held &= ~ASIDE_ACK    # a second acknowledgment goes on from the first
        return True
    x.ack = ack
    x.held |= ASIDE_ACK
    return False
