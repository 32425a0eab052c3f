# Reassembling one direction of a TCP connection from its segments: each byte once, in order, however segments came.
#
# A position counts bytes from the beginning of the stream, in 64 bits. A sequence number stands for the position that
# is nearest to the end of the bytes believed (RFC 9293 section 3.4: all arithmetic is modulo 2^32). If bytes come
# twice, the first copy wins. Bytes that never came are a gap, which is recorded and not filled.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fluxcap.base.numbers cimport FIN, RST, SYN
from fluxcap.base.sequence cimport ASIDE_ACK, FAR, ahead
from fluxcap.streams.deliveries cimport Deliveries, put_gap, put_octets
from fluxcap.streams.held cimport (
    Held, Holders, MAX_HELD, MAX_HELD_IN_ALL, MAX_PIECES, Piece, begin_holding, drop_first, end_of, hold,
    place_of, stop_holding)
from fluxcap.streams.recent cimport Recent, Ring, contradicts, give_ring, open_recent, remember, ring_of
from fluxcap.streams.stream cimport (
    BEGAN_MESSAGES, BEGAN_MIDSTREAM, BEGAN_NOT, ENDED_FIN, ENDED_NOT, ENDED_RST, Stream, Streams, edge_of)

# A segment, and how much of it the record has.
cdef struct Segment:
    const uint8_t* octets
    uint32_t captured           # bytes in the record
    uint32_t length             # bytes that were sent
    uint32_t sequence
    uint32_t acknowledged
    uint8_t flags
    bint conflict               # its bytes differ from those that came before at the same positions

cdef struct Reassembly:
    Streams table
    Recent recent
    Holders holders
    Deliveries out

cdef inline int64_t position_of(const Stream* s, uint32_t sequence) noexcept nogil:
    """The position with this sequence number that is nearest to the end of the bytes believed."""
    return <int64_t>s.top + ahead(sequence, <uint32_t>(s.base + s.top))

cdef inline bint is_contradicted(Reassembly* r, const Stream* s, int64_t position, const Segment* g) noexcept nogil:
    """Does a segment differ from the bytes delivered before? At least its first byte was delivered already."""
    cdef Ring* ring
    if position < 0 or s.ring == 0:
        return False            # before the first bytes of a stream that was under way
    ring = ring_of(&r.recent, s.ring, <uint64_t>(s - r.table.streams))
    return ring != NULL and contradicts(&r.recent, ring, <uint64_t>position, g.octets, g.captured)

cdef inline void skip(Stream* s, uint64_t octets) noexcept nogil:
    s.gap += octets
    s.next += octets

cdef inline void deliver(Reassembly* r, Stream* s, const uint8_t* octets, uint32_t captured,
                         uint64_t length) noexcept nogil:
    """Deliver the bytes at s.next. The record may lack the last ones: they become a gap."""
    cdef uint64_t place = <uint64_t>(s - r.table.streams)
    cdef Ring* ring
    put_octets(&r.out, s, place, octets, captured)
    if open_recent(&r.recent):
        ring = ring_of(&r.recent, s.ring, place)
        if ring == NULL:
            s.ring = give_ring(&r.recent, place)
            ring = ring_of(&r.recent, s.ring, place)
        remember(&r.recent, ring, s.next, octets, captured)
    else:
        r.out.no_memory = True
    s.next += captured
    if length > captured:
        s.cut_octets += length - captured
        skip(s, length - captured)

cdef inline void drain(Reassembly* r, Stream* s) noexcept nogil:
    """Deliver the pieces held before the first hole."""
    cdef Held* h = s.held
    cdef Piece* p
    cdef uint32_t n = 0
    while n < h.n and h.pieces[n].start == s.next:
        p = &h.pieces[n]
        deliver(r, s, p.octets, p.length, <uint64_t>p.length + p.missing)
        n += 1
    if n == h.n:
        stop_holding(&r.holders, h)
        s.held = NULL
    elif n:
        drop_first(&r.holders, h, n)

cdef inline void believe(Stream* s, uint64_t up_to) noexcept nogil:
    """Believe the bytes held before this position, and those that follow without a hole."""
    cdef uint32_t i
    s.top = max(s.top, up_to)
    s.doubted = 0
    for i in range(place_of(s.held, up_to) if s.held != NULL else 0, s.held.n if s.held != NULL else 0):
        if s.held.pieces[i].start >= up_to:
            s.doubted = s.held.pieces[i].start
            break
        s.top = max(s.top, end_of(&s.held.pieces[i]))
    if s.doubted == 0:
        s.doubtful = 0
    if s.far_fin and s.far_fin <= s.top:
        end_with_fin(s, s.far_fin)
        s.far_fin = 0

cdef inline void end_with_fin(Stream* s, uint64_t position) noexcept nogil:
    if s.ended == ENDED_NOT and position >= s.next:
        s.ended = ENDED_FIN
        s.fin = position
        s.top = max(s.top, position)

cdef inline void give_up_hole(Reassembly* r, Stream* s) noexcept nogil:
    """Stop waiting for the bytes before the first piece held: they are a gap. So many bytes held are not stray ones."""
    if s.doubted and s.held.pieces[0].start >= s.doubted:
        believe(s, end_of(&s.held.pieces[0]))
    skip(s, s.held.pieces[0].start - s.next)
    drain(r, s)

cdef inline void conclude(Reassembly* r, Stream* s) noexcept nogil:
    """Stop waiting: deliver the bytes held, and count those missing up to the end, as far as its sender told it, as a
    gap."""
    cdef uint64_t start, end
    while s.held != NULL:
        start = s.held.pieces[0].start
        if s.doubted and start >= s.doubted:
            s.outside += drop_held(r, s)
            s.out_of_window += s.doubtful
        elif s.ended == ENDED_FIN and start >= s.fin:
            s.after_end += drop_held(r, s)
        else:
            give_up_hole(r, s)
    s.out_of_window += s.far_fin != 0
    end = s.fin if s.ended == ENDED_FIN else s.top
    if s.next < end:
        skip(s, end - s.next)
    if s.gap:
        put_gap(&r.out, s)
    if s.reset and (edge_of(s) == s.reset_edge or edge_of(s) == s.reset_at):
        s.ended = ENDED_RST     # its sender sent nothing after it, or only what the capture has out of order

cdef inline bint adds_up(const Stream* s) noexcept nogil:
    """Is each byte of a concluded stream counted in exactly one place? And if its segments had bytes, did it deliver
    bytes, or count what it lacks?"""
    cdef uint64_t refused = s.outside + s.after_end
    if s.began == BEGAN_MESSAGES:
        return True
    return s.octets == s.written + s.cut_octets + s.repeated + refused and s.next == s.written + s.gap_octets and \
        (s.repeated == 0 or s.keep_alives or s.next + refused > 0)

cdef inline uint64_t drop_held(Reassembly* r, Stream* s) noexcept nogil:
    """Drop the bytes held, which lie behind the FIN or were never believed. Returned: how many."""
    cdef uint64_t dropped = 0
    cdef uint32_t i
    for i in range(s.held.n):
        dropped += s.held.pieces[i].length + s.held.pieces[i].missing
    stop_holding(&r.holders, s.held)
    s.held = NULL
    return dropped

cdef inline void keep_within_limits(Reassembly* r, Stream* s) noexcept nogil:
    while s.held != NULL and (s.held.n > MAX_PIECES or s.held.octets > MAX_HELD):
        give_up_hole(r, s)
    while r.holders.octets > MAX_HELD_IN_ALL:
        give_up_hole(r, &r.table.streams[r.holders.oldest.stream])

cdef inline void hold_back(Reassembly* r, Stream* s, uint64_t position, Segment* g) noexcept nogil:
    """Hold bytes that have a hole before them, or bytes held behind them, and deliver those that are in order now."""
    cdef uint32_t added = 0
    if s.held == NULL:
        s.held = begin_holding(&r.holders, <uint64_t>(s - r.table.streams))
        if s.held == NULL:
            r.out.no_memory = True
            return
    if not hold(&r.holders, s.held, position, g.octets, g.captured, position + g.length, &added,
                &g.conflict):
        r.out.no_memory = True
    s.repeated += g.length - added
    s.overlapping += 0 < added < g.length
    s.retransmitted += added == 0
    s.out_of_order += position > s.next and added != 0
    if s.held.n == 0:           # memory is out
        stop_holding(&r.holders, s.held)
        s.held = NULL
        return
    drain(r, s)
    keep_within_limits(r, s)

cdef inline void cut_front(Segment* g, uint32_t octets) noexcept nogil:
    g.length -= octets
    octets = min(octets, g.captured)
    g.octets += octets
    g.captured -= octets

cdef inline void cut_back(Segment* g, uint32_t octets) noexcept nogil:
    g.length -= octets
    g.captured = min(g.captured, g.length)

cdef inline void place(Reassembly* r, Stream* s, int64_t position, Segment* g) noexcept nogil:
    """Deliver or hold the bytes of a segment at this position of the stream."""
    cdef int64_t end = position + g.length, next = <int64_t>s.next
    if s.ended == ENDED_FIN and end > <int64_t>s.fin:
        s.after_end += <uint64_t>(end - max(<int64_t>s.fin, position))
        if position >= <int64_t>s.fin:
            return
        cut_back(g, <uint32_t>(end - <int64_t>s.fin))
        end = <int64_t>s.fin
    if end <= next:
        s.repeated += g.length
        s.retransmitted += 1
        g.conflict = is_contradicted(r, s, position, g)
        return
    if position < next:
        s.overlapping += 1
        s.repeated += <uint64_t>(next - position)
        g.conflict = is_contradicted(r, s, position, g)
        cut_front(g, <uint32_t>(next - position))
        position = next
    if s.held == NULL and position == next:
        deliver(r, s, g.octets, g.captured, g.length)
    else:
        hold_back(r, s, <uint64_t>position, g)

cdef inline void begin_midstream(Stream* s, const Segment* g) noexcept nogil:
    """Begin the stream at the first bytes seen. The capture may have the FIN before them."""
    s.base = g.sequence
    s.began = BEGAN_MIDSTREAM
    if s.ended == ENDED_FIN:
        s.ended = ENDED_NOT
        if s.fin_at - s.base < FAR:
            end_with_fin(s, s.fin_at - s.base)

cdef inline bint is_expected(const Stream* s, uint32_t sequence) noexcept nogil:
    """Is this the number that the receiver expects next, as far as the capture shows it? Only a RST that has it ends
    the connection at once (RFC 5961 section 3.2)."""
    return sequence == <uint32_t>(s.base + s.next) or sequence == <uint32_t>(s.base + s.top) or \
        sequence == edge_of(s) or (s.acknowledged and sequence == s.acked)

cdef inline void doubt_reset(Stream* s, const Segment* g) noexcept nogil:
    """Take a RST of another number. A receiver ignores or challenges it, but the capture may lack the segments before
    it. So it ends the stream unless its sender goes on: sends more, or acknowledges more."""
    s.reset = True
    s.reset_at = g.sequence
    s.reset_edge = edge_of(s)

cdef inline void take_before_begin(Stream* s, const Segment* g) noexcept nogil:
    """Take a RST, or a segment without data, before the beginning of the stream is known. The number of an
    acknowledgment does not tell the beginning: it may be a keep-alive."""
    if g.flags & RST:
        doubt_reset(s, g)
    elif g.flags & FIN and s.ended == ENDED_NOT:
        s.ended = ENDED_FIN
        s.fin_at = g.sequence

cdef inline void refuse(Stream* s, const Segment* g) noexcept nogil:
    """Count a segment that does not belong to this stream."""
    s.out_of_window += 1
    s.outside += 0 if g.flags & RST else g.length

cdef inline void take_reset(Stream* s, int64_t position, const Segment* g) noexcept nogil:
    """Take a RST. Its data is a text that says why (RFC 9293 section 3.5.3), not stream data."""
    if position < <int64_t>s.next - FAR or position > <int64_t>s.top + FAR:
        refuse(s, g)
    elif is_expected(s, g.sequence):
        s.ended = ENDED_RST
    else:
        doubt_reset(s, g)

cdef inline bint is_believed(Stream* s, int64_t position, const Segment* g) noexcept nogil:
    """Is a segment believed that lies far off? It is if it was acknowledged, or if there are no acknowledgments and it
    continues another one far off."""
    if s.aside & ASIDE_ACK and ahead(g.sequence, s.far_ack) <= FAR and \
            ahead(g.sequence + g.length, s.far_ack) >= -FAR:
        s.aside &= ~ASIDE_ACK   # captures often have an acknowledgment before its segment
        return True
    return s.doubted and not s.acknowledged and s.doubt_end <= <uint64_t>position <= s.doubt_end + FAR

cdef inline void take_far(Reassembly* r, Stream* s, int64_t position, Segment* g) noexcept nogil:
    """Hold a segment that lies far off and is not believed yet. It does not count as out of order."""
    cdef uint64_t early = s.out_of_order
    if g.flags & FIN:
        s.far_fin = <uint64_t>position + g.length
    if g.length == 0:
        s.out_of_window += not g.flags & FIN
        return
    s.doubtful += 1
    s.doubted = min(s.doubted, <uint64_t>position) if s.doubted else <uint64_t>position
    s.doubt_end = <uint64_t>position + g.length
    hold_back(r, s, <uint64_t>position, g)
    s.out_of_order = early

cdef inline bint is_there(const Stream* s, int64_t position) noexcept nogil:
    """Was the byte at this position delivered, or is it held?"""
    cdef uint32_t i
    if position < <int64_t>s.next or s.held == NULL:
        return position < <int64_t>s.next
    i = place_of(s.held, <uint64_t>position)
    return i < s.held.n and s.held.pieces[i].start <= <uint64_t>position

cdef inline void take_within_window(Reassembly* r, Stream* s, int64_t position, Segment* g) noexcept nogil:
    cdef int64_t end = position + g.length
    if g.length <= 1 and position + 1 == <int64_t>s.top and s.ended == ENDED_NOT and not g.flags & (SYN | FIN) and \
            (g.length == 0 or is_there(s, position)):
        # A keep-alive has the number of the last byte sent, and at most that byte (RFC 9293 section 3.8.4). A repeated
        # probe of a closed window looks the same (section 3.8.6.1).
        s.keep_alives += 1
        s.repeated += g.length
        return
    if g.length and position < 0:
        if end <= 0:
            refuse(s, g)
            return
        s.outside += <uint64_t>-position
        cut_front(g, <uint32_t>-position)
        position = 0
    if g.flags & FIN and end >= <int64_t>s.next:
        end_with_fin(s, <uint64_t>end)
    if s.ended != ENDED_FIN and end > 0:
        s.top = max(s.top, <uint64_t>end)   # an empty segment too tells how much its sender has sent
    if g.length:
        if s.doubted and s.doubted <= s.top + FAR:
            believe(s, s.doubted + 1)
        place(r, s, position, g)
        s.conflicting += g.conflict

cdef inline void take_segment(Reassembly* r, Stream* s, Segment* g) noexcept nogil:
    """Deliver, hold or refuse each byte of a segment, and apply its flags."""
    cdef int64_t position
    if s.began == BEGAN_NOT:
        if g.length == 0 or g.flags & RST:
            take_before_begin(s, g)
            return
        begin_midstream(s, g)
    position = position_of(s, g.sequence)
    if g.flags & RST:
        take_reset(s, position, g)
        return
    if position > <int64_t>s.top + FAR and not is_believed(s, position, g):
        take_far(r, s, position, g)
        return
    if s.doubted and position >= <int64_t>s.doubted:
        believe(s, <uint64_t>position + 1)
    if s.ended == ENDED_RST:
        s.after_end += g.length
    else:
        take_within_window(r, s, position, g)
