# The walk: link > encapsulation* > network > transport, and again inside each tunnel. Here it is not known how a header
# looks; that is in the functions of the protocols.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport rarely
from fluxcap.base.numbers cimport ETHERTYPE_IPV4, IP_TCP, IP_UDP
from fluxcap.base.tunnels cimport TunnelPorts
from fluxcap.base.types cimport (
    FILTERED, FRAGMENTS, MALFORMED, NON_IP, Packet, QUOTATIONS, TOO_MANY_LAYERS, TUNNELS_TOO_DEEP, reset)
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LINK, MAX_LAYERS, NUMBER_MASK, Next, PPP_PROTOCOL, PROTOCOL, SPACE_MASK, STOP,
    UDP_TUNNEL, drop_tail, give_up)
from fluxcap.layers.encap cimport by_ethertype, by_ppp_protocol, llc
from fluxcap.layers.link cimport LINKTYPE_ETHERNET, by_link_type
from fluxcap.layers.protocol cimport by_protocol
from fluxcap.layers.udp_tunnel cimport udp_tunnel

cdef inline Next step(Next next, Cursor* c, Packet* p) noexcept nogil:
    cdef uint32_t space = next & SPACE_MASK, number = next & NUMBER_MASK
    if space == ETHERTYPE:
        return by_ethertype(number, c, p)
    elif space == PROTOCOL:
        return by_protocol(number, c, p)
    elif space == UDP_TUNNEL:
        return udp_tunnel(c, p)
    elif space == LINK:
        return by_link_type(number, c, p)
    elif space == PPP_PROTOCOL:
        return by_ppp_protocol(number)
    return llc(c, p)

cdef inline Next usual(Cursor* c, Packet* p, uint32_t* layers) noexcept nogil:
    """The first steps of the walk, without a choice as long as they are those of most packets: choosing the next step
    takes 10 % of the instructions on small packets."""
    cdef Next next = <Next>LINK | p.link_type
    if next == (<Next>LINK | LINKTYPE_ETHERNET):
        next = step(<Next>LINK | LINKTYPE_ETHERNET, c, p)
        layers[0] += 1
    if next == (<Next>ETHERTYPE | ETHERTYPE_IPV4):
        next = step(<Next>ETHERTYPE | ETHERTYPE_IPV4, c, p)
        layers[0] += 1
    if next == (<Next>PROTOCOL | IP_UDP):
        next = step(<Next>PROTOCOL | IP_UDP, c, p)
        layers[0] += 1
    elif next == (<Next>PROTOCOL | IP_TCP):
        next = step(<Next>PROTOCOL | IP_TCP, c, p)
        layers[0] += 1
    return next

cdef inline void begin_walk(Packet* p, Cursor* c, uint32_t file) noexcept nogil:
    """Set the cursor to the first byte of a record."""
    reset(p, NON_IP)
    p.key.file = file
    p.key.interface = p.interface
    p.key.direction = p.direction
    p.key.offload_flags = p.offload_flags
    c.base = p.data
    c.at = 0
    c.captured = p.captured
    c.wire = p.wire if p.wire > p.captured else p.captured
    c.tags = 0
    c.extensions = 0
    c.exact = False
    if p.fcs:
        drop_tail(c, p.fcs)

cdef inline void decode(Packet* p, Cursor* c, uint32_t file) noexcept nogil:
    cdef Next next
    cdef uint32_t layers = 0
    begin_walk(p, c, file)
    next = usual(c, p, &layers)
    while rarely(next != STOP):
        if layers == MAX_LAYERS:
            give_up(p, MALFORMED, TOO_MANY_LAYERS)
            break
        layers += 1
        next = step(next, c, p)
    if p.depth and p.ip_version == 0:
        # The tunnel holds no IP packet, or one that cannot be read: the record is the packet around the tunnel.
        p[0] = c.outer

cdef inline uint32_t decode_packets(
        Packet* packets, uint32_t n, const TunnelPorts* ports, uint32_t max_depth, uint32_t file,
        uint64_t* anomalies) noexcept nogil:
    """Decode packets; returns the Special bits of all of them."""
    cdef Cursor c
    cdef uint32_t i, fragments = 0, quotations = 0
    c.ports = ports
    c.max_depth = <uint8_t>max_depth
    for i in range(n):
        if packets[i].refused:
            reset(&packets[i], FILTERED)
            continue
        c.too_deep = False
        decode(&packets[i], &c, file)
        anomalies[TUNNELS_TOO_DEEP] += c.too_deep
        fragments |= packets[i].fragmented | packets[i].fragmented_around
        quotations |= packets[i].quote_at
    return (FRAGMENTS if fragments else 0) | (QUOTATIONS if quotations else 0)
