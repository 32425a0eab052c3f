# Between link and network: tags, labels, sessions, service headers, LLC. From an ethertype (or PPP protocol, or LLC
# header) onward.
# A new encapsulation is one function and one row in by_ethertype().

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from fluxcap.base.bytes cimport be16, be24
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LINK, MAX_TAGS, Next, PPP_PROTOCOL, STOP, captured_left, drop_tail, give_up, here, narrow, short,
    wire_left)
from fluxcap.layers.network cimport ip_of, ipv4, ipv6
from fluxcap.base.numbers cimport (
    ETHERTYPE_CISCO_METADATA, ETHERTYPE_E_TAG, ETHERTYPE_FIRST, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MACSEC,
    ETHERTYPE_MPLS, ETHERTYPE_MPLS_MULTICAST, ETHERTYPE_NSH, ETHERTYPE_PBB, ETHERTYPE_PPPOE_SESSION, ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD, ETHERTYPE_TRANSPARENT, ETHERTYPE_VLAN, ETHERTYPE_VN_TAG)
from fluxcap.base.types cimport MALFORMED, Packet, SHORT_LINK, TOO_MANY_TAGS
from fluxcap.layers.link cimport LINKTYPE_ETHERNET

cdef inline Next vlan(Cursor* c, Packet* p) noexcept nogil:
    """IEEE 802.1Q: priority and VLAN identifier (12 bits), then the next ethertype."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    if c.tags == MAX_TAGS:
        return give_up(p, MALFORMED, TOO_MANY_TAGS)
    if c.tags == 0:
        p.key.vlan = be16(at) & 0x0FFF
    elif c.tags == 1:
        p.key.inner_vlan = be16(at) & 0x0FFF
    c.tags += 1
    c.at += 4
    return <Next>ETHERTYPE | be16(at + 2)

cdef inline Next tagged(Cursor* c, Packet* p, uint32_t tag) noexcept nogil:
    """A tag of `tag` octets that says nothing a flow could use, then the next ethertype: VN-Tag, E-TAG, Cisco's
    security group tag."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < tag + 2:
        return short(c, p, tag + 2, SHORT_LINK)
    c.at += tag + 2
    return <Next>ETHERTYPE | be16(at + tag)

cdef inline Next backbone(Cursor* c, Packet* p) noexcept nogil:
    """IEEE 802.1ah: a service tag, then the customer's whole frame."""
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    c.at += 4
    return <Next>LINK | LINKTYPE_ETHERNET

cdef enum:                      # NSH, RFC 8300 section 2.2
    NSH_LENGTH = 1              # low six bits: units of 4 octets, the whole header
    NSH_PROTOCOL = 3
    NSH_HEADER = 8

cdef inline Next nsh(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < NSH_HEADER:
        return short(c, p, NSH_HEADER, SHORT_LINK)
    length = (at[NSH_LENGTH] & 0x3F) * 4
    if length < NSH_HEADER:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    c.at += length
    if at[NSH_PROTOCOL] == 1:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif at[NSH_PROTOCOL] == 2:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    elif at[NSH_PROTOCOL] == 3:
        return <Next>LINK | LINKTYPE_ETHERNET
    elif at[NSH_PROTOCOL] == 5:
        return <Next>ETHERTYPE | ETHERTYPE_MPLS
    return STOP

cdef enum:                      # MPLS label stack entry, RFC 3032
    MPLS_ENTRY = 4
    MPLS_BOTTOM = 0x01          # in its third octet

cdef inline Next mpls(Cursor* c, Packet* p) noexcept nogil:
    """Labels to the bottom of the stack. What lies under it no field says: the first four bits tell IPv4 from IPv6, and
    zero is a pseudo-wire's control word with an Ethernet frame after it (RFC 4385 section 3)."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t version
    if captured_left(c) < MPLS_ENTRY:
        return short(c, p, MPLS_ENTRY, SHORT_LINK)
    p.key.mpls_label = be24(at) >> 4
    c.at += MPLS_ENTRY
    while not at[2] & MPLS_BOTTOM:
        if captured_left(c) < MPLS_ENTRY:
            return short(c, p, MPLS_ENTRY, SHORT_LINK)
        at = here(c)
        c.at += MPLS_ENTRY
    if captured_left(c) < 1:
        return short(c, p, 1, SHORT_LINK)
    version = here(c)[0] >> 4
    if version == 0:
        if captured_left(c) < 4:
            return short(c, p, 4, SHORT_LINK)
        c.at += 4
        return <Next>LINK | LINKTYPE_ETHERNET
    return ip_of(version)

cdef enum:                      # PPPoE, RFC 2516
    PPPOE_LENGTH = 4
    PPPOE_HEADER = 6

cdef inline Next pppoe(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    if captured_left(c) < PPPOE_HEADER + 2:
        return short(c, p, PPPOE_HEADER + 2, SHORT_LINK)
    c.at += PPPOE_HEADER
    if be16(at + PPPOE_LENGTH) <= wire_left(c):
        narrow(c, be16(at + PPPOE_LENGTH))
    if captured_left(c) < 2:
        return short(c, p, 2, SHORT_LINK)
    c.at += 2
    return <Next>PPP_PROTOCOL | be16(at + PPPOE_HEADER)

cdef enum:                      # MACsec security tag, IEEE 802.1AE clause 9
    MACSEC_SCI = 0x20
    MACSEC_ENCRYPTED = 0x0C     # either bit: encrypted or changed text
    MACSEC_SHORT_LENGTH = 0x3F  # octets from the ethertype to the integrity value; 0 = 48 or more
    MACSEC_ICV = 16

cdef inline Next macsec(Cursor* c, Packet* p) noexcept nogil:
    """Integrity without encryption leaves the ethertype readable; the integrity value stands at the end, and in a frame
    that may be padded the second octet says where."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t header = 6, secured
    if captured_left(c) < 2:
        return short(c, p, 2, SHORT_LINK)
    if at[0] & MACSEC_ENCRYPTED:
        return STOP
    if at[0] & MACSEC_SCI:
        header += 8
    if captured_left(c) < header + 2:
        return short(c, p, header + 2, SHORT_LINK)
    c.at += header + 2
    secured = at[1] & MACSEC_SHORT_LENGTH
    if secured >= 2 and secured - 2 <= wire_left(c):
        narrow(c, secured - 2)
    else:
        drop_tail(c, MACSEC_ICV)
    return <Next>ETHERTYPE | be16(at + header)

cdef enum:                      # IEEE 802.2
    SAP_SNAP = 0xAA
    SAP_IP = 0x06
    CONTROL_UI = 0x03
    SNAP_HEADER = 8             # two SAPs, control, organisation (3 octets), ethertype

cdef inline Next llc(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 3:
        return short(c, p, 3, SHORT_LINK)
    if at[0] == SAP_IP and at[2] == CONTROL_UI:
        c.at += 3
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    if at[0] != SAP_SNAP or at[1] != SAP_SNAP or at[2] != CONTROL_UI:
        return STOP
    if captured_left(c) < SNAP_HEADER:
        return short(c, p, SNAP_HEADER, SHORT_LINK)
    # Organisation 0 (RFC 1042) and 0x0000F8 (802.1H bridges) mean: an ethertype; any other has numbers of its own.
    if be24(at + 3) != 0 and be24(at + 3) != 0x0000F8:
        return STOP
    c.at += SNAP_HEADER
    return <Next>ETHERTYPE | be16(at + 6)

cdef inline Next ieee802_3(uint32_t length, Cursor* c, Packet* p) noexcept nogil:
    """The field was a length, not an ethertype: LLC follows, and padding after it."""
    if length <= wire_left(c):
        narrow(c, length)
    return llc(c, p)

cdef inline Next by_ethertype(uint32_t ethertype, Cursor* c, Packet* p) noexcept nogil:
    p.key.ethertype = <uint16_t>ethertype
    if ethertype == ETHERTYPE_IPV4:
        return ipv4(c, p)
    elif ethertype == ETHERTYPE_IPV6:
        return ipv6(c, p)
    elif ethertype == ETHERTYPE_VLAN or ethertype == ETHERTYPE_QINQ or ethertype == ETHERTYPE_QINQ_OLD:
        return vlan(c, p)
    elif ethertype == ETHERTYPE_MPLS or ethertype == ETHERTYPE_MPLS_MULTICAST:
        return mpls(c, p)
    elif ethertype == ETHERTYPE_PPPOE_SESSION:
        return pppoe(c, p)
    elif ethertype == ETHERTYPE_TRANSPARENT:
        return <Next>LINK | LINKTYPE_ETHERNET
    elif ethertype == ETHERTYPE_MACSEC:
        return macsec(c, p)
    elif ethertype == ETHERTYPE_PBB:
        return backbone(c, p)
    elif ethertype == ETHERTYPE_VN_TAG:
        return tagged(c, p, 4)
    elif ethertype == ETHERTYPE_E_TAG or ethertype == ETHERTYPE_CISCO_METADATA:
        return tagged(c, p, 6)
    elif ethertype == ETHERTYPE_NSH:
        return nsh(c, p)
    elif ethertype < ETHERTYPE_FIRST:
        return ieee802_3(ethertype, c, p)
    return STOP

cdef inline Next by_ppp_protocol(uint32_t protocol) noexcept nogil:
    """PPP numbers its protocols apart (RFC 1661 section 2); those that carry IP have an ethertype too."""
    if protocol == 0x0021:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif protocol == 0x0057:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    elif protocol == 0x0281 or protocol == 0x0283:
        return <Next>ETHERTYPE | ETHERTYPE_MPLS
    return STOP
