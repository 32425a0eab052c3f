# The one record that is asked for: found among all batches, copied, and watched on its way to a socket.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from fluxcap.base.types cimport Batch, Packet
from fluxcap.explain.whole cimport Whole, add_pieces, forget_whole, free_whole, keep_whole
from fluxcap.pipeline.scan cimport TAPPED, TAPPED_NO_MEMORY, Tapped
from fluxcap.streams.deliveries cimport begin_anew
from fluxcap.streams.demux cimport Demux, tap
from fluxcap.streams.stream cimport Stream

# What all streams and sockets have been handed, and what became of the rest: the columns of Stream, added up.
cdef struct Handed:
    uint64_t octets
    uint64_t messages
    uint64_t refused
    uint64_t cut
    uint64_t retransmitted
    uint64_t overlapping
    uint64_t conflicting
    uint64_t out_of_order
    uint64_t out_of_window
    uint64_t keep_alives
    uint64_t after_end
    uint64_t outside
    uint64_t gap_octets

cdef struct Target:
    Demux* demux
    uint32_t file
    uint64_t number             # in its file
    bint there                  # it has come, and what follows is about it
    Packet packet               # as it was judged by itself; its data is ours
    uint8_t* octets
    Handed before
    Handed after
    Batch piece                 # of a batch
    Whole whole                 # the datagram that it completes

cdef inline void forget_target(Target* t) noexcept nogil:
    free(t.octets)
    t.octets = NULL
    t.there = False
    forget_whole(&t.whole)

cdef inline void free_target(Target* t) noexcept nogil:
    forget_target(t)
    free_whole(&t.whole)

cdef inline Handed handed(const Demux* d) noexcept nogil:
    cdef Handed h
    cdef const Stream* s
    cdef uint64_t i
    memset(&h, 0, sizeof(Handed))
    h.refused = d.pieces.refused
    for i in range(d.reassembly.table.n):
        s = &d.reassembly.table.streams[i]
        h.octets += s.written
        h.messages += s.messages
        h.refused += s.refused
        h.cut += s.cut
        h.retransmitted += s.retransmitted
        h.overlapping += s.overlapping
        h.conflicting += s.conflicting
        h.out_of_order += s.out_of_order
        h.out_of_window += s.out_of_window
        h.keep_alives += s.keep_alives
        h.after_end += s.after_end
        h.outside += s.outside
        h.gap_octets += s.gap_octets
    return h

cdef inline void forget_deliveries(Demux* d) noexcept nogil:
    """The bytes go nowhere: what counts is who would have got them."""
    cdef uint64_t i
    for i in range(d.reassembly.out.n_shares):
        d.reassembly.table.streams[d.reassembly.out.shares[i].stream].touched = 0
    begin_anew(&d.reassembly.out)
    d.reassembly.out.messages.n = d.reassembly.out.gaps.n = 0

cdef inline bint deliver_piece(Target* t, const Batch* batch, uint32_t start, uint32_t end) noexcept nogil:
    """Deliver some packets of a batch. False: memory is out."""
    cdef Tapped tapped = TAPPED
    t.piece.n = end - start
    t.piece.special = batch.special
    memcpy(t.piece.packets, &batch.packets[start], t.piece.n * sizeof(Packet))
    if t.piece.n:
        tapped = tap(t.demux, &t.piece)
        forget_deliveries(t.demux)
    return tapped != TAPPED_NO_MEMORY

cdef inline bint keep_record(Target* t, const Packet* p) noexcept nogil:
    t.octets = <uint8_t*>malloc(p.captured if p.captured else 1)
    if t.octets == NULL:
        return False
    memcpy(t.octets, p.data, p.captured)
    t.packet = p[0]
    t.packet.data = t.octets
    t.there = True
    return True

cdef inline Tapped watch(void* to, const Batch* batch) noexcept nogil:
    """Deliver the packets up to the one that is asked for; those that follow change nothing for it."""
    cdef Target* t = <Target*>to
    cdef uint32_t i = 0
    if t.there:
        return TAPPED
    while i < batch.n and not (batch.packets[i].number == t.number and batch.packets[i].key.file == t.file):
        i += 1
    if not deliver_piece(t, batch, 0, i) or not add_pieces(&t.whole, batch, i):
        return TAPPED_NO_MEMORY
    if i == batch.n:
        return TAPPED
    t.before = handed(t.demux)
    if not keep_record(t, &batch.packets[i]) or not deliver_piece(t, batch, i, i + 1) or \
            not keep_whole(&t.whole, &batch.packets[i]):
        return TAPPED_NO_MEMORY
    t.after = handed(t.demux)
    return TAPPED
