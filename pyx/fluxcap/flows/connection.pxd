# The state of a connection lies beside its row, so that a table without connections does not pay for it: four cache
# lines, however long the connection lasts. No payload is kept, only its place in the sequence space.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fluxcap.base.memory cimport prefetch
from fluxcap.base.numbers cimport IP_TCP
from fluxcap.flows.aside cimport Aside, FEW_HOLES, Hole
from fluxcap.flows.table cimport Flows, HISTORY_WIDTH

cdef enum:                      # where a side of a TCP connection stands, told by what it sent
    INACTIVE                    # nothing
    SYN_SENT
    SYN_ACK_SENT                # a SYN+ACK, and the other side no SYN
    PARTIAL                     # something, but no SYN
    ESTABLISHED                 # its SYN was answered, or answers one
    CLOSED                      # a FIN
    RESET                       # a RST

cdef enum:                      # letters that a side has in the history, a bit each
    SEEN_SYN = 0x01             # "S" or "H"
    SEEN_FIN = 0x02
    SEEN_RST = 0x04
    SEEN_DATA = 0x08
    SEEN_ACK = 0x10
    SEEN_INCONSISTENT = 0x20
    SEEN_MULTIPLE = 0x40

cdef enum:                      # why forward is forward
    BASIS_FIRST                 # the first record went that way
    BASIS_PORT                  # the other side has the port of a server
    BASIS_SYNACK                # the other side sent a SYN+ACK
    BASIS_SYN                   # it sent a SYN
    BASES_END

cdef enum:
    UNKNOWN = -1                # a time that was not seen to pass

cdef struct Side:               # 96 bytes
    uint32_t start              # initial sequence number; without a SYN, the one before the first
    uint32_t last               # the highest sequence number it sent, plus one
    uint32_t edge               # ... or saw acknowledged: where the sequence space that was looked at ends
    uint32_t ack                # the highest that was acknowledged to it
    uint32_t syn_at             # where its last SYN, FIN and RST lay, from `start`
    uint32_t fin_at
    uint32_t rst_at
    uint8_t state
    uint8_t before              # its state before that
    uint8_t fins                # it sent one
    uint8_t n_holes
    uint32_t retransmitted      # segments
    uint32_t out_of_order
    uint32_t keep_alives
    uint32_t late               # segments with data that do not go beyond `last`, for "T"
    uint32_t zero_window
    uint32_t gaps               # holes that were acknowledged, for "G"
    uint32_t floor              # below this sequence number it is not known what was seen
    uint32_t block              # 1 + number of its block of holes, 0 = they are here
    uint32_t aside              # 1 + number of what is not believed yet, 0 = nothing was in doubt
    uint8_t ended               # with what it sent the connection was over
    uint8_t raised              # `floor` is no longer where it began
    uint64_t gap_octets         # of holes that are no longer kept
    Hole holes[FEW_HOLES]       # ascending

cdef struct Connection:
    uint8_t history[HISTORY_WIDTH]      # filled up with zeros
    uint8_t letters
    uint8_t basis
    uint8_t seen[2]             # by each side
    uint32_t bad_sums[2]
    int64_t asked               # time of the last SYN, with or without ACK
    int64_t synack_rtt          # ns
    int64_t ack_rtt
    Side sides[2]               # forward, reverse; a cache line and a half each, of TCP only

cdef inline uint64_t connections_stride() noexcept nogil:
    return sizeof(Connection)

cdef inline Connection* connection_at(const Flows* f, uint64_t i) noexcept nogil:
    return <Connection*>(f.connections + i * f.connections_stride)

cdef inline void expect_connection(const Flows* f, uint64_t i, uint32_t protocol) noexcept nogil:
    """Have under way what every packet changes."""
    cdef Connection* c = connection_at(f, i)
    prefetch(c)
    if protocol == IP_TCP:
        prefetch(<char*>c + 64)
        prefetch(<char*>c + 128)
        prefetch(<char*>c + 192)

cdef inline bint is_closed(const Side* s) noexcept nogil:
    return s.state == CLOSED or s.state == RESET

cdef inline Aside* aside_of(const Flows* f, const Side* s) noexcept nogil:
    """What is not believed of this side, NULL where nothing ever was in doubt."""
    return &f.asides[s.aside - 1] if s.aside else NULL

cdef inline Aside* open_aside(Flows* f, Side* s) noexcept nogil:
    if s.aside == 0:
        f.n_asides += 1
        s.aside = <uint32_t>f.n_asides
    return &f.asides[s.aside - 1]
