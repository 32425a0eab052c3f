# What one of the two points saw of one packet: all that a comparison keeps of it. The tap of a scanner makes these; a
# datagram in fragments makes one, at the record that completes it.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from fluxcap.base.bytes cimport hash_bytes, put16
from fluxcap.base.numbers cimport IP_FRAGMENT, IP_TCP, IP_UDP, IP_UDP_LITE
from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport BATCH, Batch, Packet, in_a_flow
from fluxcap.layers.network cimport IPV6_HEADER, IPV6_NEXT_HEADER, IPV6_PAYLOAD_LENGTH
from fluxcap.layers.transport cimport UDP_HEADER
from fluxcap.pipeline.identity cimport Identity, IdentityKey, identify
from fluxcap.pipeline.scan cimport TAPPED, TAPPED_FULL, TAPPED_NO_MEMORY, Tapped
from fluxcap.streams.datagram cimport free_datagrams, length_field, take_back
from fluxcap.streams.pieces cimport Pieces, completes_packet, read_again
from fluxcap.streams.stream cimport Ends, ends_of

cdef enum:                      # Point
    POINT_A
    POINT_B
    POINTS

cdef enum:
    # Sightings that a point collects before they are compared, in another thread: to wake it takes about as long as a
    # hundred of them. Three times 600 KiB a point, as some are read, some are taken, and some are between.
    SEEN_AT_ONCE = 4096
    # The payload is also hashed in so many parts, where no number tells the packet from others of its flow. A packet in
    # which some bytes were changed is recognised by the parts that are as they were.
    PARTS = 4
    START = 8                   # bytes with which a message begins: most snap lengths leave them
    FRAGMENT_HEADER = 8         # of IPv6 (RFC 8200 section 4.5)

cdef struct Sighting:
    Ends ends
    Identity identity
    uint16_t parts[PARTS]       # 0: there is none
    uint16_t start              # a hash of how a message without a number begins; 0: not known
    uint64_t packet             # number of the record in its file
    int64_t time                # ns, by the clock of the point
    uint32_t file
    uint32_t seq                # TCP
    uint32_t length             # bytes of payload
    uint16_t mss                # of a SYN, 0 = not said
    uint8_t ttl
    uint8_t tos
    uint8_t verdict

cdef struct Sightings:
    Sighting* at                # SEEN_AT_ONCE, and a batch more
    uint32_t n

cdef struct Watch:
    IdentityKey key             # the same at both points
    Sightings seen              # until the comparison takes them
    Pieces pieces
    uint64_t compared           # packets that were seen
    uint64_t joined             # fragments that are in others of these
    uint64_t left_out           # records of no flow, or without a time

cdef inline bint open_sightings(Sightings* s) noexcept nogil:
    s.at = <Sighting*>malloc((SEEN_AT_ONCE + BATCH) * sizeof(Sighting))
    return s.at != NULL

cdef inline void free_watch(Watch* w) noexcept nogil:
    free(w.seen.at)
    free_datagrams(&w.pieces.datagrams)

cdef inline void hash_parts(const Packet* p, const IdentityKey* key, Sighting* s) noexcept nogil:
    """Hash the parts of a message that has no number of its own, and how it begins."""
    cdef uint64_t at = <uint64_t>p.sum_at + UDP_HEADER, n = p.payload_length, begins = min(n, <uint64_t>START)
    cdef uint64_t from_, end
    cdef int i
    cdef bint is_message = p.key.protocol == IP_UDP or p.key.protocol == IP_UDP_LITE
    cdef bint there = is_message and at + n <= p.captured
    for i in range(PARTS):
        from_, end = n * i // PARTS, n * (i + 1) // PARTS
        s.parts[i] = 0
        if there and end > from_:
            s.parts[i] = <uint16_t>hash_bytes(p.data + at + from_, end - from_, key.words) | 1
    if is_message and at + begins <= p.captured:
        s.start = <uint16_t>hash_bytes(p.data + at, begins, key.words) | 1

cdef inline void sight(const Packet* p, const IdentityKey* key, Sighting* s) noexcept nogil:
    identify(p, key, &s.identity)
    s.identity.own |= p.key.protocol == IP_TCP      # sequence numbers do as well
    s.start = 0
    if s.identity.own:
        s.parts[0] = s.parts[1] = s.parts[2] = s.parts[3] = 0
    else:
        hash_parts(p, key, s)
    s.ends = ends_of(&p.key)
    s.packet = p.number
    s.time = p.time
    s.file = p.key.file
    s.seq = p.tcp_seq
    s.length = p.payload_length
    s.mss = <uint16_t>p.tcp_mss
    s.ttl = p.ttl
    s.tos = p.key.tos
    s.verdict = p.verdict

cdef inline void strip_fragment_header(Watch* w) noexcept nogil:
    """Make a datagram over IPv6 what it is without fragments: its fragment header stays when it is put together."""
    cdef Packet* p = &w.pieces.whole.packets[0]
    cdef uint8_t* ip = <uint8_t*>p.data     # the bytes are those of the datagrams, which nobody else reads
    cdef uint8_t kind[FRAGMENT_HEADER]
    if p.captured < IPV6_HEADER + FRAGMENT_HEADER or ip[0] >> 4 != 6 or ip[IPV6_NEXT_HEADER] != IP_FRAGMENT:
        return                  # over IPv4, or with other extension headers
    memcpy(kind, ip + IPV6_HEADER, FRAGMENT_HEADER)
    memmove(ip + FRAGMENT_HEADER, ip, IPV6_HEADER)
    p.data += FRAGMENT_HEADER
    ip += FRAGMENT_HEADER
    ip[IPV6_NEXT_HEADER] = kind[0]
    p.captured -= FRAGMENT_HEADER
    p.wire = p.captured
    put16(ip + IPV6_PAYLOAD_LENGTH, length_field(p.captured - IPV6_HEADER))
    read_again(&w.pieces, w.pieces.decoder.max_depth)

cdef inline const Packet* whole_packet(Watch* w, const Packet* p) noexcept nogil:
    """The packet to compare: the record, or what a fragment completes; NULL where it completes nothing."""
    if not (p.fragmented or p.fragmented_around):
        return p
    if not completes_packet(&w.pieces, p, True):
        w.joined += 1
        return NULL
    strip_fragment_header(w)
    return &w.pieces.whole.packets[0]

cdef inline Tapped see(void* to, const Batch* batch) noexcept nogil:
    """Note what a point sees of the packets of a batch."""
    cdef Watch* w = <Watch*>to
    cdef const Packet* p
    cdef uint32_t i
    if w.seen.n >= SEEN_AT_ONCE:    # nobody has taken those before
        return TAPPED_NO_MEMORY
    take_back(&w.pieces.datagrams)
    for i in range(batch.n):
        p = whole_packet(w, &batch.packets[i])
        if p == NULL:
            continue
        if not in_a_flow(p.disposition) or p.time == NO_TIME:
            w.left_out += 1
            continue
        sight(p, &w.key, &w.seen.at[w.seen.n])
        w.seen.n += 1
        w.compared += 1
    if w.pieces.datagrams.no_memory:
        return TAPPED_NO_MEMORY
    return TAPPED_FULL if w.seen.n >= SEEN_AT_ONCE else TAPPED
