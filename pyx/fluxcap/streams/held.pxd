# Bytes of a stream that came too early: pieces in the order of their positions, with holes between them.
#
# There are few pieces (MAX_PIECES), however many segments came: a segment that continues a piece is appended to it, in
# room that doubles. So a place is found by a binary search, and inserting a piece moves some KiB at most.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove

from fluxcap.base.arrays cimport reserve_array

cdef enum:
    # Holes that a stream may have: so many segments of one window may be lost. A window of 16 MiB has 11,000 full
    # Ethernet frames, of which 1,024 are 9 %.
    MAX_PIECES = 1024
    MAX_HELD = 16 << 20         # bytes of a stream; the largest default window of Linux is 6 MiB
    MAX_HELD_IN_ALL = 64 << 20  # bytes of all streams together
    LEAST_ROOM = 64             # least bytes allocated for a piece
    MOST_ROOM = 1 << 16         # most bytes of a piece that grows by appending
    OVERHEAD = 32               # further bytes that the heap takes for a piece

cdef struct Piece:
    uint64_t start              # position in the stream
    uint32_t length             # bytes kept
    uint32_t missing            # bytes behind these that the segment had, and the record had not
    uint32_t room
    uint8_t* octets

cdef struct Held:
    Piece* pieces
    uint32_t n
    uint64_t room
    uint64_t octets             # bytes of memory
    uint64_t stream             # place in the table of the stream that they belong to
    Held* older                 # the streams that hold something, in the order in which they began to
    Held* newer

# All streams that hold something, the first to begin first.
cdef struct Holders:
    Held* oldest
    Held* newest
    uint64_t octets

cdef inline uint64_t end_of(const Piece* p) noexcept nogil:
    return p.start + p.length + p.missing

cdef inline Held* begin_holding(Holders* all_, uint64_t stream) noexcept nogil:
    cdef Held* h = <Held*>calloc(1, sizeof(Held))
    if h != NULL:
        h.stream = stream
        h.older = all_.newest
        if all_.newest != NULL:
            all_.newest.newer = h
        else:
            all_.oldest = h
        all_.newest = h
    return h

cdef inline void stop_holding(Holders* all_, Held* h) noexcept nogil:
    """Free a Held, with the pieces that are left in it."""
    cdef uint32_t i
    for i in range(h.n):
        free(h.pieces[i].octets)
    all_.octets -= h.octets
    if h.older != NULL:
        h.older.newer = h.newer
    else:
        all_.oldest = h.newer
    if h.newer != NULL:
        h.newer.older = h.older
    else:
        all_.newest = h.older
    free(h.pieces)
    free(h)

cdef inline uint32_t place_of(const Held* h, uint64_t position) noexcept nogil:
    """Place of the first piece that ends behind this position; n if no piece does."""
    cdef uint32_t low = 0, high = h.n, middle
    while low < high:
        middle = low + high >> 1
        if end_of(&h.pieces[middle]) > position:
            high = middle
        else:
            low = middle + 1
    return low

cdef inline void account(Holders* all_, Held* h, int change) noexcept nogil:
    h.octets += change
    all_.octets += change

cdef inline bint append(Holders* all_, Held* h, Piece* p, const uint8_t* octets, uint32_t length,
                        uint32_t missing) noexcept nogil:
    """Append bytes to a piece; False if that is not possible, and a new piece is needed."""
    cdef uint32_t wanted = p.room
    cdef void* grown
    if p.missing or length > MOST_ROOM - p.length:
        return False
    while wanted < p.length + length:
        wanted *= 2
    if wanted != p.room:
        grown = realloc(p.octets, wanted)
        if grown == NULL:
            return False
        account(all_, h, wanted - p.room)
        p.octets = <uint8_t*>grown
        p.room = wanted
    memcpy(p.octets + p.length, octets, length)
    p.length += length
    p.missing = missing
    return True

cdef inline bint insert(Holders* all_, Held* h, uint32_t place, uint64_t start, const uint8_t* octets, uint32_t length,
                        uint32_t missing) noexcept nogil:
    """Insert a new piece at this place. False when memory is out."""
    cdef Piece* p
    if not reserve_array(<void**>&h.pieces, &h.room, h.n + 1, 4, sizeof(Piece)):
        return False
    p = &h.pieces[place]
    memmove(p + 1, p, (h.n - place) * sizeof(Piece))
    p.start = start
    p.length = length
    p.missing = missing
    p.room = max(length, <uint32_t>LEAST_ROOM)
    p.octets = <uint8_t*>malloc(p.room)
    if p.octets == NULL:
        memmove(p, p + 1, (h.n - place) * sizeof(Piece))
        return False
    memcpy(p.octets, octets, length)
    h.n += 1
    account(all_, h, p.room + OVERHEAD)
    return True

cdef inline void drop_first(Holders* all_, Held* h, uint32_t n) noexcept nogil:
    """Drop the first n pieces, which have been delivered."""
    cdef uint32_t i
    for i in range(n):
        account(all_, h, -<int>(h.pieces[i].room + OVERHEAD))
        free(h.pieces[i].octets)
    h.n -= n
    memmove(h.pieces, h.pieces + n, h.n * sizeof(Piece))

cdef inline bint differs(const Piece* p, uint64_t position, const uint8_t* octets, uint64_t length) noexcept nogil:
    """Do these bytes differ from the bytes that the piece has at the same positions? `position` is inside the piece."""
    cdef uint64_t skip = position - p.start
    if skip >= p.length:
        return False
    return memcmp(p.octets + skip, octets, min(length, p.length - skip)) != 0

cdef inline bint hold(Holders* all_, Held* h, uint64_t position, const uint8_t* octets, uint32_t length, uint64_t end,
                      uint32_t* added, bint* conflict) noexcept nogil:
    """Hold the bytes of [position, end), of which the record has the first `length`, where they fill holes. Bytes that
    are held already stay. `added` grows by the number of new bytes. False when memory is out."""
    cdef uint32_t i = place_of(h, position), here, missing
    cdef uint64_t to
    cdef Piece* p
    while position < end:
        if i < h.n and h.pieces[i].start <= position:
            p = &h.pieces[i]
            to = min(end, end_of(p))
            conflict[0] |= differs(p, position, octets, min(<uint64_t>length, to - position))
            i += 1
        else:
            to = min(end, h.pieces[i].start) if i < h.n else end
            here = <uint32_t>min(<uint64_t>length, to - position)
            missing = <uint32_t>(to - position) - here
            if not (i and end_of(&h.pieces[i - 1]) == position
                    and append(all_, h, &h.pieces[i - 1], octets, here, missing)):
                if not insert(all_, h, i, position, octets, here, missing):
                    return False
                i += 1
            added[0] += <uint32_t>(to - position)
        here = <uint32_t>min(<uint64_t>length, to - position)
        octets += here
        length -= here
        position = to
    return True
