# The path of one record: the headers that the walk passes, one after the other, and where each begins and ends.
#
# It takes the steps of decode() one by one and notes each. So a record cannot have another path here than in a table.

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.numbers cimport IP_DCCP, IP_TCP
from fluxcap.base.types cimport Decoder, Packet
from fluxcap.layers.cursor cimport Cursor, LINK, MAX_LAYERS, Next, PROTOCOL, STOP, UDP_TUNNEL
from fluxcap.layers.decode cimport begin_walk, step
from fluxcap.layers.transport cimport DCCP_DATA_OFFSET, TCP_DATA_OFFSET, UDP_HEADER
from fluxcap.layers.udp_tunnel cimport tunnel_kind

# A step of the walk: one header, or several that one function reads.
cdef struct PathHop:
    Next what                   # which number led to the header; for a tunnel in UDP, its kind
    uint32_t at                 # its first byte
    uint32_t end                # where the walk went on; the same where it stopped
    uint32_t captured           # ends of the packet that the header is in, as the headers before it left them
    uint32_t wire
    uint8_t depth               # tunnels around it

cdef struct Path:
    PathHop hops[MAX_LAYERS]
    uint32_t n

cdef inline void follow_path(Path* path, const Packet* record, const Decoder* decoder) noexcept nogil:
    cdef Packet p = record[0]
    cdef Cursor c
    cdef PathHop* hop
    cdef Next next = <Next>LINK | p.link_type
    c.ports = decoder.ports
    c.max_depth = <uint8_t>decoder.max_depth
    begin_walk(&p, &c, 0)
    path.n = 0
    while next != STOP and path.n < MAX_LAYERS:
        hop = &path.hops[path.n]
        hop.what = next
        hop.at = c.at
        hop.captured = c.captured
        hop.wire = c.wire
        hop.depth = p.depth
        if next == UDP_TUNNEL:
            hop.what |= tunnel_kind(&c, &p)
            hop.at += UDP_HEADER
        next = step(next, &c, &p)
        hop.end = c.at
        path.n += 1

cdef inline uint32_t stated_length(const PathHop* hop, const uint8_t* data) noexcept nogil:
    """Bytes of a header behind which the walk does not go on, if the header states its length; else 0."""
    cdef uint32_t left = hop.captured - hop.at
    if hop.what == (<Next>PROTOCOL | IP_TCP) and left > TCP_DATA_OFFSET:
        return (data[hop.at + TCP_DATA_OFFSET] >> 4) * 4
    if hop.what == (<Next>PROTOCOL | IP_DCCP) and left > DCCP_DATA_OFFSET:
        return data[hop.at + DCCP_DATA_OFFSET] * 4
    return 0
