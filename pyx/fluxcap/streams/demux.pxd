# Demultiplexing: from a batch of decoded and judged packets to the bytes that a transport layer would hand to sockets.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.bytes cimport be16
from fluxcap.base.numbers cimport IP_TCP, IP_UDP, IP_UDP_LITE, RST, SYN
from fluxcap.base.times cimport earliest
from fluxcap.base.types cimport (
    Batch, COUNTED, Packet, VERDICT_BAD, VERDICT_BAD_LENGTH, VERDICT_ILLEGAL)
from fluxcap.layers.transport cimport TCP_DATA_OFFSET, TCP_HEADER, UDP_HEADER, UDP_LENGTH, UDP_LENGTH_MAX
from fluxcap.pipeline.scan cimport TAPPED, TAPPED_FULL, TAPPED_NO_MEMORY, Tapped
from fluxcap.streams.datagram cimport free_datagrams, take_back
from fluxcap.streams.deliveries cimport free_deliveries, is_full, put_message
from fluxcap.streams.held cimport stop_holding
from fluxcap.streams.incarnation cimport for_segment, nearest
from fluxcap.streams.pieces cimport Pieces, completes_packet
from fluxcap.streams.reassembly cimport Reassembly, Segment, adds_up, conclude, refuse, take_segment
from fluxcap.streams.recent cimport free_recent
from fluxcap.streams.stream cimport Stream, free_streams, reserve_streams, socket_to, stream_of

cdef struct Demux:
    Reassembly reassembly
    Pieces pieces
    bint keep_bad
    uint64_t left_out           # packets of sockets and streams that there was no room for,
    uint64_t left_out_octets    # ... and the bytes of their payload
    uint64_t ended              # streams concluded so far, at the end of the inputs
    uint64_t unbalanced         # of these, streams whose bytes do not add up: always 0, or fluxcap has a bug

cdef inline void free_demux(Demux* d) noexcept nogil:
    while d.reassembly.holders.oldest != NULL:
        stop_holding(&d.reassembly.holders, d.reassembly.holders.oldest)
    free_recent(&d.reassembly.recent)
    free_streams(&d.reassembly.table)
    free_deliveries(&d.reassembly.out)
    free_datagrams(&d.pieces.datagrams)

cdef inline bint is_refused(const Packet* p) noexcept nogil:
    """Would a kernel drop the packet? It does not check a checksum that was left to the network card."""
    return p.verdict == VERDICT_BAD or p.verdict == VERDICT_ILLEGAL or p.verdict == VERDICT_BAD_LENGTH or \
        p.ip_verdict == VERDICT_BAD

cdef inline void meet(Stream* s, const Packet* p) noexcept nogil:
    s.first = earliest(s.first, p.time) if s.packets else p.time
    s.last = max(s.last, p.time) if s.packets else p.time
    s.packets += 1

cdef inline void leave_out(Demux* d, const Packet* p) noexcept nogil:
    d.left_out += 1
    d.left_out_octets += p.payload_length

cdef inline uint32_t captured_from(const Packet* p, uint32_t at, uint32_t length) noexcept nogil:
    """How many of `length` bytes from `at` on the record has."""
    return min(p.captured - at, length) if p.captured > at else 0

cdef inline bint says_otherwise(const Packet* p) noexcept nogil:
    """Does the UDP length contradict the IP length? The verdict does not tell if the checksum is missing as well,
    and a kernel checks both. A length of 0 is right in jumbograms and super-packets (RFC 2675 section 4)."""
    cdef uint32_t length = be16(p.data + p.sum_at + UDP_LENGTH), there = p.payload_length + UDP_HEADER
    return p.key.protocol == IP_UDP and length != there and not (length == 0 and there > UDP_LENGTH_MAX)

cdef inline void deliver_message(Demux* d, const Packet* p) noexcept nogil:
    cdef Reassembly* r = &d.reassembly
    cdef Stream* s = socket_to(&r.table, &p.key)
    cdef uint32_t at = p.sum_at + UDP_HEADER, captured = captured_from(p, at, p.payload_length)
    if s == NULL:
        leave_out(d, p)
        return
    meet(s, p)
    if is_refused(p) and not d.keep_bad:
        s.refused += 1
    elif p.captured < at:
        s.cut += 1              # the record ends before the message
    elif says_otherwise(p) and not d.keep_bad:
        s.refused += 1
    else:
        put_message(&r.out, s, <uint64_t>(s - r.table.streams), p, p.data + at, captured, p.payload_length - captured)

cdef inline void deliver_segment(Demux* d, const Packet* p) noexcept nogil:
    cdef Reassembly* r = &d.reassembly
    cdef Stream* s = stream_of(&r.table, &p.key)
    cdef Stream* of
    cdef Segment g
    cdef uint32_t header
    if s == NULL or s.superseded:
        leave_out(d, p)
        return
    if is_refused(p) and not d.keep_bad:
        meet(s, p)
        s.refused += 1
        return
    if p.captured < p.sum_at + TCP_HEADER:
        meet(s, p)
        s.cut += 1              # the record has no flags, and perhaps no sequence number
        return
    header = p.sum_at + (p.data[p.sum_at + TCP_DATA_OFFSET] >> 4) * 4
    g.octets = p.data + header
    g.length = p.payload_length
    g.captured = captured_from(p, header, g.length)
    g.sequence = p.tcp_seq
    g.acknowledged = p.tcp_ack
    g.flags = p.tcp_flags
    g.conflict = False
    s = nearest(&r.table, s, &g)
    of = for_segment(r, s, &g, p.time)
    if of != NULL:
        s = of
    elif s.superseded:
        leave_out(d, p)
        return
    meet(s, p)
    s.octets += 0 if g.flags & RST else g.length
    if of == NULL:
        refuse(s, &g)
        return
    g.sequence += (g.flags & SYN) != 0
    take_segment(r, s, &g)

cdef inline void deliver_packet(Demux* d, const Packet* p) noexcept nogil:
    if p.disposition != COUNTED:
        return
    if p.key.protocol == IP_TCP:
        deliver_segment(d, p)
    elif p.key.protocol == IP_UDP or p.key.protocol == IP_UDP_LITE:
        deliver_message(d, p)

cdef inline void deliver_pieces(Demux* d, const Packet* piece) noexcept nogil:
    """Deliver what a fragment completes."""
    if completes_packet(&d.pieces, piece, d.keep_bad):
        deliver_packet(d, &d.pieces.whole.packets[0])
    if d.pieces.datagrams.no_memory:
        d.reassembly.out.no_memory = True

cdef inline Tapped tap(void* to, const Batch* batch) noexcept nogil:
    """Deliver the packets of a batch."""
    cdef Demux* d = <Demux*>to
    cdef const Packet* p
    cdef uint32_t i
    take_back(&d.pieces.datagrams)
    if not reserve_streams(&d.reassembly.table):
        return TAPPED_NO_MEMORY
    for i in range(batch.n):
        p = &batch.packets[i]
        if p.fragmented or p.fragmented_around:
            deliver_pieces(d, p)
        else:
            deliver_packet(d, p)
    if d.reassembly.out.no_memory:
        return TAPPED_NO_MEMORY
    return TAPPED_FULL if is_full(&d.reassembly.out) else TAPPED

cdef inline bint end_streams(Demux* d) noexcept nogil:
    """Deliver the bytes held back, stream by stream, until there are enough to take. False if those were the last."""
    cdef Reassembly* r = &d.reassembly
    cdef Stream* s
    while d.ended < r.table.n:
        s = &r.table.streams[d.ended]
        d.ended += 1
        conclude(r, s)
        d.unbalanced += not adds_up(s)
        if is_full(&r.out):
            return True
    return False
