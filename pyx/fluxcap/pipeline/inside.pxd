# Filters and what lies inside. As tcpdump's, a filter sees the outermost headers: `udp` refuses what has a VLAN tag. So
# it is put to the innermost IP packet too, either in earnest or to count what it has overlooked.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.bytes cimport be16
from fluxcap.base.numbers cimport ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD, ETHERTYPE_VLAN
from fluxcap.base.types cimport (
    ANOMALIES_END, Batch, Decoder, FILTERED, Packet, REFUSED_INSIDE, REFUSED_TAGGED, reset)
from fluxcap.layers.link cimport ETHERNET_HEADER, LINKTYPE_ETHERNET
from fluxcap.pipeline.filter cimport FilterProgram, run_filter

cdef enum:
    VLAN_TAG = 4

cdef inline bint accepts_inside(const FilterProgram* f, const Packet* p) noexcept nogil:
    """Does the filter accept the innermost IP packet of a record that is decoded? A record without one is refused."""
    cdef uint32_t wire
    if p.ip_version == 0 or p.ip_at >= p.captured:
        return False
    wire = p.wire - p.ip_at if p.wire > p.ip_at else 0
    if p.ip_length and p.ip_length < wire:      # what follows the packet is padding
        wire = p.ip_length
    return run_filter(f, p.data + p.ip_at, min(p.captured - p.ip_at, wire), wire) != 0

cdef inline bint lies_deeper(const Packet* p) noexcept nogil:
    """Is there more than a link header in front of the innermost IP packet?"""
    return (p.depth or p.key.vlan or p.key.mpls_label
            or p.link_type == LINKTYPE_ETHERNET and p.ip_at > ETHERNET_HEADER)

cdef inline bint has_one_tag(const Packet* p) noexcept nogil:
    """Is a VLAN tag all that is between Ethernet's header and IP's?"""
    cdef uint32_t tag = be16(p.data + ETHERNET_HEADER - 2) if p.captured >= ETHERNET_HEADER else 0
    return (p.depth == 0 and p.link_type == LINKTYPE_ETHERNET and p.ip_at == ETHERNET_HEADER + VLAN_TAG
            and (tag == ETHERTYPE_VLAN or tag == ETHERTYPE_QINQ or tag == ETHERTYPE_QINQ_OLD))      # as `vlan` has them

cdef inline void look_inside(const FilterProgram* f, const Batch* batch, const Decoder* decoder,
                             uint64_t* anomalies) noexcept nogil:
    """Count what was refused and would be accepted if the filter saw the innermost IP packet."""
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
    """Refuse what the filter does not accept of packets that are decoded."""
    cdef Packet* p
    cdef uint32_t i
    for i in range(batch.n):
        p = &batch.packets[i]
        p.refused = not accepts_inside(f, p)
        if p.refused:
            reset(p, FILTERED)
