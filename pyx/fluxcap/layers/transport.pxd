# From an IP protocol number to ports, the length of the payload, and the sum that is to be verified.
#
# The first verdict that applies is set: one for a zero field (absent, illegal), then bad_length, fragment, truncated.
# All others are VERDICT_PENDING: the checksum stage takes the sum over [sum_at, sum_at + sum_length).

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from fluxcap.base.bytes cimport be16, be32, le32, rarely
from fluxcap.base.icmp cimport ECHO_V6, ICMP_TYPES_END, is_request, request_of, type_unread
from fluxcap.base.numbers cimport IP_ICMP, IP_ICMPV6, IP_TCP, SYN
from fluxcap.base.tunnels cimport (
    GENEVE, GRE_IN_UDP, GTP, LISP, MPLS_IN_UDP, VXLAN, VXLAN_GPE, has_tunnel)
from fluxcap.base.types cimport (
    COUNTED, Packet, SHORT_TRANSPORT, SUM_CRC32C, SUM_PLAIN, SUM_PSEUDO, Sum, VERDICT_ABSENT, VERDICT_BAD_LENGTH,
    VERDICT_FRAGMENT, VERDICT_ILLEGAL, VERDICT_PENDING, VERDICT_TRUNCATED)
from fluxcap.layers.cursor cimport Cursor, Next, STOP, UDP_TUNNEL, captured_left, here, short, wire_left

cdef enum:
    PORTS = 4                   # bytes: source and destination port, the same in UDP, TCP, SCTP, DCCP and UDP-Lite

cdef inline bint ports(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    if captured_left(c) < PORTS:
        return False
    p.key.src_port = be16(at)
    p.key.dst_port = be16(at + 2)
    p.sum_at = c.at             # the place of the header, even where no sum is to be taken
    p.disposition = COUNTED
    return True

cdef inline void payload_after(Cursor* c, Packet* p, uint32_t header) noexcept nogil:
    p.header_words = <uint8_t>(header // 4)
    p.payload_length = wire_left(c) - header if wire_left(c) > header else 0

cdef inline void header_cut(Cursor* c, Packet* p, uint32_t header) noexcept nogil:
    """The ports are there, the rest of the header is cut: by the snap length, or because the lengths are wrong."""
    p.payload_length = 0
    if p.fragmented:
        p.verdict = VERDICT_FRAGMENT
    elif p.length_lies or wire_left(c) < header:
        p.verdict = VERDICT_BAD_LENGTH
    else:
        p.verdict = VERDICT_TRUNCATED

cdef inline void to_sum(Cursor* c, Packet* p, Sum kind, uint32_t covered, uint32_t total) noexcept nogil:
    """The checksum of a message of `total` bytes covers `covered` bytes from here; covered <= total."""
    p.sum_kind = kind
    p.sum_at = c.at
    p.sum_length = covered
    p.pseudo_length = total
    if p.length_lies:
        p.verdict = VERDICT_BAD_LENGTH
    elif p.fragmented:
        p.verdict = VERDICT_FRAGMENT
    elif covered > captured_left(c):
        p.verdict = VERDICT_TRUNCATED
    else:
        p.verdict = VERDICT_PENDING

cdef enum:                      # UDP, RFC 768
    UDP_LENGTH = 4              # header and data; 0 = over 65535: jumbograms (RFC 2675 section 4), super-packets
    UDP_CHECKSUM = 6
    UDP_HEADER = 8
    UDP_LENGTH_MAX = 65535

cdef enum:                      # bits by kind: tunnels that may leave out the UDP checksum over IPv6
    MAY_LEAVE_OUT = (1 << VXLAN | 1 << VXLAN_GPE | 1 << GENEVE | 1 << GTP | 1 << LISP | 1 << GRE_IN_UDP
                     | 1 << MPLS_IN_UDP)

cdef inline bint may_be_zero(const Cursor* c, uint32_t dst_port) noexcept nogil:
    """RFC 6935 and RFC 6936; the specification of each tunnel says whether it may."""
    return MAY_LEAVE_OUT >> c.ports.kinds[dst_port] & 1

cdef inline uint32_t udp_length(const Cursor* c) noexcept nogil:
    """The UDP length in the header at the cursor."""
    cdef uint32_t length = be16(here(c) + UDP_LENGTH)
    return wire_left(c) if length == 0 and wire_left(c) > UDP_LENGTH_MAX else length

cdef inline Next udp(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if not ports(c, p):
        return short(c, p, PORTS, SHORT_TRANSPORT)
    if captured_left(c) < UDP_HEADER:
        header_cut(c, p, UDP_HEADER)
        return STOP
    p.checksum = be16(at + UDP_CHECKSUM)
    length = udp_length(c)
    if length < UDP_HEADER or length > wire_left(c):
        payload_after(c, p, UDP_HEADER)
    else:
        p.header_words = UDP_HEADER // 4
        p.payload_length = length - UDP_HEADER
    if p.checksum == 0:
        p.verdict = VERDICT_ABSENT if p.ip_version == 4 or may_be_zero(c, p.key.dst_port) else VERDICT_ILLEGAL
    elif length < UDP_HEADER or length > wire_left(c) and not p.fragmented:
        p.verdict = VERDICT_BAD_LENGTH
    else:
        to_sum(c, p, SUM_PSEUDO, length, length)
    return <Next>UDP_TUNNEL if rarely(has_tunnel(c.ports, p.key.dst_port, p.key.src_port)) else STOP

cdef enum:                      # UDP-Lite, RFC 3828 section 3.1
    UDP_LITE_COVERAGE = 4       # 0 = all; 1 to 7 would leave out parts of the header and are illegal

cdef inline Next udp_lite(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t coverage
    if not ports(c, p):
        return short(c, p, PORTS, SHORT_TRANSPORT)
    if captured_left(c) < UDP_HEADER:
        header_cut(c, p, UDP_HEADER)
        return STOP
    p.checksum = be16(at + UDP_CHECKSUM)
    payload_after(c, p, UDP_HEADER)
    coverage = be16(at + UDP_LITE_COVERAGE)
    if coverage == 0:
        coverage = wire_left(c)
    if p.checksum == 0 or coverage < UDP_HEADER or coverage > wire_left(c) and not p.fragmented:
        p.verdict = VERDICT_ILLEGAL
    else:
        to_sum(c, p, SUM_PSEUDO, coverage, wire_left(c))
    return STOP

cdef enum:                      # TCP, RFC 9293 section 3.1
    TCP_SEQUENCE = 4
    TCP_ACKNOWLEDGMENT = 8
    TCP_DATA_OFFSET = 12
    TCP_FLAGS = 13
    TCP_WINDOW = 14
    TCP_CHECKSUM = 16
    TCP_HEADER = 20

cdef inline void sequence_of(Packet* p, const uint8_t* at) noexcept nogil:
    p.tcp_seq = be32(at + TCP_SEQUENCE)
    p.tcp_ack = be32(at + TCP_ACKNOWLEDGMENT)
    p.tcp_flags = at[TCP_FLAGS]
    p.tcp_window = be16(at + TCP_WINDOW)

cdef enum:                      # TCP options, RFC 9293 section 3.2
    TCP_OPTION_END = 0
    TCP_OPTION_NOTHING = 1
    TCP_OPTION_MSS = 2
    TCP_OPTION_MSS_LENGTH = 4

cdef inline uint32_t mss_option(const uint8_t* at, uint32_t header) noexcept nogil:
    """The place of the option that says the maximum segment size, in a TCP header of which so many bytes are there; 0
    without the option."""
    cdef uint32_t i = TCP_HEADER
    while i + TCP_OPTION_MSS_LENGTH <= header and at[i] != TCP_OPTION_END:
        if at[i] == TCP_OPTION_NOTHING:
            i += 1
        elif at[i] == TCP_OPTION_MSS:
            return i if at[i + 1] == TCP_OPTION_MSS_LENGTH else 0
        elif at[i + 1] < 2:     # shorter than its own header
            return 0
        else:
            i += at[i + 1]
    return 0

cdef inline uint32_t maximum_segment_size(const uint8_t* at, uint32_t header) noexcept nogil:
    """What that option says; 0 without it."""
    cdef uint32_t option = mss_option(at, header)
    return be16(at + option + 2) if option else 0

cdef inline Next tcp(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t header
    if not ports(c, p):
        return short(c, p, PORTS, SHORT_TRANSPORT)
    if captured_left(c) < TCP_HEADER:
        header_cut(c, p, TCP_HEADER)
        if p.fragmented:        # a first fragment of 8 or 16 bytes, the rest comes in the next (RFC 1858 section 4)
            if captured_left(c) >= TCP_CHECKSUM:
                sequence_of(p, at)
            to_sum(c, p, SUM_PSEUDO, wire_left(c), wire_left(c))
        return STOP
    sequence_of(p, at)
    p.checksum = be16(at + TCP_CHECKSUM)
    header = (at[TCP_DATA_OFFSET] >> 4) * 4
    payload_after(c, p, header)
    if rarely(p.tcp_flags & SYN):
        p.tcp_mss = maximum_segment_size(at, min(header, captured_left(c)))
    to_sum(c, p, SUM_PSEUDO, wire_left(c), wire_left(c))
    if header < TCP_HEADER or header > wire_left(c) and not p.fragmented:
        p.verdict = VERDICT_BAD_LENGTH
    return STOP

cdef enum:                      # SCTP, RFC 9260 section 3.1
    SCTP_CHECKSUM = 8
    SCTP_HEADER = 12

cdef inline Next sctp(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    if not ports(c, p):
        return short(c, p, PORTS, SHORT_TRANSPORT)
    if captured_left(c) < SCTP_HEADER:
        header_cut(c, p, SCTP_HEADER)
        return STOP
    p.checksum = le32(at + SCTP_CHECKSUM)   # sent least significant byte first (RFC 9260 appendix A)
    payload_after(c, p, SCTP_HEADER)
    if p.checksum == 0:
        p.verdict = VERDICT_ABSENT          # RFC 9653
    else:
        to_sum(c, p, SUM_CRC32C, wire_left(c), wire_left(c))
    return STOP

cdef enum:                      # DCCP, RFC 4340 section 5.1
    DCCP_DATA_OFFSET = 4        # in units of 4 bytes
    DCCP_COVERAGE = 5           # low four bits: 0 = all, n = the header and n - 1 units of 4 bytes
    DCCP_CHECKSUM = 6
    DCCP_HEADER = 12

cdef inline Next dccp(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t header, coverage
    if not ports(c, p):
        return short(c, p, PORTS, SHORT_TRANSPORT)
    if captured_left(c) < DCCP_HEADER:
        header_cut(c, p, DCCP_HEADER)
        return STOP
    p.checksum = be16(at + DCCP_CHECKSUM)
    header = at[DCCP_DATA_OFFSET] * 4
    payload_after(c, p, header)
    coverage = at[DCCP_COVERAGE] & 0x0F
    coverage = header + (coverage - 1) * 4 if coverage else wire_left(c)
    if header < DCCP_HEADER or (header > wire_left(c) or coverage > wire_left(c)) and not p.fragmented:
        p.verdict = VERDICT_BAD_LENGTH
    else:
        to_sum(c, p, SUM_PSEUDO, coverage, wire_left(c))
    return STOP

cdef enum:                      # ICMP, RFC 792; ICMPv6, RFC 4443
    ICMP_CHECKSUM = 2
    ICMP_ID = 4
    ICMP_HEADER = 8

cdef inline Next query(Cursor* c, Packet* p, bint request) noexcept nogil:
    """A request and its reply have the same identifier, which serves as the port of the side that asks."""
    cdef uint16_t identifier
    if captured_left(c) < ICMP_HEADER:
        return short(c, p, ICMP_HEADER, SHORT_TRANSPORT)
    identifier = be16(here(c) + ICMP_ID)
    p.key.src_port = identifier if request else 0
    p.key.dst_port = 0 if request else identifier
    p.icmp = type_unread(&p.key, here(c)[0])
    p.disposition = COUNTED
    return STOP

cdef inline Next message(Cursor* c, Packet* p) noexcept nogil:
    p.key.src_port = here(c)[0]
    p.key.dst_port = here(c)[1]
    p.icmp = type_unread(&p.key, here(c)[0])
    p.disposition = COUNTED
    return STOP

cdef inline bint summed_message(Cursor* c, Packet* p, Sum kind) noexcept nogil:
    """Type, code and a checksum over the message: ICMP, ICMPv6 and IGMP have them in common."""
    if captured_left(c) < PORTS:
        return False
    p.checksum = be16(here(c) + ICMP_CHECKSUM)
    payload_after(c, p, ICMP_HEADER)
    to_sum(c, p, kind, wire_left(c), wire_left(c))
    return True

cdef inline bint is_error(uint32_t kind) noexcept nogil:
    """Destination unreachable, source quench, redirect, time exceeded, parameter problem (RFC 1122 section 3.2.2)."""
    return 3 <= kind <= 5 or kind == 11 or kind == 12

cdef inline void quotes(Cursor* c, Packet* p) noexcept nogil:
    """The header of an error is followed by the IP packet that it is about, at least its first bytes."""
    if captured_left(c) > ICMP_HEADER:
        p.quote_at = c.at + ICMP_HEADER

cdef inline Next icmp(Cursor* c, Packet* p) noexcept nogil:
    cdef uint32_t kind
    if not summed_message(c, p, SUM_PLAIN):
        return short(c, p, PORTS, SHORT_TRANSPORT)
    kind = here(c)[0]
    if request_of(IP_ICMP, kind) != ICMP_TYPES_END:
        return query(c, p, is_request(IP_ICMP, kind))
    elif is_error(kind):
        quotes(c, p)
    return message(c, p)

cdef inline Next icmpv6(Cursor* c, Packet* p) noexcept nogil:
    cdef uint32_t kind
    if not summed_message(c, p, SUM_PSEUDO):
        return short(c, p, PORTS, SHORT_TRANSPORT)
    kind = here(c)[0]
    if request_of(IP_ICMPV6, kind) != ICMP_TYPES_END:
        return query(c, p, is_request(IP_ICMPV6, kind))
    elif kind < ECHO_V6:
        quotes(c, p)
    return message(c, p)

cdef inline Next igmp(Cursor* c, Packet* p) noexcept nogil:
    """RFC 3376 section 4: a checksum, but no ports."""
    summed_message(c, p, SUM_PLAIN)
    return STOP

cdef inline uint32_t checksum_at(uint32_t protocol) noexcept nogil:
    """The place of a checksum with a pseudo-header, in bytes from the beginning of its message."""
    if protocol == IP_TCP:
        return TCP_CHECKSUM
    elif protocol == IP_ICMPV6:
        return ICMP_CHECKSUM
    return UDP_CHECKSUM         # the same in UDP-Lite and DCCP
