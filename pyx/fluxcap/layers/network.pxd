# IPv4, IPv6 and its extension headers: addresses, fragments, and the protocol that follows.
# A function that returns PROTOCOL has set the addresses and narrowed the cursor to the IP payload.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport be16, be24, be32
from fluxcap.base.numbers cimport ETHERTYPE_IPV4, ETHERTYPE_IPV6, IP_NO_NEXT
from fluxcap.base.types cimport (
    HEADER_LENGTH, MALFORMED, NON_IP, ORPHAN_FRAGMENT, Packet, REASON_NONE, SHORT_EXTENSION, SHORT_IP, SHORT_LINK,
    TOO_MANY_EXTENSIONS, TOTAL_LENGTH, UNKNOWN_TRANSPORT, VERDICT_BAD_LENGTH, VERDICT_FRAGMENT, VERDICT_PENDING,
    VERDICT_TRUNCATED, WRONG_VERSION)
from fluxcap.checksums.verify cimport sum_octets
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, MAX_EXTENSIONS, Next, PROTOCOL, STOP, captured_left, give_up, here, narrow, short, wire_left)

cdef inline Next ip_of(uint32_t version) noexcept nogil:
    if version == 4:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif version == 6:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    return STOP

cdef inline Next ip_by_version(Cursor* c, Packet* p) noexcept nogil:
    """An IP packet without a header before it: its first four bits are the version."""
    if captured_left(c) < 1:
        return short(c, p, 1, SHORT_LINK)
    return ip_of(here(c)[0] >> 4)

cdef inline Next address_family(Packet* p, uint32_t family) noexcept nogil:
    """Address families; each system has its own number for IPv6 (NetBSD 24, FreeBSD 28, Darwin 30, Linux 10)."""
    if family == 2:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif family == 24 or family == 28 or family == 30 or family == 10:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    return give_up(p, NON_IP, REASON_NONE)

cdef enum:                      # IPv4, RFC 791 section 3.1
    IPV4_TOS = 1
    IPV4_TOTAL_LENGTH = 2
    IPV4_ID = 4
    IPV4_FRAGMENT = 6
    IPV4_TTL = 8
    IPV4_PROTOCOL = 9
    IPV4_CHECKSUM = 10
    IPV4_SOURCE = 12
    IPV4_DESTINATION = 16
    IPV4_HEADER = 20
    MORE_FRAGMENTS = 0x2000
    FRAGMENT_MASK = 0x3FFF      # more fragments, and the offset
    OFFSET_MASK = 0x1FFF        # in units of 8 bytes

cdef enum:                      # IPv4 options
    IPV4_OPTION_END = 0
    IPV4_OPTION_NOP = 1
    IPV4_OPTION_LSRR = 131
    IPV4_OPTION_SSRR = 137

cdef inline const uint8_t* source_route(const uint8_t* at, uint32_t header) noexcept nogil:
    """The last address of a loose or strict source route that is not used up, or NULL. The sender computed the checksum
    with this address, the final destination; the last router moves it into the header (RFC 791 section 3.1)."""
    cdef uint32_t i = IPV4_HEADER, size
    while i + 1 < header and at[i] != IPV4_OPTION_END:
        if at[i] == IPV4_OPTION_NOP:
            i += 1
            continue
        size = at[i + 1]
        if size < 2 or size > header - i:
            return NULL
        if at[i] == IPV4_OPTION_LSRR or at[i] == IPV4_OPTION_SSRR:
            # type, length, pointer (1-based, to the next address), addresses
            if size >= 7 and at[i + 2] <= size - 3:
                return at + i + 3 + ((size - 3) // 4 - 1) * 4
            return NULL
        i += size
    return NULL

cdef inline Next ipv4(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t header, total, fragment
    if captured_left(c) < IPV4_HEADER:
        return short(c, p, IPV4_HEADER, SHORT_IP)
    if at[0] >> 4 != 4:
        if at[0] >> 4 == 6:     # read as IPv6, as tshark and Zeek do; not so IPv4 behind the ethertype of IPv6
            return <Next>ETHERTYPE | ETHERTYPE_IPV6
        return give_up(p, MALFORMED, WRONG_VERSION)
    header = (at[0] & 0x0F) * 4
    if header < IPV4_HEADER:
        return give_up(p, MALFORMED, HEADER_LENGTH)
    total = be16(at + IPV4_TOTAL_LENGTH)
    if total < header and total != 0:
        return give_up(p, MALFORMED, TOTAL_LENGTH)
    if c.exact:
        if total != wire_left(c):
            return STOP
        c.exact = False
    if total == 0:              # a segmentation super-packet over 65535 bytes: the record tells the length
        total = wire_left(c)
    elif total > wire_left(c):
        p.length_lies = True
    else:
        narrow(c, total)
    p.ip_version = 4
    p.ip_length = total
    p.disposition = UNKNOWN_TRANSPORT
    memset(p.key.src_ip + 10, 0xFF, 2)
    memset(p.key.dst_ip + 10, 0xFF, 2)
    memcpy(p.key.src_ip + 12, at + IPV4_SOURCE, 4)
    memcpy(p.key.dst_ip + 12, at + IPV4_DESTINATION, 4)
    p.key.protocol = at[IPV4_PROTOCOL]
    p.key.tos = at[IPV4_TOS]
    p.ttl = at[IPV4_TTL]
    p.ip_id = be16(at + IPV4_ID)
    p.ip_checksum = be16(at + IPV4_CHECKSUM)
    p.ip_at = c.at
    p.ip_header_length = <uint16_t>header
    if captured_left(c) < header:
        p.ip_verdict = VERDICT_TRUNCATED
        return short(c, p, header, SHORT_IP)
    p.ip_verdict = VERDICT_PENDING
    if header > IPV4_HEADER:
        p.pseudo_dst = source_route(at, header)
        p.pseudo_octets = 4
    c.at += header
    p.header_words = 0          # of the packet around this one
    p.payload_length = wire_left(c)
    fragment = be16(at + IPV4_FRAGMENT) & FRAGMENT_MASK
    if fragment:
        return fragmented(c, p, (fragment & OFFSET_MASK) * 8, fragment & MORE_FRAGMENTS != 0, at[IPV4_PROTOCOL])
    return <Next>PROTOCOL | at[IPV4_PROTOCOL]

cdef inline Next fragmented(Cursor* c, Packet* p, uint32_t offset, bint more, uint32_t protocol) noexcept nogil:
    """A fragment: only the first one of a datagram holds the transport header."""
    p.fragmented = True
    p.fragment_id = p.ip_id
    p.fragment_offset = offset
    p.fragment_at = c.at
    p.fragment_length = wire_left(c)
    p.more_fragments = more
    if offset == 0:
        return <Next>PROTOCOL | protocol
    p.verdict = VERDICT_BAD_LENGTH if p.length_lies else VERDICT_FRAGMENT
    return give_up(p, ORPHAN_FRAGMENT, REASON_NONE)

cdef enum:                      # IPv6, RFC 8200 section 3
    IPV6_PAYLOAD_LENGTH = 4
    IPV6_NEXT_HEADER = 6
    IPV6_HOP_LIMIT = 7
    IPV6_SOURCE = 8
    IPV6_DESTINATION = 24
    IPV6_HEADER = 40

cdef inline Next ipv6(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < IPV6_HEADER:
        return short(c, p, IPV6_HEADER, SHORT_IP)
    if at[0] >> 4 != 6:
        return give_up(p, MALFORMED, WRONG_VERSION)
    p.ip_at = c.at
    c.at += IPV6_HEADER
    length = be16(at + IPV6_PAYLOAD_LENGTH)
    if c.exact:
        # A Teredo bubble has no payload, but may have trailers (RFC 6081 section 4).
        if length != wire_left(c) and (length != 0 or at[IPV6_NEXT_HEADER] != IP_NO_NEXT):
            return STOP
        c.exact = False
    if length == 0:             # a jumbogram (its option narrows later) or a segmentation super-packet
        length = wire_left(c)
    elif length > wire_left(c):
        p.length_lies = True
    else:
        narrow(c, length)
    p.ip_version = 6
    p.ip_length = IPV6_HEADER + length
    p.disposition = UNKNOWN_TRANSPORT
    memcpy(p.key.src_ip, at + IPV6_SOURCE, 16)
    memcpy(p.key.dst_ip, at + IPV6_DESTINATION, 16)
    p.key.protocol = at[IPV6_NEXT_HEADER]
    p.key.tos = <uint8_t>(be16(at) >> 4)
    p.key.flow_label = be24(at + 1) & 0x0FFFFF
    p.ttl = at[IPV6_HOP_LIMIT]
    p.header_words = 0
    p.ip_header_length = IPV6_HEADER
    p.payload_length = wire_left(c)
    return <Next>PROTOCOL | at[IPV6_NEXT_HEADER]

cdef enum:
    # The longest packet that a 16-bit length can tell. A longer one, which is left to the card to cut up, has a length
    # of zero (RFC 2675, Linux BIG TCP).
    LENGTH_MAX = 65535

cdef inline bint checks_out_ipv4(const uint8_t* at, uint32_t captured, uint32_t wire) noexcept nogil:
    cdef uint32_t header = (at[0] & 0x0F) * 4, total = be16(at + IPV4_TOTAL_LENGTH)
    if header < IPV4_HEADER or total < header and not (total == 0 and wire > LENGTH_MAX):
        return False
    return total == wire or total == 0 or header <= captured and sum_octets(at, header) == 0xFFFF

cdef inline bint checks_out_ipv6(const uint8_t* at, uint32_t wire) noexcept nogil:
    cdef uint32_t length = be16(at + IPV6_PAYLOAD_LENGTH)
    return length + IPV6_HEADER == wire or length == 0 and wire > LENGTH_MAX

cdef inline bint checks_out(const Cursor* c, uint32_t skip) noexcept nogil:
    """Is there an IP header `skip` bytes from here whose length is the number of bytes left, or whose checksum is
    right?
    Where no field announces an IP packet, this tells a packet from data that begin with a 4 or a 6."""
    cdef const uint8_t* at = here(c) + skip
    cdef uint32_t captured, wire
    if captured_left(c) <= skip:
        return False
    captured = captured_left(c) - skip
    wire = wire_left(c) - skip
    if at[0] >> 4 == 4:
        return captured >= IPV4_HEADER and checks_out_ipv4(at, captured, wire)
    return at[0] >> 4 == 6 and captured >= IPV6_HEADER and checks_out_ipv6(at, wire)

cdef enum:                      # extension headers, RFC 8200 section 4
    EXTENSION_UNIT = 8          # bytes; the length field does not count the first unit
    OPTION_PAD1 = 0
    OPTION_JUMBO = 0xC2         # RFC 2675 section 2
    OPTION_HOME_ADDRESS = 0xC9  # RFC 6275 section 6.3
    ROUTING_TYPE_0 = 0          # RFC 5095 forbids it, but captures have it
    ROUTING_TYPE_2 = 2          # RFC 6275 section 6.4
    ROUTING_SEGMENTS = 4        # RFC 8754
    MORE_FRAGMENTS_V6 = 1

cdef inline Next extended(Cursor* c, Packet* p, uint32_t length) noexcept nogil:
    """Move past an extension header of `length` bytes whose first byte names the next one."""
    cdef uint8_t next_header = here(c)[0]
    if c.extensions == MAX_EXTENSIONS:
        return give_up(p, MALFORMED, TOO_MANY_EXTENSIONS)
    c.extensions += 1
    c.at += length
    p.key.protocol = next_header
    p.ip_header_length += <uint16_t>length if p.ip_version == 6 else 0     # an IPv4 header has a sum of its own
    p.payload_length = wire_left(c)
    return <Next>PROTOCOL | next_header

cdef inline uint32_t extension_length(Cursor* c) noexcept nogil:
    """Bytes of the extension header here; 0 where it is cut."""
    cdef uint32_t length
    if captured_left(c) < EXTENSION_UNIT:
        return 0
    length = (here(c)[1] + 1) * EXTENSION_UNIT
    return length if length <= captured_left(c) else 0

cdef inline Next cut_extension(Cursor* c, Packet* p) noexcept nogil:
    cdef uint32_t needed = EXTENSION_UNIT
    if captured_left(c) >= EXTENSION_UNIT:
        needed = (here(c)[1] + 1) * EXTENSION_UNIT
    return short(c, p, needed, SHORT_EXTENSION)

cdef inline Next ipv6_options(Cursor* c, Packet* p) noexcept nogil:
    """Hop-by-hop and destination options: they may hold the length of a jumbogram or the home address of a mobile
    node."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length = extension_length(c), i = 2, jumbo
    if length == 0:
        return cut_extension(c, p)
    while i < length:
        if at[i] == OPTION_PAD1:
            i += 1
            continue
        if i + 2 > length or at[i + 1] > length - i - 2:
            break
        if at[i] == OPTION_JUMBO and at[i + 1] == 4:
            jumbo = be32(at + i + 2)    # counted from the end of the IPv6 header, like the 16-bit length
            if jumbo > wire_left(c):
                p.length_lies = True
            elif c.extensions == 0 and jumbo >= length:
                narrow(c, jumbo)
                p.ip_length = IPV6_HEADER + jumbo
        elif at[i] == OPTION_HOME_ADDRESS and at[i + 1] == 16:
            p.pseudo_src = at + i + 2
            p.pseudo_octets = 16
        i += 2 + at[i + 1]
    return extended(c, p, length)

cdef inline Next ipv6_routing(Cursor* c, Packet* p) noexcept nogil:
    """While segments are left, the sender's checksum has the last one as destination (RFC 8200 section 8.1)."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length = extension_length(c)
    if length == 0:
        return cut_extension(c, p)
    if at[3] != 0 and length >= 24:
        p.pseudo_octets = 16
        if at[2] == ROUTING_TYPE_0 or at[2] == ROUTING_TYPE_2:
            p.pseudo_dst = at + 8 + (length - 8) // 16 * 16 - 16
        elif at[2] == ROUTING_SEGMENTS:
            p.pseudo_dst = at + 8       # the segment list is in reverse order
    return extended(c, p, length)

cdef inline Next ipv6_fragment(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t field
    cdef Next following
    if captured_left(c) < EXTENSION_UNIT:
        return cut_extension(c, p)
    field = be16(at + 2)
    p.ip_id = be32(at + 4)
    following = extended(c, p, EXTENSION_UNIT)
    # Offset zero and no more fragments: an atomic fragment, which is a whole datagram (RFC 6946).
    if following == STOP or field & (0xFFF8 | MORE_FRAGMENTS_V6) == 0:
        return following
    return fragmented(c, p, field & 0xFFF8, field & MORE_FRAGMENTS_V6, at[0])

cdef inline Next authentication(Cursor* c, Packet* p) noexcept nogil:
    """AH, RFC 4302 section 2.2: its length field counts units of 4 bytes, minus two."""
    cdef uint32_t length
    if captured_left(c) < EXTENSION_UNIT:
        return cut_extension(c, p)
    length = (here(c)[1] + 2) * 4
    if length < 12:
        return give_up(p, MALFORMED, SHORT_EXTENSION)
    if length > captured_left(c):
        return short(c, p, length, SHORT_EXTENSION)
    return extended(c, p, length)

cdef inline Next ipv6_skipped(Cursor* c, Packet* p) noexcept nogil:
    """Extension headers that say nothing about addresses, ports or sums (HIP, RFC 7401; Shim6, RFC 5533)."""
    cdef uint32_t length = extension_length(c)
    if length == 0:
        return cut_extension(c, p)
    return extended(c, p, length)
