# From rows to columns, a few rows at a time. A value that stands in a row is appended to its column directly; one that
# has to be computed goes into a FlowRecord first.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.columns cimport Columns, lay_pieces, put_column
from fluxcap.base.memory cimport HUGE_FROM, Spare, spare_open
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
    ROWS_AT_ONCE, Rows, close_rows_of, next_rows, open_rows, rows_before_range, spare_index, spare_rows)

cdef enum:
    ROW_WORDS = sizeof(FlowRow) // 8

# The columns of a flow table: `plain`, `features` and `activity` are fields of FlowRecord (together more than one
# Columns holds), `firsts` are the first packets behind a FeatureRow.
cdef struct FlowColumns:
    Columns plain
    Columns features
    Columns activity
    Columns firsts

cdef inline FlowRow united(const Flows* f, uint64_t first, uint32_t n) noexcept nogil:
    """The bitwise OR of these rows: a field that is zero here is zero in all of them."""
    cdef FlowRow all
    cdef uint64_t* words = <uint64_t*>&all
    cdef const uint64_t* row
    cdef uint32_t i
    cdef int word
    memset(&all, 0, sizeof(FlowRow))
    for i in range(n):
        row = <const uint64_t*>row_at(f, first + i)
        for word in range(ROW_WORDS):
            words[word] |= row[word]
    return all

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

cdef inline void lay_rows(FlowColumns* columns, Spare* spare, uint32_t n, uint64_t end) noexcept nogil:
    lay_pieces(&columns.plain, spare, n, end)
    lay_pieces(&columns.features, spare, n, end)
    lay_pieces(&columns.activity, spare, n, end)
    lay_pieces(&columns.firsts, spare, n, end)

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

cdef struct RowRange:           # some rows of a table on their way to columns
    Rows rows
    uint32_t place              # this range,
    uint32_t ranges             # ... of so many
    uint64_t end                # the row after it; room of the columns: it is the last range
    FlowColumns columns         # those of the table, up to the next row of the range
    FlowRecord records[ROWS_AT_ONCE]
    int64_t newest              # rows that have been silent or active for too long at this time have ended
    bint last                   # the columns take over the memory of rows that have been read
    bint failed                 # memory is out

cdef enum:
    LEAST_RANGE = 4096          # rows: fewer take less time than another thread does to wake up
    KEPT_TWICE = 64 << 20       # bytes of rows whose memory need not become columns at once
    PIECES_A_RANGE = 8          # of each shard: the piece where two ranges meet becomes no column

cdef inline uint32_t ranges_of(const Flows* f, uint64_t rows, uint32_t threads) noexcept nogil:
    """How many ranges of so many rows are worth making for so many threads."""
    cdef uint64_t octets = rows * (f.stride + f.features_stride + f.connections_stride)
    cdef uint64_t ranges = min(<uint64_t>threads, rows // LEAST_RANGE)
    if octets > KEPT_TWICE:
        ranges = min(ranges, octets // (<uint64_t>max(f.n_shards, 1) * PIECES_A_RANGE * HUGE_FROM))
    return <uint32_t>max(ranges, <uint64_t>1)

cdef inline void set_rows(FlowColumns* columns, uint64_t n) noexcept nogil:
    """Say that each column has so many rows."""
    columns.plain.n = columns.features.n = columns.activity.n = columns.firsts.n = n

cdef inline bint open_ranges(RowRange* all, uint32_t n, Flows* f, const FlowColumns* columns, int64_t newest,
                             bint last) noexcept nogil:
    """Divide the rows of a table into n zeroed ranges, in order. The caller has reserved room in the columns.
    close_ranges() frees what the ranges have, also after False: memory is out."""
    cdef bint done = True
    cdef uint32_t i
    for i in range(n):
        all[i].place = i
        all[i].ranges = n
        all[i].newest = newest
        all[i].last = last
        all[i].columns = columns[0]
        done = open_rows(&all[i].rows, f, i, n) and done
        set_rows(&all[i].columns, rows_before_range(&all[i].rows))
    for i in range(n):
        all[i].end = all[i + 1].columns.plain.n if i + 1 < n else columns.plain.room
    return done

cdef inline bint close_ranges(RowRange* all, uint32_t n, FlowColumns* columns) noexcept nogil:
    """The columns have all rows now. False when memory is out."""
    cdef bint done = True
    cdef uint32_t i
    for i in range(n):
        close_rows_of(&all[i].rows)
        done = done and not all[i].failed
    set_rows(columns, all[n - 1].columns.plain.n)
    return done

cdef inline void split_range(RowRange* r) noexcept nogil:
    """Write the rows of a range into the columns, in order."""
    cdef Rows* rows = &r.rows
    cdef FlowColumns* columns = &r.columns
    cdef FlowRecord* records = r.records
    cdef uint64_t first
    cdef uint32_t n, i, ended
    cdef bint counted_before = False, counted, rarely
    cdef Flows* f = rows.there
    cdef FlowRow all
    cdef Spare spare
    spare_open(&spare, r.ranges)
    if r.last:
        spare_index(rows.table, r.place, r.ranges, &spare)
    while next_rows(rows):
        first = rows.first
        n = rows.n
        all = united(f, first, n)
        read_keys(f, first, n, records)
        counted = all.rare or all.marks & ~MARK_FLIPPED
        # Records that got such counts in the round before have to be cleared.
        rarely = counted_before or counted
        if rarely or f.describes or f.connections_stride:
            for i in range(n):
                read_record(f, first + i, rarely, &records[i])
        counted_before = counted
        columns.plain.zero = zero_columns(&columns.plain, records, &all)
        if r.last:
            lay_rows(columns, &spare, n, r.end)
            if spare.failed:
                break
        ended = end_rows(f, first, n, records, r.newest)
        put_rows(f, first, n, records, columns)
        if r.last:
            spare_rows(rows, &spare)
        else:
            reopen_rows(f, first, ended)
    r.failed = spare.failed
