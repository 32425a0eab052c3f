# Tunnels: an IP packet or an Ethernet frame inside an IP packet. Each function checks that the header is really one,
# then calls enter_tunnel(); where that says no, the record stays with the IP header around the tunnel.
# A tunnel in UDP is told by its registered destination port and a header that checks out, never by the port alone; by
# that port as its source, as answers have it, only where all that is inside checks out too.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from fluxcap.base.bytes cimport be16, be24, be32
from fluxcap.checksums.verify cimport sum_octets
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LINK, Next, STOP, UDP_PORT, captured_left, enter_tunnel, here, wire_left)
from fluxcap.layers.network cimport ip_of
from fluxcap.base.numbers cimport (
    ETHERTYPE_CISCO_METADATA, ETHERTYPE_ERSPAN, ETHERTYPE_ERSPAN_III, ETHERTYPE_FIRST, ETHERTYPE_IPV4, ETHERTYPE_IPV6,
    ETHERTYPE_MPLS, ETHERTYPE_NSH, ETHERTYPE_PPP, ETHERTYPE_WCCP, PORT_CAPWAP_DATA, PORT_GENEVE, PORT_GRE_IN_UDP,
    PORT_GTP_0, PORT_GTP_U, PORT_MPLS_IN_UDP, PORT_TEREDO, PORT_VXLAN, PORT_VXLAN_GPE)
from fluxcap.layers.wireless cimport DOT11_DATA, dot11
from fluxcap.base.types cimport (
    Packet, VERDICT_BAD, VERDICT_BAD_LENGTH, VERDICT_FRAGMENT, VERDICT_GOOD, VERDICT_TRUNCATED)
from fluxcap.layers.link cimport ETHERNET_HEADER, LINKTYPE_ETHERNET, LINKTYPE_PPP
from fluxcap.layers.transport cimport UDP_HEADER

cdef inline Next ip_in_ip(Cursor* c, Packet* p, uint16_t ethertype) noexcept nogil:
    if not enter_tunnel(c, p):
        return STOP
    return <Next>ETHERTYPE | ethertype

cdef inline Next ethernet_in_ip(Cursor* c, Packet* p) noexcept nogil:
    """RFC 8986 section 4.9 (protocol 143); EtherIP, protocol 97, is another header."""
    if not enter_tunnel(c, p):
        return STOP
    return <Next>LINK | LINKTYPE_ETHERNET

cdef inline Next mpls_in_ip(Cursor* c, Packet* p) noexcept nogil:
    """RFC 4023 section 3.1."""
    if not enter_tunnel(c, p):
        return STOP
    return <Next>ETHERTYPE | ETHERTYPE_MPLS

cdef inline Next ip_at(Cursor* c, Packet* p, uint32_t skip) noexcept nogil:
    """An IP packet `skip` octets from here, told by its version, or nothing we know."""
    cdef Next inside
    if captured_left(c) <= skip:
        return STOP
    inside = ip_of(here(c)[skip] >> 4)
    if inside == STOP or not enter_tunnel(c, p):
        return STOP
    c.at += skip
    return inside

cdef enum:                      # GRE, RFC 2784, RFC 2890; version 1 is PPTP's, RFC 2637 section 4.1
    GRE_CHECKSUM = 0x8000
    GRE_ROUTING = 0x4000
    GRE_KEY = 0x2000
    GRE_SEQUENCE = 0x1000
    GRE_ACKNOWLEDGMENT = 0x0080
    GRE_VERSION = 0x0007
    GRE_HEADER = 4
    ERSPAN_II_HEADER = 8
    ERSPAN_III_HEADER = 12
    CISCO_METADATA = 8          # ethertype, version, length, option, security group tag
    ERSPAN_III_PLATFORM = 8     # a subheader, there when the last bit of the header says so

cdef inline Next gre(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t flags, protocol, header = GRE_HEADER, key = 0
    if captured_left(c) < GRE_HEADER:
        return STOP
    flags = be16(at)
    protocol = be16(at + 2)
    if flags & GRE_VERSION > 1 or flags & GRE_ROUTING:
        return STOP
    if flags & GRE_CHECKSUM:
        header += 4
    if flags & GRE_KEY:
        if captured_left(c) < header + 4:
            return STOP
        # Version 1 has the payload's length in the upper half of its key.
        key = be16(at + header + 2) if flags & GRE_VERSION else be32(at + header)
        header += 4
    if flags & GRE_SEQUENCE:
        header += 4
    if flags & GRE_VERSION == 1 and flags & GRE_ACKNOWLEDGMENT:
        header += 4
    if captured_left(c) < header:
        return STOP
    if flags & GRE_CHECKSUM:
        gre_sum(c, p)
    if protocol == ETHERTYPE_ERSPAN and flags & GRE_SEQUENCE:   # without a sequence number: type I, no header
        header += ERSPAN_II_HEADER
    elif protocol == ETHERTYPE_ERSPAN_III:
        header += ERSPAN_III_HEADER
        if captured_left(c) < header:
            return STOP
        if at[header - 1] & 1:
            header += ERSPAN_III_PLATFORM
    if captured_left(c) < header:
        return STOP
    p.key.tunnel_id = key
    if not enter_tunnel(c, p):
        return STOP
    c.at += header
    if protocol == ETHERTYPE_ERSPAN or protocol == ETHERTYPE_ERSPAN_III:
        return <Next>LINK | LINKTYPE_ETHERNET
    elif protocol == ETHERTYPE_PPP:
        return <Next>LINK | LINKTYPE_PPP
    elif protocol == ETHERTYPE_WCCP:    # version 2 has a redirect header of 4 octets, version 1 has not
        if captured_left(c) >= 4 and here(c)[0] >> 4 != 4:
            c.at += 4
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif protocol == ETHERTYPE_CISCO_METADATA:      # here the ethertype stands first, in Ethernet at the end
        if captured_left(c) < CISCO_METADATA:
            return STOP
        c.at += CISCO_METADATA
        return <Next>ETHERTYPE | be16(here(c) - CISCO_METADATA)
    return <Next>ETHERTYPE | protocol

cdef inline void gre_sum(Cursor* c, Packet* p) noexcept nogil:
    """RFC 2784 section 2.1: the sum over header and payload, without a pseudo-header."""
    if p.length_lies:
        p.gre_verdict = VERDICT_BAD_LENGTH
    elif p.fragmented:
        p.gre_verdict = VERDICT_FRAGMENT
    elif captured_left(c) < wire_left(c):
        p.gre_verdict = VERDICT_TRUNCATED
    else:
        p.gre_verdict = VERDICT_GOOD if sum_octets(here(c), wire_left(c)) == 0xFFFF else VERDICT_BAD

cdef enum:
    VXLAN_HEADER = 8
    VXLAN_HAS_VNI = 0x08
    VXLAN_HAS_PROTOCOL = 0x04   # VXLAN-GPE
    GENEVE_HEADER = 8
    GTP_HEADER = 8
    GTP_OPTIONAL = 4            # sequence number, N-PDU number and next extension, there together when one is
    GTP_G_PDU = 0xFF
    GTP_0_HEADER = 20
    GTP_0_FLOW_LABEL = 6

cdef inline Next vxlan(Cursor* c, Packet* p) noexcept nogil:
    """RFC 7348 section 5: the I flag set (reserved bits are to be ignored), and a frame whose type is an ethertype or a
    length that fits."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    cdef uint32_t kind
    if captured_left(c) < UDP_HEADER + VXLAN_HEADER + ETHERNET_HEADER or not at[0] & VXLAN_HAS_VNI:
        return STOP
    kind = be16(at + VXLAN_HEADER + ETHERNET_HEADER - 2)
    if kind < ETHERTYPE_FIRST and kind > wire_left(c) - UDP_HEADER - VXLAN_HEADER - ETHERNET_HEADER:
        return STOP
    p.key.tunnel_id = be24(at + 4)
    if not enter_tunnel(c, p):
        return STOP
    c.at += UDP_HEADER + VXLAN_HEADER
    return <Next>LINK | LINKTYPE_ETHERNET

cdef inline Next vxlan_gpe(Cursor* c, Packet* p) noexcept nogil:
    """draft-ietf-nvo3-vxlan-gpe: the last of the first four octets says what is inside. There are senders that name a
    protocol without the flag that says so."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    cdef Next inside = STOP
    if captured_left(c) < UDP_HEADER + VXLAN_HEADER or not at[0] & VXLAN_HAS_VNI:
        return STOP
    c.exact |= not at[0] & VXLAN_HAS_PROTOCOL
    if at[3] == 1:
        inside = <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif at[3] == 2:
        inside = <Next>ETHERTYPE | ETHERTYPE_IPV6
    elif at[3] == 3:
        inside = <Next>LINK | LINKTYPE_ETHERNET
    elif at[3] == 4:
        inside = <Next>ETHERTYPE | ETHERTYPE_NSH
    p.key.tunnel_id = be24(at + 4)
    if inside == STOP or not enter_tunnel(c, p):
        return STOP
    c.at += UDP_HEADER + VXLAN_HEADER
    return inside

cdef inline Next geneve(Cursor* c, Packet* p) noexcept nogil:
    """RFC 8926 section 3.4: version 0, options that fit, and a protocol that is an ethertype."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    cdef uint32_t header
    if captured_left(c) < UDP_HEADER + GENEVE_HEADER:
        return STOP
    header = UDP_HEADER + GENEVE_HEADER + (at[0] & 0x3F) * 4
    if at[0] >> 6 != 0 or be16(at + 2) < ETHERTYPE_FIRST or captured_left(c) < header:
        return STOP
    p.key.tunnel_id = be24(at + 4)
    if not enter_tunnel(c, p):
        return STOP
    c.at += header
    return <Next>ETHERTYPE | be16(at + 2)

cdef inline Next gtp_u(Cursor* c, Packet* p) noexcept nogil:
    """3GPP TS 29.281 section 5: version 1, protocol type 1, a G-PDU no longer than the datagram."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    cdef uint32_t header = GTP_HEADER, left, following
    if captured_left(c) < UDP_HEADER + GTP_HEADER:
        return STOP
    left = captured_left(c) - UDP_HEADER
    if at[0] >> 4 != 3 or at[1] != GTP_G_PDU:
        return STOP
    if be16(at + 2) > wire_left(c) - UDP_HEADER - GTP_HEADER and not p.fragmented:
        return STOP
    if at[0] & 0x07:
        header += GTP_OPTIONAL
        if left < header:
            return STOP
        following = at[header - 1] if at[0] & 0x04 else 0
        while following:        # extension headers: length in units of 4 octets, ..., type of the next
            if left < header + 4 or at[header] == 0 or left < header + at[header] * 4:
                return STOP
            header += at[header] * 4
            following = at[header - 1]
    p.key.tunnel_id = be32(at + 4)
    return ip_at(c, p, UDP_HEADER + header)

cdef inline Next gtp_0(Cursor* c, Packet* p) noexcept nogil:
    """3GPP TS 09.60 section 6: version 0, protocol type 1, three spare ones, a T-PDU no longer than the datagram."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    if captured_left(c) < UDP_HEADER + GTP_0_HEADER or at[0] >> 1 != 0x0F or at[1] != GTP_G_PDU:
        return STOP
    if be16(at + 2) > wire_left(c) - UDP_HEADER - GTP_0_HEADER and not p.fragmented:
        return STOP
    p.key.tunnel_id = be16(at + GTP_0_FLOW_LABEL)
    return ip_at(c, p, UDP_HEADER + GTP_0_HEADER)

cdef inline Next teredo(Cursor* c, Packet* p) noexcept nogil:
    """RFC 4380 section 5.1.1: perhaps authentication, perhaps an origin indication, then an IPv6 packet no
    longer than what is left."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    cdef uint32_t skip = 0, left
    if captured_left(c) < UDP_HEADER + 40:
        return STOP
    left = captured_left(c) - UDP_HEADER
    if be16(at) == 1:
        skip = 4 + at[2] + at[3] + 9
        if left < skip + 2:
            return STOP
    if be16(at + skip) == 0:
        skip += 8
    if left < skip + 40 or at[skip] >> 4 != 6:
        return STOP
    if <uint32_t>be16(at + skip + 4) + 40 > wire_left(c) - UDP_HEADER - skip and not p.fragmented:
        return STOP
    return ip_at(c, p, UDP_HEADER + skip)

cdef inline Next mpls_in_udp(Cursor* c, Packet* p) noexcept nogil:
    """RFC 7510: a label stack right after the UDP header; a first label of 16 or more is not a reserved one."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    if captured_left(c) < UDP_HEADER + 4 or be24(at) >> 4 < 16 or not enter_tunnel(c, p):
        return STOP
    c.at += UDP_HEADER
    return <Next>ETHERTYPE | ETHERTYPE_MPLS

cdef inline Next gre_in_udp(Cursor* c, Packet* p) noexcept nogil:
    """RFC 8086 section 3: a GRE header of version 0 whose reserved bits are zero."""
    if captured_left(c) < UDP_HEADER + GRE_HEADER or be16(here(c) + UDP_HEADER) & 0x4FFF:
        return STOP
    c.at += UDP_HEADER
    return gre(c, p)

cdef enum:                      # CAPWAP, RFC 5415 section 4.3
    CAPWAP_HEADER = 8
    CAPWAP_NATIVE = 0x01        # in the third octet: a frame as the radio has it, else one of Ethernet
    CAPWAP_BINDING = 0x3E       # ... which radio
    CAPWAP_802_11 = 0x02
    CAPWAP_NO_FRAME = 0x88      # in the fourth: a fragment of one, or a keep-alive

cdef inline Next capwap_data(Cursor* c, Packet* p) noexcept nogil:
    """Version 0, not encrypted, a header that fits, then a frame. Cisco's access points swap the octets of its frame
    control: that of a data frame's type is told from the flags, which have a direction beside whatever else is set."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    cdef uint32_t header
    if captured_left(c) < UDP_HEADER + CAPWAP_HEADER or at[0] != 0 or at[3] & CAPWAP_NO_FRAME:
        return STOP
    header = (at[1] >> 3) * 4
    if header < CAPWAP_HEADER or captured_left(c) < UDP_HEADER + header + 2:
        return STOP
    if at[2] & CAPWAP_NATIVE and at[2] & CAPWAP_BINDING != CAPWAP_802_11 or not enter_tunnel(c, p):
        return STOP
    c.at += UDP_HEADER + header
    if not at[2] & CAPWAP_NATIVE:
        return <Next>LINK | LINKTYPE_ETHERNET
    return dot11(c, p, False, at[header] & 0x0F != DOT11_DATA and at[header + 1] & 0x0F == DOT11_DATA)

cdef inline Next answer(Cursor* c, Packet* p) noexcept nogil:
    """Teredo's servers and relays answer from their port (RFC 4380 sections 5.3, 5.4), and so do GTP's nodes."""
    if c.exact:
        return STOP
    c.exact = True
    return <Next>UDP_PORT | p.key.src_port

cdef inline Next by_udp_port(uint32_t port, Cursor* c, Packet* p) noexcept nogil:
    """The cursor stands at the UDP header."""
    if port == PORT_VXLAN:
        return vxlan(c, p)
    elif port == PORT_VXLAN_GPE:
        return vxlan_gpe(c, p)
    elif port == PORT_GENEVE:
        return geneve(c, p)
    elif port == PORT_GTP_U:
        return gtp_u(c, p)
    elif port == PORT_GTP_0:
        return gtp_0(c, p)
    elif port == PORT_TEREDO:
        return teredo(c, p)
    elif port == PORT_CAPWAP_DATA:
        return capwap_data(c, p)
    elif port == PORT_GRE_IN_UDP:
        return gre_in_udp(c, p)
    elif port == PORT_MPLS_IN_UDP:
        return mpls_in_udp(c, p)
    return answer(c, p)
