# The ledger for Python.

from fluxcap.base.times cimport NO_TIME as NO_TIME_VALUE
from fluxcap.base.types cimport DISPOSITIONS_END, REASONS_END, TIME_WENT_BACK
from fluxcap.pipeline.ledger cimport Totals


cdef dict totals_of(Totals* t):
    cdef int i
    return {
        "packets": t.packets, "captured_octets": t.captured, "wire_octets": t.wire,
        "first": None if t.first == NO_TIME_VALUE else t.first,
        "last": None if t.last == NO_TIME_VALUE else t.last,
        "in_order": t.anomalies[TIME_WENT_BACK] == 0,
        "late": t.late, "first_late": t.first_late,
        "latest_by": t.latest_by,
        "dispositions": [(t.records[i], t.octets[i]) for i in range(DISPOSITIONS_END)],
        "reasons": [t.reasons[i] for i in range(REASONS_END)],
        "verdicts": {i: t.verdicts[i] for i in range(256) if any(t.verdicts[i])},
        "ip_verdicts": t.ip_verdicts,
        "gre_verdicts": t.gre_verdicts,
        "non_ip": {t.others[i].ethertype: t.others[i].packets for i in range(<int>t.n_others)},
        "ip_versions": {i: t.ip_versions[i] for i in range(7) if t.ip_versions[i]},
        "anomalies": t.anomalies,
    }
