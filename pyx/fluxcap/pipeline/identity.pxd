# The identity of a packet, from its innermost IP header on: three hashes of what neither a hop nor a mirror changes.
# Two records with the same identity hold one packet, or one that its sender sent again, byte for byte.
#
# In none of the hashes: link headers, tags and tunnels around the packet; TTL or hop limit, DSCP and ECN, the flow
# label (RFC 6437 section 3 lets a router set one of zero), the options of the IP header, which routers write into; the
# checksums, which follow from the rest; and the MSS of a SYN, which routers lower to what fits a tunnel.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport be16, hash_bytes, multiply_fold
from fluxcap.base.numbers cimport IP_DCCP, IP_ICMP, IP_ICMPV6, IP_SCTP, IP_TCP, IP_UDP, IP_UDP_LITE, SYN
from fluxcap.base.types cimport Packet
from fluxcap.layers.link cimport ETHERNET_HEADER, ETHERNET_TYPE, LINKTYPE_ETHERNET, VLAN_TAG, is_tag
from fluxcap.layers.network cimport IPV4_FRAGMENT, IPV6_HEADER
from fluxcap.layers.transport cimport (
    DCCP_CHECKSUM, DCCP_DATA_OFFSET, ICMP_CHECKSUM, ICMP_HEADER, ICMP_ID, PORTS, SCTP_CHECKSUM, SCTP_HEADER,
    TCP_CHECKSUM, TCP_DATA_OFFSET, TCP_HEADER, UDP_CHECKSUM, UDP_HEADER, mss_option)

cdef enum:
    # A transport header that is hashed with the IP header: the longest of TCP (RFC 9293 section 3.1). Of a longer one,
    # which only DCCP has, the rest counts as data.
    TRANSPORT_MAX = 60
    # Bytes hashed of data that the snap length cut. Two records of one packet may be cut at different places: where the
    # packet lies behind a tag or a tunnel, so many bytes fewer are left of it. These bytes hold the identifier of DNS,
    # the sequence number of RTP, and the packet number of most QUIC packets; the transport checksum covers the rest.
    CUT_DATA = 16
    ENDS = 36                   # bytes of two addresses and two ports
    ONES = 0xFFFF               # minus zero in ones' complement
    CHECKSUM_16 = 2             # bytes of an Internet checksum
    CHECKSUM_32 = 4             # ... and of that of SCTP

cdef struct IdentityKey:        # of the hashes, drawn for this process
    uint64_t words[2]

cdef struct Identity:
    uint64_t ends               # addresses, ports, protocol, in the direction of the packet
    uint64_t head               # IP identification and fragment fields, lengths, transport header without its ports
    uint64_t data               # the bytes above the transport header
    uint8_t own                 # its sender gave it a number that no other packet between these ends has for a while
    uint8_t cut                 # the snap length cut the data: `data` is of their length, first bytes and checksum

cdef struct Head:               # what is hashed as such
    uint32_t ip_id
    uint32_t fragment
    uint32_t ip_length
    uint8_t ip_version
    uint8_t pad[3]
    uint8_t transport[TRANSPORT_MAX]

cdef inline bint has_ports(uint32_t protocol) noexcept nogil:
    return protocol == IP_TCP or protocol == IP_UDP or protocol == IP_SCTP or protocol == IP_DCCP or \
        protocol == IP_UDP_LITE

cdef inline uint32_t transport_length(uint32_t protocol, const uint8_t* at, uint32_t left) noexcept nogil:
    """Bytes of the transport header, of which `left` are captured; 0 for a protocol without ports or messages."""
    cdef uint32_t length = 0
    if protocol == IP_TCP:
        length = (at[TCP_DATA_OFFSET] >> 4) * 4 if left > TCP_DATA_OFFSET else <uint32_t>TCP_HEADER
    elif protocol == IP_UDP or protocol == IP_UDP_LITE:
        length = UDP_HEADER
    elif protocol == IP_ICMP or protocol == IP_ICMPV6:
        length = ICMP_HEADER
    elif protocol == IP_SCTP:
        length = SCTP_HEADER
    elif protocol == IP_DCCP:
        length = at[DCCP_DATA_OFFSET] * 4 if left > DCCP_DATA_OFFSET else <uint32_t>TRANSPORT_MAX
    return min(min(length, left), <uint32_t>TRANSPORT_MAX)

cdef inline void blank_transport(const Packet* p, uint8_t* at, uint32_t length) noexcept nogil:
    """Zero what the head leaves out of a transport header: ports, which are of the ends, and the checksum."""
    cdef uint32_t protocol = p.key.protocol, option
    if has_ports(protocol):
        memset(at, 0, PORTS)
    if protocol == IP_TCP:
        memset(at + TCP_CHECKSUM, 0, CHECKSUM_16)
        option = mss_option(at, length) if p.tcp_flags & SYN else 0
        if option:
            memset(at + option + 2, 0, 2)
    elif protocol == IP_UDP or protocol == IP_UDP_LITE:
        memset(at + UDP_CHECKSUM, 0, CHECKSUM_16)
    elif protocol == IP_DCCP:
        memset(at + DCCP_CHECKSUM, 0, CHECKSUM_16)
    elif protocol == IP_SCTP:
        memset(at + SCTP_CHECKSUM, 0, CHECKSUM_32)
    elif protocol == IP_ICMP or protocol == IP_ICMPV6:
        memset(at + ICMP_CHECKSUM, 0, CHECKSUM_16)
        if p.key.src_port != at[0] or p.key.dst_port != at[1]:  # a query: its identifier is of the ends
            memset(at + ICMP_ID, 0, 2)

cdef inline uint64_t hash_ends(const void* ends, uint32_t protocol, const IdentityKey* key) noexcept nogil:
    """`ends`: both addresses and both ports, which lie together in a key. They are not copied to where the protocol
    follows them: a word read back from stores of other sizes waits until these are done, a quarter of identify()."""
    return multiply_fold(hash_bytes(<const uint8_t*>ends, ENDS, key.words) ^ key.words[0], protocol ^ key.words[1])

cdef inline uint32_t sum_without_ends(const Packet* p) noexcept nogil:
    """The transport checksum as it would be between addresses and ports of zero: a translation of addresses changes
    both. The words of ::ffff:0:0/96 are zeros of ones' complement."""
    cdef const uint8_t* at = <const uint8_t*>&p.key
    cdef uint32_t i, sum = p.checksum
    if p.checksum == 0 or not has_ports(p.key.protocol) or p.key.protocol == IP_SCTP:
        return p.checksum
    for i in range(16):
        sum += be16(at + 2 * i)
    return (sum + p.key.src_port + p.key.dst_port) % ONES

cdef inline uint64_t hash_cut(const Packet* p, const uint8_t* at, uint64_t captured, uint64_t wire,
                              const IdentityKey* key) noexcept nogil:
    cdef uint8_t octets[CUT_DATA + 16]
    cdef uint64_t sum = sum_without_ends(p)
    memset(octets, 0, sizeof(octets))
    memcpy(octets, at, min(captured, <uint64_t>CUT_DATA))
    memcpy(octets + CUT_DATA, &wire, 8)
    memcpy(octets + CUT_DATA + 8, &sum, 8)
    return hash_bytes(octets, sizeof(octets), key.words)

cdef inline void identify_data(const Packet* p, uint64_t at, uint64_t captured, uint64_t wire, const IdentityKey* key,
                               Identity* to) noexcept nogil:
    """Hash the bytes from `at` on: captured up to one end, on the wire up to the other."""
    to.cut = captured < wire
    captured = captured - at if captured > at else 0
    wire = wire - at if wire > at else 0
    if to.cut:
        to.data = hash_cut(p, p.data + at, captured, wire, key)
    else:
        to.data = hash_bytes(p.data + at, captured, key.words)

cdef inline void identify_frame(const Packet* p, const IdentityKey* key, Identity* to) noexcept nogil:
    """The identity of a record without an IP packet: its bytes, on Ethernet without addresses and tags."""
    cdef uint32_t at = 0
    if p.link_type == LINKTYPE_ETHERNET and p.captured >= ETHERNET_HEADER:
        at = ETHERNET_TYPE
        while at + VLAN_TAG + 2 <= p.captured and is_tag(be16(p.data + at)):
            at += VLAN_TAG
    to.own = False
    to.head = p.link_type
    to.data = hash_bytes(p.data + at, p.captured - at, key.words)
    to.ends = p.wire - at if p.wire > at else 0
    to.cut = p.captured < p.wire

cdef inline void identify(const Packet* p, const IdentityKey* key, Identity* to) noexcept nogil:
    """Take the identity of a decoded packet that has its bytes."""
    cdef Head head
    cdef uint64_t captured, wire, at
    cdef uint32_t length = 0
    if p.ip_version == 0:
        identify_frame(p, key, to)
        return
    wire = min(max(p.captured, p.wire), <uint64_t>p.ip_at + p.ip_length)    # what follows is padding or a trailer
    captured = min(p.captured, wire)
    memset(&head, 0, sizeof(Head) - TRANSPORT_MAX)
    head.ip_version = p.ip_version
    head.ip_id = p.ip_id
    head.ip_length = p.ip_length
    head.fragment = p.fragment_offset | p.more_fragments
    if p.ip_version == 4:
        head.fragment = be16(p.data + p.ip_at + IPV4_FRAGMENT)
    at = p.sum_at
    if at and at < captured:
        length = transport_length(p.key.protocol, p.data + at, <uint32_t>(captured - at))
        memcpy(head.transport, p.data + at, length)
        blank_transport(p, head.transport, length)
    elif at == 0:               # no transport header that the walk reads
        at = p.ip_at + (p.ip_header_length if p.ip_version == 4 else <uint32_t>IPV6_HEADER)
    to.own = p.ip_id != 0
    to.ends = hash_ends(&p.key, p.key.protocol, key)
    to.head = hash_bytes(<const uint8_t*>&head, sizeof(Head) - TRANSPORT_MAX + length, key.words)
    identify_data(p, at + length, captured, wire, key, to)
