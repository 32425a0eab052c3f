# Demultiplexing: what the transport layer would hand to sockets, out of a batch of packets that are decoded and judged.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.bytes cimport be16
from fluxcap.checksums.verify cimport SumKernel, verify_batch
from fluxcap.layers.cursor cimport MAX_DEPTH
from fluxcap.base.numbers cimport IP_TCP, IP_UDP, IP_UDP_LITE
from fluxcap.layers.transport cimport TCP_DATA_OFFSET, TCP_HEADER, UDP_HEADER, UDP_LENGTH, UDP_LENGTH_MAX
from fluxcap.pipeline.scan cimport TAPPED, TAPPED_FULL, TAPPED_NO_MEMORY, Tapped
from fluxcap.streams.datagram cimport Datagrams, free_datagrams, open_datagrams, put_together
from fluxcap.streams.deliveries cimport free_deliveries, is_full, put_message
from fluxcap.streams.held cimport stop_holding
from fluxcap.streams.reassembly cimport Reassembly, Segment, conclude, for_segment, take_segment
from fluxcap.streams.recent cimport free_recent
from fluxcap.streams.stream cimport Stream, free_streams, reserve_streams, socket_to, stream_of
from fluxcap.base.types cimport (
    BATCH, Batch, COUNTED, Decode, Packet, VERDICT_BAD, VERDICT_BAD_LENGTH, VERDICT_ILLEGAL)

cdef struct Demux:
    Reassembly reassembly
    Datagrams datagrams
    Batch whole                 # one datagram that was put together
    Decode decode
    SumKernel kernel
    uint32_t max_depth
    bint keep_bad
    uint64_t* anomalies
    uint64_t refused            # fragments, for their IPv4 header checksum
    uint64_t ended              # streams that are over, at the end of the inputs

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
    """How many of so many octets are in the record."""
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
    g.flags = p.tcp_flags
    g.conflict = False
    s = for_segment(r, s, &g)
    meet(s, p)
    take_segment(r, s, &g)

cdef inline void deliver_packet(Demux* d, const Packet* p) noexcept nogil:
    if p.disposition != COUNTED:
        return
    if p.key.protocol == IP_TCP:
        deliver_segment(d, p)
    elif p.key.protocol == IP_UDP or p.key.protocol == IP_UDP_LITE:
        deliver_message(d, p)

cdef inline void deliver_fragment(Demux* d, const Packet* fragment) noexcept nogil:
    """A fragment; what it completes is read anew, at the depth where it lies."""
    cdef Packet* p = &d.whole.packets[0]
    cdef uint32_t depth = fragment.depth
    p[0] = fragment[0]
    if p.ip_verdict == VERDICT_BAD and not d.keep_bad:
        d.refused += 1
        return
    if not open_datagrams(&d.datagrams):
        d.reassembly.out.no_memory = True
        return
    # The whole may hold a tunnel, and that a fragment of another datagram.
    while put_together(&d.datagrams, p, d.anomalies):
        d.decode(p, 1, d.max_depth - depth, p.key.file, d.anomalies)
        if not p.fragmented:
            d.whole.n = 1
            verify_batch(&d.whole, d.kernel)
            deliver_packet(d, p)
            return
        depth += p.depth

cdef inline void deliver_around(Demux* d, const Packet* p) noexcept nogil:
    """What a tunnel holds was read from the piece that it begins in. All of it is there once the datagram around the
    tunnel is: the pieces are read once more, no deeper than they are."""
    cdef uint32_t depths = p.fragmented_around, depth = 0
    cdef Packet outer
    while depths >> depth:
        if depths >> depth & 1:
            outer = p[0]
            d.decode(&outer, 1, depth, p.key.file, d.anomalies)
            deliver_fragment(d, &outer)
        depth += 1

cdef inline Tapped tap(void* to, const Batch* batch) noexcept nogil:
    """What a batch delivers."""
    cdef Demux* d = <Demux*>to
    cdef const Packet* p
    cdef uint32_t i
    # Each packet, and each tunnel around it, may show a stream for the first time, or begin another connection besides.
    if not reserve_streams(&d.reassembly.table, 2 * MAX_DEPTH * BATCH):
        return TAPPED_NO_MEMORY
    for i in range(batch.n):
        p = &batch.packets[i]
        if p.fragmented_around:
            deliver_around(d, p)
        elif p.fragmented:
            deliver_fragment(d, p)
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
        if is_full(&r.out):
            return True
    return False
