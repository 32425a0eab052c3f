# Link types: from the first octet of a record to an ethertype, a PPP protocol number or an LLC header.
# A new link type is one function, one row in by_link_type() and its number below.
# Numbers and layouts: https://www.tcpdump.org/linktypes.html

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from fluxcap.base.bytes cimport be16, be24, be32, le16, le32
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LINK, LLC, Next, PPP_PROTOCOL, STOP, captured_left, give_up, here, short)
from fluxcap.layers.network cimport ip_of
from fluxcap.base.numbers cimport ETHERTYPE_FIRST, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_PPPOE_SESSION
from fluxcap.layers.wireless cimport ieee802_11, prism, radiotap
from fluxcap.base.types cimport (
    DIRECTION_UNKNOWN, INBOUND, MAC_OCTETS, MALFORMED, NON_IP, OUTBOUND, Packet, REASON_NONE, SHORT_LINK, UNKNOWN_LINK)

cdef enum:                      # LINKTYPE_ values
    LINKTYPE_NULL = 0
    LINKTYPE_ETHERNET = 1
    LINKTYPE_TOKEN_RING = 6
    LINKTYPE_SLIP = 8
    LINKTYPE_PPP = 9
    LINKTYPE_FDDI = 10
    LINKTYPE_RAW_BSD = 12       # DLT_RAW as it stands in files of some systems
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
    LINKTYPE_PKTAP = 258
    LINKTYPE_LINUX_SLL2 = 276

cdef enum:                      # Ethernet II, IEEE 802.3
    ETHERNET_DESTINATION = 0
    ETHERNET_SOURCE = 6
    ETHERNET_TYPE = 12
    ETHERNET_HEADER = 14

cdef inline Next ethernet(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    if captured_left(c) < ETHERNET_HEADER:
        return short(c, p, ETHERNET_HEADER, SHORT_LINK)
    memcpy(p.key.dst_mac, at + ETHERNET_DESTINATION, MAC_OCTETS)
    memcpy(p.key.src_mac, at + ETHERNET_SOURCE, MAC_OCTETS)
    p.key.vlan = 0              # in a tunnel: tags of the frame around it are not this one's
    p.key.inner_vlan = 0
    c.at += ETHERNET_HEADER
    return <Next>ETHERTYPE | be16(at + ETHERNET_TYPE)

cdef inline Next ip_by_version(Cursor* c, Packet* p) noexcept nogil:
    """An IP packet without anything before it: its first four bits say which."""
    if captured_left(c) < 1:
        return short(c, p, 1, SHORT_LINK)
    return ip_of(here(c)[0] >> 4)

cdef inline Next address_family(Packet* p, uint32_t family) noexcept nogil:
    """BSD address families; each chose its own number for IPv6 (NetBSD 24, FreeBSD 28, Darwin 30; Linux 10)."""
    if family == 2:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif family == 24 or family == 28 or family == 30 or family == 10:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    return give_up(p, NON_IP, REASON_NONE)

cdef inline Next null_loopback(Cursor* c, Packet* p) noexcept nogil:
    """BSD loopback: the address family in the byte order of the machine that wrote it, so whichever makes it small."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t family
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    c.at += 4
    family = le32(at)
    return address_family(p, family if family <= 0xFFFF else be32(at))

cdef enum:
    SLL_OUTGOING = 4            # packet type; 0 to 3 came in: to us, to all, to many, to another host

cdef inline void set_direction(Packet* p, uint32_t sll_type) noexcept nogil:
    """As libpcap's filters have it, what is not outgoing is inbound. What the file itself says goes before."""
    if p.key.direction == DIRECTION_UNKNOWN:
        p.key.direction = OUTBOUND if sll_type == SLL_OUTGOING else INBOUND

cdef inline Next linux_sll(Cursor* c, Packet* p) noexcept nogil:
    """Packet type, ARPHRD type, address length, address (8 octets), protocol."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 16:
        return short(c, p, 16, SHORT_LINK)
    c.at += 16
    set_direction(p, be16(at))
    memcpy(p.key.src_mac, at + 6, MAC_OCTETS)
    return sll_protocol(be16(at + 14))

cdef inline Next linux_sll2(Cursor* c, Packet* p) noexcept nogil:
    """Protocol, reserved, interface index, ARPHRD type, packet type, address length, address (8 octets)."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 20:
        return short(c, p, 20, SHORT_LINK)
    c.at += 20
    set_direction(p, at[10])
    memcpy(p.key.src_mac, at + 12, MAC_OCTETS)
    return sll_protocol(be16(at))

cdef inline Next sll_protocol(uint16_t protocol) noexcept nogil:
    # Under 1536 the protocol field is no ethertype: 4 says that an 802.2 LLC header follows (LINUX_SLL_P_802_2), and of
    # the others (raw 802.3, CAN, netlink, ...) none carries IP.
    if protocol < ETHERTYPE_FIRST:
        return <Next>LLC if protocol == 4 else <Next>STOP
    return <Next>ETHERTYPE | protocol

cdef inline Next ppp(Cursor* c, Packet* p) noexcept nogil:
    """RFC 1661, RFC 1662: address and control may have been compressed away, the protocol's first octet too."""
    cdef const uint8_t* at
    if captured_left(c) >= 2 and here(c)[0] == 0xFF and here(c)[1] == 0x03:
        c.at += 2
    if captured_left(c) < 2:
        return short(c, p, 2, SHORT_LINK)
    at = here(c)
    if at[0] & 1:
        c.at += 1
        return <Next>PPP_PROTOCOL | at[0]
    c.at += 2
    return <Next>PPP_PROTOCOL | be16(at)

cdef inline Next ppp_hdlc(Cursor* c, Packet* p) noexcept nogil:
    """PPP in HDLC-like framing, or Cisco HDLC when the first octet says so (RFC 1547 section 4.3.1)."""
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
    """Direction, the header as RFC 1144 compressed it on the line (15 octets), then the packet as it was before."""
    if captured_left(c) < 16:
        return short(c, p, 16, SHORT_LINK)
    c.at += 16
    return ip_by_version(c, p)

cdef inline Next frame_relay(Cursor* c, Packet* p) noexcept nogil:
    """RFC 2427: an address of 2 to 4 octets (its last bit set in the last), then control 0x03 and an NLPID; some makers
    put an ethertype there instead."""
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
    if at[1] == 0:              # one octet of padding before the NLPID
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
    """IEEE 802.5: access and frame control, destination, source; the source's first bit announces a route."""
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
    """Source, destination, offset (2 octets), protocol id. RFC 1201 puts a fragmentation header after it, RFC 1051 the
    packet."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 8:
        return short(c, p, 8, SHORT_LINK)
    c.at += 5 if at[4] == 0xF0 else 8
    if at[4] == 0xD4 or at[4] == 0xF0:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif at[4] == 0xC4:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    return give_up(p, NON_IP, REASON_NONE)

cdef inline Next ppi(Cursor* c, Packet* p) noexcept nogil:
    """Version, flags, header length, the link type inside (little-endian)."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < 8:
        return short(c, p, 8, SHORT_LINK)
    length = le16(at + 2)
    if length < 8:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    c.at += length
    return <Next>LINK | (le32(at + 4) & 0xFFFF)

cdef enum:                      # PKTAP, offsets in octets; all of its numbers are little-endian
    PKTAP_LENGTH = 0
    PKTAP_RECORD_TYPE = 4
    PKTAP_LINK_TYPE = 8
    PKTAP_HEADER = 108          # at least
    PKTAP_PACKET = 1            # record type: a packet follows

cdef inline Next pktap(Cursor* c, Packet* p) noexcept nogil:
    """macOS: header length, record type, the link type inside, interface, process, ..."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < PKTAP_HEADER:
        return short(c, p, PKTAP_HEADER, SHORT_LINK)
    length = le32(at + PKTAP_LENGTH)
    if length < PKTAP_HEADER:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    if le32(at + PKTAP_RECORD_TYPE) != PKTAP_PACKET:
        return STOP
    c.at += length
    return <Next>LINK | (le32(at + PKTAP_LINK_TYPE) & 0xFFFF)

cdef inline Next user2(Cursor* c, Packet* p) noexcept nogil:
    """Anyone may use this for anything; macOS wrote PKTAP under it, which is known by its header."""
    cdef const uint8_t* at = here(c)
    if (captured_left(c) >= PKTAP_HEADER and le32(at + PKTAP_LENGTH) == PKTAP_HEADER
            and le32(at + PKTAP_RECORD_TYPE) == PKTAP_PACKET):
        return pktap(c, p)
    return give_up(p, UNKNOWN_LINK, REASON_NONE)

cdef enum:
    NFLOG_PAYLOAD = 9           # TLV type of the packet itself

cdef inline Next nflog(Cursor* c, Packet* p) noexcept nogil:
    """Family, version, resource, then TLVs; length and type are in the writer's byte order, taken as little-endian."""
    cdef const uint8_t* at
    cdef uint32_t size, kind
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    c.at += 4
    while captured_left(c) >= 4:
        at = here(c)
        size = le16(at)
        kind = le16(at + 2) & 0x7FFF
        if size < 4:
            return give_up(p, MALFORMED, SHORT_LINK)
        if kind == NFLOG_PAYLOAD:
            c.at += 4
            return ip_by_version(c, p)
        size = (size + 3) & ~3
        if size > captured_left(c):
            return short(c, p, size, SHORT_LINK)
        c.at += size
    return short(c, p, 4, SHORT_LINK)

cdef inline Next pflog(Cursor* c, Packet* p) noexcept nogil:
    """OpenBSD's packet filter log: length (without padding), address family, ..."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    length = (at[0] + 3) & ~3
    if length < 4:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    c.at += length
    return address_family(p, at[1])

cdef inline Next ipnet(Cursor* c, Packet* p) noexcept nogil:
    """Solaris: version, family (2 or 26), hook, data length, interface index, group index, zone source, destination."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 24:
        return short(c, p, 24, SHORT_LINK)
    c.at += 24
    if at[1] == 26:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    return address_family(p, at[1])

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
    return give_up(p, UNKNOWN_LINK, REASON_NONE)
