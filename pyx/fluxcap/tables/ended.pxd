# Rows that no later record can change leave the table, so that memory grows with the flows that are open, not with the
# capture.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memmove, memset

from fluxcap.base.memory cimport pages_new
from fluxcap.base.numbers cimport IP_TCP
from fluxcap.base.times cimport later_by
from fluxcap.base.types cimport Key
from fluxcap.flows.key cimport hash_words, unproject
from fluxcap.flows.table cimport (
    FORCED_END, FlowRow, Flows, RareCounts, home, index_octets, is_flipped, key_of, next_place, row_at)

cdef inline int64_t idle_timeout_of(const Flows* f, FlowRow* row) noexcept nogil:
    cdef Key key
    if f.idle_timeout[0] == f.idle_timeout[1]:
        return f.idle_timeout[0]
    memset(&key, 0, sizeof(Key))
    unproject(&f.plan, f.plan.shape, key_of(row), is_flipped(row), &key)
    return f.idle_timeout[key.protocol == IP_TCP]

cdef inline bint is_over(const Flows* f, FlowRow* row, int64_t until) noexcept nogil:
    """Can no record of `until` or later change the row, or why it ended? A row whose active timeout has passed ends for
    that reason if its next record comes soon, else because it was idle: only an idle timeout decides."""
    cdef int64_t idle, start
    if row.end_reason != FORCED_END:
        return True
    idle = idle_timeout_of(f, row)
    if idle:
        return later_by(until, row.last) >= <uint64_t>idle
    if f.active_timeout:
        return later_by(until, row.first) >= <uint64_t>f.active_timeout
    if f.plan.interval:
        start = <int64_t>key_of(row)[f.plan.shape.n - 1]        # the interval is the last word of a key
        return later_by(until, start) >= <uint64_t>f.plan.interval
    return False

cdef inline bint open_ended(const Flows* f, Flows* ended, int64_t until) noexcept nogil:
    """Make a table without an index that has room for the rows that are over; False when memory is out."""
    cdef uint64_t i
    cdef FlowRow* row
    memset(ended, 0, sizeof(Flows))
    ended.plan = f.plan
    ended.stride = f.stride
    ended.features_stride = f.features_stride
    ended.first_packets = f.first_packets
    ended.describes = f.describes
    ended.activity_at = f.activity_at
    ended.idle_timeout[0] = f.idle_timeout[0]
    ended.idle_timeout[1] = f.idle_timeout[1]
    ended.active_timeout = f.active_timeout
    ended.ends_tcp = f.ends_tcp
    for i in range(f.n):
        row = row_at(f, i)
        if is_over(f, row, until):
            ended.room += 1
            ended.rare_room += row.rare != 0
    if ended.room == 0:
        return True
    ended.rows = <uint8_t*>pages_new(ended.room * ended.stride)
    if f.features_stride:
        ended.features_room = ended.room
        ended.features = <uint8_t*>pages_new(ended.room * ended.features_stride)
    if ended.rare_room:
        ended.rare = <RareCounts*>pages_new(ended.rare_room * sizeof(RareCounts))
    return ended.rows != NULL and (f.features_stride == 0 or ended.features != NULL) and \
        (ended.rare_room == 0 or ended.rare != NULL)

cdef inline void move_row(const Flows* f, uint64_t i, Flows* to, uint64_t at) noexcept nogil:
    memmove(to.rows + at * f.stride, row_at(f, i), f.stride)
    if f.features_stride:
        memmove(to.features + at * f.features_stride, f.features + i * f.features_stride, f.features_stride)

cdef inline void part_rows(Flows* f, Flows* ended, int64_t until, uint32_t* owners) noexcept nogil:
    """Move the rows that are over to the other table, and the others to the front. `owners`: for each RareCounts, 1 +
    the row that has it; 0 = it is free."""
    cdef uint64_t i, kept = 0
    cdef FlowRow* row
    for i in range(f.n):
        row = row_at(f, i)
        if not is_over(f, row, until):
            if row.rare:
                owners[row.rare - 1] = <uint32_t>kept + 1
            if kept < i:
                move_row(f, i, f, kept)
            kept += 1
            continue
        if row.rare:
            ended.rare[ended.n_rare] = f.rare[row.rare - 1]
            ended.n_rare += 1
            row.rare = <uint32_t>ended.n_rare
        move_row(f, i, ended, ended.n)
        ended.n += 1
    # Memory behind the rows is zero: add_row() relies on that.
    memset(f.rows + kept * f.stride, 0, (f.n - kept) * f.stride)
    if f.features_stride:
        memset(f.features + kept * f.features_stride, 0, (f.n - kept) * f.features_stride)
    f.n = kept

cdef inline void close_ranks(Flows* f, const uint32_t* owners) noexcept nogil:
    """Move the rare counts that rows have to the front."""
    cdef uint64_t i, kept = 0
    for i in range(f.n_rare):
        if owners[i]:
            f.rare[kept] = f.rare[i]
            kept += 1
            row_at(f, owners[i] - 1).rare = <uint32_t>kept
    memset(f.rare + kept, 0, (f.n_rare - kept) * sizeof(RareCounts))
    f.n_rare = kept

cdef inline void index_anew(Flows* f) noexcept nogil:
    cdef uint64_t i, tag, at, first
    memset(f.index, 0, index_octets(f))
    for i in range(f.n):
        tag = hash_words(&f.plan, key_of(row_at(f, i)), f.plan.shape.n) >> 32
        at = first = home(f, tag)
        while f.index[at]:
            at = next_place(f.bits, at, &first)
        f.index[at] = tag << 32 | i + 1

cdef inline bint take_ended(Flows* f, Flows* ended, int64_t until) noexcept nogil:
    """Move the rows that no record of `until` or later can change to a table of their own, in order; free_flows() frees
    it, also after False: memory is out, and nothing has changed. Not for a table with connections: late segments of a
    connection that has ended still count."""
    cdef uint32_t* owners
    if not open_ended(f, ended, until):
        return False
    if ended.room == 0:
        return True
    owners = <uint32_t*>calloc(f.n_rare + 1, sizeof(uint32_t))
    if owners == NULL:
        return False
    part_rows(f, ended, until, owners)
    close_ranks(f, owners)
    index_anew(f)
    free(owners)
    return True
