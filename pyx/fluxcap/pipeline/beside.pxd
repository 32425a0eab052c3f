# What is kept of the bytes of each packet, or was read from them, from the stage that has them to the stage that counts
# the packet: a packet that is held back for a fragment has none any more by then. What stands here goes in and comes
# out in the order of the records, as the packets do.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memmove, memset

from fluxcap.base.arrays cimport reserve_array
from fluxcap.base.numbers cimport IP_ICMP, IP_ICMPV6, IP_SCTP
from fluxcap.base.types cimport BATCH, Batch, HEADER_WORD, Kept, Named, Packet, in_a_flow, octets_kept
from fluxcap.layers.network cimport IPV4_CHECKSUM, IPV4_SOURCE, IPV6_SOURCE
from fluxcap.layers.transport cimport PORTS, SCTP_CHECKSUM, checksum_at
from fluxcap.pipeline.identity cimport CHECKSUM_16, CHECKSUM_32, has_ports

cdef enum:
    # Bytes of a packet or flow at most: a jumbo frame of Ethernet. The 8,192 packets that may be held back (HELD_MAX)
    # take 72 MiB then.
    MAX_PAYLOAD = 9216

cdef enum:                      # redirects, which tell addresses
    REDIRECT = 5                # RFC 792
    REDIRECT_GATEWAY = 4
    ADDRESS_V4 = 4
    REDIRECT_V6 = 137           # RFC 4861 section 4.5
    REDIRECT_V6_TARGET = 8

cdef struct PayloadPlan:
    uint32_t most               # bytes of each packet, 0 = none
    bint whole                  # from the IP header on, not from behind the transport header
    bint masked                 # addresses, ports and checksums, which tell of these, are zero

cdef struct Beside:
    PayloadPlan plan
    uint64_t named_at           # bytes from an entry to what its packet tells of names: the tap fills it in; 0 = none
    uint64_t stride
    uint8_t* entries
    uint64_t first              # the one that comes out next
    uint64_t n                  # behind the last one
    uint64_t room

cdef inline void open_beside(Beside* b, const PayloadPlan* plan, bint names) noexcept nogil:
    b.plan = plan[0]
    b.stride = (sizeof(Kept) + <uint64_t>plan.most + 7) & ~<uint64_t>7
    if names:
        b.named_at = b.stride
        b.stride += (sizeof(Named) + 7) & ~<uint64_t>7

cdef inline void free_beside(Beside* b) noexcept nogil:
    if b != NULL:
        free(b.entries)
        free(b)

cdef inline Kept* kept_at(const Beside* b, uint64_t i) noexcept nogil:
    return <Kept*>(b.entries + i * b.stride)

cdef inline bint has_transport(const Packet* p) noexcept nogil:
    """Was a transport header of this packet read? It stands behind the IP header, that of a packet around it before."""
    return p.sum_at > p.ip_at

cdef inline uint32_t transport_at(const Packet* p) noexcept nogil:
    """Where the headers of IP end, as far as they were read."""
    return p.sum_at if has_transport(p) else p.ip_at + p.ip_header_length

cdef inline uint32_t payload_at(const Packet* p) noexcept nogil:
    """Where the bytes begin that Packet.payload_length counts."""
    if p.ip_version == 4 and not has_transport(p) and not p.length_lies and \
            p.ip_length >= p.payload_length + p.ip_header_length:
        return p.ip_at + p.ip_length - p.payload_length     # an authentication header may stand between
    return transport_at(p) + p.header_words * HEADER_WORD

cdef inline void blank(Kept* k, uint64_t at, uint64_t n) noexcept nogil:
    """Zero n bytes of the record from a place on, as far as they are kept."""
    cdef uint64_t begin = max(at, <uint64_t>k.at), end = min(at + n, <uint64_t>k.at + k.n)
    if begin < end:
        memset(<uint8_t*>octets_kept(k) + begin - k.at, 0, end - begin)

cdef inline void blank_ip(Kept* k, uint64_t at, uint32_t version, uint32_t length) noexcept nogil:
    """Zero the addresses in IP headers of so many bytes, and all behind the addresses: options may hold some too."""
    cdef uint32_t source = IPV4_SOURCE if version == 4 else IPV6_SOURCE
    if version == 4:
        blank(k, at + IPV4_CHECKSUM, CHECKSUM_16)
    blank(k, at + source, length - min(length, source))

cdef inline void blank_ports(Kept* k, uint64_t at, uint32_t protocol) noexcept nogil:
    """Zero the ports of a transport header, and the checksum, if it is over addresses or ports."""
    if has_ports(protocol):
        blank(k, at, PORTS)
    if protocol == IP_SCTP:     # its sum is a CRC at another place
        blank(k, at + SCTP_CHECKSUM, CHECKSUM_32)
    elif has_ports(protocol) or protocol == IP_ICMPV6:
        blank(k, at + checksum_at(protocol), CHECKSUM_16)

cdef inline void blank_message(Kept* k, const Packet* p) noexcept nogil:
    """Zero what an ICMP message tells of other packets, and its checksum, which tells of the same: of a packet that it
    quotes all behind the first bytes of the IP header, as more headers may follow; of a redirect the addresses."""
    cdef uint64_t at = p.sum_at
    cdef bint v6 = p.key.protocol == IP_ICMPV6
    if p.quote_at and p.quote_at < p.captured:
        blank(k, at + checksum_at(IP_ICMPV6), CHECKSUM_16)
        blank(k, p.quote_at + (IPV4_CHECKSUM if p.data[p.quote_at] >> 4 == 4 else IPV6_SOURCE), p.captured)
    if v6 and p.data[p.sum_at] == REDIRECT_V6:
        blank(k, at + REDIRECT_V6_TARGET, p.captured)
    elif not v6 and p.data[p.sum_at] == REDIRECT:
        blank(k, at + REDIRECT_GATEWAY, ADDRESS_V4)

cdef inline void mask(Kept* k, const Packet* p) noexcept nogil:
    """Zero what tells who sends to whom."""
    blank_ip(k, p.ip_at, p.ip_version, p.ip_header_length)
    if not in_a_flow(p.disposition):        # the headers end somewhere: what is there of the next one is none's payload
        blank(k, transport_at(p), p.captured)
    elif has_transport(p):      # not in a fragment behind the first one
        blank_ports(k, p.sum_at, p.key.protocol)
        if p.key.protocol == IP_ICMP or p.key.protocol == IP_ICMPV6:
            blank_message(k, p)

cdef inline void keep(const PayloadPlan* plan, Kept* k, const Packet* p) noexcept nogil:
    cdef uint32_t length = p.ip_length if plan.whole else p.payload_length
    memset(k, 0, sizeof(Kept) + plan.most)
    if p.ip_version == 0:
        return
    k.at = p.ip_at if plan.whole else payload_at(p)
    if k.at < p.captured and (plan.whole or in_a_flow(p.disposition)):
        k.n = min(min(p.captured - k.at, length), plan.most)
        memcpy(<uint8_t*>octets_kept(k), p.data + k.at, k.n)
    if plan.masked:
        mask(k, p)

cdef inline bint keep_batch(Beside* b, const Batch* batch) noexcept nogil:
    """Keep what is wanted of an examined batch; False when memory is out."""
    cdef uint32_t i
    if b.first and b.first * 2 >= b.n:      # the others are no more than those that came out: moving them is cheap
        memmove(b.entries, b.entries + b.first * b.stride, (b.n - b.first) * b.stride)
        b.n -= b.first
        b.first = 0
    if not reserve_array(<void**>&b.entries, &b.room, b.n + batch.n, BATCH, b.stride):
        return False
    if b.plan.most:
        for i in range(batch.n):
            keep(&b.plan, kept_at(b, b.n + i), &batch.packets[i])
    b.n += batch.n
    return True

cdef inline Kept* let_out(Beside* b, uint32_t n) noexcept nogil:
    """What was kept of the next n packets; it stays where it is until the next keep_batch()."""
    cdef Kept* k = kept_at(b, b.first)
    b.first += n
    return k

cdef inline Named* told_with(const Beside* b, const Kept* kept) noexcept nogil:
    """What the packet of an entry tells of names."""
    return <Named*>(<const char*>kept + b.named_at)

cdef inline Named* told_last(const Beside* b, uint32_t n, uint32_t i) noexcept nogil:
    """The same of packet i of the batch of n that came in last."""
    return told_with(b, kept_at(b, b.n - n + i))
