# One row for each IP protocol: transports, extension headers, tunnels.

from libc.stdint cimport uint32_t

from fluxcap.base.numbers cimport (
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, IP_AH, IP_DCCP, IP_DESTINATION_OPTIONS, IP_ETHERNET, IP_FRAGMENT, IP_GRE, IP_HIP,
    IP_HOP_BY_HOP, IP_ICMP, IP_ICMPV6, IP_IGMP, IP_IPV4, IP_IPV6, IP_L2TP, IP_MPLS, IP_PIM, IP_ROUTING, IP_SCTP,
    IP_SHIM6, IP_TCP, IP_UDP, IP_UDP_LITE)
from fluxcap.base.types cimport Packet
from fluxcap.layers.cursor cimport Cursor, Next, STOP
from fluxcap.layers.network cimport authentication, ipv6_fragment, ipv6_options, ipv6_routing, ipv6_skipped
from fluxcap.layers.transport cimport dccp, icmp, icmpv6, igmp, sctp, tcp, udp, udp_lite
from fluxcap.layers.tunnel cimport ethernet_in_ip, gre, ip_in_ip, l2tp_in_ip, mpls_in_ip, pim

cdef inline Next by_protocol(uint32_t protocol, Cursor* c, Packet* p) noexcept nogil:
    if protocol == IP_UDP:
        return udp(c, p)
    elif protocol == IP_TCP:
        return tcp(c, p)
    elif protocol == IP_ICMP:
        return icmp(c, p)
    elif protocol == IP_ICMPV6:
        return icmpv6(c, p)
    elif protocol == IP_SCTP:
        return sctp(c, p)
    elif protocol == IP_UDP_LITE:
        return udp_lite(c, p)
    elif protocol == IP_DCCP:
        return dccp(c, p)
    elif protocol == IP_IGMP:
        return igmp(c, p)
    elif protocol == IP_AH:
        return authentication(c, p)
    elif protocol == IP_IPV4:
        return ip_in_ip(c, p, ETHERTYPE_IPV4)
    elif protocol == IP_IPV6:
        return ip_in_ip(c, p, ETHERTYPE_IPV6)
    elif protocol == IP_GRE:
        return gre(c, p)
    elif protocol == IP_ETHERNET:
        return ethernet_in_ip(c, p)
    elif protocol == IP_MPLS:
        return mpls_in_ip(c, p)
    elif protocol == IP_PIM:
        return pim(c, p)
    elif protocol == IP_L2TP:
        return l2tp_in_ip(c, p)
    elif p.ip_version == 6:
        return by_extension(protocol, c, p)
    return STOP

cdef inline Next by_extension(uint32_t protocol, Cursor* c, Packet* p) noexcept nogil:
    """Extension headers of IPv6; over IPv4 the same numbers are unknown transports."""
    if protocol == IP_HOP_BY_HOP or protocol == IP_DESTINATION_OPTIONS:
        return ipv6_options(c, p)
    elif protocol == IP_FRAGMENT:
        return ipv6_fragment(c, p)
    elif protocol == IP_ROUTING:
        return ipv6_routing(c, p)
    elif protocol == IP_HIP or protocol == IP_SHIM6:
        return ipv6_skipped(c, p)
    return STOP
