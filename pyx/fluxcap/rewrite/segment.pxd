# Making a segment of a message: the headers of link, IP and transport before it, with lengths and checksums. The caller
# has checked that the message fits, and that both addresses are of the same IP version.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fluxcap.base.bytes cimport net16, net32, put16, put32
from fluxcap.base.numbers cimport ETHERTYPE_IPV4, ETHERTYPE_IPV6, IP_TCP, IP_UDP_LITE
from fluxcap.base.types cimport MAC_OCTETS
from fluxcap.checksums.verify cimport fold, sum_octets
from fluxcap.layers.link cimport ETHERNET_HEADER
from fluxcap.layers.network cimport IPV4_HEADER, IPV6_HEADER
from fluxcap.layers.transport cimport TCP_HEADER, UDP_HEADER, checksum_at

cdef enum:
    LONGEST = 65535             # the most that a length field of 16 bits can hold
    DONT_FRAGMENT = 0x4000
    TCP_WORDS = 5               # 32-bit words of a TCP header without options

cdef struct SegmentPlan:
    const uint8_t* message
    uint32_t length             # bytes of the message
    uint32_t missing            # bytes that followed these and were not captured
    const uint8_t* src
    const uint8_t* dst
    uint32_t address_octets     # bytes of each address: 4 or 16
    uint16_t src_port
    uint16_t dst_port
    uint8_t protocol
    bint framed                 # put it in an Ethernet frame
    uint8_t ttl
    bint atomic                 # IPv4: never in fragments, so it needs no identification (RFC 6864)
    uint16_t identification
    uint32_t seq                # this and all below: TCP only
    uint32_t ack
    uint8_t flags
    uint16_t window

cdef inline uint32_t transport_header(const SegmentPlan* s) noexcept nogil:
    return TCP_HEADER if s.protocol == IP_TCP else UDP_HEADER

cdef inline uint32_t ip_header(const SegmentPlan* s) noexcept nogil:
    return IPV4_HEADER if s.address_octets == 4 else IPV6_HEADER

cdef inline uint32_t transport_octets(const SegmentPlan* s) noexcept nogil:
    return transport_header(s) + s.length + s.missing

cdef inline uint32_t longest_message(const SegmentPlan* s) noexcept nogil:
    """The longest message. The length field of IPv4 counts the IP header, that of IPv6 does not (RFC 791 section 3.1;
    RFC 8200 section 3)."""
    return LONGEST - transport_header(s) - (IPV4_HEADER if s.address_octets == 4 else 0)

cdef inline uint32_t segment_octets(const SegmentPlan* s) noexcept nogil:
    """Bytes of the segment, without those that are missing."""
    return (ETHERNET_HEADER if s.framed else 0) + ip_header(s) + transport_header(s) + s.length

cdef inline void put_ethernet(const SegmentPlan* s, uint8_t* at) noexcept nogil:
    """Write an Ethernet header between two locally administered addresses: 02:00:00:00:00:01 to 02:00:00:00:00:02."""
    cdef uint8_t[12] addresses = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
    memcpy(at, addresses, 2 * MAC_OCTETS)
    put16(at + 2 * MAC_OCTETS, ETHERTYPE_IPV4 if s.address_octets == 4 else ETHERTYPE_IPV6)

cdef inline void put_ip(const SegmentPlan* s, uint8_t* at) noexcept nogil:
    """Write the IP header (RFC 791 section 3.1; RFC 8200 section 3). `at` needs no alignment: fields are written byte
    by byte."""
    cdef uint32_t above = transport_octets(s)
    cdef uint16_t sum
    if s.address_octets == 16:
        put32(at, <uint32_t>6 << 28)
        put16(at + 4, <uint16_t>above)
        at[6] = s.protocol
        at[7] = s.ttl
        memcpy(at + 8, s.src, 16)
        memcpy(at + 24, s.dst, 16)
        return
    put16(at, 0x4500)           # version, header length in 32-bit words, type of service
    put16(at + 2, <uint16_t>(IPV4_HEADER + above))
    put16(at + 4, s.identification)
    put16(at + 6, DONT_FRAGMENT if s.atomic else 0)
    at[8] = s.ttl
    at[9] = s.protocol
    put16(at + 10, 0)
    memcpy(at + 12, s.src, 4)
    memcpy(at + 16, s.dst, 4)
    sum = <uint16_t>(0xFFFF - sum_octets(at, IPV4_HEADER))
    put16(at + 10, net16(sum))

cdef inline void put_transport(const SegmentPlan* s, uint8_t* at) noexcept nogil:
    """Write the transport header and the message (RFC 768; RFC 3828 section 3.1; RFC 9293 section 3.1). The length in
    the pseudo-header has 32 bits over IPv6, which gives the same sum. Missing bytes are summed as zeros."""
    cdef uint32_t octets = transport_octets(s)
    cdef uint8_t* field = at + checksum_at(s.protocol)
    cdef uint64_t sum
    cdef uint16_t value
    put16(at, s.src_port)
    put16(at + 2, s.dst_port)
    if s.protocol == IP_TCP:
        put32(at + 4, s.seq)
        put32(at + 8, s.ack)
        at[12] = TCP_WORDS << 4
        at[13] = s.flags
        put16(at + 14, s.window)
        put32(at + 16, 0)       # checksum, urgent pointer
    else:
        # UDP-Lite has its coverage where UDP has its length; 0 covers the whole packet.
        put16(at + 4, 0 if s.protocol == IP_UDP_LITE else <uint16_t>octets)
        put16(at + 6, 0)
    if s.length:
        memcpy(at + transport_header(s), s.message, s.length)
    sum = <uint64_t>sum_octets(s.src, s.address_octets) + sum_octets(s.dst, s.address_octets)
    sum += <uint64_t>net16(s.protocol) + net32(octets) + sum_octets(at, transport_header(s) + s.length)
    value = <uint16_t>(0xFFFF - fold(sum))
    if value == 0 and s.protocol != IP_TCP:
        value = 0xFFFF          # zero would mean that there is no checksum (RFC 768, RFC 3828)
    put16(field, net16(value))

cdef inline void put_segment(const SegmentPlan* s, uint8_t* at) noexcept nogil:
    """Write segment_octets() bytes."""
    if s.framed:
        put_ethernet(s, at)
        at += ETHERNET_HEADER
    put_ip(s, at)
    put_transport(s, at + ip_header(s))
