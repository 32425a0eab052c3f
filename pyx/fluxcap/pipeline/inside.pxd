# Filters on the innermost IP packet. As in tcpdump, a filter sees the outermost headers: `udp` refuses a packet with a
# VLAN tag. So the filter is also run on the innermost IP packet: to decide, or to count what the outer filter missed.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.bytes cimport be16
from fluxcap.base.types cimport (
    ANOMALIES_END, Batch, Decoder, FILTERED, Packet, REFUSED_INSIDE, REFUSED_TAGGED, reset)
from fluxcap.layers.link cimport ETHERNET_HEADER, LINKTYPE_ETHERNET, VLAN_TAG, is_tag
from fluxcap.pipeline.filter cimport FilterProgram, run_filter

cdef inline bint accepts_inside(const FilterProgram* f, const Packet* p) noexcept nogil:
    """Does the filter accept the innermost IP packet of a decoded record? A record without IP is refused."""
    cdef uint32_t wire
    if p.ip_version == 0 or p.ip_at >= p.captured:
        return False
    wire = p.wire - p.ip_at if p.wire > p.ip_at else 0
    if p.ip_length and p.ip_length < wire:      # what follows the packet is padding
        wire = p.ip_length
    return run_filter(f, p.data + p.ip_at, min(p.captured - p.ip_at, wire), wire) != 0

cdef inline bint lies_deeper(const Packet* p) noexcept nogil:
    """Is there more than a link header before the innermost IP packet?"""
    return (p.depth or p.key.vlan or p.key.mpls_label
            or p.link_type == LINKTYPE_ETHERNET and p.ip_at > ETHERNET_HEADER)

cdef inline bint has_one_tag(const Packet* p) noexcept nogil:
    """Does one VLAN tag, and nothing else, stand between the Ethernet header and the IP header?"""
    cdef uint32_t tag = be16(p.data + ETHERNET_HEADER - 2) if p.captured >= ETHERNET_HEADER else 0
    return (p.depth == 0 and p.link_type == LINKTYPE_ETHERNET and p.ip_at == ETHERNET_HEADER + VLAN_TAG
            and is_tag(tag))    # as in `vlan`

cdef inline void look_inside(const FilterProgram* f, const Batch* batch, const Decoder* decoder,
                             uint64_t* anomalies) noexcept nogil:
    """Count the refused records whose innermost IP packet the filter would accept."""
    cdef uint64_t ignored[ANOMALIES_END]
    cdef Packet p
    cdef uint32_t i
    for i in range(batch.n):
        if not batch.packets[i].refused:
            continue
        p = batch.packets[i]
        p.refused = False
        decoder.decode(&p, 1, decoder.ports, decoder.max_depth, 0, ignored)
        if lies_deeper(&p) and accepts_inside(f, &p):
            anomalies[REFUSED_TAGGED if has_one_tag(&p) else REFUSED_INSIDE] += 1

cdef inline void filter_inside(const FilterProgram* f, Batch* batch) noexcept nogil:
    """Refuse the decoded packets whose innermost IP packet the filter does not accept."""
    cdef Packet* p
    cdef uint32_t i
    for i in range(batch.n):
        p = &batch.packets[i]
        p.refused = not accepts_inside(f, p)
        if p.refused:
            reset(p, FILTERED)
