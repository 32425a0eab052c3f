# Link types of Juniper's routers: a header that tells whether a link header follows, and perhaps extensions; then what
# the card put before the packet, a cookie or a link header.
# https://www.tcpdump.org/linktypes.html names them; the layouts are those that tcpdump's print-juniper.c and
# packet-juniper.c of Wireshark read. MFR, ES, MONITOR, ISM and VS are left out: no document says what lies in them.

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.bytes cimport be16, be24, le16, le32
from fluxcap.base.numbers cimport ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS, IP_ESP
from fluxcap.base.types cimport NON_IP, Packet, REASON_NONE, SHORT_LINK, UNKNOWN_LINK
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LINK, LLC, Next, STOP, captured_left, give_up, here, short)
from fluxcap.layers.network cimport ip_by_version, ip_of

cdef enum:                      # LINKTYPE_JUNIPER_ values
    JUNIPER_MLPPP = 130
    JUNIPER_MLFR = 131
    JUNIPER_GGSN = 133
    JUNIPER_ATM2 = 135
    JUNIPER_SERVICES = 136
    JUNIPER_ATM1 = 137
    JUNIPER_PPPOE = 167         # whole frames of Ethernet, as 178
    JUNIPER_ETHER = 178
    JUNIPER_PPP = 179
    JUNIPER_FRELAY = 180
    JUNIPER_CHDLC = 181
    JUNIPER_VP = 183
    JUNIPER_ST = 200

cdef enum:                      # the header; offsets in bytes
    JUNIPER_MAGIC = 0x4D4743    # "MGC"
    JUNIPER_FLAGS = 3
    JUNIPER_EXTENSIONS = 4      # their length, where the flag says that there are some
    JUNIPER_HEADER = 4
    JUNIPER_INCOMING = 0x01
    JUNIPER_NO_LINK = 0x02      # no link header: a protocol number of 32 bits, then the packet
    JUNIPER_EXTENDED = 0x80

cdef enum:                      # link types of pcap that may lie inside
    INSIDE_ETHERNET = 1
    INSIDE_PPP = 9

cdef inline uint32_t juniper_link(uint32_t link_type) noexcept nogil:
    """The link type inside: a LINKTYPE_ value, or 0 of a card that has cookies."""
    if link_type == JUNIPER_ETHER or link_type == JUNIPER_PPPOE:
        return INSIDE_ETHERNET
    elif link_type == JUNIPER_PPP:
        return INSIDE_PPP
    elif link_type == JUNIPER_FRELAY:
        return 107
    elif link_type == JUNIPER_CHDLC:
        return 104
    return 0

cdef inline bint has_cookie(uint32_t link_type) noexcept nogil:
    return (link_type == JUNIPER_MLPPP or link_type == JUNIPER_MLFR or link_type == JUNIPER_GGSN
            or link_type == JUNIPER_ATM1 or link_type == JUNIPER_ATM2 or link_type == JUNIPER_SERVICES
            or link_type == JUNIPER_VP or link_type == JUNIPER_ST)

cdef inline Next juniper_protocol(uint32_t protocol, Packet* p) noexcept nogil:
    """Juniper numbers protocols apart; those of IP, and of MPLS, by what it was before and is now."""
    if protocol == 2 or protocol == 3:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif protocol == 6 or protocol == 7:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    elif protocol == 4 or protocol == 5 or protocol == 8:
        return <Next>ETHERTYPE | ETHERTYPE_MPLS
    return give_up(p, NON_IP, REASON_NONE)

cdef inline Next juniper_packet(Cursor* c, Packet* p) noexcept nogil:
    """A packet without a link header."""
    cdef uint32_t protocol
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    protocol = le32(here(c))
    c.at += 4
    return juniper_protocol(protocol, p)

cdef inline Next juniper_ip(Cursor* c, Packet* p, uint32_t cookie) noexcept nogil:
    """A cookie of so many bytes, then IP."""
    if captured_left(c) < cookie:
        return short(c, p, cookie, SHORT_LINK)
    c.at += cookie
    return ip_by_version(c, p)

cdef inline Next juniper_ggsn(Cursor* c, Packet* p) noexcept nogil:
    """Protocol and VLAN identifier, 16 bits each, in the byte order of the card."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    c.at += 4
    return juniper_protocol(le16(at), p)

cdef inline bint is_ppp_protocol(uint32_t protocol) noexcept nogil:
    """IPv4, IPv6 or MPLS."""
    return protocol == 0x0021 or protocol == 0x0057 or protocol == 0x0281 or protocol == 0x0283

cdef enum:                      # ATM
    ATM1_COOKIE = 4
    ATM2_COOKIE = 8
    ATM1_OAM = 0x80             # first byte: a cell of operation and maintenance
    ATM2_OAM = 0x70             # ... bits of the last
    ATM2_GAP = 0x3F             # bits of the fourth: going out, a frame of Ethernet
    LLC_NLPID = 0xFEFE03        # what an LLC header begins with
    LLC_SNAP = 0xAAAA03

cdef inline bint is_oam(uint32_t link_type, const uint8_t* cookie) noexcept nogil:
    if link_type == JUNIPER_ATM1:
        return cookie[0] == ATM1_OAM
    return cookie[ATM2_COOKIE - 1] & ATM2_OAM != 0

cdef inline Next juniper_atm(uint32_t link_type, bint incoming, Cursor* c, Packet* p) noexcept nogil:
    """RFC 2684: LLC, Ethernet, PPP or IP behind the cookie, told by how it begins."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t cookie = ATM1_COOKIE if link_type == JUNIPER_ATM1 else ATM2_COOKIE
    if captured_left(c) < cookie + 3 and (captured_left(c) <= cookie or ip_of(at[cookie] >> 4) == STOP):
        return short(c, p, cookie + 3, SHORT_LINK)
    if is_oam(link_type, at):
        return give_up(p, NON_IP, REASON_NONE)
    c.at += cookie
    if ip_of(at[cookie] >> 4) == STOP and (be24(at + cookie) == LLC_SNAP or be24(at + cookie) == LLC_NLPID):
        return LLC
    if link_type == JUNIPER_ATM2 and not incoming and at[3] & ATM2_GAP:
        return <Next>LINK | INSIDE_ETHERNET
    if link_type == JUNIPER_ATM2 and ip_of(at[cookie] >> 4) == STOP and is_ppp_protocol(be16(at + cookie)):
        return <Next>LINK | INSIDE_PPP
    return ip_by_version(c, p)

cdef enum:                      # multilink: cookies by their first byte, and what is in them
    COOKIE_LS = 0x54            # 4 bytes
    COOKIE_APOLLO = 0x40        # 8 bytes
    COOKIE_LSQ = 0x47           # 8 bytes
    AS_COOKIE = 8
    PPP_COOKIE = 4              # a cookie of 2 bytes and a protocol, or PPP's framing and a protocol
    AS_DIRECTION = 4            # offset; both of the two lowest bits: from the routing engine
    AS_PROTOCOL = 5             # offset; the upper four bits: 0 IPv4, 1 IPv6, 2 MPLS
    PPP_FRAMING = 0xFF03

cdef inline bint has_as_cookie(const uint8_t* at) noexcept nogil:
    return at[0] == COOKIE_APOLLO or at[0] == COOKIE_LSQ

cdef inline Next juniper_service(Cursor* c, Packet* p) noexcept nogil:
    """The protocol that the cookie of 8 bytes names."""
    cdef uint32_t protocol = here(c)[AS_PROTOCOL] >> 4
    c.at += AS_COOKIE
    if protocol > 2:
        return give_up(p, NON_IP, REASON_NONE)
    return juniper_protocol(2 if protocol == 0 else 6 if protocol == 1 else 5, p)

cdef inline Next juniper_mlppp(bint incoming, Cursor* c, Packet* p) noexcept nogil:
    """A cookie of 8, 4 or 2 bytes, or none, and PPP behind it; or the packet that a cookie of 8 bytes names."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < PPP_COOKIE or has_as_cookie(at) and captured_left(c) < AS_COOKIE:
        return short(c, p, AS_COOKIE, SHORT_LINK)
    if has_as_cookie(at):
        if at[AS_PROTOCOL] >> 4 == 0 and incoming and at[AS_DIRECTION] & 3 != 3:
            c.at += AS_COOKIE
            return <Next>LINK | INSIDE_PPP
        return juniper_service(c, p)
    if at[0] == COOKIE_LS:
        c.at += 4
    elif be16(at) != PPP_FRAMING and is_ppp_protocol(be16(at + 2)):
        c.at += 2
    elif be16(at) != PPP_FRAMING and not is_ppp_protocol(be16(at)):
        return give_up(p, NON_IP, REASON_NONE)
    return <Next>LINK | INSIDE_PPP

cdef inline Next juniper_mlfr(Cursor* c, Packet* p) noexcept nogil:
    """IP has a cookie of 8 bytes; what has another one, or none, is IS-IS or Q.933."""
    if captured_left(c) < AS_COOKIE:
        return short(c, p, AS_COOKIE, SHORT_LINK)
    if not has_as_cookie(here(c)) or here(c)[AS_PROTOCOL] >> 4 == 0 and here(c)[AS_DIRECTION] & 3 == 3:
        return give_up(p, NON_IP, REASON_NONE)
    return juniper_service(c, p)

cdef enum:                      # a secure tunnel: Ethernet, IPv4, ESP as they were outside, 16 bytes, the packet
    ST_ETHERNET = 14
    ST_IPV4 = 20
    ST_PROTOCOL = 9
    ST_ESP = 8 + 16

cdef inline Next juniper_st(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t header = ST_ETHERNET + ST_IPV4
    if captured_left(c) < header:
        return short(c, p, header, SHORT_LINK)
    if be16(at + ST_ETHERNET - 2) != ETHERTYPE_IPV4 or at[ST_ETHERNET + ST_PROTOCOL] != IP_ESP:
        return give_up(p, NON_IP, REASON_NONE)
    return juniper_ip(c, p, ST_ETHERNET + (at[ST_ETHERNET] & 0x0F) * 4 + ST_ESP)

cdef inline Next juniper_cookie(uint32_t link_type, bint incoming, Cursor* c, Packet* p) noexcept nogil:
    """What a card with cookies puts behind the header."""
    if link_type == JUNIPER_ATM1 or link_type == JUNIPER_ATM2:
        return juniper_atm(link_type, incoming, c, p)
    elif link_type == JUNIPER_MLPPP:
        return juniper_mlppp(incoming, c, p)
    elif link_type == JUNIPER_MLFR:
        return juniper_mlfr(c, p)
    elif link_type == JUNIPER_GGSN:
        return juniper_ggsn(c, p)
    elif link_type == JUNIPER_SERVICES:
        return juniper_ip(c, p, 16 if incoming else 12)
    elif link_type == JUNIPER_VP:
        return juniper_ip(c, p, 18)
    return juniper_st(c, p)

cdef inline Next by_juniper(uint32_t link_type, Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t header = JUNIPER_HEADER
    if not juniper_link(link_type) and not has_cookie(link_type):
        return give_up(p, UNKNOWN_LINK, REASON_NONE)
    if captured_left(c) < JUNIPER_HEADER:
        return short(c, p, JUNIPER_HEADER, SHORT_LINK)
    if be24(at) != JUNIPER_MAGIC:
        return give_up(p, NON_IP, REASON_NONE)
    if at[JUNIPER_FLAGS] & JUNIPER_EXTENDED:
        if captured_left(c) < JUNIPER_EXTENSIONS + 2:
            return short(c, p, JUNIPER_EXTENSIONS + 2, SHORT_LINK)
        header += 2 + be16(at + JUNIPER_EXTENSIONS)
        if captured_left(c) < header:
            return short(c, p, header, SHORT_LINK)
    c.at += header
    if at[JUNIPER_FLAGS] & JUNIPER_NO_LINK:
        return juniper_packet(c, p)
    if juniper_link(link_type):
        return <Next>LINK | juniper_link(link_type)
    return juniper_cookie(link_type, at[JUNIPER_FLAGS] & JUNIPER_INCOMING, c, p)
