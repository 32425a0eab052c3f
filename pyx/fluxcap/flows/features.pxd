# Features of flows for training models: packet sizes, gaps between packets, TCP flags, the first packets one by one,
# and the first bytes. Each direction has its own; sizes and gaps are there for both together too. Features lie beside
# the rows, so that a table without features does not pay for them.

from libc.math cimport sqrt
from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport add_square, squared_deviations
from fluxcap.base.memory cimport prefetch
from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport Digest, Kept, Named, octets_kept
from fluxcap.flows.record cimport BOTH, FlowRecord, Statistics, TCP_FLAG_BITS, WAYS
from fluxcap.flows.table cimport FlowRow, Flows, is_flipped

cdef enum:
    MAX_FIRST_PACKETS = 255     # as in NFStream; each takes 17 bytes of every flow
    FIRST_OCTETS = 2 * sizeof(int64_t) + sizeof(int8_t)
    NO_GAP = -1

cdef struct Spread:
    int64_t least
    int64_t most
    int64_t sum
    uint64_t squares[2]         # 128 bits

# Behind it lie, for each of the first packets, int64 gaps, int64 sizes, int8 directions; -1 where there was no packet,
# and for the gap before a packet without a time.
cdef struct FeatureRow:
    int64_t before[WAYS]        # time of the packet before, of those that have one,
    uint64_t timed[WAYS]        # ... and how many these are
    Spread gaps[WAYS]
    Spread sizes[BOTH]
    uint64_t flags[BOTH][TCP_FLAG_BITS]     # packets with the bit set

cdef inline uint64_t features_stride(uint32_t first_packets) noexcept nogil:
    cdef uint64_t octets = sizeof(FeatureRow) + <uint64_t>first_packets * FIRST_OCTETS
    return (octets + 63) & ~<uint64_t>63

cdef inline FeatureRow* features_at(const Flows* f, uint64_t i) noexcept nogil:
    return <FeatureRow*>(f.features + i * f.features_stride)

cdef inline int64_t* first_gaps(FeatureRow* x) noexcept nogil:
    return <int64_t*>(x + 1)

cdef inline int64_t* first_sizes(FeatureRow* x, uint32_t first_packets) noexcept nogil:
    return first_gaps(x) + first_packets

cdef inline int8_t* first_directions(FeatureRow* x, uint32_t first_packets) noexcept nogil:
    return <int8_t*>(first_sizes(x, first_packets) + first_packets)

cdef inline void expect_features(const Flows* f, uint64_t i) noexcept nogil:
    """Prefetch the cache lines that every packet changes."""
    cdef uint64_t line
    for line in range(sizeof(FeatureRow) // 64):
        prefetch(<char*>features_at(f, i) + 64 * line)

cdef inline void begin_features(Flows* f, uint64_t i) noexcept nogil:
    memset(features_at(f, i) + 1, 0xFF, <uint64_t>f.first_packets * FIRST_OCTETS)

cdef inline void spread(Spread* s, int64_t value, bint first) noexcept nogil:
    s.least = value if first or value < s.least else s.least
    s.most = value if first or value > s.most else s.most
    s.sum += value
    add_square(s.squares, value)

cdef inline int64_t note_gap(FeatureRow* x, uint32_t way, int64_t time) noexcept nogil:
    """The time between a packet of this way and the one before it; 0 for the first. Negative where the capture goes
    back in time. Packets without a time are passed over."""
    cdef uint64_t n = x.timed[way]
    cdef int64_t gap = <int64_t>(<uint64_t>time - <uint64_t>x.before[way]) if n else 0
    if time == NO_TIME:
        return NO_GAP
    x.before[way] = time
    x.timed[way] += 1
    if n:
        spread(&x.gaps[way], gap, n == 1)
    return gap

cdef inline uint64_t gaps_of(const FeatureRow* x, uint32_t way) noexcept nogil:
    """How many there are."""
    return x.timed[way] - 1 if x.timed[way] else 0

cdef inline void note_features(Flows* f, uint64_t i, const FlowRow* row, const Digest* d) noexcept nogil:
    """Add a packet to the features. Its row has counted it already."""
    cdef FeatureRow* x = features_at(f, i)
    cdef uint32_t way = d.flip ^ is_flipped(row), flags = d.tcp_flags
    cdef int flag
    cdef uint64_t n = row.packets[0] + row.packets[1]
    cdef int64_t gap
    spread(&x.sizes[way], d.octets, row.packets[way] == 1)
    note_gap(x, way, d.time)
    gap = note_gap(x, BOTH, d.time)
    if flags:
        for flag in range(TCP_FLAG_BITS):
            x.flags[way][flag] += flags >> flag & 1
    if n <= f.first_packets:
        first_gaps(x)[n - 1] = gap
        first_sizes(x, f.first_packets)[n - 1] = d.octets
        first_directions(x, f.first_packets)[n - 1] = <int8_t>way

cdef inline Statistics statistics(const Spread* s, uint64_t n) noexcept nogil:
    """Statistics of n values, all zero if n is 0. The deviation is that of a sample (divided by n - 1)."""
    cdef Statistics found
    cdef double squared
    memset(&found, 0, sizeof(Statistics))
    if n:
        found.least = s.least
        found.most = s.most
        found.mean = <double>s.sum / <double>n
    if n > 1:
        squared = squared_deviations(n, s.sum, s.squares)
        found.deviation = sqrt(squared / <double>(n - 1)) if squared > 0 else 0
    return found

cdef inline Spread together(const Spread* a, const Spread* b, bint both) noexcept nogil:
    """The spread of all values of two spreads; `both`: each of the two has values."""
    cdef Spread s = a[0]
    if both:
        s.least = min(a.least, b.least)
        s.most = max(a.most, b.most)
    else:
        s.least = a.least | b.least     # one of them is zero
        s.most = a.most | b.most
    s.sum += b.sum
    s.squares[0] += b.squares[0]
    s.squares[1] += b.squares[1] + (s.squares[0] < b.squares[0])
    return s

cdef inline void read_features(const Flows* f, uint64_t i, const FlowRow* row, FlowRecord* record) noexcept nogil:
    cdef FeatureRow* x = features_at(f, i)
    cdef const uint64_t* packets = &row.packets[0]
    cdef uint64_t n = packets[0] + packets[1]
    cdef Spread sizes = together(&x.sizes[0], &x.sizes[1], packets[0] != 0 and packets[1] != 0)
    cdef int way, flag
    for way in range(BOTH):
        record.sizes[way] = statistics(&x.sizes[way], packets[way])
        record.gaps[way] = statistics(&x.gaps[way], gaps_of(x, way))
        for flag in range(TCP_FLAG_BITS):
            record.flags[way][flag] = x.flags[way][flag]
    record.sizes[BOTH] = statistics(&sizes, n)
    record.gaps[BOTH] = statistics(&x.gaps[BOTH], gaps_of(x, BOTH))

# The first payload bytes of a flow, of both directions, in the order of the records. They lie behind the features and
# the activity of a row. Behind this lie Flows.payload_most bytes, zero where the flow has fewer.
cdef struct PayloadRow:
    uint32_t n                  # bytes there

cdef inline uint64_t payload_stride(uint32_t most) noexcept nogil:
    return (sizeof(PayloadRow) + <uint64_t>most + 63) & ~<uint64_t>63

cdef inline PayloadRow* payload_of(const Flows* f, uint64_t i) noexcept nogil:
    return <PayloadRow*>(<char*>features_at(f, i) + f.payload_at)

cdef inline void note_payloads(const Flows* f, const Digest* digests, uint32_t n, const Kept* kept,
                               uint64_t stride) noexcept nogil:
    """Add what was kept of counted packets, which lies a stride apart, to their flows."""
    cdef const Kept* k
    cdef PayloadRow* x
    cdef uint32_t i, more
    for i in range(n):
        k = <const Kept*>(<const char*>kept + i * stride)
        if digests[i].row:
            x = payload_of(f, digests[i].row - 1)
            more = min(k.n, f.payload_most - x.n)
            memcpy(<uint8_t*>(x + 1) + x.n, octets_kept(k), more)
            x.n += more

# The name of the server, as far as names are looked for: names/ finds names, a packet brings them along, and the first
# one counts. It lies behind all else.

cdef enum NameBasis:            # from the weakest to the strongest
    BASIS_NONE
    BASIS_DNS                   # a client was given the address under this name
    BASIS_SNI                   # the client names the server in its ClientHello
    BASIS_HTTP                  # ... or in the Host of its request
    NAME_BASES_END

cdef struct NameRow:
    uint32_t name               # 1 + number, 0 = none
    uint8_t basis               # NameBasis
    uint8_t begun               # a packet of the row was noted

cdef inline uint64_t name_stride() noexcept nogil:
    return sizeof(NameRow)

cdef inline NameRow* name_of(const Flows* f, uint64_t i) noexcept nogil:
    return <NameRow*>(<char*>features_at(f, i) + f.name_at)

cdef inline void note_name(NameRow* x, const Named* named) noexcept nogil:
    """What was asked for before the first packet of a row counts, unless a client says a name in the flow itself: then
    the first one that it says."""
    if named.asked and not x.begun:
        x.name = named.asked
        x.basis = BASIS_DNS
    x.begun = True
    if named.said and x.basis <= BASIS_DNS:
        x.name = named.said
        x.basis = named.basis

cdef inline void note_names(const Flows* f, const Digest* digests, uint32_t n, const Named* named,
                            uint64_t stride) noexcept nogil:
    """Note what counted packets tell, which lies a stride apart, in their rows."""
    cdef uint32_t i
    for i in range(n):
        if digests[i].row:
            note_name(name_of(f, digests[i].row - 1), <const Named*>(<const char*>named + i * stride))
