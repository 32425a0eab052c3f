# The datagram that the record which is asked for completes, put together from the fragments before it.
#
# Fragments are added as fragments/holding.pxd adds them, for the verdict. A kernel drops a fragment whose IPv4 header
# has a bad checksum, and so does Demux; here it counts, because the verdict counts it.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from fluxcap.base.bytes cimport count_bits
from fluxcap.base.types cimport ANOMALIES_END, Batch, Decoder, FRAGMENTS, Packet
from fluxcap.streams.datagram cimport Datagrams, free_datagrams, open_datagrams, put_together, take_back

# A record with a piece of a datagram.
cdef struct PieceAt:
    uint64_t serial             # of the datagram
    uint64_t packet             # number of the record
    uint32_t file
    uint32_t offset             # bytes of the payload of the datagram
    uint32_t length

cdef struct Whole:
    Datagrams datagrams
    const Decoder* decoder
    uint64_t anomalies[ANOMALIES_END]   # counted a second time, for nobody
    PieceAt* pieces               # of all datagrams
    uint64_t n
    uint64_t room
    uint64_t serial             # of the datagram of the record that is asked for, 0 = none
    bint there                  # the record completes it, and what follows is the datagram
    Packet packet               # a record of raw IP; its data is ours
    uint8_t* octets

cdef inline void forget_whole(Whole* w) noexcept nogil:
    """Free the datagram; those under way stay."""
    free(w.octets)
    w.octets = NULL
    w.there = False
    w.serial = 0

cdef inline void free_whole(Whole* w) noexcept nogil:
    forget_whole(w)
    free(w.pieces)
    free_datagrams(&w.datagrams)

cdef inline bint open_whole(Whole* w, uint64_t more) noexcept nogil:
    """Memory for the datagrams under way, and for `more` pieces; False when it is out."""
    cdef uint64_t room = max(2 * w.room, w.n + more)
    cdef PieceAt* grown
    if not open_datagrams(&w.datagrams):
        return False
    if w.n + more <= w.room:
        return True
    grown = <PieceAt*>realloc(w.pieces, room * sizeof(PieceAt))
    if grown == NULL:
        return False
    w.pieces = grown
    w.room = room
    return True

cdef inline bint add_piece(Whole* w, Packet* p) noexcept nogil:
    """Add a fragment. True if it completes its datagram, which the packet is then."""
    cdef PieceAt* piece = &w.pieces[w.n]
    cdef bint completed
    piece.packet = p.number
    piece.file = p.key.file
    piece.offset = p.fragment_offset
    piece.length = p.fragment_length
    completed = put_together(&w.datagrams, p, w.anomalies)
    piece.serial = p.datagram
    w.n += 1
    return completed

cdef inline bint completes(Whole* w, const Packet* record) noexcept nogil:
    """Add a record that may be a fragment, or lie in fragments around tunnels. True if it completes a datagram: that is
    in `packet` until the next one."""
    cdef uint32_t depths = record.fragmented_around, depth = 0
    take_back(&w.datagrams)
    while depths >> depth:
        if depths >> depth & 1:
            w.packet = record[0]
            w.decoder.decode(&w.packet, 1, w.decoder.ports, depth, record.key.file, w.anomalies)
            add_piece(w, &w.packet)
        depth += 1
    w.packet = record[0]
    return record.fragmented and add_piece(w, &w.packet)

cdef inline uint64_t most_pieces(const Packet* record) noexcept nogil:
    return count_bits(record.fragmented_around) + record.fragmented

cdef inline bint add_pieces(Whole* w, const Batch* batch, uint32_t end) noexcept nogil:
    """Add the fragments of a batch up to the record that is asked for. False: memory is out."""
    cdef uint32_t i
    if not batch.special & FRAGMENTS:
        return True
    for i in range(end):
        if not open_whole(w, most_pieces(&batch.packets[i])):
            return False
        completes(w, &batch.packets[i])
    return True

cdef inline bint keep_whole(Whole* w, const Packet* record) noexcept nogil:
    """Add the record that is asked for, and keep the datagram that it completes. False: memory is out."""
    cdef bint completed
    if most_pieces(record) == 0:
        return True
    if not open_whole(w, most_pieces(record)):
        return False
    completed = completes(w, record)
    w.serial = w.packet.datagram
    if not completed:
        return not w.datagrams.no_memory
    w.octets = <uint8_t*>malloc(w.packet.captured)
    if w.octets == NULL:
        return False
    memcpy(w.octets, w.packet.data, w.packet.captured)
    w.packet.data = w.octets
    w.there = True
    return True
