# From rows to columns: rows become records, a few at a time, and the records' fields go where the columns end.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.columns cimport Columns, append_rows, lay_pieces
from fluxcap.flows.features cimport features_at, read_features
from fluxcap.flows.follow cimport read_connection
from fluxcap.flows.key cimport unproject
from fluxcap.flows.table cimport FlowRecord, FlowRow, Flows, RareCounts, drop_rows, index_octets, key_of, row_at
from fluxcap.memory cimport Spare, pages_spare
from fluxcap.types cimport Key

cdef enum:
    RECORDS_AT_ONCE = 128       # 38 KiB of records stay in the first-level cache between two passes over them

cdef inline void read_row(const Flows* f, uint64_t i, FlowRecord* record) noexcept nogil:
    cdef FlowRow* row = row_at(f, i)
    cdef uint32_t way
    memset(&record.key, 0, sizeof(Key))
    unproject(&f.plan, key_of(row), row.flipped, &record.key)
    for way in range(2):
        record.packets[way] = row.packets[way]
        record.octets[way] = row.octets[way]
        record.payload[way] = row.payload[way]
        record.tcp_flags[way] = row.tcp_flags[way]
    record.first = row.first
    record.last = row.last
    record.good = row.good
    record.partial = row.partial
    record.end_reason = row.end_reason
    if row.rare:
        record.rare = f.rare[row.rare - 1]
    else:
        memset(&record.rare, 0, sizeof(RareCounts))
    if f.features_stride:
        read_features(f, i, record)
    if f.connections_stride:
        read_connection(f, i, row, record)

cdef inline uint64_t columns_of(const Columns* c, const void* record, const void* field, uint64_t octets) noexcept nogil:
    """The columns that come from a part of the record, a bit each."""
    cdef uint64_t start = <const char*>field - <const char*>record, found = 0
    cdef uint32_t i
    for i in range(c.n_columns):
        found |= <uint64_t>(start <= c.offset[i] < start + octets) << i
    return found

# The columns of a flow table: fields of FlowRecord, those of its features by themselves (together they would be more
# than a Columns holds), and what lies behind a FeatureRow.
cdef struct FlowColumns:
    Columns plain
    Columns features
    Columns firsts

cdef inline void spare_rows(const Flows* f, uint64_t first, uint64_t end, Spare* spare) noexcept nogil:
    """These rows are not read again, nor those before them."""
    pages_spare(spare, f.rows, first * f.stride, end * f.stride)
    if f.features_stride:
        pages_spare(spare, f.features, first * f.features_stride, end * f.features_stride)
    if f.connections_stride:
        pages_spare(spare, f.connections, first * f.connections_stride, end * f.connections_stride)

cdef inline void split_rows(Flows* f, FlowColumns* columns, FlowRecord* records, bint last) noexcept nogil:
    """Every row, in order; room for them is reserved. The `last` time the memory of what has been read
    becomes that of the columns, and the table is empty in the end."""
    cdef Columns* c = &columns.plain
    cdef uint32_t rows[RECORDS_AT_ONCE]
    cdef uint64_t done = 0, rarely, back
    cdef uint32_t n, i
    cdef Spare spare
    # Most rows have nothing but good and partial checksums, and those of a flood no reverse direction.
    cdef uint64_t rare = columns_of(c, &records[0], &records[0].rare, sizeof(RareCounts))
    cdef uint64_t reverse = columns_of(c, &records[0], &records[0].packets[1], 8)
    reverse |= columns_of(c, &records[0], &records[0].octets[1], 8)
    reverse |= columns_of(c, &records[0], &records[0].payload[1], 8)
    for i in range(RECORDS_AT_ONCE):
        rows[i] = i
    if last:
        memset(&spare, 0, sizeof(Spare))
        pages_spare(&spare, f.index, 0, index_octets(f))
    while done < f.n:
        n = <uint32_t>min(f.n - done, RECORDS_AT_ONCE)
        rarely = 0
        back = 0
        for i in range(n):
            rarely |= row_at(f, done + i).rare
            back |= row_at(f, done + i).packets[1]
            read_row(f, done + i, &records[i])
        c.zero = (0 if rarely else rare) | (0 if back else reverse)
        if last:
            lay_pieces(c, &spare, n)
            lay_pieces(&columns.features, &spare, n)
            lay_pieces(&columns.firsts, &spare, n)
        append_rows(c, records, sizeof(FlowRecord), rows, n)
        if f.features_stride:
            append_rows(&columns.features, records, sizeof(FlowRecord), rows, n)
            append_rows(&columns.firsts, features_at(f, done), f.features_stride, rows, n)
        if last:
            spare_rows(f, done, done + n, &spare)
        done += n
    if last:
        drop_rows(f)
