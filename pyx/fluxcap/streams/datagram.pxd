# Reassembling datagrams from fragments. fragments/ says which fragments belong together and when all are there. This
# file keeps their bytes and makes one IP packet of them, which the decoder reads like any other packet. So a datagram
# in fragments may hold anything: a message, a TCP segment, a tunnel.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport put16
from fluxcap.base.memory cimport pages_free, pages_new
from fluxcap.base.types cimport Packet
from fluxcap.fragments.datagrams cimport add_fragment, is_complete
from fluxcap.fragments.queue cimport Link, Queue, join_queue, leave_queue
from fluxcap.fragments.table cimport Datagram, Fragments, PLACES, free_fragments, open_fragments, place_of
from fluxcap.layers.link cimport LINKTYPE_RAW

cdef enum:
    # Room for the headers before the payload: IP header and extension headers. A datagram with more is not reassembled.
    MAX_HEAD = 512
    MAX_ASSEMBLED = 16 << 20    # bytes kept for all datagrams under way; Linux keeps 4 MiB (ipfrag_high_thresh)
    MAX_LENGTH = 0xFFFF         # the most that a length field can hold; longer packets have 0 there

# The bytes of one datagram, behind this struct in one allocation. A store has one owner at a time, which frees it: an
# Assembly while the datagram is under way, the list `lent` once a packet points into the store.
cdef struct Store:
    Store* next                 # the next one in `lent`
    uint32_t room               # bytes

cdef struct Assembly:
    uint64_t serial             # serial number of the datagram
    Store* store                # headers end and payload begins at byte MAX_HEAD; NULL: nothing is kept
    uint32_t head               # bytes of headers; 0: the first fragment has not come
    uint32_t n                  # fragments kept
    uint8_t lost                # its bytes were given up, or the capture lacks some
    uint8_t done

cdef struct Datagrams:
    Fragments fragments
    Assembly* assemblies        # PLACES of them, as in fragments.datagrams
    Link* links                 # the queue of those that have a store, the oldest first
    Queue stored
    Store* lent                 # packets of this batch point into these; freed when the next batch begins
    uint64_t octets             # bytes kept for datagrams under way
    uint64_t incomplete         # datagrams given up: a fragment was missing, or there was no room
    bint no_memory              # memory was out, so the bytes of a fragment are missing

cdef inline bint open_datagrams(Datagrams* d) noexcept nogil:
    """Allocate the tables. Called at the first fragment, so that other captures do not pay for them."""
    if d.assemblies == NULL:
        d.assemblies = <Assembly*>pages_new(PLACES * sizeof(Assembly))
    if d.links == NULL:
        d.links = <Link*>pages_new(PLACES * sizeof(Link))
    if d.assemblies == NULL or d.links == NULL or not open_fragments(&d.fragments):
        d.no_memory = True
    return not d.no_memory

cdef inline uint8_t* bytes_of(Store* store) noexcept nogil:
    return <uint8_t*>(store + 1)

cdef inline Store* release_store(Datagrams* d, Assembly* a) noexcept nogil:
    cdef Store* store = a.store
    a.store = NULL
    d.octets -= store.room
    leave_queue(&d.stored, d.links, <uint32_t>(a - d.assemblies))
    return store

cdef inline void forget(Datagrams* d, Assembly* a) noexcept nogil:
    """Free the bytes of a datagram under way. No packet points to them: see lend()."""
    if a.store != NULL:
        free(release_store(d, a))

cdef inline Store* lend(Datagrams* d, Assembly* a) noexcept nogil:
    """Take the bytes of a whole datagram out of its assembly. A packet may point to them until the next batch, whatever
    other fragments come."""
    cdef Store* store = release_store(d, a)
    store.next = d.lent
    d.lent = store
    return store

cdef inline void take_back(Datagrams* d) noexcept nogil:
    """Free the lent stores: the batch is over, and no packet points to them any longer."""
    cdef Store* store
    while d.lent != NULL:
        store = d.lent
        d.lent = store.next
        free(store)

cdef inline void free_datagrams(Datagrams* d) noexcept nogil:
    cdef uint32_t i
    take_back(d)
    if d.assemblies != NULL:
        for i in range(<uint32_t>PLACES):
            forget(d, &d.assemblies[i])
    pages_free(d.assemblies, PLACES * sizeof(Assembly))
    pages_free(d.links, PLACES * sizeof(Link))
    free_fragments(&d.fragments)

cdef inline void abandon(Datagrams* d, Assembly* a) noexcept nogil:
    a.lost = True
    forget(d, a)

cdef inline void make_room(Datagrams* d, const Assembly* but) noexcept nogil:
    """Give up datagrams other than `but`, the oldest first, until there is room again."""
    cdef uint32_t at = d.stored.oldest, place
    while at and d.octets > MAX_ASSEMBLED:
        place = at - 1
        at = d.links[place].newer
        if &d.assemblies[place] != but:
            abandon(d, &d.assemblies[place])

cdef inline bint widen(Datagrams* d, Assembly* a, uint32_t wanted) noexcept nogil:
    cdef uint32_t larger = a.store.room if a.store != NULL else 2048
    cdef Store* grown
    if a.store != NULL and wanted <= a.store.room:
        return True
    while larger < wanted:
        larger *= 2
    grown = <Store*>realloc(a.store, sizeof(Store) + larger)
    if grown == NULL:
        d.no_memory = True
        return False
    if a.store == NULL:
        join_queue(&d.stored, d.links, <uint32_t>(a - d.assemblies))
        d.octets += larger
    else:
        d.octets += larger - grown.room
    grown.room = larger
    a.store = grown
    make_room(d, a)
    return True

cdef inline void keep_piece(Datagrams* d, Assembly* a, const Packet* p) noexcept nogil:
    cdef uint32_t head = p.fragment_at - p.ip_at
    cdef uint8_t* payload
    # The lengths of a record may be wrong, so that the record ends before its fragment.
    if p.captured < p.fragment_at or p.captured - p.fragment_at < p.fragment_length or \
            p.fragment_offset == 0 and head > MAX_HEAD or \
            not widen(d, a, MAX_HEAD + p.fragment_offset + p.fragment_length):
        a.lost = True
        return
    payload = bytes_of(a.store) + MAX_HEAD
    memcpy(payload + p.fragment_offset, p.data + p.fragment_at, p.fragment_length)
    if p.fragment_offset == 0:
        a.head = head
        memcpy(payload - head, p.data + p.ip_at, head)

cdef inline uint16_t length_field(uint32_t octets) noexcept nogil:
    return <uint16_t>octets if octets <= MAX_LENGTH else 0

cdef inline void make_whole(Store* lent, uint32_t head, uint32_t total, Packet* p) noexcept nogil:
    """Turn the packet, the fragment that completed the datagram, into the whole datagram: a record of raw IP, with no
    mark of a fragment. Over IPv6 the fragment header stays, with offset 0 and no more fragments (RFC 6946)."""
    cdef uint8_t* ip = bytes_of(lent) + MAX_HEAD - head
    cdef uint8_t* fragment
    if ip[0] >> 4 == 4:
        put16(ip + 2, length_field(head + total))
        put16(ip + 6, 0)
        put16(ip + 10, 0)     # the header checksum of a fragment is not that of the whole
    else:
        put16(ip + 4, length_field(head + total - 40))
        fragment = bytes_of(lent) + MAX_HEAD - 8
        put16(fragment + 2, 0)
    p.data = ip
    p.link_type = LINKTYPE_RAW
    p.fcs = 0
    p.refused = False
    p.captured = head + total
    p.wire = p.captured

cdef inline bint put_together(Datagrams* d, Packet* p, uint64_t* anomalies) noexcept nogil:
    """Add a fragment. True if it completed its datagram: the packet is the whole datagram until the next batch."""
    cdef Datagram* datagram = add_fragment(&d.fragments, p, anomalies)
    cdef Assembly* a = &d.assemblies[place_of(&d.fragments, datagram)]
    if a.serial != datagram.serial:
        d.incomplete += a.serial != 0 and a.done == 0
        forget(d, a)
        memset(a, 0, sizeof(Assembly))
        a.serial = datagram.serial
    elif a.done:
        return False            # a second copy of a fragment
    if datagram.spoiled:
        abandon(d, a)
    if datagram.n > a.n:        # else the fragment came before, or does not fit
        a.n = datagram.n
        if not a.lost:
            keep_piece(d, a, p)
    if not is_complete(datagram) or a.lost or a.head == 0:
        return False
    a.done = True
    make_whole(lend(d, a), a.head, datagram.total, p)
    return True

cdef inline uint64_t incomplete_datagrams(const Datagrams* d) noexcept nogil:
    """Datagrams that were begun and not delivered."""
    cdef uint64_t n = d.incomplete
    cdef uint32_t i
    if d.assemblies != NULL:
        for i in range(<uint32_t>PLACES):
            n += d.assemblies[i].serial != 0 and d.assemblies[i].done == 0
    return n
