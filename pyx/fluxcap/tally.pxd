# The ledger: every record lands in exactly one disposition, and what was seen is counted beside it.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fluxcap.capture.reader cimport Reader
from fluxcap.types cimport Batch, DISPOSITIONS_END, FILTERED, Packet, REASONS_END, UNKNOWN_LINK, VERDICTS_END

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
    cdef uint64_t captured = 0, wire = 0
    cdef int64_t first, last
    cdef uint32_t i
    if batch.n == 0:
        return
    first = t.first if t.packets else batch.packets[0].time
    last = t.last if t.packets else first
    for i in range(batch.n):
        p = &batch.packets[i]
        captured += p.captured
        wire += p.wire
        first = min(first, p.time)
        last = max(last, p.time)
        t.records[p.disposition] += 1
        t.octets[p.disposition] += p.wire
        r.interfaces[p.interface].packets += 1
        if p.disposition == FILTERED:
            continue
        if p.disposition == UNKNOWN_LINK:
            r.interfaces[p.interface].unknown += 1
        t.reasons[p.reason] += 1
        if p.ip_version:
            t.verdicts[p.key.protocol][p.verdict] += 1
        t.ip_verdicts[p.ip_verdict] += 1
        t.gre_verdicts[p.gre_verdict] += 1
        t.ip_versions[p.ip_version] += 1
    t.packets += batch.n
    t.captured += captured
    t.wire += wire
    t.first = first
    t.last = last
