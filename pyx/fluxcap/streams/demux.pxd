# Demultiplexing: what the transport layer would hand to sockets, out of a batch of packets that are decoded and judged.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport be16
from fluxcap.base.numbers cimport IP_TCP, IP_UDP, IP_UDP_LITE, RST, SYN
from fluxcap.base.types cimport (
    BATCH, Batch, COUNTED, Decoder, Packet, VERDICT_BAD, VERDICT_BAD_LENGTH, VERDICT_ILLEGAL)
from fluxcap.checksums.verify cimport SumKernel, verify_batch
from fluxcap.layers.transport cimport TCP_DATA_OFFSET, TCP_HEADER, UDP_HEADER, UDP_LENGTH, UDP_LENGTH_MAX
from fluxcap.pipeline.scan cimport TAPPED, TAPPED_FULL, TAPPED_NO_MEMORY, Tapped
from fluxcap.streams.datagram cimport Datagrams, free_datagrams, open_datagrams, put_together, take_back
from fluxcap.streams.deliveries cimport free_deliveries, is_full, put_message
from fluxcap.streams.held cimport stop_holding
from fluxcap.streams.incarnation cimport for_segment, nearest
from fluxcap.streams.reassembly cimport Reassembly, Segment, adds_up, conclude, refuse, take_segment
from fluxcap.streams.recent cimport free_recent
from fluxcap.streams.stream cimport Stream, free_streams, reserve_streams, socket_to, stream_of

cdef struct Demux:
    Reassembly reassembly
    Datagrams datagrams
    Batch whole                 # one datagram that was put together
    const Decoder* decoder
    SumKernel kernel
    bint keep_bad
    uint64_t* anomalies
    uint64_t refused            # fragments, for their IPv4 header checksum
    uint64_t ended              # streams that are over, at the end of the inputs
    uint64_t unbalanced         # ... of which the bytes do not add up: never

cdef inline void free_demux(Demux* d) noexcept nogil:
    while d.reassembly.holders.oldest != NULL:
        stop_holding(&d.reassembly.holders, d.reassembly.holders.oldest)
    free_recent(&d.reassembly.recent)
    free_streams(&d.reassembly.table)
    free_deliveries(&d.reassembly.out)
    free_datagrams(&d.datagrams)

cdef inline bint is_refused(const Packet* p) noexcept nogil:
    """Would a kernel drop it? One that left its checksums to the card has not, and is not asked to."""
    return p.verdict == VERDICT_BAD or p.verdict == VERDICT_ILLEGAL or p.verdict == VERDICT_BAD_LENGTH or \
        p.ip_verdict == VERDICT_BAD

cdef inline void meet(Stream* s, const Packet* p) noexcept nogil:
    s.first = min(s.first, p.time) if s.packets else p.time
    s.last = max(s.last, p.time) if s.packets else p.time
    s.packets += 1

cdef inline uint32_t captured_from(const Packet* p, uint32_t at, uint32_t length) noexcept nogil:
    """How many of so many bytes are in the record."""
    return min(p.captured - at, length) if p.captured > at else 0

cdef inline bint says_otherwise(const Packet* p) noexcept nogil:
    """Does the UDP length contradict the IP length? A missing checksum weighs more in the verdict, but a kernel looks
    at both. Zero is what jumbograms and super-packets have (RFC 2675 section 4)."""
    cdef uint32_t length = be16(p.data + p.sum_at + UDP_LENGTH), there = p.payload_length + UDP_HEADER
    return p.key.protocol == IP_UDP and length != there and not (length == 0 and there > UDP_LENGTH_MAX)

cdef inline void deliver_message(Demux* d, const Packet* p) noexcept nogil:
    cdef Reassembly* r = &d.reassembly
    cdef Stream* s = socket_to(&r.table, &p.key)
    cdef uint32_t at = p.sum_at + UDP_HEADER, captured = captured_from(p, at, p.payload_length)
    meet(s, p)
    if is_refused(p) and not d.keep_bad:
        s.refused += 1
    elif p.captured < at:
        s.cut += 1              # not even the length of the message is there
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
    if is_refused(p) and not d.keep_bad:
        meet(s, p)
        s.refused += 1
        return
    if p.captured < p.sum_at + TCP_HEADER:
        meet(s, p)
        s.cut += 1              # the flags are not there, perhaps not even the sequence number
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

cdef inline uint32_t outermost(uint32_t depths) noexcept nogil:
    cdef uint32_t depth = 0
    while not depths >> depth & 1:
        depth += 1
    return depth

cdef inline void read_again(Demux* d, uint32_t max_depth) noexcept nogil:
    """Decode and judge the packet in `whole`, descending no deeper than so many tunnels."""
    d.whole.n = 1
    d.decoder.decode(d.whole.packets, 1, d.decoder.ports, max_depth, d.whole.packets[0].key.file, d.anomalies)
    verify_batch(&d.whole, d.kernel)

cdef inline bint complete(Demux* d, Packet* p) noexcept nogil:
    """Add a fragment to its datagram. True: the packet is the whole datagram now, to be decoded."""
    if p.ip_verdict == VERDICT_BAD and not d.keep_bad:
        d.refused += 1
        return False
    if not open_datagrams(&d.datagrams):
        d.reassembly.out.no_memory = True
        return False
    return put_together(&d.datagrams, p, d.anomalies)

cdef inline void deliver_pieces(Demux* d, const Packet* piece) noexcept nogil:
    """A fragment, or what a tunnel in fragments holds. All of that is there once the outermost datagram in fragments
    is: this record is read no deeper than it is, the whole from there on. The whole may hold a fragment in its turn;
    it has one fragment header less, so there is an end."""
    cdef Packet* p = &d.whole.packets[0]
    cdef uint32_t depth = 0     # of what is read: tunnels around it
    p[0] = piece[0]
    while p.fragmented or p.fragmented_around:
        if p.fragmented_around:
            read_again(d, outermost(p.fragmented_around))
        depth += p.depth
        p.depth = <uint8_t>depth
        if not complete(d, p):
            return
        read_again(d, d.decoder.max_depth - depth)
    deliver_packet(d, p)

cdef inline Tapped tap(void* to, const Batch* batch) noexcept nogil:
    """What a batch delivers."""
    cdef Demux* d = <Demux*>to
    cdef const Packet* p
    cdef uint32_t i
    take_back(&d.datagrams)
    # Each packet may show a stream for the first time, and begin another connection besides, which has two, as the one
    # before has from then on.
    if not reserve_streams(&d.reassembly.table, 4 * BATCH):
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
    """Deliver what is held, stream by stream, until there is enough to take. False: that was all."""
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
