# The ledger: every record has exactly one disposition; reasons, verdicts and anomalies are counted beside it.

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport native64
from fluxcap.base.numbers cimport ETHERTYPE_FIRST
from fluxcap.base.times cimport NO_TIME, earliest, later_by
from fluxcap.base.types cimport (
    ANOMALIES_END, DISPOSITIONS_END, Digest, NON_IP, REASONS_END, TIME_WENT_BACK, UNKNOWN_LINK,
    VERDICTS_END, is_left_out)
from fluxcap.capture.reader cimport InterfaceCounts

cdef enum:
    # Ethertypes without IP that are counted one by one: a network has a handful, and a fuzzer's last ones are together
    # what the disposition counts beyond these.
    NAMED_OTHERS = 32

cdef struct Others:             # records without IP
    uint16_t ethertype          # 0: none, as in an LLC frame
    uint64_t packets

cdef struct Totals:
    uint64_t packets
    uint64_t captured
    uint64_t wire
    int64_t first                           # NO_TIME where no record has one
    int64_t last
    int64_t before                          # time of the previous record of the same file that has one
    uint64_t late                           # records with an earlier time than one before them, over all inputs
    uint64_t first_late                     # number of the first such record, over all inputs; 0 = none
    int64_t latest_by                       # the most that such a record is late: ns
    uint64_t records[DISPOSITIONS_END]
    uint64_t octets[DISPOSITIONS_END]       # on the wire
    uint64_t reasons[REASONS_END]
    uint64_t verdicts[256][VERDICTS_END]    # by IP protocol
    uint64_t ip_verdicts[VERDICTS_END]
    uint64_t gre_verdicts[VERDICTS_END]
    uint64_t ip_versions[7]                 # 0, 4 and 6 are used
    Others others[NAMED_OTHERS]             # in the order in which they came first
    uint32_t n_others
    uint64_t anomalies[ANOMALIES_END]

cdef struct Sums:               # of up to BATCH digests
    uint64_t captured
    uint64_t wire
    int64_t first               # time of the first record and of the last one
    int64_t last
    bint in_order               # each has a time, none earlier than the one before it
    bint alike                  # all have the same common_bytes() and interface
    bint one_sum                # ... and the same sum_bytes()

cdef struct Noted:              # of a digest: what the ledger counts of each record of a batch whose sums are alike
    int64_t time
    uint8_t protocol
    uint8_t verdict

cdef inline void open_totals(Totals* t) noexcept nogil:
    """Totals that are zeroed: no record with a time was seen."""
    t.first = t.last = t.before = NO_TIME

cdef inline uint64_t kind(const Digest* d) noexcept nogil:
    """Disposition to protocol, in one word. python/fields.pxi asserts that these eight bytes lie together."""
    return native64(&d.disposition)

# Which of them are the same in nearly all records, and which tell the sums apart; TCP flags are in neither.
cdef inline uint64_t common_bytes() noexcept nogil:
    cdef uint8_t[8] mask = [0xFF, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0]
    return native64(mask)

cdef inline uint64_t sum_bytes() noexcept nogil:
    """Of verdict and protocol."""
    cdef uint8_t[8] mask = [0, 0, 0, 0, 0xFF, 0, 0, 0xFF]
    return native64(mask)

cdef inline void tally_other(Totals* t, uint16_t ethertype) noexcept nogil:
    """Count a record without IP by its ethertype; smaller numbers are lengths of frames that have none."""
    cdef uint32_t i = 0
    if ethertype < ETHERTYPE_FIRST:
        ethertype = 0
    while i < t.n_others and t.others[i].ethertype != ethertype:
        i += 1
    if i == NAMED_OTHERS:
        return
    t.n_others += i == t.n_others
    t.others[i].ethertype = ethertype
    t.others[i].packets += 1

cdef inline void sum_digests(const Digest* digests, uint32_t n, Sums* s) noexcept nogil:
    """Sum up a batch that is not empty, while its digests are in the cache: another thread may count them in the
    ledger."""
    cdef const Digest* d
    cdef uint64_t captured = 0, wire = 0, unlike = 0, first_kind = kind(&digests[0])
    cdef uint32_t i, went_back = digests[0].time == NO_TIME, interfaces_differ = 0
    cdef int64_t before = digests[0].time
    for i in range(n):
        d = &digests[i]
        captured += d.captured
        wire += d.wire
        went_back |= d.time < before
        before = d.time
        unlike |= kind(d) ^ first_kind
        interfaces_differ |= d.interface ^ digests[0].interface
    s.captured = captured
    s.wire = wire
    s.first = digests[0].time
    s.last = before
    s.in_order = not went_back
    s.alike = not (unlike & common_bytes() or interfaces_differ)
    s.one_sum = unlike & sum_bytes() == 0

cdef inline void note_digests(const Digest* digests, uint32_t n, Noted* noted) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        noted[i] = Noted(digests[i].time, digests[i].protocol, digests[i].verdict)

cdef inline bint suffices(const Digest* first, const Sums* s) noexcept nogil:
    """Does the ledger need no more of a batch than its first digest and what is noted of the others?"""
    return s.alike and first.disposition != NON_IP

cdef inline void tally_verdicts(Totals* t, const Digest* digests, const Noted* noted, uint32_t n) noexcept nogil:
    cdef uint32_t i
    if noted != NULL:
        for i in range(n):
            t.verdicts[noted[i].protocol][noted[i].verdict] += 1
    else:
        for i in range(n):
            t.verdicts[digests[i].protocol][digests[i].verdict] += 1

cdef inline void tally_alike(Totals* t, InterfaceCounts* interfaces, const Digest* digests, const Noted* noted,
                             uint32_t n, const Sums* s) noexcept nogil:
    """Count digests that all have the same common_bytes() and interface."""
    cdef const Digest* d = digests
    cdef uint32_t i
    t.records[d.disposition] += n
    t.octets[d.disposition] += s.wire
    interfaces[d.interface].packets += n
    if is_left_out(d.disposition):
        t.reasons[d.reason] += n
        return
    if d.disposition == UNKNOWN_LINK:
        interfaces[d.interface].unknown += n
    if d.disposition == NON_IP:
        for i in range(n):
            tally_other(t, digests[i].ethertype)
    t.reasons[d.reason] += n
    if d.ip_version and s.one_sum:
        t.verdicts[d.protocol][d.verdict] += n
    elif d.ip_version:
        tally_verdicts(t, digests, noted, n)
    t.ip_verdicts[d.ip_verdict] += n
    t.gre_verdicts[d.gre_verdict] += n
    t.ip_versions[d.ip_version] += n

cdef inline void note_times(Totals* t, const Digest* digests, const Noted* noted, uint32_t n) noexcept nogil:
    """Count the times of records of which some have none, or are earlier than others before them."""
    cdef int64_t time
    cdef uint32_t i
    for i in range(n):
        time = noted[i].time if noted != NULL else digests[i].time
        if time == NO_TIME:
            continue
        t.anomalies[TIME_WENT_BACK] += time < t.before
        t.before = time
        if time < t.last:
            t.late += 1
            if t.first_late == 0:
                t.first_late = t.packets + i + 1
            t.latest_by = max(t.latest_by, <int64_t>min(later_by(t.last, time), <uint64_t>INT64_MAX))
        t.first = earliest(t.first, time)
        t.last = max(t.last, time)

cdef inline void tally_sums(Totals* t, InterfaceCounts* interfaces, const Digest* digests, const Noted* noted,
                            uint32_t n, const Sums* s) noexcept nogil:
    """Count a batch that was summed up. `noted`: of its digests, or NULL; where that suffices(), only the first digest
    is read."""
    cdef Sums alone
    cdef uint32_t i
    if s.in_order and s.first >= t.last:
        t.first = earliest(t.first, s.first)
        t.last = t.before = s.last
    else:
        note_times(t, digests, noted, n)
    if s.alike:
        tally_alike(t, interfaces, digests, noted, n, s)
    else:
        for i in range(n):
            sum_digests(&digests[i], 1, &alone)
            tally_alike(t, interfaces, &digests[i], NULL, 1, &alone)
    t.packets += n
    t.captured += s.captured
    t.wire += s.wire

cdef inline void tally_digests(Totals* t, InterfaceCounts* interfaces, const Digest* digests,
                               uint32_t n) noexcept nogil:
    """Count up to BATCH digests."""
    cdef Sums s
    if n:
        sum_digests(digests, n, &s)
        tally_sums(t, interfaces, digests, NULL, n, &s)
