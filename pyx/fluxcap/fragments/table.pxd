# Which datagrams are known, and which of them a fragment belongs to.
#
# Up to UNDER_WAY_MAX datagrams are under way at once, whatever their addresses and identifications are; a further one
# takes the place of the oldest. Datagrams that are over are remembered for a while, so that a fragment which comes
# again is recognised. A hash with a random seed finds a datagram in a short list; the seed changes no result.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from fluxcap.base.bytes cimport multiply_fold, native64
from fluxcap.base.memory cimport pages_free, pages_new
from fluxcap.base.times cimport later_by
from fluxcap.base.types cimport DATAGRAMS_EVICTED, Key, Packet
from fluxcap.fragments.queue cimport Link, Queue, join_queue, leave_queue

cdef enum:
    UNDER_WAY_MAX = 2048        # Linux keeps 4 MB of fragments, which is about as many datagrams
    PLACES = 3072               # ... and at least 1,024 that are over; 6 MiB in all
    BUCKETS = 4096
    # A datagram of 64 KiB has 118 fragments of the 576 bytes that every IPv4 host must accept. All of them may come
    # again, before or after the datagram is complete, where a capture has each packet twice.
    KNOWN_PIECES = 128
    LIFETIME_S = 60             # of a datagram, in capture time, from its first fragment to come (RFC 8200 section 4.5)
    LONGEST_DATAGRAM = 65535    # bytes of payload, more than any length field can say
    UNIT = 8                    # fragment offsets are multiples of it
    UNIT_WORDS = 128            # of 64 UNITs: LONGEST_DATAGRAM

# What tells datagrams apart: addresses, identification, over IPv4 the protocol (RFC 791 section 2.3; RFC 8200 section
# 4.5), and the number of tunnels around them, because addresses inside and outside of a tunnel are of two networks.
cdef struct DatagramName:
    uint8_t addresses[32]       # as in the header; 8 bytes of IPv4
    uint32_t id
    uint8_t version
    uint8_t protocol
    uint8_t depth
    uint8_t pad

# What tells a fragment from others of its datagram.
cdef struct KnownPiece:
    uint16_t unit               # where it begins, in UNITs
    uint16_t length             # bytes
    uint16_t sum                # of the captured bytes; folded, in this machine's byte order

cdef struct Datagram:
    DatagramName name
    uint64_t serial
    uint32_t next               # 1 + place of the next one in its bucket, 0 = none
    uint8_t over                # all of it has come; kept so that fragments which come again are recognised
    uint8_t spoiled             # fragments overlap or contradict each other: never verified
    uint8_t contested           # begun while one with this identification was under way: a fragment may be of either
    uint8_t cut                 # some of its bytes were not captured
    int64_t time                # of its first fragment to come that has one, or NO_TIME
    uint32_t total              # bytes of payload, 0 until the last fragment is seen
    uint32_t furthest           # end of the piece that goes furthest
    uint32_t n                  # pieces
    uint32_t n_units            # units that have come
    uint32_t waiting            # 1 + place of the first packet held back for it, 0 = none
    # From the first fragment:
    uint8_t first_seen
    uint8_t disposition
    uint8_t first_verdict
    uint8_t sum_kind
    uint8_t headless            # the checksum field lies in another piece
    uint8_t oversummed          # a piece was summed beyond what the checksum covers
    uint16_t checksum
    uint16_t icmp
    Key key
    uint32_t skip               # bytes of extension headers before the transport header
    uint32_t covered            # bytes that the checksum covers: UDP length; 0 = all
    uint32_t seed               # folded sum of the pseudo-header without its length
    uint64_t sum                # of all pieces, as far as the checksum covers them; not folded
    uint64_t units[UNIT_WORDS]  # a bit for each unit that has come: adding a piece takes no search
    KnownPiece pieces[KNOWN_PIECES]  # the last ones: a ring

cdef struct Fragments:
    Datagram* datagrams         # PLACES of them
    Link* links                 # one for each place; it is in one of the two queues
    uint32_t* buckets           # 1 + place of the first datagram in each, 0 = none
    Queue under_way
    Queue over
    uint32_t n                  # places ever used
    uint64_t serial             # datagrams ever begun
    uint64_t seed

cdef inline bint open_fragments(Fragments* f) noexcept nogil:
    """Memory for the table; False when it is out."""
    if f.datagrams == NULL:
        f.datagrams = <Datagram*>pages_new(PLACES * sizeof(Datagram))
    if f.links == NULL:
        f.links = <Link*>pages_new(PLACES * sizeof(Link))
    if f.buckets == NULL:
        f.buckets = <uint32_t*>pages_new(BUCKETS * sizeof(uint32_t))
    return f.datagrams != NULL and f.links != NULL and f.buckets != NULL

cdef inline void free_fragments(Fragments* f) noexcept nogil:
    pages_free(f.datagrams, PLACES * sizeof(Datagram))
    pages_free(f.links, PLACES * sizeof(Link))
    pages_free(f.buckets, BUCKETS * sizeof(uint32_t))

cdef inline uint32_t place_of(const Fragments* f, const Datagram* d) noexcept nogil:
    return <uint32_t>(d - f.datagrams)

cdef inline DatagramName name_of(const Packet* p) noexcept nogil:
    cdef DatagramName name
    cdef const uint8_t* ip = p.data + p.ip_at
    memset(&name, 0, sizeof(DatagramName))
    name.id = p.fragment_id
    name.version = ip[0] >> 4
    name.depth = p.depth
    if name.version == 4:
        memcpy(name.addresses, ip + 12, 8)
        name.protocol = ip[9]
    else:
        memcpy(name.addresses, ip + 8, 32)
    return name

cdef inline uint32_t* bucket_of(const Fragments* f, const DatagramName* name) noexcept nogil:
    cdef const uint8_t* at = <const uint8_t*>name
    cdef uint64_t hash = f.seed
    cdef uint32_t i
    for i in range(0, <uint32_t>sizeof(DatagramName), 8):
        hash = multiply_fold(hash ^ native64(at + i), f.seed | 1) + i
    return f.buckets + hash % BUCKETS

cdef inline Datagram* find_datagram(const Fragments* f, const DatagramName* name) noexcept nogil:
    """The newest datagram of this name, under way or over; NULL if none is known."""
    cdef uint32_t at = bucket_of(f, name)[0]
    while at:
        if memcmp(&f.datagrams[at - 1].name, name, sizeof(DatagramName)) == 0:
            return &f.datagrams[at - 1]
        at = f.datagrams[at - 1].next
    return NULL

cdef inline void leave_bucket(Fragments* f, const Datagram* d) noexcept nogil:
    cdef uint32_t* at = bucket_of(f, &d.name)
    while at[0] != place_of(f, d) + 1:
        at = &f.datagrams[at[0] - 1].next
    at[0] = d.next

cdef inline Queue* queue_of(Fragments* f, const Datagram* d) noexcept nogil:
    return &f.over if d.over else &f.under_way

cdef inline Datagram* make_place(Fragments* f, uint64_t* anomalies) noexcept nogil:
    """A place for a new datagram: one that was never used, else that of the oldest datagram that is over. Where
    UNDER_WAY_MAX datagrams are under way, the oldest of them makes room instead."""
    cdef Datagram* d
    if f.under_way.n < UNDER_WAY_MAX and f.n < PLACES:
        f.n += 1
        return &f.datagrams[f.n - 1]
    if f.under_way.n == UNDER_WAY_MAX:
        d = &f.datagrams[f.under_way.oldest - 1]
        anomalies[DATAGRAMS_EVICTED] += 1
    else:
        d = &f.datagrams[f.over.oldest - 1]
    leave_queue(queue_of(f, d), f.links, place_of(f, d))
    leave_bucket(f, d)
    return d

cdef inline Datagram* begin_datagram(Fragments* f, Datagram* before, const DatagramName* name, int64_t time,
                                     uint64_t* anomalies) noexcept nogil:
    """Begin a datagram, in the place of the one that had this name before, if there is one."""
    cdef Datagram* d = before
    cdef uint32_t* bucket
    cdef uint32_t next
    if before != NULL:
        leave_queue(queue_of(f, d), f.links, place_of(f, d))
        next = d.next
    else:
        d = make_place(f, anomalies)
        bucket = bucket_of(f, name)
        next = bucket[0]
        bucket[0] = place_of(f, d) + 1
    memset(d, 0, sizeof(Datagram) - sizeof(d.pieces))
    f.serial += 1
    d.serial = f.serial
    d.name = name[0]
    d.next = next
    d.time = time
    join_queue(&f.under_way, f.links, place_of(f, d))
    return d

cdef inline void end_datagram(Fragments* f, Datagram* d) noexcept nogil:
    """All of the datagram has come: the next new fragment with its identification begins another one."""
    leave_queue(&f.under_way, f.links, place_of(f, d))
    d.over = True
    join_queue(&f.over, f.links, place_of(f, d))

cdef inline bint outlives(int64_t began, int64_t time) noexcept nogil:
    """Is `time` more than a lifetime after `began`? False where either is NO_TIME."""
    return later_by(time, began) > <uint64_t>LIFETIME_S * 1000000000
