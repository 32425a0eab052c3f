# Tunnels in UDP. A datagram is a tunnel if its destination port is registered for one and the header checks out; the
# port alone is not enough. Where only the source port is registered, as in answers, the IP packet inside has to fill
# the tunnel to the byte as well.
# A new tunnel is a kind in base/tunnels.pxd, one function, one row in by_udp_tunnel() and its port in set_registered().

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.bytes cimport be16, be24, be32
from fluxcap.base.numbers cimport (
    ETHERTYPE_FIRST, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS, ETHERTYPE_NSH, IP_IPV4, IP_IPV6, PORT_AYIYA,
    PORT_CAPWAP_DATA, PORT_GENEVE, PORT_GRE_IN_UDP, PORT_GTP_0, PORT_GTP_U, PORT_L2TP, PORT_LISP, PORT_MPLS_IN_UDP,
    PORT_TEREDO, PORT_TZSP, PORT_VXLAN, PORT_VXLAN_GPE, PORT_VXLAN_LINUX)
from fluxcap.base.tunnels cimport (
    AYIYA, CAPWAP, GENEVE, GRE_IN_UDP, GTP, L2TP, LISP, MPLS_IN_UDP, NO_TUNNEL, TEREDO, TZSP, TunnelPorts, VXLAN,
    VXLAN_GPE, set_tunnel)
from fluxcap.base.types cimport Packet
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LINK, Next, STOP, captured_left, enter_tunnel, here, narrow, wire_left)
from fluxcap.layers.link cimport ETHERNET_HEADER, LINKTYPE_ETHERNET, LINKTYPE_PPP
from fluxcap.layers.network cimport checks_out
from fluxcap.layers.transport cimport UDP_HEADER, udp_length
from fluxcap.layers.tunnel cimport GRE_HEADER, gre, ip_at, l2tp_session
from fluxcap.layers.wireless cimport DOT11_DATA, dot11

cdef enum:
    VXLAN_HEADER = 8
    VXLAN_HAS_VNI = 0x08
    VXLAN_HAS_PROTOCOL = 0x04   # VXLAN-GPE
    GENEVE_HEADER = 8
    GTP_HEADER = 8
    GTP_OPTIONAL = 4            # sequence number, N-PDU number and next extension: all of them or none
    GTP_G_PDU = 0xFF
    GTP_0_HEADER = 20
    GTP_0_FLOW_LABEL = 6

cdef inline Next vxlan(Cursor* c, Packet* p) noexcept nogil:
    """RFC 7348 section 5: the I flag is set (reserved bits are to be ignored), and the type of the frame is an
    ethertype or a length that fits."""
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
    """draft-ietf-nvo3-vxlan-gpe: the fourth byte is the protocol inside. Some senders set it without the flag that
    announces it; then the IP packet has to fill the tunnel to the byte."""
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
        while following:        # extension headers: length in units of 4 bytes, ..., type of the next
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

cdef inline Next gtp(Cursor* c, Packet* p) noexcept nogil:
    """GTP of either version: each function refuses the header of the other version."""
    cdef Next inside = gtp_u(c, p)
    return inside if inside != STOP else gtp_0(c, p)

cdef inline Next teredo(Cursor* c, Packet* p) noexcept nogil:
    """RFC 4380 section 5.1.1: perhaps authentication, perhaps an origin indication, then an IPv6 packet that is no
    longer than the bytes left."""
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
    """RFC 7510: a label stack directly after the UDP header. Its first label is 16 or more: smaller ones are
    reserved."""
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
    CAPWAP_NATIVE = 0x01        # in the third byte: the frame is that of the radio, not an Ethernet frame
    CAPWAP_BINDING = 0x3E       # ... the kind of radio
    CAPWAP_802_11 = 0x02
    CAPWAP_NO_FRAME = 0x88      # in the fourth byte: a fragment of a frame, or a keep-alive

cdef inline Next capwap_data(Cursor* c, Packet* p) noexcept nogil:
    """Version 0, not encrypted, a header that fits, then a frame. Access points of Cisco swap the two bytes of the
    frame control: if the second byte is the type of a data frame, and the first one is not, they are swapped."""
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

cdef enum:                      # L2TP, RFC 2661 section 3.1, RFC 3931 section 4.1.2
    L2TP_CONTROL = 0x8000
    L2TP_HAS_LENGTH = 0x4000
    L2TP_HAS_SEQUENCE = 0x0800
    L2TP_HAS_OFFSET = 0x0200
    L2TP_PRIORITY = 0x0100
    L2TP_VERSION = 0x000F
    L2TP_FLAGS = L2TP_HAS_LENGTH | L2TP_HAS_SEQUENCE | L2TP_HAS_OFFSET | L2TP_PRIORITY  # the others are reserved

cdef inline Next l2tp(Cursor* c, Packet* p) noexcept nogil:
    """Version 2: data, no reserved bit set, a length that fits, then a PPP frame; tunnel and session are read as one
    number of 32 bits. Version 3: the data of a session, behind a header of 4 bytes."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    cdef uint32_t flags, header = 2
    if captured_left(c) < UDP_HEADER + 4:
        return STOP
    flags = be16(at)
    if flags == 3:
        return l2tp_session(c, p, UDP_HEADER + 4)
    if flags & L2TP_VERSION != 2 or flags & ~(L2TP_FLAGS | L2TP_VERSION):
        return STOP
    if flags & L2TP_HAS_LENGTH:
        if be16(at + 2) > wire_left(c) - UDP_HEADER and not p.fragmented:
            return STOP
        header += 2
    if captured_left(c) < UDP_HEADER + header + 4:
        return STOP
    p.key.tunnel_id = be32(at + header)
    header += 4
    if flags & L2TP_HAS_SEQUENCE:
        header += 4
    if flags & L2TP_HAS_OFFSET:
        if captured_left(c) < UDP_HEADER + header + 2:
            return STOP
        header += 2 + be16(at + header)
    if captured_left(c) < UDP_HEADER + header or not enter_tunnel(c, p):
        return STOP
    c.at += UDP_HEADER + header
    return <Next>LINK | LINKTYPE_PPP

cdef enum:                      # TZSP: version, type, protocol (2 bytes), tagged fields
    TZSP_HEADER = 4
    TZSP_PADDING = 0            # this tag and the next have no length
    TZSP_END = 1
    TZSP_ETHERNET = 1           # protocols
    TZSP_802_11 = 18

cdef inline Next tzsp(Cursor* c, Packet* p) noexcept nogil:
    """Version 1, a packet that was received or is to be sent, a known protocol, and fields that end within the
    datagram."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    cdef uint32_t protocol, header = TZSP_HEADER, left
    if captured_left(c) < UDP_HEADER + TZSP_HEADER:
        return STOP
    left = captured_left(c) - UDP_HEADER
    protocol = be16(at + 2)
    if at[0] != 1 or at[1] > 1 or protocol != TZSP_ETHERNET and protocol != TZSP_802_11:
        return STOP
    while header < left and at[header] != TZSP_END:
        if at[header] == TZSP_PADDING:
            header += 1
        elif header + 1 < left:
            header += 2 + at[header + 1]
        else:
            return STOP
    if header >= left or not enter_tunnel(c, p):
        return STOP
    c.at += UDP_HEADER + header + 1
    return <Next>LINK | LINKTYPE_ETHERNET if protocol == TZSP_ETHERNET else dot11(c, p, False, False)

cdef enum:                      # LISP, RFC 9300 section 5.1
    LISP_HEADER = 8
    LISP_HAS_INSTANCE = 0x08
    LISP_INSTANCE = 4

cdef inline Next lisp(Cursor* c, Packet* p) noexcept nogil:
    """No bit of the header has a fixed value, so the IP packet behind it has to check out."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    if not checks_out(c, UDP_HEADER + LISP_HEADER):
        return STOP
    if at[0] & LISP_HAS_INSTANCE:
        p.key.tunnel_id = be24(at + LISP_INSTANCE)
    return ip_at(c, p, UDP_HEADER + LISP_HEADER)

cdef enum:                      # AYIYA, draft-massar-v6ops-ayiya section 3
    AYIYA_HEADER = 8            # lengths, kinds, the next header, time; then identity and signature
    AYIYA_FORWARD = 1
    AYIYA_NEXT_HEADER = 3

cdef inline Next ayiya(Cursor* c, Packet* p) noexcept nogil:
    """A packet that is to be forwarded and has the IP version that the header announces."""
    cdef const uint8_t* at = here(c) + UDP_HEADER
    cdef uint32_t header, version
    if captured_left(c) < UDP_HEADER + AYIYA_HEADER or at[2] & 0x0F != AYIYA_FORWARD:
        return STOP
    header = UDP_HEADER + AYIYA_HEADER + (1 << (at[0] >> 4)) + (at[1] >> 4) * 4
    version = 4 if at[AYIYA_NEXT_HEADER] == IP_IPV4 else 6 if at[AYIYA_NEXT_HEADER] == IP_IPV6 else 0
    if captured_left(c) <= header or here(c)[header] >> 4 != version:
        return STOP
    return ip_at(c, p, header)

cdef inline Next by_udp_tunnel(uint32_t kind, Cursor* c, Packet* p) noexcept nogil:
    """The cursor stands at the UDP header."""
    if kind == VXLAN:
        return vxlan(c, p)
    elif kind == VXLAN_GPE:
        return vxlan_gpe(c, p)
    elif kind == GENEVE:
        return geneve(c, p)
    elif kind == GTP:
        return gtp(c, p)
    elif kind == TEREDO:
        return teredo(c, p)
    elif kind == CAPWAP:
        return capwap_data(c, p)
    elif kind == GRE_IN_UDP:
        return gre_in_udp(c, p)
    elif kind == MPLS_IN_UDP:
        return mpls_in_udp(c, p)
    elif kind == L2TP:
        return l2tp(c, p)
    elif kind == TZSP:
        return tzsp(c, p)
    elif kind == LISP:
        return lisp(c, p)
    elif kind == AYIYA:
        return ayiya(c, p)
    return STOP

cdef inline uint32_t tunnel_kind(const Cursor* c, const Packet* p) noexcept nogil:
    """The kind of tunnel that the ports announce: the destination port, or else the source port."""
    cdef uint32_t kind = c.ports.kinds[p.key.dst_port]
    return kind if kind != NO_TUNNEL else c.ports.kinds[p.key.src_port]

cdef inline Next udp_tunnel(Cursor* c, Packet* p) noexcept nogil:
    """The cursor stands at the UDP header, and one of the two ports is that of a tunnel. The tunnel ends where the UDP
    length does; behind it lies a surplus (RFC 9868 section 8). The port may be the source: servers and relays of
    Teredo answer from their port (RFC 4380 sections 5.3, 5.4), and so do nodes of GTP."""
    cdef uint32_t length = udp_length(c)
    if c.ports.kinds[p.key.dst_port] == NO_TUNNEL:
        c.exact = True
    if length < UDP_HEADER:
        return STOP
    if length < wire_left(c):
        narrow(c, length)
    return by_udp_tunnel(tunnel_kind(c, p), c, p)

cdef inline void set_registered(TunnelPorts* t) noexcept nogil:
    """Set the ports that are registered for a tunnel, or are the default of a common sender."""
    set_tunnel(t, PORT_VXLAN, VXLAN)
    set_tunnel(t, PORT_VXLAN_LINUX, VXLAN)
    set_tunnel(t, PORT_VXLAN_GPE, VXLAN_GPE)
    set_tunnel(t, PORT_GENEVE, GENEVE)
    set_tunnel(t, PORT_GTP_U, GTP)
    set_tunnel(t, PORT_GTP_0, GTP)
    set_tunnel(t, PORT_TEREDO, TEREDO)
    set_tunnel(t, PORT_CAPWAP_DATA, CAPWAP)
    set_tunnel(t, PORT_GRE_IN_UDP, GRE_IN_UDP)
    set_tunnel(t, PORT_MPLS_IN_UDP, MPLS_IN_UDP)
    set_tunnel(t, PORT_L2TP, L2TP)
    set_tunnel(t, PORT_TZSP, TZSP)
    set_tunnel(t, PORT_LISP, LISP)
    set_tunnel(t, PORT_AYIYA, AYIYA)
