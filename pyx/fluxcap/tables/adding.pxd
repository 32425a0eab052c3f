# Rows of another table, which lie in columns, come into a table: some rows at a time, each column of these in turn.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.columns cimport Columns, take_column
from fluxcap.flows.count cimport MERGED, NO_MEMORY_TO_MERGE, Merged, merge_row
from fluxcap.flows.record cimport FlowRecord
from fluxcap.flows.table cimport Flows, open_unseen, reserve

cdef enum:
    ADDED_AT_ONCE = 32          # the used parts of their records stay in the first-level cache

cdef inline Merged add_records(Flows* f, const FlowRecord* records, uint32_t n, bint in_order) noexcept nogil:
    cdef Merged merged = MERGED
    cdef uint32_t i
    if not reserve(f, n):
        return NO_MEMORY_TO_MERGE
    for i in range(n):
        # Without packets: a row about ICMP errors.
        if not (records[i].row.packets[0] or records[i].row.packets[1] or open_unseen(f)):
            return NO_MEMORY_TO_MERGE
        merged = merge_row(f, &records[i], in_order)
        if merged != MERGED:
            break
    return merged

cdef inline Merged add_columns(Flows* f, const Columns* c, const int64_t* order, uint64_t n,
                               bint in_order) noexcept nogil:
    """Merge n rows into a table, as merge_row() does. `order`: the numbers of the rows as they are to be merged; NULL:
    as they stand."""
    cdef FlowRecord[ADDED_AT_ONCE] records
    cdef uint32_t[ADDED_AT_ONCE] rows       # a table has MAX_ROWS at most
    cdef Merged merged = MERGED
    cdef uint64_t first = 0
    cdef uint32_t some, i
    memset(records, 0, sizeof(records))     # the columns write the same fields of each row
    while first < n and merged == MERGED:
        some = <uint32_t>min(n - first, <uint64_t>ADDED_AT_ONCE)
        for i in range(some):
            rows[i] = <uint32_t>(order[first + i] if order != NULL else <int64_t>(first + i))
        for i in range(c.n_columns):
            take_column(c, i, rows, some, records, sizeof(FlowRecord))
        merged = add_records(f, records, some, in_order)
        first += some
    return merged
