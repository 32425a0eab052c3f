# Community ID, version 1 (https://github.com/corelight/community-id-spec): the same text for both directions of a flow
# in every program that writes it. It is the SHA-1 of a seed, the two ends in order, and the protocol.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy

from fluxcap.base.bytes cimport put16
from fluxcap.base.icmp cimport (
    ICMP_TYPES_END, ROUTER_ADVERTISEMENT, ROUTER_SOLICITATION, is_icmp, is_request, reply_to, request_of, type_of)
from fluxcap.base.numbers cimport IP_ICMP, IP_SCTP, IP_TCP, IP_UDP
from fluxcap.base.types cimport Key
from fluxcap.text.digits cimport put_hex_octet
from fluxcap.text.sha1 cimport SHA1_OCTETS, sha1

cdef enum:
    COMMUNITY_VERSION = 2       # bytes of "1:"
    COMMUNITY_BASE64 = COMMUNITY_VERSION + 28
    COMMUNITY_HEX = COMMUNITY_VERSION + 2 * SHA1_OCTETS
    COMMUNITY_LONGEST = 2 + 16 + 16 + 1 + 1 + 2 + 2     # seed, addresses, protocol, padding, ports
    SIX_BITS = 63

cdef struct HashedEnds:               # of a flow, in network byte order, and whether a reply has them exchanged
    uint8_t[2][16] address
    uint8_t[2][2] port
    uint32_t octets             # of an address
    bint has_ports
    bint one_way

cdef inline uint32_t counterpart(uint32_t protocol, uint32_t kind) noexcept nogil:
    """The type of the ICMP message that answers this one, or that it answers; ICMP_TYPES_END if there is none. These
    are the pairs of the specification, which are Zeek's."""
    cdef uint32_t request = request_of(protocol, kind)
    if request != ICMP_TYPES_END:
        return reply_to(protocol, request) if is_request(protocol, kind) else request
    if protocol == IP_ICMP:
        if kind == ROUTER_SOLICITATION or kind == ROUTER_ADVERTISEMENT:
            return ROUTER_SOLICITATION + ROUTER_ADVERTISEMENT - kind
        return ICMP_TYPES_END
    if kind == 130 or kind == 144:          # query of multicast listeners; home agent address discovery
        return kind + 1
    if kind == 131 or kind == 145:
        return kind - 1
    if kind == 133 or kind == 135 or kind == 139:   # solicitation of routers, of neighbours; node information
        return kind + 1
    if kind == 134 or kind == 136 or kind == 140:
        return kind - 1
    return ICMP_TYPES_END

cdef inline void read_ports(const Key* key, uint32_t unread, HashedEnds* ends) noexcept nogil:
    """The ports, or what the specification has in their place. `unread`: Packet.icmp."""
    cdef uint32_t protocol = key.protocol, kind, other
    ends.has_ports = protocol == IP_TCP or protocol == IP_UDP or protocol == IP_SCTP or is_icmp(protocol)
    ends.one_way = False
    if not is_icmp(protocol):
        put16(ends.port[0], key.src_port)
        put16(ends.port[1], key.dst_port)
        return
    kind = type_of(key, unread)
    other = counterpart(protocol, kind)
    ends.one_way = other == ICMP_TYPES_END
    put16(ends.port[0], <uint16_t>kind)
    put16(ends.port[1], key.dst_port if ends.one_way else <uint16_t>other)

cdef inline void read_ends(const Key* key, uint32_t unread, HashedEnds* ends) noexcept nogil:
    cdef uint8_t[12] mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]    # RFC 4291 section 2.5.5.2
    cdef bint ipv4 = memcmp(key.src_ip, mapped, 12) == 0 and memcmp(key.dst_ip, mapped, 12) == 0
    ends.octets = 4 if ipv4 else 16
    memcpy(ends.address[0], key.src_ip + 16 - ends.octets, ends.octets)
    memcpy(ends.address[1], key.dst_ip + 16 - ends.octets, ends.octets)
    read_ports(key, unread, ends)

cdef inline uint32_t later_end(const HashedEnds* ends) noexcept nogil:
    """Which end is the second one: the larger address, or the larger port of one address."""
    cdef int order = memcmp(ends.address[0], ends.address[1], ends.octets)
    if ends.one_way or order < 0:
        return 1
    return 1 if order == 0 and memcmp(ends.port[0], ends.port[1], 2) < 0 else 0

cdef inline uint32_t put_tuple(uint8_t* to, const Key* key, uint32_t unread, uint16_t seed) noexcept nogil:
    """Write what is hashed; its length."""
    cdef HashedEnds ends
    cdef uint32_t second, at = 2
    read_ends(key, unread, &ends)
    second = later_end(&ends)
    put16(to, seed)
    memcpy(to + at, ends.address[1 - second], ends.octets)
    memcpy(to + at + ends.octets, ends.address[second], ends.octets)
    at += 2 * ends.octets
    to[at] = key.protocol
    to[at + 1] = 0
    at += 2
    if ends.has_ports:
        memcpy(to + at, ends.port[1 - second], 2)
        memcpy(to + at + 2, ends.port[second], 2)
        at += 4
    return at

cdef inline void put_base64(uint8_t* to, const uint8_t* digest) noexcept nogil:
    """RFC 4648 section 4, of 20 bytes: the last group lacks a byte."""
    cdef const char* digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    cdef uint32_t i, three
    for i in range(0, <uint32_t>SHA1_OCTETS, 3):
        three = <uint32_t>digest[i] << 16 | <uint32_t>digest[i + 1] << 8
        three |= digest[i + 2] if i + 2 < SHA1_OCTETS else 0
        to[0] = digits[three >> 18]
        to[1] = digits[three >> 12 & SIX_BITS]
        to[2] = digits[three >> 6 & SIX_BITS]
        to[3] = digits[three & SIX_BITS] if i + 2 < SHA1_OCTETS else b"="
        to += 4

cdef inline void put_community_id(uint8_t* to, const Key* key, uint32_t unread, uint16_t seed,
                                  bint as_hex) noexcept nogil:
    """Write COMMUNITY_BASE64 or COMMUNITY_HEX bytes. `unread`: Packet.icmp."""
    cdef uint8_t[COMMUNITY_LONGEST] octets
    cdef uint8_t[SHA1_OCTETS] digest
    cdef uint32_t i
    sha1(octets, put_tuple(octets, key, unread, seed), digest)
    to[0] = b"1"
    to[1] = b":"
    if not as_hex:
        put_base64(to + COMMUNITY_VERSION, digest)
        return
    for i in range(<uint32_t>SHA1_OCTETS):
        put_hex_octet(to + COMMUNITY_VERSION + 2 * i, digest[i])
