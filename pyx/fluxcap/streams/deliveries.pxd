# What demultiplexing hands to Python: bytes for the files of streams, and a row for each message and each gap. They
# collect here until there are enough for a call from Python to be worth it.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from fluxcap.base.arrays cimport reserve_array
from fluxcap.base.columns cimport Columns, append_rows, free_columns, reserve_columns
from fluxcap.base.types cimport Packet
from fluxcap.streams.stream cimport Stream

cdef enum:
    FIRST_ROOM = 1024           # items that an array begins with
    FULL_OCTETS = 4 << 20       # bytes to hand over at once: a system call for each file costs little beside them
    FULL_ROWS = 1 << 16         # or runs, messages or gaps: two seconds if each has a file of its own

# Bytes of one stream that were delivered one after the other.
cdef struct Run:
    uint64_t stream             # its place in the table
    uint64_t length

# A stream with bytes to hand over, and where these bytes lie once group() has put them side by side.
cdef struct Share:
    uint64_t stream             # its place in the table
    uint32_t number             # number, direction and protocol name its file
    uint8_t way
    uint8_t protocol
    uint64_t start
    uint64_t length

cdef struct Message:
    uint8_t src_ip[16]
    uint16_t src_port
    uint8_t verdict
    uint32_t socket
    uint32_t input
    uint32_t length
    uint32_t missing
    int64_t time
    uint64_t offset
    uint64_t packet

cdef struct Gap:
    uint32_t stream             # number of the connection
    uint8_t way
    uint64_t offset
    uint64_t length

cdef struct Deliveries:
    uint8_t* octets             # bytes in the order of delivery
    uint64_t n_octets
    uint64_t octets_room
    Run* runs
    uint64_t n_runs
    uint64_t runs_room
    Share* shares
    uint64_t n_shares
    uint64_t shares_room
    Columns messages
    Columns gaps
    uint8_t* grouped            # the same bytes, stream by stream
    uint64_t grouped_room
    bint no_memory

cdef inline void free_deliveries(Deliveries* d) noexcept nogil:
    free(d.octets)
    free(d.runs)
    free(d.shares)
    free(d.grouped)
    free_columns(&d.messages)
    free_columns(&d.gaps)

cdef inline bint is_full(const Deliveries* d) noexcept nogil:
    return d.n_octets >= FULL_OCTETS or d.n_runs >= FULL_ROWS or d.messages.n >= FULL_ROWS or d.gaps.n >= FULL_ROWS

cdef inline void append_row(Deliveries* d, Columns* c, const void* row, uint64_t size) noexcept nogil:
    cdef uint32_t first = 0
    if reserve_columns(c, 1):
        append_rows(c, row, size, &first, 1)
    else:
        d.no_memory = True

cdef inline void put_gap(Deliveries* d, Stream* s) noexcept nogil:
    """Append a row for the bytes that were skipped right before the end of the file of the stream."""
    cdef Gap gap
    gap.stream = s.number
    gap.way = s.way
    gap.offset = s.written
    gap.length = s.gap
    append_row(d, &d.gaps, &gap, sizeof(Gap))
    s.gaps += 1
    s.gap_octets += s.gap
    s.gap = 0

cdef inline void put_octets(Deliveries* d, Stream* s, uint64_t place, const uint8_t* octets,
                            uint32_t length) noexcept nogil:
    """Deliver the next bytes of the stream at this place in the table."""
    cdef Share* share
    if length == 0:
        return
    if not (reserve_array(<void**>&d.octets, &d.octets_room, d.n_octets + length, FIRST_ROOM, 1) and
            reserve_array(<void**>&d.runs, &d.runs_room, d.n_runs + 1, FIRST_ROOM, sizeof(Run)) and
            reserve_array(<void**>&d.shares, &d.shares_room, d.n_shares + 1, FIRST_ROOM, sizeof(Share))):
        d.no_memory = True
        return
    if s.gap:
        put_gap(d, s)
    if s.touched == 0:
        share = &d.shares[d.n_shares]
        share.stream = place
        share.number = s.number
        share.way = s.way
        share.protocol = <uint8_t>s.ends.protocol
        share.length = 0
        d.n_shares += 1
        s.touched = <uint32_t>d.n_shares
    d.shares[s.touched - 1].length += length
    if d.n_runs and d.runs[d.n_runs - 1].stream == place:
        d.runs[d.n_runs - 1].length += length
    else:
        d.runs[d.n_runs].stream = place
        d.runs[d.n_runs].length = length
        d.n_runs += 1
    memcpy(d.octets + d.n_octets, octets, length)
    d.n_octets += length
    s.written += length

cdef inline void put_message(Deliveries* d, Stream* s, uint64_t place, const Packet* p, const uint8_t* octets,
                             uint32_t length, uint32_t missing) noexcept nogil:
    cdef Message message
    memcpy(message.src_ip, p.key.src_ip, 16)
    message.src_port = p.key.src_port
    message.verdict = p.verdict
    message.socket = s.number
    message.input = p.key.file
    message.length = length
    message.missing = missing
    message.time = p.time
    message.offset = s.written
    message.packet = p.number
    s.messages += 1
    put_octets(d, s, place, octets, length)
    append_row(d, &d.messages, &message, sizeof(Message))

cdef inline bint group(Deliveries* d, Stream* streams) noexcept nogil:
    """Put the bytes of each stream side by side. False when memory is out."""
    cdef uint64_t at = 0, i
    cdef Share* share
    cdef Run* run
    if not reserve_array(<void**>&d.grouped, &d.grouped_room, d.n_octets, FIRST_ROOM, 1):
        return False
    for i in range(d.n_shares):
        d.shares[i].start = at
        at += d.shares[i].length
        d.shares[i].length = 0
    at = 0
    for i in range(d.n_runs):
        run = &d.runs[i]
        share = &d.shares[streams[run.stream].touched - 1]
        memcpy(d.grouped + share.start + share.length, d.octets + at, run.length)
        share.length += run.length
        at += run.length
    for i in range(d.n_shares):
        streams[d.shares[i].stream].touched = 0
    return True

cdef inline void begin_anew(Deliveries* d) noexcept nogil:
    """Begin again with no bytes: Python has taken those that were grouped."""
    d.n_octets = 0
    d.n_runs = 0
    d.n_shares = 0
