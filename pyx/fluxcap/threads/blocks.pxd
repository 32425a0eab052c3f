# The records of a span that are in a flow, by shard: each shard has a chain of blocks. So a thread that counts in a
# shard reads whole cache lines of that shard alone, one after the other, and counts a block at once.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from fluxcap.base.memory cimport lines_new
from fluxcap.base.types cimport BATCH, Digest, KEY_WORDS, in_a_flow
from fluxcap.flows.key cimport FIVE_TUPLE_WORDS
from fluxcap.flows.table cimport Flows
from fluxcap.tables.shards cimport MAX_SHARDS

cdef struct Block:
    Digest digests[BATCH]
    uint64_t words[BATCH * KEY_WORDS]   # one key behind the other: the rest is not used
    uint32_t numbers[BATCH]             # of the records in the span, from 0
    uint32_t next                       # the place of the next block of the shard
    uint8_t unused[60]                  # so that each block begins with a cache line

cdef struct Blocks:
    Block* blocks
    uint32_t n                          # blocks in use
    uint32_t records[MAX_SHARDS]        # of each shard; only its last block is not full
    uint32_t last[MAX_SHARDS]           # the place of that block
    uint32_t passed[MAX_SHARDS]         # records that were counted when counting stopped within the span,
    uint32_t at[MAX_SHARDS]             # ... and the place of the block with the next one

cdef inline bint open_blocks(Blocks* b, uint32_t shards, uint64_t records) noexcept nogil:
    """Make room for so many records of any shards; False when memory is out. Pages that are not used cost nothing."""
    b.blocks = <Block*>lines_new((records // BATCH + shards) * sizeof(Block))
    return b.blocks != NULL

cdef inline void free_blocks(Blocks* b) noexcept nogil:
    free(b.blocks)
    b.blocks = NULL

cdef inline void empty_blocks(Blocks* b) noexcept nogil:
    b.n = 0
    memset(b.records, 0, sizeof(b.records))
    memset(b.passed, 0, sizeof(b.passed))
    memset(b.at, 0, sizeof(b.at))

cdef inline Block* open_block_of(Blocks* b, uint32_t shard) noexcept nogil:
    """A further block of a shard whose last one is full."""
    if b.records[shard]:
        b.blocks[b.last[shard]].next = b.n
    else:
        b.at[shard] = b.n
    b.last[shard] = b.n
    b.blocks[b.n].next = 0
    b.n += 1
    return &b.blocks[b.last[shard]]

cdef inline void sort_with_words(Blocks* b, uint32_t shards, const Digest* digests, const uint64_t* words,
                                 uint32_t key_words, uint32_t first, uint32_t n) noexcept nogil:
    cdef Block* block
    cdef uint32_t i, shard, place
    for i in range(n):
        if in_a_flow(digests[i].disposition):
            shard = digests[i].tag & shards - 1
            place = b.records[shard] % BATCH
            block = open_block_of(b, shard) if place == 0 else &b.blocks[b.last[shard]]
            block.digests[place] = digests[i]
            memcpy(block.words + place * key_words, words + i * key_words, key_words * sizeof(uint64_t))
            block.numbers[place] = first + i
            b.records[shard] += 1

cdef inline void sort_digests(Blocks* b, const Flows* f, const Digest* digests, const uint64_t* words, uint32_t first,
                              uint32_t n) noexcept nogil:
    """Copy those of n records that are in a flow behind the others of their shards. `first`: the number of the first
    record."""
    # The same code twice: with a constant, the compiler copies the words of the default key without a call.
    if f.plan.shape.n == FIVE_TUPLE_WORDS:
        sort_with_words(b, f.n_shards, digests, words, FIVE_TUPLE_WORDS, first, n)
    else:
        sort_with_words(b, f.n_shards, digests, words, f.plan.shape.n, first, n)
