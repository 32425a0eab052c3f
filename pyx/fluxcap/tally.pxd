# The ledger: every record lands in exactly one disposition, and what was seen is counted beside it.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fluxcap.capture.reader cimport Reader
from fluxcap.types cimport Batch, DISPOSITIONS_END, FILTERED, Packet, REASONS_END, VERDICTS_END

cdef struct Totals:
    uint64_t packets
    uint64_t captured
    uint64_t wire
    int64_t first
    int64_t last
    uint64_t records[DISPOSITIONS_END]
    uint64_t octets[DISPOSITIONS_END]       # on the wire
    uint64_t reasons[REASONS_END]
    uint64_t verdicts[256][VERDICTS_END]    # by IP protocol
    uint64_t ip_verdicts[VERDICTS_END]
    uint64_t gre_verdicts[VERDICTS_END]
    uint64_t ip_versions[7]                 # 0, 4 and 6 are used

cdef inline void tally_batch(const Batch* batch, Reader* r, Totals* t) noexcept nogil:
    cdef const Packet* p
    cdef uint32_t i
    if t.packets == 0 and batch.n:
        t.first = batch.packets[0].time
        t.last = t.first
    t.packets += batch.n
    for i in range(batch.n):
        p = &batch.packets[i]
        t.captured += p.captured
        t.wire += p.wire
        t.first = p.time if p.time < t.first else t.first
        t.last = p.time if p.time > t.last else t.last
        t.records[p.disposition] += 1
        t.octets[p.disposition] += p.wire
        r.interfaces[p.interface].packets += 1
        if p.disposition == FILTERED:
            continue
        t.reasons[p.reason] += 1
        if p.ip_version:
            t.verdicts[p.key.protocol][p.verdict] += 1
        t.ip_verdicts[p.ip_verdict] += 1
        t.gre_verdicts[p.gre_verdict] += 1
        t.ip_versions[p.ip_version] += 1
