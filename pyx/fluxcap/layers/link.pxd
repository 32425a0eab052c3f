# Link types: from the first byte of a record to an ethertype, a PPP protocol number or an LLC header.
# A new link type is one function, one row in by_link_type() and its number below.
# Numbers and layouts: https://www.tcpdump.org/linktypes.html

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from fluxcap.base.bytes cimport be16, be24, be32, le32
from fluxcap.base.numbers cimport (
    ETHERTYPE_FIRST, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_PPPOE_SESSION, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD,
    ETHERTYPE_VLAN)
from fluxcap.base.types cimport (
    DIRECTION_UNKNOWN, INBOUND, MAC_OCTETS, NON_IP, OUTBOUND, Packet, REASON_NONE, SHORT_LINK)
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LLC, Next, PPP_PROTOCOL, STOP, captured_left, give_up, here, short)
from fluxcap.layers.juniper cimport by_juniper
from fluxcap.layers.logs cimport ipnet, nflog, pflog, pktap, ppi, user2
from fluxcap.layers.network cimport address_family, ip_by_version
from fluxcap.layers.wireless cimport ieee802_11, prism, radiotap

cdef enum:                      # LINKTYPE_ values
    LINKTYPE_NULL = 0
    LINKTYPE_ETHERNET = 1
    LINKTYPE_TOKEN_RING = 6
    LINKTYPE_SLIP = 8
    LINKTYPE_PPP = 9
    LINKTYPE_FDDI = 10
    LINKTYPE_RAW_BSD = 12       # the value of DLT_RAW, which some systems write into files
    LINKTYPE_RAW_OPENBSD = 14
    LINKTYPE_PPP_HDLC = 50
    LINKTYPE_PPP_ETHER = 51
    LINKTYPE_RAW = 101
    LINKTYPE_C_HDLC = 104
    LINKTYPE_IEEE802_11 = 105
    LINKTYPE_FRELAY = 107
    LINKTYPE_LOOP = 108
    LINKTYPE_LINUX_SLL = 113
    LINKTYPE_PFLOG = 117
    LINKTYPE_PRISM = 119
    LINKTYPE_RADIOTAP = 127
    LINKTYPE_ARCNET_LINUX = 129
    LINKTYPE_USER2 = 149
    LINKTYPE_PPI = 192
    LINKTYPE_IPNET = 226
    LINKTYPE_IPV4 = 228
    LINKTYPE_IPV6 = 229
    LINKTYPE_NFLOG = 239
    LINKTYPE_IPOIB = 242
    LINKTYPE_PKTAP = 258
    LINKTYPE_LINUX_SLL2 = 276

cdef enum:                      # Ethernet II, IEEE 802.3
    ETHERNET_DESTINATION = 0
    ETHERNET_SOURCE = 6
    ETHERNET_TYPE = 12
    ETHERNET_HEADER = 14
    VLAN_TAG = 4

cdef inline bint is_tag(uint32_t ethertype) noexcept nogil:
    """Does a VLAN tag follow, and then another ethertype?"""
    return ethertype == ETHERTYPE_VLAN or ethertype == ETHERTYPE_QINQ or ethertype == ETHERTYPE_QINQ_OLD

cdef inline Next ethernet(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    if captured_left(c) < ETHERNET_HEADER:
        return short(c, p, ETHERNET_HEADER, SHORT_LINK)
    memcpy(p.key.dst_mac, at + ETHERNET_DESTINATION, MAC_OCTETS)
    memcpy(p.key.src_mac, at + ETHERNET_SOURCE, MAC_OCTETS)
    p.key.vlan = 0              # a frame in a tunnel or in another frame does not have the tags of the outer frame
    p.key.inner_vlan = 0
    c.tags = 0
    c.at += ETHERNET_HEADER
    return <Next>ETHERTYPE | be16(at + ETHERNET_TYPE)

cdef enum:
    PPP_HEADER = 0xFF03         # address and control of HDLC-like framing (RFC 1662 section 3.1)
    WINDOWS_IPV6 = 23           # AF_INET6 on Windows; on BSD the same number is IPX

cdef inline Next null_loopback(Cursor* c, Packet* p) noexcept nogil:
    """BSD loopback: the address family, in the byte order of the machine that wrote it; the order that gives a small
    number is the right one. Some writers put an ethertype or a PPP header there; all families are smaller than the
    first ethertype."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t family
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    if be16(at) == PPP_HEADER:
        return ppp(c, p)
    c.at += 4
    family = le32(at) if le32(at) <= 0xFFFF else be32(at)
    if ETHERTYPE_FIRST <= family <= 0xFFFF:
        return <Next>ETHERTYPE | family
    if family == WINDOWS_IPV6 and (captured_left(c) == 0 or here(c)[0] >> 4 == 6):  # IPX begins with 0xFFFF
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    return address_family(p, family)

cdef enum:
    SLL_OUTGOING = 4            # packet type; 0 to 3 are incoming: unicast, broadcast, multicast, to another host

cdef inline void set_direction(Packet* p, uint32_t sll_type) noexcept nogil:
    """As in filters of libpcap, a packet that is not outgoing is inbound. A direction in the file takes precedence."""
    if p.key.direction == DIRECTION_UNKNOWN:
        p.key.direction = OUTBOUND if sll_type == SLL_OUTGOING else INBOUND

cdef inline Next linux_sll(Cursor* c, Packet* p) noexcept nogil:
    """Packet type, ARPHRD type, address length, address (8 bytes), protocol."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 16:
        return short(c, p, 16, SHORT_LINK)
    c.at += 16
    set_direction(p, be16(at))
    memcpy(p.key.src_mac, at + 6, MAC_OCTETS)
    return sll_protocol(be16(at + 14))

cdef inline Next linux_sll2(Cursor* c, Packet* p) noexcept nogil:
    """Protocol, reserved, interface index, ARPHRD type, packet type, address length, address (8 bytes)."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 20:
        return short(c, p, 20, SHORT_LINK)
    c.at += 20
    set_direction(p, at[10])
    p.key.interface = be32(at + 4)
    memcpy(p.key.src_mac, at + 12, MAC_OCTETS)
    return sll_protocol(be16(at))

cdef inline Next sll_protocol(uint16_t protocol) noexcept nogil:
    # A protocol under 1536 is not an ethertype: 4 says that an 802.2 LLC header follows (LINUX_SLL_P_802_2), and the
    # others (raw 802.3, CAN, netlink, ...) carry no IP.
    if protocol < ETHERTYPE_FIRST:
        return <Next>LLC if protocol == 4 else <Next>STOP
    return <Next>ETHERTYPE | protocol

cdef inline Next ppp(Cursor* c, Packet* p) noexcept nogil:
    """RFC 1661, RFC 1662: compression may leave out address and control, and the first byte of the protocol."""
    if captured_left(c) < 2:
        return short(c, p, 2, SHORT_LINK)
    if be16(here(c)) == PPP_HEADER:
        c.at += 2
    return ppp_protocol(c, p)

cdef inline Next ppp_protocol(Cursor* c, Packet* p) noexcept nogil:
    """RFC 1661 sections 2 and 6.5: the first byte of a protocol field is even and the last one odd, so an odd first
    byte is a field that was compressed to its last byte."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 1:
        return short(c, p, 1, SHORT_LINK)
    if at[0] & 1:
        c.at += 1
        return <Next>PPP_PROTOCOL | at[0]
    if captured_left(c) < 2:
        return short(c, p, 2, SHORT_LINK)
    c.at += 2
    return <Next>PPP_PROTOCOL | be16(at)

cdef inline Next ppp_hdlc(Cursor* c, Packet* p) noexcept nogil:
    """PPP in HDLC-like framing, or Cisco HDLC if the first byte is one of its addresses (RFC 1547 section 4.3.1)."""
    if captured_left(c) >= 1 and (here(c)[0] == 0x0F or here(c)[0] == 0x8F):
        return c_hdlc(c, p)
    return ppp(c, p)

cdef inline Next c_hdlc(Cursor* c, Packet* p) noexcept nogil:
    """Cisco HDLC: address, control, ethertype."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    c.at += 4
    return <Next>ETHERTYPE | be16(at + 2)

cdef inline Next ppp_ether(Cursor* c, Packet* p) noexcept nogil:
    """A PPPoE session header without the Ethernet header around it (NetBSD)."""
    return <Next>ETHERTYPE | ETHERTYPE_PPPOE_SESSION

cdef inline Next slip(Cursor* c, Packet* p) noexcept nogil:
    """Direction, the header as compressed on the line (RFC 1144, 15 bytes), then the uncompressed packet."""
    if captured_left(c) < 16:
        return short(c, p, 16, SHORT_LINK)
    c.at += 16
    return ip_by_version(c, p)

cdef inline Next frame_relay(Cursor* c, Packet* p) noexcept nogil:
    """RFC 2427: an address of 2 to 4 bytes (the lowest bit is set in the last one), then control 0x03 and an NLPID;
    some vendors put an ethertype there instead."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t n = 0
    while n < captured_left(c) and n < 4:
        n += 1
        if at[n - 1] & 1:
            break
    if n < 2 or captured_left(c) - n < 2:
        return short(c, p, n + 4, SHORT_LINK)
    c.at += n
    at = here(c)
    if at[0] != 0x03:
        c.at += 2
        return <Next>ETHERTYPE | be16(at)
    if at[1] == 0:              # one byte of padding before the NLPID
        if captured_left(c) < 3:
            return short(c, p, 3, SHORT_LINK)
        c.at += 1
        at += 1
    c.at += 2
    if at[1] == 0xCC:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif at[1] == 0x8E:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    elif at[1] == 0x80:         # SNAP: the organisation and type follow
        if captured_left(c) < 5:
            return short(c, p, 5, SHORT_LINK)
        c.at += 5
        if be24(at + 2) == 0:
            return <Next>ETHERTYPE | be16(at + 5)
    return give_up(p, NON_IP, REASON_NONE)

cdef inline Next fddi(Cursor* c, Packet* p) noexcept nogil:
    """Frame control (low bits 01..: an LLC frame), destination, source."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 13:
        return short(c, p, 13, SHORT_LINK)
    c.at += 13
    memcpy(p.key.dst_mac, at + 1, MAC_OCTETS)
    memcpy(p.key.src_mac, at + 7, MAC_OCTETS)
    return LLC if at[0] & 0xF0 == 0x50 else <Next>STOP

cdef inline Next token_ring(Cursor* c, Packet* p) noexcept nogil:
    """IEEE 802.5: access and frame control, destination, source; the first bit of the source announces a route."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t header = 14
    if captured_left(c) < 16:
        return short(c, p, 16, SHORT_LINK)
    if at[8] & 0x80:
        header += at[14] & 0x1F
    if captured_left(c) < header:
        return short(c, p, header, SHORT_LINK)
    memcpy(p.key.dst_mac, at + 2, MAC_OCTETS)
    memcpy(p.key.src_mac, at + 8, MAC_OCTETS)
    c.at += header
    return LLC if at[1] & 0xC0 == 0x40 else <Next>STOP

cdef inline Next arcnet_linux(Cursor* c, Packet* p) noexcept nogil:
    """Source, destination, offset (2 bytes), protocol id; then a fragmentation header (RFC 1201), or the packet (RFC
    1051)."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 8:
        return short(c, p, 8, SHORT_LINK)
    c.at += 5 if at[4] == 0xF0 else 8
    if at[4] == 0xD4 or at[4] == 0xF0:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif at[4] == 0xC4:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    return give_up(p, NON_IP, REASON_NONE)

cdef enum:
    IPOIB_HEADER = 44           # a global routing header (InfiniBand section 8.3) and the header of RFC 4391 section 6

cdef inline Next ip_over_infiniband(Cursor* c, Packet* p) noexcept nogil:
    """RFC 4391 section 6: an ethertype and two reserved bytes, behind the global routing header that a host sees."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < IPOIB_HEADER:
        return short(c, p, IPOIB_HEADER, SHORT_LINK)
    c.at += IPOIB_HEADER
    return <Next>ETHERTYPE | be16(at + IPOIB_HEADER - 4)

cdef inline Next by_link_type(uint32_t link_type, Cursor* c, Packet* p) noexcept nogil:
    if link_type == LINKTYPE_ETHERNET:
        return ethernet(c, p)
    elif link_type == LINKTYPE_RAW or link_type == LINKTYPE_RAW_BSD or link_type == LINKTYPE_RAW_OPENBSD:
        return ip_by_version(c, p)
    elif link_type == LINKTYPE_IPV4:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif link_type == LINKTYPE_IPV6:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    elif link_type == LINKTYPE_LINUX_SLL:
        return linux_sll(c, p)
    elif link_type == LINKTYPE_LINUX_SLL2:
        return linux_sll2(c, p)
    elif link_type == LINKTYPE_NULL or link_type == LINKTYPE_LOOP:
        return null_loopback(c, p)
    elif link_type == LINKTYPE_PPP or link_type == LINKTYPE_PPP_HDLC:
        return ppp_hdlc(c, p)
    elif link_type == LINKTYPE_PPP_ETHER:
        return ppp_ether(c, p)
    elif link_type == LINKTYPE_SLIP:
        return slip(c, p)
    elif link_type == LINKTYPE_C_HDLC:
        return c_hdlc(c, p)
    elif link_type == LINKTYPE_FRELAY:
        return frame_relay(c, p)
    elif link_type == LINKTYPE_FDDI:
        return fddi(c, p)
    elif link_type == LINKTYPE_TOKEN_RING:
        return token_ring(c, p)
    elif link_type == LINKTYPE_ARCNET_LINUX:
        return arcnet_linux(c, p)
    elif link_type == LINKTYPE_IEEE802_11:
        return ieee802_11(c, p)
    elif link_type == LINKTYPE_RADIOTAP:
        return radiotap(c, p)
    elif link_type == LINKTYPE_PRISM:
        return prism(c, p)
    elif link_type == LINKTYPE_PPI:
        return ppi(c, p)
    elif link_type == LINKTYPE_PKTAP:
        return pktap(c, p)
    elif link_type == LINKTYPE_USER2:
        return user2(c, p)
    elif link_type == LINKTYPE_NFLOG:
        return nflog(c, p)
    elif link_type == LINKTYPE_PFLOG:
        return pflog(c, p)
    elif link_type == LINKTYPE_IPNET:
        return ipnet(c, p)
    elif link_type == LINKTYPE_IPOIB:
        return ip_over_infiniband(c, p)
    return by_juniper(link_type, c, p)
