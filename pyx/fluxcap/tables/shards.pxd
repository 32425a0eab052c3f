# A flow table in shards. The tag of a key chooses the shard that has all rows of the key, so several threads may count
# at once, each in a shard of its own. Every shard is counted in the order of the input. tables/beginnings.pxd keeps the
# numbers of the records that rows began with: tables/rows.pxd puts the rows of all shards in first-seen order by them.
#
# The table itself then has no rows, but what the shards share: settings, quotations, and flows that were quoted and not
# seen. It lends these to a shard while the shard is counted. Only records that are counted one after the other add to
# them.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from fluxcap.base.memory cimport HUGE_FROM, prefetch
from fluxcap.base.types cimport BATCH, Digest, in_a_flow
from fluxcap.flows.count cimport count_digests
from fluxcap.flows.table cimport Flows, find_tag, free_flows, home, make_room, reserve, row_of, shard_of
from fluxcap.tables.beginnings cimport note_beginning, reserve_beginnings

cdef enum:
    FIRST_SHARD_ROWS = 512
    MAX_SHARDS = 32             # a power of two, because the lowest bits of a tag choose; home() takes the highest

cdef inline bint open_shards(Flows* f, uint32_t n) noexcept nogil:
    """Divide an empty table into n shards, a power of two; False when memory is out."""
    cdef Flows* shards = <Flows*>calloc(n, sizeof(Flows))
    cdef uint32_t i
    if shards == NULL:
        return False
    for i in range(n):
        shards[i] = f[0]
        shards[i].count = count_digests
    f.shards = shards
    f.n_shards = n
    return True

cdef inline void free_shards(Flows* f) noexcept nogil:
    cdef uint32_t i
    for i in range(f.n_shards):
        f.shards[i].servers = NULL      # those of the table
        free_flows(&f.shards[i])
    free(f.shards)
    f.shards = NULL
    f.n_shards = 0

cdef inline uint64_t rows_in(const Flows* f) noexcept nogil:
    """The rows of a table, in shards or not."""
    cdef uint64_t rows = f.n
    cdef uint32_t i
    for i in range(f.n_shards):
        rows += f.shards[i].n
    return rows

cdef inline uint64_t errors_not_kept(const Flows* f) noexcept nogil:
    cdef uint64_t errors = f.errors_not_kept
    cdef uint32_t i
    for i in range(f.n_shards):
        errors += f.shards[i].errors_not_kept
    return errors

cdef inline bint reserve_shard(Flows* shard) noexcept nogil:
    """Room for a batch; False when memory is out. Call before lend()."""
    cdef uint64_t wanted = shard.n + BATCH
    # The first rows are in small pages: to zero a huge one for each shard takes longer than to read a small capture.
    # More rows come into huge pages at once: in small ones, counting takes a quarter more time.
    if wanted > FIRST_SHARD_ROWS and shard.room < HUGE_FROM // shard.stride:
        wanted = HUGE_FROM // shard.stride + 1
    return make_room(<void**>&shard.rows, &shard.room, wanted, FIRST_SHARD_ROWS, shard.stride) and \
        reserve(shard, BATCH) and reserve_beginnings(shard)

cdef inline void lend(Flows* f, Flows* shard) noexcept nogil:
    shard.whole = f
    shard.unseen = f.unseen
    shard.quoted = f.quoted

cdef inline void take_back(Flows* shard) noexcept nogil:
    shard.whole = shard.unseen = NULL
    shard.quoted = NULL

cdef inline bint count_shard(Flows* f, Flows* shard, Digest* digests, const uint64_t* words, uint64_t first,
                             const uint32_t* numbers, uint32_t n) noexcept nogil:
    """Count up to BATCH digests of one shard, none with a quotation; `numbers` are those of their records, from `first`
    on. False when memory is out."""
    cdef uint64_t rows = shard.n
    cdef uint32_t i, counted
    if not reserve_shard(shard):
        return False
    lend(f, shard)
    counted = shard.count(shard, digests, words, n)
    take_back(shard)
    if shard.n > rows:
        for i in range(counted):
            if digests[i].row > rows:
                note_beginning(shard, rows, first + numbers[i])
                rows += 1
    return counted == n

cdef inline void expect_rows(const Flows* f, const Digest* digests, uint32_t n) noexcept nogil:
    """Prefetch slots and rows, so that the cache misses of all packets overlap."""
    cdef const Flows* shard
    cdef uint64_t slot
    cdef uint32_t i
    for i in range(n):
        shard = shard_of(f, digests[i].tag)
        prefetch(shard.index + home(shard, digests[i].tag))
    for i in range(n):
        if in_a_flow(digests[i].disposition):
            shard = shard_of(f, digests[i].tag)
            slot = find_tag(shard, shard.index + home(shard, digests[i].tag), digests[i].tag)[0]
            if slot:
                prefetch(row_of(shard, slot))
                prefetch(<char*>row_of(shard, slot) + 64)

cdef inline bint count_in_order(Flows* f, Digest* digests, const uint64_t* words, uint32_t n,
                                uint64_t number) noexcept nogil:
    """Count up to BATCH digests of any shards, one after the other, because an ICMP error changes a row of another
    shard than its own. `number`: that of the first record. False when memory is out."""
    cdef Flows* shard
    cdef uint64_t rows
    cdef uint32_t i
    cdef bint done = f.unseen == NULL or reserve(f.unseen, BATCH)
    for i in range(f.n_shards):
        done = done and reserve_shard(&f.shards[i])
    if not done:
        return False
    for i in range(f.n_shards):
        lend(f, &f.shards[i])
    expect_rows(f, digests, n)
    for i in range(n):
        if done and in_a_flow(digests[i].disposition):
            shard = shard_of(f, digests[i].tag)
            rows = shard.n
            done = shard.count(shard, digests + i, words + <uint64_t>i * f.plan.shape.n, 1) == 1
            if shard.n > rows:
                note_beginning(shard, rows, number + i)
    for i in range(f.n_shards):
        take_back(&f.shards[i])
    return done
