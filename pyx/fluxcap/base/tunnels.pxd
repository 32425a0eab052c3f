# Which UDP ports carry which kind of tunnel: the registered ones, and those that the user names.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

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

cdef struct TunnelPorts:
    uint64_t blocks             # bit n: a tunnel's port lies in a block of 256 ports whose number modulo 64 is n
    uint8_t kinds[UDP_PORTS]    # TunnelKind by port

cdef inline void set_tunnel(TunnelPorts* t, uint32_t port, TunnelKind kind) noexcept nogil:
    t.kinds[port] = <uint8_t>kind
    t.blocks |= <uint64_t>1 << (port >> 8 & 63)

cdef inline bint has_tunnel(const TunnelPorts* t, uint32_t a, uint32_t b) noexcept nogil:
    """Does one of two ports carry a tunnel? `blocks` answers for most pairs, without a look at the 64 KiB of kinds,
    which would push other data out of L1."""
    return t.blocks & (<uint64_t>1 << (a >> 8 & 63) | <uint64_t>1 << (b >> 8 & 63)) != 0 and t.kinds[a] | t.kinds[b]
