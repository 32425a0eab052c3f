# The activity of a flow: payloads and headers, TCP windows, active and idle times, subflows and bulks. CICFlowMeter has
# such columns, and docs/cicflowmeter.md tells where ours differ. They lie behind the features of a row, so that a table
# without them does not pay for them.

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fluxcap.base.memory cimport prefetch
from fluxcap.base.numbers cimport IP_TCP
from fluxcap.base.times cimport NO_TIME, earliest, later_by
from fluxcap.base.types cimport Digest, HEADER_WORD
from fluxcap.flows.features cimport Spread, features_at, spread, statistics, together
from fluxcap.flows.record cimport ActivityCounts, ActivityFacts, BOTH
from fluxcap.flows.table cimport FlowRow, Flows, is_flipped

cdef enum:                      # the numbers are those of CICFlowMeter
    IDLE_AFTER = 5000           # ms: after a longer silence, a flow was idle
    CLUMP_GAP = 1000            # ms: after a longer silence, another subflow begins, and no bulk goes on
    BULK_PACKETS = 4            # so many packets with payload one after the other, in one direction, are a bulk
    NS_IN_MS = 1000000
    NO_WINDOW = -1

cdef struct ActivityRow:
    ActivityCounts counts
    Spread payloads[BOTH]
    Spread active
    Spread idle
    uint64_t n_active
    uint64_t n_idle
    int64_t active_from         # the period that has not ended yet; NO_TIME: no packet had a time
    int64_t active_to
    int64_t run_last            # packets with payload that nothing came between: time of the last one that has a time,
    int64_t run_time            # ... ns from the first to the last
    uint64_t run_packets
    uint64_t run_octets
    uint8_t run_way

cdef inline uint64_t activity_stride() noexcept nogil:
    return (sizeof(ActivityRow) + 63) & ~<uint64_t>63

cdef inline ActivityRow* activity_of(const Flows* f, uint64_t i) noexcept nogil:
    return <ActivityRow*>(<char*>features_at(f, i) + f.activity_at)

cdef inline void expect_activity(const Flows* f, uint64_t i) noexcept nogil:
    """Prefetch the cache lines that packets change."""
    cdef uint64_t line
    for line in range(sizeof(ActivityRow) // 64):
        prefetch(<char*>activity_of(f, i) + 64 * line)

cdef inline void begin_activity(const Flows* f, uint64_t i) noexcept nogil:
    cdef ActivityRow* x = activity_of(f, i)
    cdef int way
    x.active_from = x.active_to = x.run_last = NO_TIME
    x.counts.subflows = 1
    for way in range(BOTH):
        x.counts.first[way] = x.counts.last[way] = NO_TIME
        x.counts.window[way] = NO_WINDOW

cdef inline bint is_over_ms(uint64_t ns, uint64_t ms) noexcept nogil:
    return ns > ms * NS_IN_MS

cdef inline int64_t as_length(uint64_t ns) noexcept nogil:
    """A length of time; what 63 bits do not hold, 292 years, is the longest."""
    return <int64_t>min(ns, <uint64_t>INT64_MAX)

cdef inline void note_header(ActivityCounts* c, uint32_t way, const Digest* d) noexcept nogil:
    cdef uint16_t header = <uint16_t>(d.header_words * HEADER_WORD)
    if header == 0:             # a piece of a datagram but the first, or a header that was cut
        return
    c.header_octets[way] += header
    if c.least_header[way] == 0 or header < c.least_header[way]:
        c.least_header[way] = header
    if c.window[way] == NO_WINDOW and d.protocol == IP_TCP:
        c.window[way] = d.tcp_window

cdef inline bint was_active(const ActivityRow* x) noexcept nogil:
    """Did the period last? One of a single packet, or of several at the same time, is none."""
    return x.active_to > x.active_from

cdef inline int64_t active_time(const ActivityRow* x) noexcept nogil:
    return as_length(later_by(x.active_to, x.active_from))

cdef inline void note_time(ActivityRow* x, uint32_t way, int64_t time) noexcept nogil:
    """A packet that is earlier than one before it ends nothing: a silence is the time since the latest one."""
    cdef uint64_t silence = later_by(time, x.active_to)
    x.counts.first[way] = earliest(time, x.counts.first[way])
    x.counts.last[way] = max(time, x.counts.last[way])
    x.counts.subflows += is_over_ms(silence, CLUMP_GAP)
    if is_over_ms(silence, IDLE_AFTER):
        if was_active(x):
            spread(&x.active, active_time(x), x.n_active == 0)
            x.n_active += 1
        spread(&x.idle, as_length(silence), x.n_idle == 0)
        x.n_idle += 1
        x.active_from = time
    elif x.active_to == NO_TIME:
        x.active_from = time
    x.active_to = max(time, x.active_to)

cdef inline void note_bulk(ActivityRow* x, uint32_t way, const Digest* d) noexcept nogil:
    """Payload of the other direction, or a silence, ends a run of packets; those without payload do not."""
    cdef ActivityCounts* c = &x.counts
    cdef uint64_t silence = later_by(d.time, x.run_last)
    if d.payload_length == 0:
        return
    if x.run_packets == 0 or way != x.run_way or is_over_ms(silence, CLUMP_GAP):
        x.run_way = <uint8_t>way
        x.run_packets = x.run_octets = 0
        x.run_time = 0
        x.run_last = NO_TIME
        silence = 0
    x.run_packets += 1
    x.run_octets += d.payload_length
    x.run_time += as_length(silence)
    x.run_last = max(d.time, x.run_last)
    if x.run_packets == BULK_PACKETS:
        c.bulks[way] += 1
        c.bulk_packets[way] += x.run_packets
        c.bulk_octets[way] += x.run_octets
        c.bulk_time[way] += x.run_time
    elif x.run_packets > BULK_PACKETS:
        c.bulk_packets[way] += 1
        c.bulk_octets[way] += d.payload_length
        c.bulk_time[way] += as_length(silence)

cdef inline void note_activity(const Flows* f, uint64_t i, const FlowRow* row, const Digest* d) noexcept nogil:
    """Add a packet to the activity. Its row has counted it already."""
    cdef ActivityRow* x = activity_of(f, i)
    cdef uint32_t way = d.flip ^ is_flipped(row)
    spread(&x.payloads[way], d.payload_length, row.packets[way] == 1)
    x.counts.data_packets[way] += d.payload_length != 0
    note_header(&x.counts, way, d)
    note_time(x, way, d.time)
    note_bulk(x, way, d)

cdef inline void read_activity(const Flows* f, uint64_t i, const FlowRow* row, ActivityFacts* facts) noexcept nogil:
    cdef const ActivityRow* x = activity_of(f, i)
    cdef const uint64_t* packets = &row.packets[0]
    cdef Spread payloads = together(&x.payloads[0], &x.payloads[1], packets[0] != 0 and packets[1] != 0)
    cdef Spread active = x.active
    cdef uint64_t n_active = x.n_active
    cdef int way
    if was_active(x):           # the last period ends with the flow
        spread(&active, active_time(x), n_active == 0)
        n_active += 1
    facts.counts = x.counts
    for way in range(BOTH):
        facts.payloads[way] = statistics(&x.payloads[way], packets[way])
    facts.payloads[BOTH] = statistics(&payloads, packets[0] + packets[1])
    facts.active = statistics(&active, n_active)
    facts.idle = statistics(&x.idle, x.n_idle)
