# The state of a connection: four cache lines beside its row, however long the connection lasts. A table without
# connections does not pay for them. No payload is kept, only its place in the sequence space.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fluxcap.base.memory cimport prefetch
from fluxcap.base.numbers cimport IP_TCP
from fluxcap.flows.aside cimport Aside, FEW_HOLES, Hole
from fluxcap.flows.table cimport Flows, HISTORY_WIDTH

cdef enum:                      # the state of one side, from the segments that it sent
    INACTIVE                    # it sent nothing
    SYN_SENT
    SYN_ACK_SENT                # it sent a SYN+ACK, and the other side no SYN
    PARTIAL                     # it sent something, but no SYN
    ESTABLISHED                 # its SYN was answered, or answers one
    CLOSED                      # it sent a FIN
    RESET                       # it sent a RST

cdef enum:                      # the letters of a side in the history, a bit each
    SEEN_SYN = 0x01             # "S" or "H"
    SEEN_FIN = 0x02
    SEEN_RST = 0x04
    SEEN_DATA = 0x08
    SEEN_ACK = 0x10
    SEEN_INCONSISTENT = 0x20
    SEEN_MULTIPLE = 0x40
    SEEN_ABORT = 0x80           # no letter: a RST that its receiver believes

cdef enum:                      # why forward is forward
    BASIS_FIRST                 # the first record went that way
    BASIS_PORT                  # the other side has the port of a server
    BASIS_SYNACK                # the other side sent a SYN+ACK
    BASIS_SYN                   # the forward side sent a SYN
    BASES_END

cdef enum:
    UNKNOWN = -1                # a time that the capture does not show
    REQUESTED = -2              # a response time: the request was seen, its answer not yet
    NOT_MEASURED = -3           # a response time: the request or the answer has no time that tells

cdef struct Side:               # 96 bytes
    uint32_t start              # initial sequence number; without a SYN, one below the first number
    uint32_t last               # the highest sequence number that it sent, plus one
    uint32_t edge               # end of the sequence space seen: sent by it, or certainly acknowledged to it
    uint32_t ack                # the highest acknowledgment that it got, but for those taken back
    uint32_t syn_at             # where its last SYN, FIN and RST lie, in bytes from `start`
    uint32_t fin_at
    uint32_t rst_at
    uint8_t state
    uint8_t before              # the state before this one
    uint8_t fins                # FIN if it sent one, else 0
    uint8_t n_holes
    uint32_t retransmitted      # segments
    uint32_t out_of_order
    uint32_t keep_alives
    uint32_t late               # segments with data, none of it beyond `last`: letter "T"
    uint32_t zero_window
    uint32_t gaps               # holes that were acknowledged: letter "G"
    uint32_t floor              # below this sequence number, what was seen is not known
    uint32_t block              # 1 + number of its block of holes, 0 = the holes are here
    uint32_t aside              # 1 + number of its Aside, 0 = nothing was in doubt
    uint8_t ended               # a segment of this side ended the connection
    uint8_t raised              # `floor` has moved up
    uint8_t placed              # `start` is known from a segment that is no RST
    uint8_t unseen              # `ack` is ahead of `edge`: 1 + segments that came in between since, 255 at most
    uint64_t gap_octets         # bytes in holes that are no longer kept
    Hole holes[FEW_HOLES]       # ascending

cdef struct Connection:
    uint8_t history[HISTORY_WIDTH]      # padded with zeros
    uint8_t letters
    uint8_t basis
    uint8_t seen[2]             # SEEN_... bits of each side
    int64_t asked               # time of the last SYN, with or without ACK; then that of the request
    int64_t synack_rtt          # ns
    int64_t ack_rtt
    int64_t response            # from the first data of the forward side to the first data of the other after it
    Side sides[2]               # forward, reverse; a cache line and a half each, for TCP only

cdef inline uint64_t connections_stride() noexcept nogil:
    return sizeof(Connection)

cdef inline Connection* connection_at(const Flows* f, uint64_t i) noexcept nogil:
    return <Connection*>(f.connections + i * f.connections_stride)

cdef inline void expect_connection(const Flows* f, uint64_t i, uint32_t protocol) noexcept nogil:
    """Prefetch the cache lines that every packet changes."""
    cdef Connection* c = connection_at(f, i)
    prefetch(c)
    if protocol == IP_TCP:
        prefetch(<char*>c + 64)
        prefetch(<char*>c + 128)
        prefetch(<char*>c + 192)

cdef inline bint is_closed(const Side* s) noexcept nogil:
    return s.state == CLOSED or s.state == RESET

cdef inline bint is_over(const Connection* c, uint32_t way) noexcept nogil:
    """Has this side closed, or sent a RST that is believed?"""
    return c.sides[way].state == CLOSED or c.seen[way] & SEEN_ABORT

cdef inline Aside* aside_of(const Flows* f, const Side* s) noexcept nogil:
    """The Aside of this side, NULL where nothing was ever in doubt."""
    return &f.asides[s.aside - 1] if s.aside else NULL

cdef inline Aside* open_aside(Flows* f, Side* s) noexcept nogil:
    if s.aside == 0:
        f.n_asides += 1
        s.aside = <uint32_t>f.n_asides
    return &f.asides[s.aside - 1]
