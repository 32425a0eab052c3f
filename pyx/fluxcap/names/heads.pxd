# How the sides of TCP connections begin to speak, where it takes several segments: a ClientHello, an HTTP request, an
# answer of DNS. A head is put together in order; segments that come too early are held. There are so many heads, each
# of so many bytes, and no more: the oldest one makes room.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fluxcap.base.arrays cimport reserve_array
from fluxcap.names.client_hello cimport HELLO_MAX, TLS_RECORD
from fluxcap.names.latest cimport (
    Latest, LatestEntry, drop_latest, find_latest, free_latest, open_latest, place_of_latest, put_latest)

cdef enum:
    # Bytes of a head: a ClientHello in up to 64 records. Servers take request lines and fields of 8 KiB (RFC 9110
    # section 4.1, RFC 9112 section 3 want that of them), and addresses for 16 KiB are nobody's answer.
    HEAD_MAX = HELLO_MAX + 64 * TLS_RECORD
    FIRST_HEAD = 2048           # bytes: most hellos
    HEADS = 1 << 10             # heads that are not whole yet: 17 MiB at most
    # Sides whose SYN has come and whose first bytes have not, and as many that answered one: 800 KiB. It tells which
    # bytes are the first, so that the second segment may come before the first one.
    SIDES = 1 << 14
    MAX_BEFORE = 0x7FFFFFFF     # a sequence number further ahead is one before (RFC 9293 section 3.4)
    GAPS = 16                   # parts that are held while one before them is missing: most of what a hello has

cdef enum HeadKind:
    HEAD_UNKNOWN                # the first segment has not come
    HEAD_HELLO
    HEAD_REQUEST
    HEAD_ANSWERS

cdef struct EarlyPart:          # bytes behind a gap
    uint32_t begin
    uint32_t end

cdef struct Beginning:
    uint8_t* octets
    uint64_t room
    uint32_t sequence           # of the first byte
    uint32_t n                  # bytes that are there without a gap
    uint32_t read               # bytes of these that need not be read again
    uint32_t n_early
    EarlyPart early[GAPS]
    uint8_t kind                # HeadKind
    uint8_t lacks               # a part was not held

cdef struct Heads:
    Latest sides                # sequence number of the first byte
    Latest answering            # sides that have answered a SYN: servers, which name nobody
    Latest under_way            # a head at the same place
    Beginning* heads
    uint64_t forgotten          # messages that were begun, and made room, were too long, or had too many gaps

cdef inline bint open_heads(Heads* x) noexcept nogil:
    x.heads = <Beginning*>calloc(HEADS, sizeof(Beginning))
    return x.heads != NULL and open_latest(&x.sides, SIDES) and \
        open_latest(&x.answering, SIDES) and open_latest(&x.under_way, HEADS)

cdef inline void free_heads(Heads* x) noexcept nogil:
    cdef uint32_t i
    if x.heads != NULL:
        for i in range(<uint32_t>HEADS):
            free(x.heads[i].octets)
    free(x.heads)
    free_latest(&x.sides)
    free_latest(&x.answering)
    free_latest(&x.under_way)

cdef inline Beginning* find_head(Heads* x, uint64_t hash) noexcept nogil:
    cdef LatestEntry* entry = find_latest(&x.under_way, hash)
    return &x.heads[place_of_latest(&x.under_way, entry)] if entry != NULL else NULL

cdef inline void drop_head(Heads* x, uint64_t hash) noexcept nogil:
    cdef LatestEntry* entry = find_latest(&x.under_way, hash)
    if entry != NULL:
        drop_latest(&x.under_way, entry)

cdef inline Beginning* begin_head(Heads* x, uint64_t hash, uint32_t sequence, HeadKind kind) noexcept nogil:
    """Begin a head without bytes. The memory of the one that was there before is used again."""
    cdef bint made_room
    cdef LatestEntry* entry = put_latest(&x.under_way, hash, 0, &made_room)
    cdef Beginning* h = &x.heads[place_of_latest(&x.under_way, entry)]
    x.forgotten += made_room and h.kind != HEAD_UNKNOWN
    h.sequence = sequence
    h.n = h.read = h.n_early = h.lacks = 0
    h.kind = <uint8_t>kind
    return h

cdef inline void begin_side(Heads* x, uint64_t hash, uint32_t sequence) noexcept nogil:
    """The next bytes of this side begin a message, and this is the sequence number of the first."""
    cdef bint _made_room
    put_latest(&x.sides, hash, sequence, &_made_room)
    drop_head(x, hash)

cdef inline void note_role(Heads* x, uint64_t hash, bint answers) noexcept nogil:
    """Remember who answers a SYN, until this side sends one without an answer."""
    cdef bint _made_room
    cdef LatestEntry* entry = find_latest(&x.answering, hash)
    if answers:
        put_latest(&x.answering, hash, 1, &_made_room)
    elif entry != NULL:
        drop_latest(&x.answering, entry)

cdef inline void join_early(Beginning* h) noexcept nogil:
    """Take the parts that there is no gap before any more. Each round takes one, so this ends."""
    cdef uint32_t i = 0
    while i < h.n_early:
        if h.early[i].begin > h.n:
            i += 1
            continue
        h.n = max(h.n, h.early[i].end)
        h.n_early -= 1
        h.early[i] = h.early[h.n_early]
        i = 0

cdef inline bint put_segment(Heads* x, Beginning* h, uint32_t sequence, const uint8_t* octets,
                             uint32_t n) noexcept nogil:
    """Add the bytes of a segment that belong to the head and have not come yet. False when memory is out."""
    cdef uint32_t at = sequence - h.sequence, before = h.sequence - sequence
    if before <= MAX_BEFORE:
        if before >= n:
            return True
        octets += before
        n -= before
        at = 0
    if at >= HEAD_MAX or n == 0:
        return True
    n = min(n, HEAD_MAX - at)
    if at + n <= h.n:
        return True
    if at > h.n and h.n_early == GAPS:
        x.forgotten += not h.lacks
        h.lacks = True
        return True
    if not reserve_array(<void**>&h.octets, &h.room, at + n, FIRST_HEAD, 1):
        return False
    if at > h.n:
        h.early[h.n_early].begin = at
        h.early[h.n_early].end = at + n
        h.n_early += 1
        memcpy(h.octets + at, octets, n)
        return True
    memcpy(h.octets + h.n, octets + (h.n - at), at + n - h.n)
    h.n = at + n
    join_early(h)
    return True
