# Packets that wait: the ports of a fragment that came before the first one of its datagram are not known yet. The
# fragment is held back, and so are the records after it, so that records leave in the order in which they came.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fluxcap.base.memory cimport pages_free, pages_new
from fluxcap.base.types cimport BATCH, Batch, Decoder, FRAGMENTS, FRAGMENTS_NOT_HELD, ORPHAN_FRAGMENT, Packet, WAITED
from fluxcap.fragments.datagrams cimport add_fragment, has_first, join
from fluxcap.fragments.table cimport Datagram, Fragments, free_fragments, open_fragments, outlives

cdef enum:
    # Packets held back at most, 2.2 MiB of memory. Senders that put the last fragment first need one datagram of them.
    HELD_MAX = 8192

cdef struct Holding:
    const Decoder* decoder
    Fragments fragments
    Packet* held                # a ring
    uint64_t head               # packets ever released
    uint64_t passed             # ... or ready to be: no packet before this one waits
    uint64_t tail               # packets ever held

cdef inline uint64_t held_count(const Holding* h) noexcept nogil:
    return h.tail - h.head

cdef inline bint open_holding(Holding* h) noexcept nogil:
    """Memory for the ring and the table of datagrams, allocated when the first fragment comes."""
    if h.held == NULL:
        h.held = <Packet*>pages_new(HELD_MAX * sizeof(Packet))
    return h.held != NULL and open_fragments(&h.fragments)

cdef inline void free_holding(Holding* h) noexcept nogil:
    free_fragments(&h.fragments)
    pages_free(h.held, HELD_MAX * sizeof(Packet))

cdef inline void let_go(Holding* h, Datagram* d) noexcept nogil:
    """Release the packets that wait for this datagram. If its first fragment has come, they get its ports."""
    cdef uint32_t place = d.waiting
    cdef Packet* p
    d.waiting = 0
    while place:
        p = &h.held[place - 1]
        # This packet was released early and another one has its place. The rest of the chain is older: it went too.
        if not p.waiting or p.datagram != d.serial:
            break
        place = p.next_held
        p.waiting = False
        if d.first_seen:
            join(d, p)
            p.mark = WAITED

cdef inline void gather_fragment(Holding* h, Packet* p, uint32_t place, uint64_t* anomalies) noexcept nogil:
    cdef Datagram* d = add_fragment(&h.fragments, p, anomalies)
    if d.over or has_first(d):
        let_go(h, d)
    elif p.disposition == ORPHAN_FRAGMENT:
        p.next_held = d.waiting
        p.waiting = True
        d.waiting = place + 1

cdef inline void gather_around(Holding* h, Packet* p, uint64_t* anomalies) noexcept nogil:
    """A first fragment with a tunnel in it is read as the packet inside the tunnel, but the fragmented datagram is the
    one around the tunnel. A copy of the packet is decoded again, down to the fragment header only, and added to that
    datagram, so that its other fragments get their ports. The record keeps the verdict of the packet inside, even if
    it completes the datagram."""
    cdef uint32_t depths = p.fragmented_around, depth = 0
    while depths >> depth:
        if depths >> depth & 1:
            h.decoder.decode(p, 1, h.decoder.ports, depth, p.key.file, anomalies)
            gather_fragment(h, p, 0, anomalies)
        depth += 1

cdef inline bint needs_holding(const Holding* h, const Batch* batch) noexcept nogil:
    return batch.special & FRAGMENTS or held_count(h)

cdef inline void pass_on(Holding* h, bint everything, uint64_t* anomalies) noexcept nogil:
    """Mark those at the head of the ring as ready that need not wait, or have waited long enough. This is done after
    every packet, not after every batch: results must not depend on where batches begin."""
    cdef int64_t newest = h.held[(h.tail - 1) % HELD_MAX].time
    cdef Packet* p
    while h.passed < h.tail:
        p = &h.held[h.passed % HELD_MAX]
        if p.waiting:
            if not everything and h.tail - h.passed <= HELD_MAX - BATCH and \
                    not outlives(p.time, newest):
                break
            anomalies[FRAGMENTS_NOT_HELD] += 1
            p.waiting = False
        h.passed += 1

cdef inline void disown(Packet* p) noexcept nogil:
    """Clear the pointers into the window, which moves on while the packet is held."""
    p.data = p.pseudo_src = p.pseudo_dst = NULL

cdef inline void gather(Holding* h, Batch* batch, uint64_t* anomalies) noexcept nogil:
    """Move a batch into the ring and add its fragments to their datagrams. release() made room for it."""
    cdef uint32_t i, place
    for i in range(batch.n):
        place = <uint32_t>(h.tail % HELD_MAX)
        h.held[place] = batch.packets[i]
        h.tail += 1
        if batch.packets[i].fragmented_around:
            gather_around(h, &batch.packets[i], anomalies)
        if h.held[place].fragmented:
            gather_fragment(h, &h.held[place], place, anomalies)
        disown(&h.held[place])
        pass_on(h, False, anomalies)
    batch.n = 0

cdef inline void release(Holding* h, Batch* batch, uint32_t limit, bint everything, uint64_t* anomalies) noexcept nogil:
    """Put up to `limit` packets that are ready into the batch, in the order in which they came."""
    if everything:
        pass_on(h, True, anomalies)
    batch.n = 0
    while h.head < h.passed and batch.n < limit:
        batch.packets[batch.n] = h.held[h.head % HELD_MAX]
        batch.n += 1
        h.head += 1

cdef inline uint64_t copy_held(const Holding* h, uint64_t at, Batch* batch) noexcept nogil:
    """Copy held packets from number `at` on into a batch; they stay held. Returns the number after them."""
    batch.n = 0
    while at < h.tail and batch.n < BATCH:
        batch.packets[batch.n] = h.held[at % HELD_MAX]
        batch.n += 1
        at += 1
    return at
