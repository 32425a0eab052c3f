# Which connection a segment belongs to, if several have the same addresses and ports, and whether its numbers are
# believed. A capture does not show the window of a receiver, but it shows what the receiver acknowledges. So another
# initial sequence number, or bytes far from all others, are believed once the other side acknowledges them (RFC 9293
# section 3.10.7, RFC 5961 section 4).

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from fluxcap.base.numbers cimport ACK, RST, SYN
from fluxcap.base.sequence cimport ASIDE_ACK, ASIDE_OTHER, ASIDE_SYN, ASIDE_SYN_ACK, FAR, NOWHERE, ahead, apart
from fluxcap.streams.reassembly cimport Reassembly, Segment, believe, drop_held, position_of
from fluxcap.streams.stream cimport (
    BEGAN_MIDSTREAM, BEGAN_NOT, BEGAN_SYN, ENDED_FIN, ENDED_NOT, ENDED_RST, Stream, Streams, edge_of, reopen, stream_at)

cdef inline bint has_begun(const Stream* s) noexcept nogil:
    return s != NULL and s.began != BEGAN_NOT

cdef inline bint answers_syn_of(const Stream* peer, const Segment* g) noexcept nogil:
    """Does a SYN+ACK acknowledge the SYN of the other side, with or without data (RFC 7413)?"""
    return peer.began == BEGAN_SYN and 0 <= ahead(g.acknowledged, peer.base) <= ahead(edge_of(peer), peer.base)

cdef inline int32_t distance_from(const Streams* t, const Stream* s, const Segment* g) noexcept nogil:
    """The distance of a segment from the edges of a connection: of its sequence number or of its acknowledgment,
    whichever is further off."""
    cdef const Stream* peer = stream_at(t, s.peer)
    cdef int32_t worst = -1
    if g.flags & SYN:
        if has_begun(s):
            return 0 if g.sequence + 1 == s.base else NOWHERE
        return 0 if g.flags & ACK and has_begun(peer) and answers_syn_of(peer, g) else NOWHERE
    if g.flags & ACK and g.acknowledged and has_begun(peer):
        worst = apart(g.acknowledged, edge_of(peer))
        if g.flags & RST:
            return worst        # a RST that refuses a SYN has no sequence number of its own
    if has_begun(s):
        if s.ended == ENDED_FIN and ahead(g.sequence, edge_of(s)) > 0:
            return NOWHERE
        worst = max(worst, apart(g.sequence, edge_of(s)))
    return worst if worst >= 0 else NOWHERE

cdef inline Stream* nearest(const Streams* t, Stream* s, const Segment* g) noexcept nogil:
    """The stream that a segment fits better: `s`, or the same direction of the connection before."""
    cdef Stream* older = stream_at(t, s.older)
    return older if older != NULL and distance_from(t, older, g) < distance_from(t, s, g) else s

cdef inline bint confirms_syn(const Stream* s, const Stream* peer, const Segment* g) noexcept nogil:
    """Does a segment acknowledge a SYN that was set aside? If so, that SYN began another connection."""
    if peer == NULL or peer.aside & ASIDE_SYN == 0 or g.flags & (ACK | RST) != ACK or \
            g.acknowledged - (peer.isn + 1) > peer.isn_octets:
        return False
    if g.flags & SYN:
        return s.began == BEGAN_NOT or g.sequence + 1 != s.base
    return ahead(g.acknowledged, peer.base) < 0 or ahead(g.acknowledged, edge_of(peer)) > 0

cdef inline Stream* begin_with_syn(Streams* t, Stream* peer) noexcept nogil:
    """Open the connection of a SYN that was set aside. Returned: the side that acknowledges the SYN now; NULL: there is
    no room for the connection."""
    cdef Stream* s = reopen(t, peer)
    if s == NULL:
        return NULL
    peer = stream_at(t, s.older)
    s.base = peer.isn + 1
    s.began = BEGAN_SYN
    s.packets = 1
    s.first = s.last = peer.isn_time
    peer.packets -= 1
    peer.aside &= ~ASIDE_SYN
    return stream_at(t, s.peer)

cdef inline void begin(Stream* s, const Segment* g) noexcept nogil:
    s.base = g.sequence + 1
    s.began = BEGAN_SYN
    s.ended = ENDED_NOT
    s.reset = False

cdef inline Stream* begin_another(Streams* t, Stream* s, const Segment* g) noexcept nogil:
    """The stream of a new connection that a SYN begins; NULL: there is no room for it."""
    s = reopen(t, s)
    if s != NULL:
        begin(s, g)
    return s

cdef inline Stream* set_aside(Stream* s, const Segment* g, uint32_t how, int64_t time) noexcept nogil:
    """Set a SYN aside: it has no effect unless it is acknowledged."""
    s.aside |= how
    s.isn = g.sequence
    s.isn_octets = g.length
    s.isn_time = time
    return NULL

cdef inline bint is_reset(const Stream* s) noexcept nogil:
    """Did this side send a RST, believed or not?"""
    return s.ended == ENDED_RST or s.reset

cdef inline void forget_reset(Stream* s) noexcept nogil:
    s.ended = ENDED_NOT
    s.reset = False

cdef inline void take_syn_again(Stream* s) noexcept nogil:
    """Take a SYN with the initial sequence number that holds: it was sent again, or the bytes behind it came first."""
    if s.began == BEGAN_MIDSTREAM:
        s.began = BEGAN_SYN
        s.out_of_order += 1
    else:
        s.retransmitted += 1

cdef inline Stream* ask(Streams* t, Stream* s, const Segment* g, int64_t time) noexcept nogil:
    """The stream that a SYN begins or belongs to; NULL if that cannot be told yet, or there is no room for it."""
    cdef Stream* peer = stream_at(t, s.peer)
    cdef bint reset = is_reset(s) or (peer != NULL and is_reset(peer))
    cdef bint ended = s.ended != ENDED_NOT or (peer != NULL and peer.ended != ENDED_NOT)
    if s.began == BEGAN_NOT:
        if has_begun(peer) and (ended or reset):
            return begin_another(t, s, g)
        begin(s, g)
    elif s.base != g.sequence + 1:
        if not ended and s.acknowledged:
            return set_aside(s, g, ASIDE_SYN, time)
        return begin_another(t, s, g)
    elif reset and has_begun(peer):
        return set_aside(s, g, ASIDE_SYN, time)
    else:
        take_syn_again(s)
        if reset:               # it was refused, or its sender reset an old connection (RFC 9293 section 3.5.1)
            forget_reset(s)
            if peer != NULL:
                forget_reset(peer)
    return s

cdef inline Stream* answer(Streams* t, Stream* s, const Segment* g, int64_t time) noexcept nogil:
    """The stream that a SYN+ACK begins or belongs to; NULL if that cannot be told yet."""
    cdef Stream* peer = stream_at(t, s.peer)
    if s.began == BEGAN_NOT:
        begin(s, g)
    elif s.base == g.sequence + 1:
        take_syn_again(s)
    elif has_begun(peer) and peer.began == BEGAN_SYN and not answers_syn_of(peer, g):
        return NULL             # it answers another SYN
    else:
        return set_aside(s, g, ASIDE_SYN_ACK, time)
    return s

cdef inline bint is_of_other_line(Stream* s, const Segment* g) noexcept nogil:
    """Is a segment nearer to the second line of sequence numbers than to the first?"""
    if s.aside & ASIDE_OTHER == 0 or apart(g.sequence, edge_of(s)) <= apart(g.sequence, s.line):
        return False
    s.line = g.sequence + g.length
    return True

cdef inline bint is_stray(Stream* s, const Segment* g) noexcept nogil:
    """Do the numbers of a segment contradict the stream? If so, its acknowledgment does not count either."""
    cdef int64_t position
    if s.began == BEGAN_NOT or g.flags & (SYN | RST):
        return False
    position = position_of(s, g.sequence)
    return is_of_other_line(s, g) or position < -1 and position + g.length <= 0 and \
        (s.began == BEGAN_SYN or position < -FAR)

cdef inline void begin_again(Reassembly* r, Stream* s) noexcept nogil:
    """The second initial sequence number was acknowledged. If the first was too, or its bytes were delivered, there are
    two lines of sequence numbers; else the second replaces the first."""
    s.aside &= ~ASIDE_SYN_ACK
    if s.acknowledged or s.next:
        s.aside |= ASIDE_OTHER
        s.line = s.isn + 1
        return
    if s.held != NULL:
        s.outside += drop_held(r, s)
    s.base = s.isn + 1
    s.began = BEGAN_SYN
    s.top = s.doubted = s.doubtful = s.far_fin = 0
    s.acked = s.base
    s.acknowledged = True

cdef inline void acknowledge(Stream* s, Stream* by, uint32_t acknowledged) noexcept nogil:
    """Who acknowledges more than before has the connection still, although it seemed to send a RST."""
    if s.acknowledged and ahead(acknowledged, s.acked) > 0:
        by.reset = False
    s.acked = acknowledged
    s.acknowledged = True

cdef inline void heed(Reassembly* r, Stream* s, Stream* by, uint32_t acknowledged) noexcept nogil:
    """Apply an acknowledgment of the other side: this stream was sent up to this number."""
    cdef int64_t position = position_of(s, acknowledged)
    if s.aside & ASIDE_SYN_ACK and acknowledged == s.isn + 1:
        begin_again(r, s)
    elif s.aside & ASIDE_OTHER and apart(acknowledged, s.line) < apart(acknowledged, edge_of(s)):
        return
    elif s.doubted and <int64_t>s.doubted < position <= <int64_t>s.doubt_end or \
            s.far_fin and position == <int64_t>s.far_fin + 1:
        acknowledge(s, by, acknowledged)
        believe(s, min(<uint64_t>position, max(s.far_fin, s.doubt_end)))
    elif position > <int64_t>s.top + FAR:
        s.aside |= ASIDE_ACK
        s.far_ack = acknowledged
    elif position >= 0:
        acknowledge(s, by, acknowledged)

cdef inline Stream* for_segment(Reassembly* r, Stream* s, const Segment* g, int64_t time) noexcept nogil:
    """The stream that a segment belongs to; NULL if it belongs to none, which the caller counts at `s`, or as left out
    where `s` is superseded."""
    cdef Streams* t = &r.table
    cdef Stream* peer = stream_at(t, s.peer)
    cdef Stream* found = s
    if confirms_syn(s, peer, g):
        found = begin_with_syn(t, peer)
        if found == NULL:
            return NULL
        s = found
    if g.flags & (SYN | RST) == SYN:
        found = answer(t, s, g, time) if g.flags & ACK else ask(t, s, g, time)
    elif is_stray(s, g):
        found = NULL
    if found == NULL:
        return NULL
    peer = stream_at(t, found.peer)
    if g.flags & (ACK | RST) == ACK and has_begun(peer) and not is_far(found, g):
        heed(r, peer, found, g.acknowledged)
    return found

cdef inline bint is_far(const Stream* s, const Segment* g) noexcept nogil:
    return has_begun(s) and not g.flags & SYN and position_of(s, g.sequence) > <int64_t>s.top + FAR
