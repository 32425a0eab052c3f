# Between link and network: VLAN tags, MPLS labels, PPPoE sessions, LLC; from an ethertype, a PPP protocol or an LLC
# header on. Headers in front of another ethertype or a whole frame are in shims.pxd.
# A new encapsulation is one function and one row in by_ethertype().

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from fluxcap.base.bytes cimport be16, be24
from fluxcap.base.numbers cimport (
    ETHERTYPE_ARISTA, ETHERTYPE_CISCO_METADATA, ETHERTYPE_E_TAG, ETHERTYPE_FABRICPATH, ETHERTYPE_FIRST, ETHERTYPE_IPV4,
    ETHERTYPE_IPV6, ETHERTYPE_MACSEC, ETHERTYPE_MPLS, ETHERTYPE_MPLS_MULTICAST, ETHERTYPE_NSH, ETHERTYPE_PBB,
    ETHERTYPE_PPPOE_SESSION, ETHERTYPE_TRANSPARENT, ETHERTYPE_VN_TAG)
from fluxcap.base.types cimport MALFORMED, Packet, SHORT_LINK, TOO_MANY_TAGS
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LINK, MAX_TAGS, Next, STOP, captured_left, give_up, here, narrow, short, wire_left)
from fluxcap.layers.link cimport LINKTYPE_ETHERNET, is_tag, ppp_protocol
from fluxcap.layers.network cimport ipv4, ipv6
from fluxcap.layers.pseudowire cimport under_labels
from fluxcap.layers.shims cimport arista, backbone, fabricpath, macsec, nsh, tagged

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

cdef enum:                      # MPLS label stack entry, RFC 3032
    MPLS_ENTRY = 4
    MPLS_BOTTOM = 0x01          # in its third byte

cdef inline Next mpls(Cursor* c, Packet* p) noexcept nogil:
    """Labels down to the bottom of the stack. No field tells what lies under it."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < MPLS_ENTRY:
        return short(c, p, MPLS_ENTRY, SHORT_LINK)
    p.key.mpls_label = be24(at) >> 4
    c.at += MPLS_ENTRY
    while not at[2] & MPLS_BOTTOM:
        if captured_left(c) < MPLS_ENTRY:
            return short(c, p, MPLS_ENTRY, SHORT_LINK)
        at = here(c)
        c.at += MPLS_ENTRY
    return under_labels(c, p)

cdef enum:                      # PPPoE, RFC 2516
    PPPOE_LENGTH = 4
    PPPOE_HEADER = 6

cdef inline Next pppoe(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    if captured_left(c) < PPPOE_HEADER:
        return short(c, p, PPPOE_HEADER, SHORT_LINK)
    c.at += PPPOE_HEADER
    if be16(at + PPPOE_LENGTH) <= wire_left(c):
        narrow(c, be16(at + PPPOE_LENGTH))
    return ppp_protocol(c, p)

cdef enum:                      # IEEE 802.2
    SAP_SNAP = 0xAA
    SAP_IP = 0x06
    CONTROL_UI = 0x03
    SNAP_HEADER = 8             # two SAPs, control, organisation (3 bytes), ethertype

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
    # With organisation 0 (RFC 1042) or 0x0000F8 (802.1H bridges) an ethertype follows; others have their own numbers.
    if be24(at + 3) != 0 and be24(at + 3) != 0x0000F8:
        return STOP
    c.at += SNAP_HEADER
    return <Next>ETHERTYPE | be16(at + 6)

cdef inline Next ieee802_3(uint32_t length, Cursor* c, Packet* p) noexcept nogil:
    """The field is a length, not an ethertype: LLC follows, and after it padding."""
    if length <= wire_left(c):
        narrow(c, length)
    return llc(c, p)

cdef inline Next by_ethertype(uint32_t ethertype, Cursor* c, Packet* p) noexcept nogil:
    p.key.ethertype = <uint16_t>ethertype
    if ethertype == ETHERTYPE_IPV4:
        return ipv4(c, p)
    elif ethertype == ETHERTYPE_IPV6:
        return ipv6(c, p)
    elif is_tag(ethertype):
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
    elif ethertype == ETHERTYPE_FABRICPATH:
        return fabricpath(c, p)
    elif ethertype == ETHERTYPE_ARISTA:
        return arista(c, p)
    elif ethertype < ETHERTYPE_FIRST:
        return ieee802_3(ethertype, c, p)
    return STOP

cdef inline Next by_ppp_protocol(uint32_t protocol) noexcept nogil:
    """PPP has its own protocol numbers (RFC 1661 section 2); those for IP and MPLS have an ethertype too."""
    if protocol == 0x0021:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif protocol == 0x0057:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    elif protocol == 0x0281 or protocol == 0x0283:
        return <Next>ETHERTYPE | ETHERTYPE_MPLS
    return STOP
