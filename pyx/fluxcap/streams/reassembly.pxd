# One direction of a TCP connection from its segments: octets in order, each once, whatever way they came.
#
# Positions count octets from the beginning of the stream in 64 bits. A sequence number is the position that is nearest
# to the one expected next (RFC 9293 section 3.4: all arithmetic is modulo 2^32). Of octets that came twice the first
# ones stay. What never came is a gap: recorded, not filled.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from fluxcap.base.numbers cimport ACK, FIN, RST, SYN, TCP_WINDOW_MAX
from fluxcap.streams.deliveries cimport Deliveries, put_gap, put_octets
from fluxcap.streams.held cimport (
    Held, Holders, MAX_HELD, MAX_HELD_IN_ALL, MAX_PIECES, Piece, begin_holding, drop_first, hold, stop_holding)
from fluxcap.streams.recent cimport Recent, Ring, contradicts, give_ring, open_recent, remember, ring_of
from fluxcap.streams.stream cimport (
    BEGAN_MIDSTREAM, BEGAN_NOT, BEGAN_SYN, ENDED_FIN, ENDED_NOT, ENDED_RST, Stream, Streams, reopen)

# A segment, as far as the record has it.
cdef struct Segment:
    const uint8_t* octets
    uint32_t captured           # octets there
    uint32_t length             # octets it had
    uint32_t sequence
    uint8_t flags
    bint conflict               # it says something else than what came before it

cdef struct Reassembly:
    Streams table
    Recent recent
    Holders holders
    Deliveries out

cdef inline bint is_contradicted(Reassembly* r, const Stream* s, int64_t position, const Segment* g) noexcept nogil:
    """Does a segment whose octets were delivered already, the first of them at least, differ from what was?"""
    cdef Ring* ring
    if position < 0 or s.ring == 0:
        return False            # before the octets that a stream under way began with
    ring = ring_of(&r.recent, s.ring, <uint64_t>(s - r.table.streams))
    return ring != NULL and contradicts(&r.recent, ring, <uint64_t>position, g.octets, g.captured)

cdef inline void skip(Stream* s, uint64_t octets) noexcept nogil:
    s.gap += octets
    s.next += octets

cdef inline void deliver(Reassembly* r, Stream* s, const uint8_t* octets, uint32_t captured,
                         uint64_t length) noexcept nogil:
    """The octets at s.next, of which the last ones may not be there."""
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
        skip(s, length - captured)

cdef inline void drain(Reassembly* r, Stream* s) noexcept nogil:
    """Deliver what is held as far as no hole is before it."""
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

cdef inline void give_up_hole(Reassembly* r, Stream* s) noexcept nogil:
    """The octets before the first held ones are not waited for any longer."""
    skip(s, s.held.pieces[0].start - s.next)
    drain(r, s)

cdef inline void conclude(Reassembly* r, Stream* s) noexcept nogil:
    """Nothing is waited for any longer: what is held is delivered, what is missing before the FIN is a gap."""
    while s.held != NULL:
        if s.ended == ENDED_FIN and s.held.pieces[0].start >= s.fin:
            drop_held(r, s)
        else:
            give_up_hole(r, s)
    if s.ended == ENDED_FIN and s.next < s.fin:
        skip(s, s.fin - s.next)
    if s.gap:
        put_gap(&r.out, s)

cdef inline void drop_held(Reassembly* r, Stream* s) noexcept nogil:
    """What is held lies behind the FIN that came after it."""
    cdef uint32_t i
    for i in range(s.held.n):
        s.after_end += s.held.pieces[i].length
    stop_holding(&r.holders, s.held)
    s.held = NULL

cdef inline void keep_within_limits(Reassembly* r, Stream* s) noexcept nogil:
    while s.held != NULL and (s.held.n > MAX_PIECES or s.held.octets > MAX_HELD):
        give_up_hole(r, s)
    while r.holders.octets > MAX_HELD_IN_ALL:
        give_up_hole(r, &r.table.streams[r.holders.oldest.stream])

cdef inline void hold_back(Reassembly* r, Stream* s, uint64_t position, Segment* g) noexcept nogil:
    """Octets that have a hole before them, or held ones behind them."""
    cdef uint32_t added = 0
    if s.held == NULL:
        s.held = begin_holding(&r.holders, <uint64_t>(s - r.table.streams))
        if s.held == NULL:
            r.out.no_memory = True
            return
    if not hold(&r.holders, s.held, position, g.octets, g.captured, position + g.length, &added,
                &g.conflict):
        r.out.no_memory = True
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
    """The octets of a segment, at a position within a window of the one expected next."""
    cdef int64_t end = position + g.length, next = <int64_t>s.next
    if s.ended == ENDED_FIN and end > <int64_t>s.fin:
        s.after_end += <uint64_t>(end - max(<int64_t>s.fin, position))
        if position >= <int64_t>s.fin:
            return
        cut_back(g, <uint32_t>(end - <int64_t>s.fin))
        end = <int64_t>s.fin
    if end <= next:
        if g.length == 1 and end == next:
            s.keep_alives += 1  # RFC 9293 section 3.8.4: perhaps with one octet, right before the next one
        else:
            s.retransmitted += 1
            g.conflict = is_contradicted(r, s, position, g)
        return
    if position < next:
        s.overlapping += 1
        g.conflict = is_contradicted(r, s, position, g)
        cut_front(g, <uint32_t>(next - position))
        position = next
    if s.held == NULL and position == next:
        deliver(r, s, g.octets, g.captured, g.length)
    else:
        hold_back(r, s, <uint64_t>position, g)

cdef inline Stream* for_segment(Reassembly* r, Stream* s, const Segment* g) noexcept nogil:
    """The stream that a segment is of: with a SYN the first one, the same one once more, or that of a new
    connection."""
    if g.flags & (SYN | RST) != SYN:
        return s
    if s.began == BEGAN_SYN and s.base == g.sequence + 1:
        s.retransmitted += 1
        return s
    if s.began != BEGAN_NOT and s.base != g.sequence + 1:
        # Answered by somebody else, or with another cookie (RFC 4987 section 3.6): nothing has been said yet.
        if not (g.flags & ACK and s.next == 0 and s.held == NULL):
            conclude(r, s)
            s = reopen(&r.table, s)
    s.base = g.sequence + 1
    s.began = BEGAN_SYN
    return s

cdef inline void take_segment(Reassembly* r, Stream* s, Segment* g) noexcept nogil:
    """Put the octets of a segment where they belong."""
    cdef int32_t distance
    if g.flags & SYN:
        g.sequence += 1
    if s.began == BEGAN_NOT:
        if g.flags & RST:
            s.ended = ENDED_RST
        if g.length == 0 and not g.flags & FIN:
            return              # an acknowledgment does not say where the stream has come to: it may be a keep-alive
        s.base = g.sequence
        s.began = BEGAN_MIDSTREAM
    distance = <int32_t>(g.sequence - <uint32_t>(s.base + s.next))
    if distance > TCP_WINDOW_MAX or distance < -TCP_WINDOW_MAX:
        s.out_of_window += 1
    elif g.flags & RST:
        s.ended = ENDED_RST     # what it holds is why, in words (RFC 9293 section 3.5.3), and no part of the stream
    elif s.ended == ENDED_RST:
        s.after_end += g.length
    else:
        take_within_window(r, s, <int64_t>s.next + distance, g)

cdef inline void take_within_window(Reassembly* r, Stream* s, int64_t position, Segment* g) noexcept nogil:
    cdef int64_t end = position + g.length
    if g.flags & FIN and s.ended == ENDED_NOT and end >= <int64_t>s.next:
        s.ended = ENDED_FIN
        s.fin = <uint64_t>end
    if g.length:
        place(r, s, position, g)
        s.conflicting += g.conflict
    elif position == <int64_t>s.next - 1 and not g.flags & (SYN | FIN):
        s.keep_alives += 1
