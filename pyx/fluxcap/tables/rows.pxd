# The rows of a table in first-seen order, or a range of them, some at a time. Rows of several shards are copied into a
# block, which is a small table by itself, in the order of the records that they began with.

from libc.stdint cimport UINT64_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fluxcap.base.memory cimport Spare, pages_new, pages_spare, prefetch
from fluxcap.flows.aside cimport HoleBlock
from fluxcap.flows.connection cimport Connection, connection_at
from fluxcap.flows.table cimport FlowRow, Flows, RareCounts, drop_rows, free_flows, index_octets, row_at
from fluxcap.tables.beginnings cimport beginning_in, beginning_of, leg_of, next_leg, rows_before
from fluxcap.tables.shards cimport MAX_SHARDS

cdef enum:
    ROWS_AHEAD = 2              # rows of a shard that are prefetched before they are copied
    ROWS_AT_ONCE = 32           # rows and the used parts of their records stay in the first-level cache

cdef struct Rows:
    Flows* table
    Flows* there                # where the rows at hand lie,
    uint64_t first              # ... and the first of them,
    uint32_t n                  # ... and how many there are
    uint64_t begin[MAX_SHARDS]  # of each shard, or of the one table: the first row of the range,
    uint64_t end[MAX_SHARDS]    # ... the row after it,
    uint64_t at[MAX_SHARDS]     # ... the next row,
    uint64_t leg[MAX_SHARDS]    # ... its leg,
    uint64_t next[MAX_SHARDS]   # ... the number of its record, UINT64_MAX behind the last one
    # A tournament of the shards: winner[1] has the earliest next row, winner[k] that of 2 * k and 2 * k + 1, and
    # winner[n_shards + i] is shard i.
    uint8_t winner[2 * MAX_SHARDS]
    Flows block

cdef inline uint64_t border(const Flows* f, uint32_t i, uint32_t n) noexcept nogil:
    """Where range i of n ranges of about as many rows begins: the number of a record, in one table that of a row. Keys
    are spread over the shards at random, so the shard with most rows says it for all."""
    cdef const Flows* most = f
    cdef uint32_t k
    if f.n_shards == 0:
        return f.n * i // n
    for k in range(f.n_shards):
        if most == f or f.shards[k].n > most.n:
            most = &f.shards[k]
    if i == 0 or most.n == 0:
        return 0
    return UINT64_MAX if i == n else beginning_of(most, most.n * i // n)

cdef inline uint64_t number_of(const Rows* r, uint32_t shard) noexcept nogil:
    """The number of the record that the next row of a shard began with."""
    if r.at[shard] == r.end[shard]:
        return UINT64_MAX
    return beginning_in(&r.table.shards[shard], r.leg[shard], r.at[shard])

cdef inline void play(Rows* r, uint32_t k) noexcept nogil:
    cdef uint8_t a = r.winner[2 * k], b = r.winner[2 * k + 1]
    r.winner[k] = b if r.next[b] < r.next[a] else a

cdef inline bint open_block(Flows* block, const Flows* f) noexcept nogil:
    cdef bint done = True
    block.plan = f.plan
    block.stride = f.stride
    block.idle_timeout[0] = f.idle_timeout[0]
    block.idle_timeout[1] = f.idle_timeout[1]
    block.active_timeout = f.active_timeout
    block.ends_tcp = f.ends_tcp
    block.attempt_timeout = f.attempt_timeout
    block.close_timeout = f.close_timeout
    block.first_packets = f.first_packets
    block.describes = f.describes
    block.activity_at = f.activity_at
    block.features_stride = f.features_stride
    block.connections_stride = f.connections_stride
    block.room = block.rare_room = ROWS_AT_ONCE
    block.rows = <uint8_t*>pages_new(block.room * block.stride)
    block.rare = <RareCounts*>pages_new(block.rare_room * sizeof(RareCounts))
    done = block.rows != NULL and block.rare != NULL
    if f.features_stride:
        block.features_room = ROWS_AT_ONCE
        block.features = <uint8_t*>pages_new(block.features_room * block.features_stride)
        done = done and block.features != NULL
    if f.connections_stride:
        block.connections_room = ROWS_AT_ONCE
        block.connections = <uint8_t*>pages_new(block.connections_room * block.connections_stride)
        block.blocks_room = 2 * ROWS_AT_ONCE
        block.blocks = <HoleBlock*>pages_new(block.blocks_room * sizeof(HoleBlock))
        done = done and block.connections != NULL and block.blocks != NULL
    return done

cdef inline bint open_rows(Rows* r, Flows* f, uint32_t place, uint32_t ranges) noexcept nogil:
    """Begin before the first row of a range; False when memory is out. close_rows_of() frees the block, also after
    False."""
    cdef uint64_t begin = border(f, place, ranges), end = border(f, place + 1, ranges)
    cdef uint32_t i
    memset(r, 0, sizeof(Rows))
    r.table = r.there = f
    if f.n_shards == 0:
        r.first = r.begin[0] = begin
        r.end[0] = end
        return True
    for i in range(f.n_shards):
        r.begin[i] = r.at[i] = rows_before(&f.shards[i], begin)
        r.leg[i] = leg_of(&f.shards[i], r.at[i])
        r.end[i] = rows_before(&f.shards[i], end)
        r.next[i] = number_of(r, i)
        r.winner[f.n_shards + i] = <uint8_t>i
    for i in range(f.n_shards - 1, 0, -1):
        play(r, i)
    r.there = &r.block
    return open_block(&r.block, f)

cdef inline void close_rows_of(Rows* r) noexcept nogil:
    free_flows(&r.block)

cdef inline void copy_connection(const Flows* shard, uint64_t i, Flows* block) noexcept nogil:
    cdef Connection* c = connection_at(block, block.n)
    cdef uint32_t way
    memcpy(c, connection_at(shard, i), block.connections_stride)
    for way in range(2):
        if c.sides[way].block:
            block.blocks[block.n_blocks] = shard.blocks[c.sides[way].block - 1]
            block.n_blocks += 1
            c.sides[way].block = <uint32_t>block.n_blocks

cdef inline void copy_row(const Flows* shard, uint64_t i, Flows* block) noexcept nogil:
    """Append a row to the block, with what lies beside it."""
    cdef FlowRow* row = row_at(block, block.n)
    memcpy(row, row_at(shard, i), block.stride)
    if row.rare:
        block.rare[block.n_rare] = shard.rare[row.rare - 1]
        block.n_rare += 1
        row.rare = <uint32_t>block.n_rare
    if block.features_stride:
        memcpy(block.features + block.n * block.features_stride, shard.features + i * block.features_stride,
               block.features_stride)
    if block.connections_stride:
        copy_connection(shard, i, block)
    block.n += 1

cdef inline void pass_row(Rows* r, uint32_t shard) noexcept nogil:
    """Go on to the next row of a shard."""
    cdef uint32_t k = (r.table.n_shards + shard) // 2
    r.at[shard] += 1
    r.leg[shard] = next_leg(&r.table.shards[shard], r.leg[shard], r.at[shard])
    r.next[shard] = number_of(r, shard)
    while k:
        play(r, k)
        k //= 2

cdef inline void fill_block(Rows* r) noexcept nogil:
    cdef const Flows* shard
    cdef uint32_t i
    r.block.n = r.block.n_rare = r.block.n_blocks = 0
    while r.block.n < ROWS_AT_ONCE:
        i = r.winner[1]
        if r.next[i] == UINT64_MAX:
            break
        shard = &r.table.shards[i]
        copy_row(shard, r.at[i], &r.block)
        # There are more shards than a processor expects places where memory is read on.
        prefetch(row_at(shard, r.at[i] + ROWS_AHEAD))
        prefetch(<char*>row_at(shard, r.at[i] + ROWS_AHEAD) + 64)
        pass_row(r, i)
    r.n = <uint32_t>r.block.n

cdef inline bint next_rows(Rows* r) noexcept nogil:
    """Go on to the next rows; False behind the last ones."""
    if r.table.n_shards:
        fill_block(r)
    else:
        r.first += r.n
        r.n = <uint32_t>min(r.end[0] - r.first, <uint64_t>ROWS_AT_ONCE)
    return r.n != 0

cdef inline void spare_index(const Flows* f, Spare* spare) noexcept nogil:
    """The memory of the index is free to use."""
    cdef uint32_t i
    pages_spare(spare, f.index, 0, index_octets(f))
    for i in range(f.n_shards):
        spare_index(&f.shards[i], spare)

cdef inline void spare_rows(const Flows* f, uint64_t spared, uint64_t end, Spare* spare) noexcept nogil:
    """The memory of the rows before `end` is free to use; that of those before `spared` was so before."""
    if spared < end:
        pages_spare(spare, f.rows, spared * f.stride, end * f.stride)
        pages_spare(spare, f.features, spared * f.features_stride, end * f.features_stride)
        pages_spare(spare, f.connections, spared * f.connections_stride, end * f.connections_stride)

cdef inline uint64_t rows_in_range(const Rows* r) noexcept nogil:
    cdef uint64_t rows = 0
    cdef uint32_t i
    for i in range(max(r.table.n_shards, 1)):
        rows += r.end[i] - r.begin[i]
    return rows

cdef inline uint64_t rows_before_range(const Rows* r) noexcept nogil:
    """The rows of all ranges before this one."""
    cdef uint64_t rows = 0
    cdef uint32_t i
    for i in range(max(r.table.n_shards, 1)):
        rows += r.begin[i]
    return rows

cdef inline void drop_all_rows(Flows* f) noexcept nogil:
    cdef uint32_t i
    drop_rows(f)
    for i in range(f.n_shards):
        drop_rows(&f.shards[i])
