# Rows of another table, which lie in columns, come into a table: some rows at a time, each column of these in turn.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.columns cimport Columns, take_column
from fluxcap.base.times cimport earliest, is_earlier
from fluxcap.base.types cimport KEY_WORDS, VERDICTS_END, VERDICT_BAD
from fluxcap.flows.count cimport note_errors, quoted_row, take_unseen
from fluxcap.flows.key cimport hash_words, project
from fluxcap.flows.record cimport FlowRecord
from fluxcap.flows.table cimport (
    EndReason, FIRST_ROWS, FlowRow, Flows, MARK_FLIPPED, RareCounts, add_row, add_verdicts, expired, find_slot, home,
    is_flipped, make_room, open_unseen, rare_of, reserve, row_of)

cdef enum:
    ADDED_AT_ONCE = 32          # the used parts of their records stay in the first-level cache

cdef enum Merged:
    MERGED
    MERGE_FULL                  # the table has no room for another row
    MERGE_GOES_BACK             # the row began before the one in the table, in the other direction
    NO_MEMORY_TO_MERGE

cdef enum:
    UNNUMBERED = -1             # as uint64_t

cdef inline void begin_earlier(Flows* f, FlowRow* row, const FlowRecord* record, uint32_t flip,
                               uint64_t number) noexcept nogil:
    """The row began with this record, before the one that it seemed to begin with."""
    cdef const FlowRow* one = row
    cdef FlowRow turned = one[0]
    cdef int v
    f.numbers[(<uint8_t*>row - f.rows) // f.stride] = number
    if record.rare.icmp or row.rare:
        rare_of(f, row).icmp = record.rare.icmp
    if flip == is_flipped(row):
        return
    for v in range(2):
        row.packets[v] = turned.packets[v ^ 1]
        row.octets[v] = turned.octets[v ^ 1]
        row.payload[v] = turned.payload[v ^ 1]
        row.tcp_flags[v] = turned.tcp_flags[v ^ 1]
    row.marks ^= MARK_FLIPPED

cdef inline Merged merge_row(Flows* f, const FlowRecord* record, uint64_t number) noexcept nogil:
    """Add a row of another table with the same key, or a row of its `unseen`.

    Forward is the direction of the row that began first. `number`: that of the record that the row began with, among
    all records, in whatever order rows are added; UNNUMBERED: times tell, and of two rows in different directions the
    one that began first has to be added first. With an idle timeout, rows have to be added in order of `first`: a row
    then continues the one before it exactly when one table over all packets would have continued it."""
    cdef uint64_t words[KEY_WORDS]
    cdef uint32_t flip = project(&f.plan, f.plan.shape, &record.key, words)
    cdef int v
    cdef uint64_t tag = hash_words(&f.plan, words, f.plan.shape.n) >> 32
    cdef uint64_t* slot = find_slot(f, f.index + home(f, tag), words, f.plan.shape.n, tag)
    cdef FlowRow* row = NULL
    cdef const FlowRow* other = &record.row
    cdef RareCounts* rare
    cdef EndReason reason
    cdef bint counted = record.rare.ip_bad != 0 or record.rare.icmp_errors != 0
    if other.packets[0] == 0 and other.packets[1] == 0:
        rare = quoted_row(f, words, tag)
        if rare == NULL:
            f.errors_not_kept += record.rare.icmp_errors
            return MERGED
        note_errors(rare, record.rare.icmp_errors, record.rare.icmp_last, record.rare.icmp_type, record.rare.icmp_code)
        return MERGED
    if slot[0]:
        row = row_of(f, slot[0])
        reason = expired(f, row, other.first, record.key.protocol)
        if reason:
            row.end_reason = reason
            row = NULL
        elif number == <uint64_t>UNNUMBERED:
            if is_earlier(other.first, row.first) and flip != is_flipped(row):
                return MERGE_GOES_BACK
        elif number < f.numbers[<uint32_t>slot[0] - 1]:
            begin_earlier(f, row, record, flip, number)
    if row == NULL:
        if f.n == f.max_rows:
            return MERGE_FULL
        row = add_row(f, slot, words, f.plan.shape.n, tag, flip, other.first)
        if number != <uint64_t>UNNUMBERED:
            f.numbers[f.n - 1] = number
        if record.rare.icmp:
            rare_of(f, row).icmp = record.rare.icmp
        if f.unseen != NULL:
            take_unseen(f, row, words, tag)
    flip ^= is_flipped(row)
    for v in range(2):
        row.packets[v ^ flip] += other.packets[v]
        row.octets[v ^ flip] += other.octets[v]
        row.payload[v ^ flip] += other.payload[v]
        row.tcp_flags[v ^ flip] |= other.tcp_flags[v]
    row.first = earliest(other.first, row.first)
    row.last = other.last if other.last > row.last else row.last
    row.end_reason = other.end_reason
    row.good += other.good
    for v in range(VERDICT_BAD, VERDICTS_END):
        if record.rare.verdicts[v]:
            add_verdicts(f, row, v, record.rare.verdicts[v])
    if counted:
        rare = rare_of(f, row)
        rare.ip_bad += record.rare.ip_bad
        if record.rare.icmp_errors:
            note_errors(rare, record.rare.icmp_errors, record.rare.icmp_last, record.rare.icmp_type,
                        record.rare.icmp_code)
    return MERGED

cdef inline Merged add_records(Flows* f, const FlowRecord* records, const uint64_t* numbers,
                               uint32_t n) noexcept nogil:
    cdef Merged merged = MERGED
    cdef uint32_t i
    if not (reserve(f, n) and (numbers == NULL or make_room(
            <void**>&f.numbers, &f.numbers_room, f.n + n, FIRST_ROWS, sizeof(uint64_t)))):
        return NO_MEMORY_TO_MERGE
    for i in range(n):
        # Without packets: a row about ICMP errors.
        if not (records[i].row.packets[0] or records[i].row.packets[1] or open_unseen(f)):
            return NO_MEMORY_TO_MERGE
        merged = merge_row(f, &records[i], numbers[i] if numbers != NULL else <uint64_t>UNNUMBERED)
        if merged != MERGED:
            break
    return merged

cdef inline Merged add_columns(Flows* f, const Columns* c, const uint64_t* numbers, uint64_t n) noexcept nogil:
    """Merge n rows into a table, as merge_row() does. `numbers`: those of the records that the rows began with, for all
    rows that are ever added to the table, or NULL for all."""
    cdef FlowRecord[ADDED_AT_ONCE] records
    cdef Merged merged = MERGED
    cdef uint64_t first = 0
    cdef uint32_t some, i
    memset(records, 0, sizeof(records))     # the columns write the same fields of each row
    while first < n and merged == MERGED:
        some = <uint32_t>min(n - first, <uint64_t>ADDED_AT_ONCE)
        for i in range(c.n_columns):
            take_column(c, i, first, some, records, sizeof(FlowRecord))
        merged = add_records(f, records, numbers + first if numbers != NULL else NULL, some)
        first += some
    return merged
