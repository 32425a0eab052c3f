# The payload of packets that were changed between the points, kept from a third reading: where do both begin to differ?

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from fluxcap.base.arrays cimport reserve_array
from fluxcap.base.types cimport Batch, Packet
from fluxcap.compare.sighting cimport Watch, whole_packet
from fluxcap.pipeline.identity cimport transport_length
from fluxcap.pipeline.scan cimport TAPPED, TAPPED_NO_MEMORY, Tapped
from fluxcap.streams.datagram cimport take_back

cdef enum:
    # Bytes that a point keeps at most: 40,000 packets of full Ethernet frames. Where more were changed, somebody
    # changes all, and the first ones tell where.
    MAX_KEPT = 64 << 20
    FIRST_KEPT = 1 << 16

cdef struct WantedPayload:
    uint64_t file
    uint64_t packet
    uint64_t at                 # in Payloads.octets
    uint64_t n                  # bytes there
    bint there

cdef struct Payloads:
    Watch* watch
    WantedPayload* wanted       # in the order in which the records come
    uint64_t n
    uint64_t next
    uint8_t* octets
    uint64_t kept
    uint64_t room

cdef inline void free_payloads(Payloads* k) noexcept nogil:
    free(k.wanted)
    free(k.octets)

cdef inline bint keep_payload(Payloads* k, WantedPayload* to, const Packet* p) noexcept nogil:
    """Keep the payload of a packet, if there is room. False: memory is out."""
    cdef uint64_t end = min(<uint64_t>p.ip_at + p.ip_length, <uint64_t>p.captured), at = p.sum_at
    if at < end:
        at += transport_length(p.key.protocol, p.data + at, <uint32_t>(end - at))
    to.n = end - at if at < end else 0
    if k.kept + to.n > MAX_KEPT:
        return True
    if not reserve_array(<void**>&k.octets, &k.room, k.kept + to.n, FIRST_KEPT, 1):
        return False
    memcpy(k.octets + k.kept, p.data + at, to.n)
    to.at = k.kept
    to.there = True
    k.kept += to.n
    return True

cdef inline Tapped keep_payloads(void* to, const Batch* batch) noexcept nogil:
    """Keep the payload of those packets of a batch that are wanted."""
    cdef Payloads* k = <Payloads*>to
    cdef WantedPayload* wanted
    cdef const Packet* p
    cdef uint32_t i
    take_back(&k.watch.pieces.datagrams)
    for i in range(batch.n):
        p = whole_packet(k.watch, &batch.packets[i])
        if p == NULL or k.next == k.n:
            continue
        wanted = &k.wanted[k.next]
        if p.number == wanted.packet and p.key.file == wanted.file:
            k.next += 1
            if not keep_payload(k, wanted, p):
                return TAPPED_NO_MEMORY
    return TAPPED_NO_MEMORY if k.watch.pieces.datagrams.no_memory else TAPPED

cdef inline int64_t first_difference(const Payloads* a, uint64_t of_a, const Payloads* b, uint64_t of_b) noexcept nogil:
    """The place of the first byte that is not the same, or behind the shorter payload; -1 where one was not kept."""
    cdef const WantedPayload* one = &a.wanted[of_a]
    cdef const WantedPayload* other = &b.wanted[of_b]
    cdef uint64_t i = 0, n = min(one.n, other.n)
    if not (one.there and other.there):
        return -1
    while i < n and a.octets[one.at + i] == b.octets[other.at + i]:
        i += 1
    return <int64_t>i
