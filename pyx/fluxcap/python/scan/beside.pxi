# What is kept of packets until they are counted.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc

from fluxcap.base.columns cimport Columns
from fluxcap.pipeline.beside cimport Beside, MAX_PAYLOAD, PayloadPlan, open_beside


cdef Beside* keep_beside(payload, bint names) except NULL:
    """The state of keeping bytes of packets: so many of each, from the IP header on or not, masked or not; and what
    they tell of names."""
    cdef PayloadPlan plan
    cdef Beside* beside
    plan.most, plan.whole, plan.masked = payload
    if not (0 < plan.most or names) or plan.most > MAX_PAYLOAD:
        raise ValueError(f"1 to {MAX_PAYLOAD} bytes of a packet are kept, not {plan.most}")
    beside = <Beside*>calloc(1, sizeof(Beside))
    if beside == NULL:
        raise MemoryError
    open_beside(beside, &plan, names)
    return beside


cdef tuple packet_fields(columns, payload):
    """The fields of these columns of packets; those of what is kept are there where something is."""
    cdef dict known = {**PACKET, **(kept_fields(payload[0]) if payload else {})}
    for name in columns:
        if name not in known:
            raise ValueError(f"unknown packet column {name!r}")
    return tuple([known[name] for name in columns])


cdef int plan_packets(Columns* c, tuple fields) except -1:
    cdef uint32_t i
    plan_columns(c, fields)
    for i in range(c.n_columns):
        c.beside |= <uint64_t>(fields[i][0] in KEPT_COLUMNS) << i
    return 0
