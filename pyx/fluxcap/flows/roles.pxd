# Who began a flow: the sender of the first record, unless the ports say that this sender answers. In a connection, the
# sender of a SYN+ACK answers too.

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fluxcap.base.numbers cimport ACK, FIN, IP_TCP, IP_UDP, RST, SYN
from fluxcap.base.types cimport COUNTED, Digest
from fluxcap.flows.key cimport ABSENT, KeyPlan, is_mapped, swap_ports
from fluxcap.flows.table cimport Flows

cdef inline bint has_port(const uint64_t* ports, uint32_t port) noexcept nogil:
    return ports[port >> 6] >> (port & 63) & 1

cdef inline bint to_broadcast(const KeyPlan* plan, const uint64_t* words, uint32_t flip) noexcept nogil:
    """Is the destination 255.255.255.255?"""
    cdef const uint64_t* ip = words + plan.shape.ip_at + (0 if flip else 2)
    cdef uint32_t v4
    if plan.shape.ip_at == ABSENT:
        return False
    memcpy(&v4, <const char*>ip + 12, 4)
    return is_mapped(ip) and v4 == <uint32_t>0xFFFFFFFFU

cdef inline void ports_of(const Flows* f, const uint64_t* words, uint32_t flip, uint16_t* ports) noexcept nogil:
    """Source and destination port of a record with this key."""
    cdef uint64_t word = swap_ports(words[f.plan.shape.ports_at]) if flip else words[f.plan.shape.ports_at]
    memcpy(ports, &word, 2 * sizeof(uint16_t))

cdef inline const uint64_t* server_ports(const Flows* f, uint32_t protocol) noexcept nogil:
    return &f.servers.tcp[0] if protocol == IP_TCP else &f.servers.udp[0]

cdef inline uint32_t answers(const Flows* f, const uint64_t* words, const Digest* d) noexcept nogil:
    """1 if the server sent the first record of a flow. The rule is that of WantConnection() in Zeek, by the two ports
    (src/packet_analysis/protocol/tcp/TCP.cc, udp/UDP.cc), except for broadcasts (github.com/zeek/zeek#3235)."""
    cdef const uint64_t* servers = server_ports(f, d.protocol)
    cdef uint16_t ports[2]
    if d.protocol != IP_TCP and d.protocol != IP_UDP:
        return 0
    if d.protocol == IP_TCP and d.tcp_flags & (SYN | ACK) == SYN:
        return 0
    ports_of(f, words, d.flip, ports)
    if not has_port(servers, ports[0]) or to_broadcast(&f.plan, words, d.flip):
        return 0
    if has_port(servers, ports[1]):     # both are ports of servers: the lower one serves, except in answer to a SYN
        return d.protocol == IP_TCP and not d.tcp_flags & SYN and ports[0] < ports[1]
    return 1

cdef inline uint32_t accepts(const Flows* f, const uint64_t* words, const Digest* d) noexcept nogil:
    """answers() for connections: the sender of a SYN+ACK answers, whatever the ports."""
    if d.protocol == IP_TCP and d.tcp_flags & (SYN | ACK | FIN | RST) == SYN | ACK:
        return 1
    return answers(f, words, d)

cdef inline bint is_to_server(const Flows* f, const uint64_t* words, const Digest* d) noexcept nogil:
    """Is the destination port, and not the source port, that of a server?"""
    cdef const uint64_t* servers = server_ports(f, d.protocol)
    cdef uint16_t ports[2]
    if d.disposition != COUNTED or (d.protocol != IP_TCP and d.protocol != IP_UDP):
        return False
    ports_of(f, words, d.flip, ports)
    return has_port(servers, ports[1]) and not has_port(servers, ports[0])
