# One direction of a TCP connection, or one socket that messages are sent to; and the table of them.
#
# A slot of the index has 64 bits, as in the flow table: the tag, which is 32 bits of the hash, and the place of the
# stream plus one. The upper bits of the tag are the home of the slot, so growing the index never touches a stream.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from fluxcap.base.bytes cimport multiply_fold, native64
from fluxcap.base.memory cimport pages_free, pages_grow, pages_new
from fluxcap.base.types cimport BATCH, Key
from fluxcap.streams.held cimport Held

cdef enum:
    FIRST_STREAMS = 1024
    FIRST_BITS = 12             # bits of the first index
    MAX_STREAMS = 1 << 30       # a slot has 32 bits for the place, and a tag 32 for twice as many slots
    REOPENED = 3                # streams that reopen() adds at most
    # A packet adds four streams at most: one that it shows for the first time, and those of reopen().
    STREAMS_AT_ONCE = (1 + REOPENED) * BATCH

cdef enum Began:
    BEGAN_NOT                   # nothing seen yet that tells where the stream begins
    BEGAN_SYN
    BEGAN_MIDSTREAM             # at the first bytes that were seen
    BEGAN_MESSAGES              # a socket of messages, which has no beginning

cdef enum Ended:
    ENDED_NOT
    ENDED_FIN
    ENDED_RST

# The two ends of a stream. The source of a socket is zero.
cdef struct Ends:
    uint8_t src_ip[16]
    uint8_t dst_ip[16]
    uint16_t src_port
    uint16_t dst_port
    uint32_t protocol

cdef struct Stream:
    Ends ends
    uint32_t number             # number of the connection or socket
    uint8_t way                 # 0: from the side that was seen first
    uint8_t began
    uint8_t ended
    uint8_t aside               # ASIDE_... bits: what is not believed yet
    uint32_t touched            # 1 + its place in Deliveries.shares, 0 = no bytes to hand over
    uint32_t ring               # 1 + number of the ring with its last bytes, 0 = none
    uint32_t base               # sequence number of position 0
    uint32_t peer               # 1 + place of the other direction, 0 = not seen
    uint32_t older              # 1 + place of this direction in the connection before, 0 = none
    uint32_t isn                # sequence number of the SYN that is not believed yet
    uint32_t isn_octets         # bytes of data in that SYN
    uint32_t line               # end of the second line of sequence numbers
    uint32_t far_ack            # an acknowledgment far off, to which no segment belongs yet
    uint32_t fin_at             # sequence number of a FIN before any bytes
    uint32_t acked              # the last acknowledgment of the other side, where there was one
    uint32_t reset_at           # sequence number of a RST that is not believed yet,
    uint32_t reset_edge         # ... and edge_of() the stream when it came
    uint8_t acknowledged        # the other side has acknowledged the SYN, or more
    uint8_t superseded          # by a connection that there was no room for: what comes is left out
    uint8_t reset               # there is a RST that is not believed yet
    uint64_t next               # position of the byte to be delivered next
    uint64_t top                # position behind all bytes that are believed
    uint64_t doubted            # position of the first bytes held that are not believed, 0 = none
    uint64_t doubt_end          # position behind the last segment that was not believed
    uint64_t doubtful           # segments that are not believed
    uint64_t fin                # position of the FIN, once `ended` says that there is one
    uint64_t far_fin            # position of a FIN that is not believed yet, 0 = none
    uint64_t written            # bytes delivered: the next ones go here in the file
    uint64_t gap                # bytes that were skipped right before the next ones
    Held* held                  # bytes that came too early; NULL: none
    # the columns of the stream in the index of a delivery
    int64_t first               # of the packets that have a time; NO_TIME where none has
    int64_t last
    uint64_t packets
    uint64_t messages
    uint64_t gaps
    uint64_t gap_octets
    uint64_t refused
    uint64_t cut
    uint64_t retransmitted
    uint64_t overlapping
    uint64_t conflicting
    uint64_t out_of_order
    uint64_t out_of_window
    uint64_t keep_alives
    uint64_t after_end
    # where each byte of its segments went, besides `written` and `after_end`
    uint64_t octets
    uint64_t cut_octets         # cut by the snap length: in gaps
    uint64_t repeated           # had come before
    uint64_t outside            # not believed: before the beginning, far off, or of another line
    int64_t isn_time

cdef struct Streams:
    Stream* streams
    uint64_t n
    uint64_t room
    uint64_t* index
    uint32_t bits
    uint64_t seed
    uint32_t numbers            # connections and sockets
    uint64_t max_octets         # bytes of memory, 0 = no bound
    uint64_t column_octets      # bytes of a stream as columns

cdef inline Ends ends_of(const Key* key) noexcept nogil:
    cdef Ends ends
    memcpy(ends.src_ip, key.src_ip, 32)
    ends.src_port = key.src_port
    ends.dst_port = key.dst_port
    ends.protocol = key.protocol
    return ends

cdef inline Ends turned(const Ends* ends) noexcept nogil:
    cdef Ends other
    memcpy(other.src_ip, ends.dst_ip, 16)
    memcpy(other.dst_ip, ends.src_ip, 16)
    other.src_port = ends.dst_port
    other.dst_port = ends.src_port
    other.protocol = ends.protocol
    return other

cdef inline uint32_t edge_of(const Stream* s) noexcept nogil:
    """The sequence number behind all bytes that are believed, and behind the FIN."""
    return <uint32_t>(s.base + s.top) + (s.ended == ENDED_FIN)

cdef inline uint64_t tag_of(const Streams* t, const Ends* ends) noexcept nogil:
    cdef const uint8_t* at = <const uint8_t*>ends
    cdef uint64_t hash = t.seed
    cdef uint32_t i
    for i in range(0, 40, 8):
        hash = multiply_fold(hash ^ native64(at + i), t.seed | 1) + i
    return multiply_fold(hash, t.seed | 1) >> 32

cdef inline uint64_t* slot_of(const Streams* t, const Ends* ends, uint64_t tag) noexcept nogil:
    """The slot that leads to the stream with these ends, or the empty one where it belongs."""
    cdef uint64_t mask = (<uint64_t>1 << t.bits) - 1, at = tag >> (32 - t.bits)
    while t.index[at] and not (t.index[at] >> 32 == tag and
                               memcmp(&t.streams[<uint32_t>t.index[at] - 1].ends, ends, sizeof(Ends)) == 0):
        at = at + 1 & mask
    return t.index + at

cdef inline bint grow_index(Streams* t) noexcept nogil:
    cdef uint32_t bits = t.bits + 1 if t.bits else FIRST_BITS
    cdef uint64_t size = <uint64_t>1 << bits, old = <uint64_t>1 << t.bits if t.bits else 0, i, at
    cdef uint64_t* index = <uint64_t*>pages_new(size * 8)
    if index == NULL:
        return False
    for i in range(old):
        if t.index[i]:
            at = t.index[i] >> 32 >> (32 - bits)
            while index[at]:
                at = at + 1 & size - 1
            index[at] = t.index[i]
    pages_free(t.index, old * 8)
    t.index = index
    t.bits = bits
    return True

cdef inline uint64_t index_size(uint64_t streams) noexcept nogil:
    """Slots for so many streams, three quarters full at most."""
    cdef uint64_t size = <uint64_t>1 << FIRST_BITS
    while streams * 4 > 3 * size:
        size *= 2
    return size

cdef inline bint has_room(const Streams* t, uint64_t more) noexcept nogil:
    """May the table have so many streams more? A growing index takes one and a half times its size."""
    cdef uint64_t n = t.n + more
    return t.max_octets == 0 or \
        n * (sizeof(Stream) + t.column_octets) + 12 * index_size(n + STREAMS_AT_ONCE) <= t.max_octets

cdef inline bint reserve_streams(Streams* t) noexcept nogil:
    """Make room for the streams that a batch adds; False when memory is out, or there are MAX_STREAMS. Call between
    batches, because streams move."""
    cdef uint64_t larger = t.room if t.room else FIRST_STREAMS, more = STREAMS_AT_ONCE
    cdef void* grown
    if t.n + more > MAX_STREAMS:
        return False
    while t.bits == 0 or index_size(t.n + more) > <uint64_t>1 << t.bits:
        if not grow_index(t):
            return False
    if t.n + more <= t.room:
        return True
    while larger < t.n + more:
        larger *= 2
    grown = pages_grow(t.streams, t.room * sizeof(Stream), larger * sizeof(Stream))
    if grown == NULL:
        return False
    t.streams = <Stream*>grown
    t.room = larger
    return True

cdef inline void free_streams(Streams* t) noexcept nogil:
    pages_free(t.streams, t.room * sizeof(Stream))
    pages_free(t.index, <uint64_t>8 << t.bits if t.bits else 0)

cdef inline Stream* add_stream(Streams* t, const Ends* ends, uint64_t* slot, uint64_t tag) noexcept nogil:
    """Add a stream, and let the slot lead to it. New memory is zeroed already."""
    cdef Stream* s = &t.streams[t.n]
    s.ends = ends[0]
    t.n += 1
    slot[0] = tag << 32 | t.n
    return s

cdef inline Stream* socket_to(Streams* t, const Key* key) noexcept nogil:
    """The socket that a message is sent to; NULL: there is no room for another."""
    cdef Ends ends = ends_of(key)
    cdef uint64_t tag
    cdef uint64_t* slot
    cdef Stream* s
    memset(ends.src_ip, 0, 16)
    ends.src_port = 0
    tag = tag_of(t, &ends)
    slot = slot_of(t, &ends, tag)
    if slot[0]:
        return &t.streams[<uint32_t>slot[0] - 1]
    if not has_room(t, 1):
        return NULL
    s = add_stream(t, &ends, slot, tag)
    s.began = BEGAN_MESSAGES
    t.numbers += 1
    s.number = t.numbers
    return s

cdef inline Stream* stream_at(const Streams* t, uint32_t number) noexcept nogil:
    """The stream at this place plus one; NULL for 0."""
    return &t.streams[number - 1] if number else NULL

cdef inline uint32_t number_of(const Streams* t, const Stream* s) noexcept nogil:
    return <uint32_t>(s - t.streams) + 1

cdef inline void join(Streams* t, Stream* s, Stream* peer) noexcept nogil:
    """Make `s` the other direction of the connection of `peer`."""
    s.number = peer.number
    s.way = not peer.way
    s.peer = number_of(t, peer)
    peer.peer = number_of(t, s)

cdef inline Stream* open_stream(Streams* t, const Ends* ends, uint64_t* slot, uint64_t tag) noexcept nogil:
    """Add a direction at its first segment: to the connection whose other direction is known, or to a new one."""
    cdef Ends back = turned(ends)
    cdef uint64_t* there = slot_of(t, &back, tag_of(t, &back))
    cdef Stream* peer = stream_at(t, <uint32_t>there[0])
    cdef Stream* s = add_stream(t, ends, slot, tag)
    if peer != NULL and peer != s:
        join(t, s, peer)
    else:
        t.numbers += 1
        s.number = t.numbers
    return s

cdef inline Stream* stream_of(Streams* t, const Key* key) noexcept nogil:
    """The direction that a segment belongs to, of the last connection with its addresses and ports; NULL: there is no
    room for another."""
    cdef Ends ends = ends_of(key)
    cdef uint64_t tag = tag_of(t, &ends)
    cdef uint64_t* slot = slot_of(t, &ends, tag)
    if slot[0]:
        return stream_at(t, <uint32_t>slot[0])
    return open_stream(t, &ends, slot, tag) if has_room(t, 1) else NULL

cdef inline Stream* take_over(Streams* t, Ends ends, uint32_t older) noexcept nogil:
    """Add a stream of a new connection. The slot that led to the stream of the connection before leads to it now."""
    cdef uint64_t tag = tag_of(t, &ends)
    cdef Stream* s = add_stream(t, &ends, slot_of(t, &ends, tag), tag)
    s.older = older
    return s

cdef inline Stream* reopen(Streams* t, Stream* s) noexcept nogil:
    """Open a new connection in the place of the one of this stream, begun by the same side. Both connections have both
    directions from now on, so that late segments find their stream. NULL: there is no room for another connection."""
    cdef uint32_t older = number_of(t, s)
    cdef Ends ends = s.ends
    cdef bint alone = memcmp(ends.src_ip, ends.dst_ip, 16) == 0 and ends.src_port == ends.dst_port
    cdef Stream* new
    if not has_room(t, REOPENED):
        s.superseded = True
        if s.peer:
            stream_at(t, s.peer).superseded = True
        return NULL
    if s.peer == 0 and not alone:
        join(t, take_over(t, turned(&ends), 0), s)
    new = take_over(t, ends, older)
    t.numbers += 1
    new.number = t.numbers
    if not alone:               # a connection from a port to itself has one direction only
        join(t, take_over(t, turned(&ends), s.peer), new)
    return new
