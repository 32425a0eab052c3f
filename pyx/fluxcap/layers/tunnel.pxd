# Tunnels directly above IP: an IP packet or an Ethernet frame inside an IP packet. Each function checks that the header
# is one of its tunnel, then calls enter_tunnel(); where either fails, the record is the packet around the tunnel.
# A new tunnel is one function and one row in by_protocol(); tunnels in UDP are in udp_tunnel.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from fluxcap.base.bytes cimport be16, be32, le16
from fluxcap.base.numbers cimport (
    ETHERTYPE_ARUBA, ETHERTYPE_ARUBA_LAST, ETHERTYPE_CISCO_METADATA, ETHERTYPE_EOIP, ETHERTYPE_ERSPAN,
    ETHERTYPE_ERSPAN_III, ETHERTYPE_IPV4, ETHERTYPE_MPLS, ETHERTYPE_PPP, ETHERTYPE_WCCP)
from fluxcap.base.types cimport (
    Packet, VERDICT_BAD, VERDICT_BAD_LENGTH, VERDICT_FRAGMENT, VERDICT_GOOD, VERDICT_TRUNCATED)
from fluxcap.checksums.verify cimport sum_octets
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LINK, Next, STOP, captured_left, enter_tunnel, here, wire_left)
from fluxcap.layers.link cimport LINKTYPE_ETHERNET, LINKTYPE_PPP, ethernet
from fluxcap.layers.network cimport ip_of
from fluxcap.layers.pseudowire cimport frame_checks_out
from fluxcap.layers.wireless cimport dot11

cdef inline Next ip_in_ip(Cursor* c, Packet* p, uint16_t ethertype) noexcept nogil:
    if not enter_tunnel(c, p):
        return STOP
    return <Next>ETHERTYPE | ethertype

cdef inline Next ethernet_in_ip(Cursor* c, Packet* p) noexcept nogil:
    """RFC 8986 section 4.9 (protocol 143); EtherIP (protocol 97) has another header and is not read."""
    if not enter_tunnel(c, p):
        return STOP
    return <Next>LINK | LINKTYPE_ETHERNET

cdef inline Next mpls_in_ip(Cursor* c, Packet* p) noexcept nogil:
    """RFC 4023 section 3.1."""
    if not enter_tunnel(c, p):
        return STOP
    return <Next>ETHERTYPE | ETHERTYPE_MPLS

cdef inline Next ip_at(Cursor* c, Packet* p, uint32_t skip) noexcept nogil:
    """Enter a tunnel whose IP packet begins `skip` bytes from here; stop where its version is neither 4 nor 6."""
    cdef Next inside
    if captured_left(c) <= skip:
        return STOP
    inside = ip_of(here(c)[skip] >> 4)
    if inside == STOP or not enter_tunnel(c, p):
        return STOP
    c.at += skip
    return inside

cdef enum:                      # PIM, RFC 7761 section 4.9
    PIM_REGISTER = 0x21         # version 2, type 1
    PIM_HEADER = 8

cdef inline Next pim(Cursor* c, Packet* p) noexcept nogil:
    """A Register holds the packet that a router forwards to the rendezvous point; other messages hold no packet."""
    if captured_left(c) < PIM_HEADER or here(c)[0] != PIM_REGISTER:
        return STOP
    return ip_at(c, p, PIM_HEADER)

cdef enum:                      # L2TPv3, RFC 3931 section 4.1.1
    SESSION = 4                 # bytes of the identifier; zero is a control message
    SESSION_FIELDS_MAX = 12     # bytes that may follow it: a cookie of 4 or 8, a sublayer of 4

cdef inline Next l2tp_session(Cursor* c, Packet* p, uint32_t skip) noexcept nogil:
    """The data of a session, `skip` bytes from here. Its optional fields were agreed when it was set up, so their
    length is guessed: the shortest one that leaves a frame whose IP header checks out."""
    cdef uint32_t session, n = skip + SESSION
    if captured_left(c) < n:
        return STOP
    session = be32(here(c) + skip)
    if session == 0:
        return STOP
    while not frame_checks_out(c, n):
        n += 4
        if n > skip + SESSION + SESSION_FIELDS_MAX:
            return STOP
    p.key.tunnel_id = session
    if not enter_tunnel(c, p):
        return STOP
    c.at += n
    return <Next>LINK | LINKTYPE_ETHERNET

cdef inline Next l2tp_in_ip(Cursor* c, Packet* p) noexcept nogil:
    return l2tp_session(c, p, 0)

cdef enum:                      # GRE, RFC 2784, RFC 2890; version 1 is that of PPTP, RFC 2637 section 4.1
    GRE_CHECKSUM = 0x8000
    GRE_ROUTING = 0x4000
    GRE_KEY = 0x2000
    GRE_SEQUENCE = 0x1000
    GRE_ACKNOWLEDGMENT = 0x0080
    GRE_VERSION = 0x0007
    GRE_HEADER = 4
    GRE_ROUTE = 4               # address family, offset, length of the routing data; all zero in the last (RFC 1701)
    ERSPAN_VLAN = 0x0FFF
    ERSPAN_SESSION = 0x03FF
    ERSPAN_II_HEADER = 8
    ERSPAN_III_HEADER = 12
    CISCO_METADATA = 8          # ethertype, version, length, option, security group tag
    ERSPAN_III_PLATFORM = 8     # a subheader, present if the last bit of the header is set
    EOIP_FLAGS = 0x2001         # version 1 with a key; the halves of the key are a length and an identifier

cdef inline uint32_t gre_route(const Cursor* c, uint32_t header) noexcept nogil:
    """RFC 1701: the end of a route, whose last entry is all zeros; 0 where that entry was not captured."""
    cdef const uint8_t* at = here(c)
    while captured_left(c) >= header + GRE_ROUTE:
        if be32(at + header) == 0:
            return header + GRE_ROUTE
        header += GRE_ROUTE + at[header + 3]
    return 0

cdef inline Next gre(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t flags, protocol, header = GRE_HEADER, key = 0
    if captured_left(c) < GRE_HEADER:
        return STOP
    flags = be16(at)
    protocol = be16(at + 2)
    if flags & GRE_VERSION > 1:
        return STOP
    if flags & (GRE_CHECKSUM | GRE_ROUTING):
        header += 4
    if flags & GRE_KEY:
        if captured_left(c) < header + 4:
            return STOP
        # Version 1 has the length of the payload in the upper half of the key.
        key = be16(at + header + 2) if flags & GRE_VERSION else be32(at + header)
        header += 4
    if flags & GRE_SEQUENCE:
        header += 4
    if flags & GRE_VERSION == 1 and flags & GRE_ACKNOWLEDGMENT:
        header += 4
    if flags & GRE_ROUTING:
        header = gre_route(c, header)
    if header == 0 or captured_left(c) < header:
        return STOP
    if flags & GRE_CHECKSUM:
        gre_sum(c, p)
    if protocol == ETHERTYPE_ERSPAN or protocol == ETHERTYPE_ERSPAN_III:
        return erspan(protocol, flags & GRE_SEQUENCE != 0, header, c, p)
    elif protocol == ETHERTYPE_EOIP:
        if flags != EOIP_FLAGS or be16(at + GRE_HEADER) > wire_left(c) - header and not p.fragmented:
            return STOP
        key = le16(at + GRE_HEADER + 2)
    p.key.tunnel_id = key
    if not enter_tunnel(c, p):
        return STOP
    c.at += header
    return gre_payload(protocol, c, p)

cdef inline Next gre_payload(uint32_t protocol, Cursor* c, Packet* p) noexcept nogil:
    if protocol == ETHERTYPE_PPP:
        return <Next>LINK | LINKTYPE_PPP
    elif protocol == ETHERTYPE_EOIP:
        return <Next>LINK | LINKTYPE_ETHERNET
    elif protocol == ETHERTYPE_WCCP:    # version 2 has a redirect header of 4 bytes, version 1 does not
        if captured_left(c) >= 4 and here(c)[0] >> 4 != 4:
            c.at += 4
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif protocol == ETHERTYPE_CISCO_METADATA:      # the next ethertype stands first here, but last in Ethernet
        if captured_left(c) < CISCO_METADATA:
            return STOP
        c.at += CISCO_METADATA
        return <Next>ETHERTYPE | be16(here(c) - CISCO_METADATA)
    elif ETHERTYPE_ARUBA <= protocol <= ETHERTYPE_ARUBA_LAST:
        return dot11(c, p, False, False)
    return <Next>ETHERTYPE | protocol

cdef inline Next erspan(uint32_t protocol, bint numbered, uint32_t header, Cursor* c, Packet* p) noexcept nogil:
    """draft-foschiano-erspan: types II and III name the session, and the VLAN that the frame was mirrored from, because
    the frame may have lost its tag. Type I, without a sequence number in GRE, has no header."""
    cdef const uint8_t* at = here(c) + header
    cdef uint32_t size = 0
    cdef uint16_t vlan = 0
    cdef Next inside
    if protocol == ETHERTYPE_ERSPAN_III:
        size = ERSPAN_III_HEADER
        if captured_left(c) >= header + size and at[size - 1] & 1:
            size += ERSPAN_III_PLATFORM
    elif numbered:
        size = ERSPAN_II_HEADER
    if captured_left(c) < header + size:
        return STOP
    if size:
        vlan = be16(at) & ERSPAN_VLAN
        p.key.tunnel_id = be16(at + 2) & ERSPAN_SESSION
    if not enter_tunnel(c, p):
        return STOP
    c.at += header + size
    inside = ethernet(c, p)
    p.key.inner_vlan = vlan
    return inside

cdef inline void gre_sum(Cursor* c, Packet* p) noexcept nogil:
    """Judge the checksum of GRE: over header and payload, without a pseudo-header (RFC 2784 section 2.1)."""
    if p.length_lies:
        p.gre_verdict = VERDICT_BAD_LENGTH
    elif p.fragmented:
        p.gre_verdict = VERDICT_FRAGMENT
    elif captured_left(c) < wire_left(c):
        p.gre_verdict = VERDICT_TRUNCATED
    else:
        p.gre_verdict = VERDICT_GOOD if sum_octets(here(c), wire_left(c)) == 0xFFFF else VERDICT_BAD
