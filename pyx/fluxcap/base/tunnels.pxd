# Which UDP ports carry which kind of tunnel: the registered ones, and those that the user names.

from libc.stdint cimport uint8_t, uint32_t

cdef enum TunnelKind:
    NO_TUNNEL
    VXLAN
    VXLAN_GPE
    GENEVE
    GTP
    TEREDO
    CAPWAP
    GRE_IN_UDP
    MPLS_IN_UDP
    L2TP
    TZSP
    LISP
    AYIYA
    TUNNEL_KINDS_END

cdef enum:
    UDP_PORTS = 65536
    PORT_BLOCKS = 256           # ... of 256 ports each

cdef struct TunnelPorts:
    uint8_t blocks[PORT_BLOCKS]     # has one of the ports of a block a kind?
    uint8_t kinds[UDP_PORTS]    # TunnelKind by port

cdef inline void set_tunnel(TunnelPorts* t, uint32_t port, TunnelKind kind) noexcept nogil:
    t.kinds[port] = <uint8_t>kind
    t.blocks[port >> 8] = True

cdef inline bint has_tunnel(const TunnelPorts* t, uint32_t a, uint32_t b) noexcept nogil:
    """Does one of two ports carry a tunnel? `blocks` answers for most pairs, without a look at the 64 KiB of kinds,
    which would push other data out of L1."""
    return t.blocks[a >> 8] | t.blocks[b >> 8] and t.kinds[a] | t.kinds[b]
