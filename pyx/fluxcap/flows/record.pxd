# A row as users see it: what columns are read from, where they do not stand in the row itself.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from fluxcap.base.types cimport Key
from fluxcap.flows.table cimport FlowRow, HISTORY_WIDTH, RareCounts

cdef enum:
    BOTH = 2                    # the third way, after forward and reverse: the packets of both in order
    WAYS = 3
    TCP_FLAG_BITS = 8

cdef struct Statistics:
    int64_t least
    int64_t most
    double mean
    double deviation

cdef struct ActivityCounts:     # of each direction
    uint64_t header_octets[BOTH]        # of transport headers
    uint64_t data_packets[BOTH]         # with payload
    uint64_t bulks[BOTH]
    uint64_t bulk_packets[BOTH]         # in all bulks together
    uint64_t bulk_octets[BOTH]
    int64_t bulk_time[BOTH]             # ns
    int64_t first[BOTH]                 # of the records that have a time; NO_TIME where none has
    int64_t last[BOTH]
    uint64_t subflows
    int64_t window[BOTH]                # of the first TCP header; NO_WINDOW without one
    uint16_t least_header[BOTH]         # bytes; 0 where no transport header was read

cdef struct ActivityFacts:
    ActivityCounts counts
    Statistics payloads[WAYS]   # bytes
    Statistics active           # ns
    Statistics idle

cdef struct ConnectionFacts:
    uint64_t retransmitted[2]   # segments
    uint64_t out_of_order[2]
    uint64_t gap_octets[2]
    uint64_t zero_window[2]     # segments
    uint64_t keep_alives[2]
    uint64_t unreachable[2]     # ICMP errors
    int64_t synack_rtt          # ns
    int64_t ack_rtt
    int64_t response
    uint8_t state
    uint8_t basis
    uint8_t history[HISTORY_WIDTH]

# The whole key in the forward direction, and every counter.
cdef struct FlowRecord:
    Key key
    FlowRow row                 # only for merging; columns are read from the row itself
    RareCounts rare
    # only in a table with features
    Statistics sizes[WAYS]      # bytes
    Statistics gaps[WAYS]       # ns
    uint64_t flags[BOTH][TCP_FLAG_BITS]
    # only in a table with activity
    ActivityFacts activity
    # only in a table with connections
    ConnectionFacts connection
