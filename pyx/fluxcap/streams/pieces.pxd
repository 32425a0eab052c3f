# The packet that the fragments of a datagram make, decoded and judged: it may be a message, a segment, or a tunnel with
# another fragment in it.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fluxcap.base.types cimport Batch, Decoder, Packet, VERDICT_BAD
from fluxcap.checksums.verify cimport SumKernel, verify_batch
from fluxcap.streams.datagram cimport Datagrams, open_datagrams, put_together

cdef struct Pieces:
    Datagrams datagrams
    Batch whole                 # one reassembled datagram
    const Decoder* decoder
    SumKernel kernel
    uint64_t* anomalies
    uint64_t refused            # fragments with a bad IPv4 header checksum

cdef inline uint32_t outermost(uint32_t depths) noexcept nogil:
    cdef uint32_t depth = 0
    while not depths >> depth & 1:
        depth += 1
    return depth

cdef inline void read_again(Pieces* d, uint32_t max_depth) noexcept nogil:
    """Decode and judge the packet in `whole`, down to `max_depth` tunnels."""
    d.whole.n = 1
    d.decoder.decode(d.whole.packets, 1, d.decoder.ports, max_depth, d.whole.packets[0].key.file, d.anomalies)
    verify_batch(&d.whole, d.kernel)

cdef inline bint complete(Pieces* d, Packet* p, bint keep_bad) noexcept nogil:
    """Add a fragment to its datagram. True if the packet is the whole datagram now, which is to be decoded."""
    if p.ip_verdict == VERDICT_BAD and not keep_bad:
        d.refused += 1
        return False
    return open_datagrams(&d.datagrams) and put_together(&d.datagrams, p, d.anomalies)

cdef inline bint completes_packet(Pieces* d, const Packet* piece, bint keep_bad) noexcept nogil:
    """Add a fragment, or a packet inside a tunnel in fragments. True if that makes a packet, which is in `whole` then.
    Each round reads the record down to its outermost fragment, adds the fragment to its datagram, and reads on in the
    whole datagram, which may hold another fragment. Each round takes away one fragment header, so the loop ends."""
    cdef Packet* p = &d.whole.packets[0]
    cdef uint32_t depth = 0     # tunnels around the packet in `whole`
    p[0] = piece[0]
    while p.fragmented or p.fragmented_around:
        if p.fragmented_around:
            read_again(d, outermost(p.fragmented_around))
        depth += p.depth
        p.depth = <uint8_t>depth
        if not complete(d, p, keep_bad):
            return False
        read_again(d, d.decoder.max_depth - depth)
    return True
