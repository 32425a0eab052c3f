# From rows to columns, a range of rows after the other, and a few rows of it at a time. A value that stands in a row is
# appended to its column directly; one that has to be computed goes into a FlowRecord first.
#
# Several threads may fill the columns with ranges at once. The memory of rows that have been read becomes that of the
# columns, in the order of the ranges, so many threads need hardly more memory than one.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fluxcap.base.columns cimport Columns, lay_pieces, put_column
from fluxcap.base.memory cimport Spare, spare_open
from fluxcap.base.types cimport VERDICTS_END, VERDICT_BAD
from fluxcap.flows.activity cimport read_activity
from fluxcap.flows.features cimport features_at, read_features
from fluxcap.flows.follow cimport read_connection
from fluxcap.flows.key cimport Shape, five_tuple, same_shape, unproject
from fluxcap.flows.record cimport FlowRecord
from fluxcap.flows.table cimport (
    END_OF_FLOW, EndReason, FORCED_END, FlowRow, Flows, MARK_FLIPPED, RareCounts, expired, has_closed, is_flipped,
    key_of, mark_of, row_at)
from fluxcap.tables.rows cimport (
    ROWS_AT_ONCE, Rows, close_rows_of, drop_all_rows, next_rows, open_rows, rows_before_range, rows_in_range,
    spare_index, spare_rows)
from fluxcap.tables.shards cimport MAX_SHARDS

cdef enum:
    ROW_WORDS = sizeof(FlowRow) // 8

# The columns of a flow table: `plain`, `features` and `activity` are fields of FlowRecord (together more than one
# Columns holds), `firsts` are the first packets behind a FeatureRow.
cdef struct FlowColumns:
    Columns plain
    Columns features
    Columns activity
    Columns firsts

cdef inline void unite(const Flows* f, uint64_t first, uint64_t n, FlowRow* all) noexcept nogil:
    """Add rows to the bitwise OR of rows: a field that is zero there is zero in all of them."""
    cdef uint64_t* words = <uint64_t*>all
    cdef const uint64_t* row
    cdef uint64_t i
    cdef int word
    for i in range(n):
        row = <const uint64_t*>row_at(f, first + i)
        for word in range(ROW_WORDS):
            words[word] |= row[word]

cdef inline bint has_rare_counts(const Flows* f, uint64_t first, uint32_t n) noexcept nogil:
    cdef const FlowRow* row
    cdef uint32_t i, found = 0
    for i in range(n):
        row = row_at(f, first + i)
        found |= row.rare | row.marks & ~<uint32_t>MARK_FLIPPED
    return found != 0

cdef inline uint64_t place_in(const void* record, const void* field) noexcept nogil:
    return <const char*>field - <const char*>record

cdef inline bint is_zero(const uint8_t* octets, uint64_t n) noexcept nogil:
    cdef uint8_t found = 0
    cdef uint64_t i
    for i in range(n):
        found |= octets[i]
    return found == 0

cdef inline uint64_t zero_columns(const Columns* c, const FlowRecord* record, const FlowRow* all) noexcept nogil:
    """The columns that are zero in all rows of this union, a bit each. Most rows have only good checksums, and the rows
    of a flood have no reverse direction."""
    cdef uint64_t row = place_in(record, &record.row), rare = place_in(record, &record.rare), found = 0, at
    cdef uint64_t verdicts = place_in(record, &record.rare.verdicts)
    cdef uint32_t i, verdict
    for i in range(c.n_columns):
        at = c.offset[i]
        if row <= at < row + sizeof(FlowRow):
            found |= <uint64_t>is_zero(<const uint8_t*>all + at - row, c.size[i]) << i
        elif verdicts <= at < verdicts + sizeof(record.rare.verdicts):
            verdict = <uint32_t>((at - verdicts) // sizeof(record.rare.verdicts[0]))
            found |= <uint64_t>(all.rare == 0 and not all.marks & mark_of(verdict)) << i
        elif rare <= at < rare + sizeof(RareCounts):
            found |= <uint64_t>(all.rare == 0) << i
    return found

cdef inline void read_words(const Flows* f, Shape shape, uint64_t first, uint32_t n,
                            FlowRecord* records) noexcept nogil:
    cdef FlowRow* row
    cdef uint32_t i
    for i in range(n):
        row = row_at(f, first + i)
        unproject(&f.plan, shape, key_of(row), is_flipped(row), &records[i].key)

cdef inline void read_keys(const Flows* f, uint64_t first, uint32_t n, FlowRecord* records) noexcept nogil:
    if same_shape(f.plan.shape, five_tuple()):
        read_words(f, five_tuple(), first, n, records)
    else:
        read_words(f, f.plan.shape, first, n, records)

cdef inline void read_record(const Flows* f, uint64_t i, bint rarely, FlowRecord* record) noexcept nogil:
    """Fill in the fields of a record that are not copied from the row; read_keys() does the key."""
    cdef FlowRow* row = row_at(f, i)
    cdef uint32_t verdict
    if rarely:
        if row.rare:
            record.rare = f.rare[row.rare - 1]
        else:
            memset(&record.rare, 0, sizeof(RareCounts))
        for verdict in range(<uint32_t>VERDICT_BAD, <uint32_t>VERDICTS_END):
            if row.marks & mark_of(verdict):
                record.rare.verdicts[verdict] += row.other
    if f.describes:
        read_features(f, i, row, record)
        if f.activity_at:
            read_activity(f, i, row, &record.activity)
    if f.connections_stride:
        read_connection(f, i, row, record)

cdef inline void put_fields(Columns* c, const FlowRecord* records, uint32_t n) noexcept nogil:
    """Append fields that are in no row."""
    cdef uint32_t i
    for i in range(c.n_columns):
        put_column(c, i, <const uint8_t*>records + c.offset[i], sizeof(FlowRecord), n)
    c.n += n

cdef inline void put_rows(const Flows* f, uint64_t first, uint32_t n, const FlowRecord* records,
                          FlowColumns* columns) noexcept nogil:
    cdef uint64_t row = place_in(records, &records.row), at
    cdef Columns* c = &columns.plain
    cdef uint32_t i
    for i in range(c.n_columns):
        at = c.offset[i]
        if row <= at < row + sizeof(FlowRow):
            put_column(c, i, <const uint8_t*>row_at(f, first) + at - row, f.stride, n)
        else:
            put_column(c, i, <const uint8_t*>records + at, sizeof(FlowRecord), n)
    c.n += n
    put_fields(&columns.features, records, n)
    put_fields(&columns.activity, records, n)
    c = &columns.firsts
    for i in range(c.n_columns):
        put_column(c, i, <const uint8_t*>features_at(f, first) + c.offset[i], f.features_stride, n)
    c.n += n

cdef inline uint32_t end_rows(const Flows* f, uint64_t first, uint32_t n, const FlowRecord* records,
                              int64_t newest) noexcept nogil:
    """End the open rows, of up to 32, that TCP has ended or a record of the time `newest` would not continue; a bit for
    each of them."""
    cdef uint32_t i, found = 0
    cdef EndReason reason
    cdef FlowRow* row
    for i in range(n):
        row = row_at(f, first + i)
        reason = END_OF_FLOW if has_closed(f, row) else expired(f, row, newest, records[i].key.protocol)
        if row.end_reason == FORCED_END and reason:
            row.end_reason = reason
            found |= <uint32_t>1 << i
    return found

cdef inline void reopen_rows(const Flows* f, uint64_t first, uint32_t found) noexcept nogil:
    cdef uint32_t i
    for i in range(<uint32_t>ROWS_AT_ONCE):
        if found >> i & 1:
            row_at(f, first + i).end_reason = FORCED_END

cdef enum:
    # Rows of a range: few, so that little memory waits for threads to end with theirs; enough to pay for a start, and
    # for a place in the order.
    ROWS_A_RANGE = 4096

cdef struct Export:             # a table on its way to columns
    Flows* table
    FlowColumns columns         # `n`: rows that have memory, if the columns take over that of the rows
    uint32_t ranges
    int64_t newest              # rows that have been silent or active for too long at this time have ended
    bint last                   # the columns take over the memory of rows that have been read
    uint32_t laid               # ranges whose columns have memory
    uint32_t spared             # ranges whose rows have given theirs away
    uint8_t* read               # of each range: whether it has been read
    uint64_t* ends              # ... and then the row after it in each shard
    uint64_t shards_spared[MAX_SHARDS]  # rows that have given their memory away
    Spare spare
    bint failed                 # memory is out

cdef struct RowRange:           # some rows of a table
    Rows rows
    FlowColumns columns         # those of the table, up to the next row of the range
    FlowRecord records[ROWS_AT_ONCE]

cdef inline uint32_t ranges_of(uint64_t rows) noexcept nogil:
    return <uint32_t>(rows // ROWS_A_RANGE + 1)

cdef inline void set_rows(FlowColumns* columns, uint64_t n) noexcept nogil:
    """Say that each column has so many rows."""
    columns.plain.n = columns.features.n = columns.activity.n = columns.firsts.n = n

cdef inline void open_export(Export* e, Flows* f, int64_t newest, bint last) noexcept nogil:
    """Begin with a zeroed struct that has columns with room for all rows, and room for the ends of the ranges."""
    e.table = f
    e.newest = newest
    e.last = last
    spare_open(&e.spare)
    if last:
        spare_index(f, &e.spare)

cdef inline void close_export(Export* e, uint64_t rows) noexcept nogil:
    """The columns have all rows now."""
    set_rows(&e.columns, rows)
    if e.last:
        drop_all_rows(e.table)

cdef inline bint open_range(const Export* e, uint32_t i, RowRange* r) noexcept nogil:
    """Go before the first row of range i. close_range() frees what it has, also after False: memory is out."""
    memset(r, 0, sizeof(RowRange))
    return open_rows(&r.rows, e.table, i, e.ranges)

cdef inline uint64_t zero_in_range(const RowRange* r, const Columns* c) noexcept nogil:
    """The columns that are zero in all rows of the range."""
    cdef FlowRow all
    cdef const Flows* f
    cdef uint32_t i
    memset(&all, 0, sizeof(FlowRow))
    for i in range(max(r.rows.table.n_shards, 1)):
        f = &r.rows.table.shards[i] if r.rows.table.n_shards else r.rows.table
        unite(f, r.rows.begin[i], r.rows.end[i] - r.rows.begin[i], &all)
    return zero_columns(c, r.records, &all)

cdef inline void lay_range(Export* e, const RowRange* r, uint64_t zero) noexcept nogil:
    """Give the columns memory for the rows of a range, in which the columns `zero` are zero. The ranges come here in
    order: a piece lies under the rows of several, and only the first has not touched its memory."""
    cdef uint64_t n = rows_in_range(&r.rows)
    if not e.failed:
        set_rows(&e.columns, rows_before_range(&r.rows))
        e.columns.plain.zero = zero
        lay_pieces(&e.columns.plain, &e.spare, n)
        lay_pieces(&e.columns.features, &e.spare, n)
        lay_pieces(&e.columns.activity, &e.spare, n)
        lay_pieces(&e.columns.firsts, &e.spare, n)
        e.failed = e.spare.failed
    e.laid += 1

cdef inline void fill_range(const Export* e, RowRange* r, uint64_t zero) noexcept nogil:
    """Write the rows of a range into the columns, in order; the columns `zero` are zero in all of them."""
    cdef Rows* rows = &r.rows
    cdef FlowColumns* columns = &r.columns
    cdef FlowRecord* records = r.records
    cdef uint64_t first
    cdef uint32_t n, i, ended
    cdef bint counted_before = False, counted, rarely
    cdef Flows* f = rows.there
    set_rows(columns, rows_before_range(rows))
    columns.plain.zero = zero
    while next_rows(rows):
        first = rows.first
        n = rows.n
        read_keys(f, first, n, records)
        counted = has_rare_counts(f, first, n)
        # Records that got such counts in the round before have to be cleared.
        rarely = counted_before or counted
        if rarely or f.describes or f.connections_stride:
            for i in range(n):
                read_record(f, first + i, rarely, &records[i])
        counted_before = counted
        ended = end_rows(f, first, n, records, e.newest)
        put_rows(f, first, n, records, columns)
        if not e.last:
            reopen_rows(f, first, ended)

cdef inline void spare_range(Export* e, uint32_t i, const RowRange* r) noexcept nogil:
    """The rows of a range are not read again. Their memory is free to use when that of all ranges before it is."""
    cdef uint32_t k, shards = max(e.table.n_shards, 1)
    cdef const uint64_t* ends
    memcpy(e.ends + <uint64_t>i * shards, r.rows.end, shards * sizeof(uint64_t))
    e.read[i] = True
    while e.spared < e.ranges and e.read[e.spared]:
        ends = e.ends + <uint64_t>e.spared * shards
        for k in range(shards):
            spare_rows(&e.table.shards[k] if e.table.n_shards else e.table, e.shards_spared[k], ends[k], &e.spare)
        memcpy(e.shards_spared, ends, shards * sizeof(uint64_t))
        e.spared += 1

cdef inline void close_range(RowRange* r) noexcept nogil:
    close_rows_of(&r.rows)
