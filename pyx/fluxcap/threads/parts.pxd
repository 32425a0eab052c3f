# Counting a part of examined spans: the records of one shard, or the ledger.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.memory cimport prefetch
from fluxcap.base.types cimport BATCH, Digest
from fluxcap.flows.count cimport prefetch_slots
from fluxcap.flows.table cimport Flows
from fluxcap.pipeline.ledger cimport tally_sums
from fluxcap.pipeline.scan cimport Pipeline
from fluxcap.tables.shards cimport count_shard
from fluxcap.threads.blocks cimport Block, block_with, records_before
from fluxcap.threads.span cimport Span

cdef enum:
    LINE_WORDS = 8              # words in a cache line

cdef struct Course:             # the way through the records of one shard
    Span** spans
    uint32_t n                  # spans
    uint32_t shard
    uint32_t at                 # the span that is read,
    uint32_t place              # ... its next record in the shard,
    uint32_t end                # ... the record where it stops,
    Block* block                # ... and the block with the next record

cdef struct Section:            # records of a course that lie in one block
    Digest* digests
    const uint64_t* words
    const uint32_t* numbers
    uint64_t first              # number of the first record of the span, over all inputs
    uint32_t n                  # 0: behind the last one

cdef inline Section next_section(const Pipeline* p, Course* c) noexcept nogil:
    """The next records, which another processor wrote: they are prefetched."""
    cdef uint32_t i, at, words = p.flows.plan.shape.n
    cdef Section section
    while c.place == c.end and c.at + 1 < c.n:
        c.at += 1
        c.place = 0
        c.end = c.spans[c.at].blocks.records[c.shard]
        c.block = block_with(&c.spans[c.at].blocks, c.shard, 0)
    at = c.place % BATCH
    section.n = min(c.end - c.place, BATCH - at)
    section.digests = c.block.digests + at
    section.words = c.block.words + at * words
    section.numbers = c.block.numbers + at
    section.first = p.earlier + c.spans[c.at].before
    c.place += section.n
    if section.n and c.place % BATCH == 0 and c.place < c.end:
        c.block = &c.spans[c.at].blocks.blocks[c.block.next]
    for i in range(section.n):
        prefetch(section.digests + i)
    for i in range((section.n * words + LINE_WORDS - 1) // LINE_WORDS):
        prefetch(section.words + i * LINE_WORDS)
    return section

cdef inline bint count_course(Pipeline* p, Course* course) noexcept nogil:
    """Count records of one shard. False when memory is out."""
    cdef Flows* f = &p.flows.shards[course.shard]
    cdef Section now = next_section(p, course), next = next_section(p, course), after
    prefetch_slots(f, now.digests, now.n)
    while now.n:
        after = next_section(p, course)
        prefetch_slots(f, next.digests, next.n)
        if not count_shard(&p.flows, f, now.digests, now.words, now.first, now.numbers, now.n):
            return False
        now = next
        next = after
    return True

cdef inline uint32_t place_of(const Span* s, uint32_t shard, uint32_t stretch) noexcept nogil:
    """The place of the first record of a shard that is in this stretch or a later one."""
    if stretch == 0:
        return 0
    return s.blocks.records[shard] if stretch == s.n else \
        records_before(&s.blocks, shard, s.stretches[stretch].first)

cdef inline bint count_shard_of(Pipeline* p, Span** spans, uint32_t n, uint32_t shard, uint32_t first,
                                uint32_t end) noexcept nogil:
    cdef uint32_t place = place_of(spans[0], shard, first)
    cdef Course course = Course(spans, n, shard, 0, place, place_of(spans[0], shard, end),
                                block_with(&spans[0].blocks, shard, place))
    return count_course(p, &course)

cdef inline bint count_part(Pipeline* p, Span** spans, uint32_t n, uint32_t part, uint32_t first,
                            uint32_t end) noexcept nogil:
    """Count one part of some spans: the records of a shard, or, as the last part, all records in the ledger. Of the
    first span, count the stretches from `first` to `end`. False when memory is out."""
    cdef const Span* s
    cdef uint32_t i, k
    if part < p.flows.n_shards:
        return count_shard_of(p, spans, n, part, first, end)
    for i in range(n):
        s = spans[i]
        for k in range(first if i == 0 else 0, end if i == 0 else s.n):
            tally_sums(p.totals, s.reader.counts, s.digests + s.stretches[k].first, s.noted + s.stretches[k].first,
                       s.stretches[k].n, &s.stretches[k].sums)
    return True
