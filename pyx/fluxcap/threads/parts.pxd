# Counting a part of examined spans: the records of one shard, or the ledger.

from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t

from fluxcap.base.memory cimport prefetch
from fluxcap.base.types cimport BATCH, Digest
from fluxcap.flows.count cimport prefetch_slots
from fluxcap.flows.table cimport Flows
from fluxcap.pipeline.ledger cimport tally_sums
from fluxcap.pipeline.scan cimport Pipeline
from fluxcap.tables.shards cimport count_shard
from fluxcap.threads.blocks cimport Block, Blocks
from fluxcap.threads.span cimport Span

cdef enum:
    LINE_WORDS = 8              # words in a cache line

cdef struct Course:             # the way through the records of one shard
    Span** spans
    uint32_t n                  # spans
    uint32_t shard
    uint64_t limit              # of the first span, the number of the record where counting stops
    uint32_t at                 # the span that is read,
    uint32_t place              # ... its next record in the shard,
    Block* block                # ... and the block with that record

cdef struct Section:            # records of a course that lie in one block
    Digest* digests
    const uint64_t* words
    const uint32_t* numbers
    uint64_t first              # number of the first record of the span, over all inputs
    uint32_t n                  # 0: behind the last one

cdef inline void enter_span(Course* c) noexcept nogil:
    cdef const Blocks* b = &c.spans[c.at].blocks
    c.place = b.passed[c.shard]
    c.block = &b.blocks[b.at[c.shard]]

cdef inline void pass_records(Course* c, uint32_t n) noexcept nogil:
    """Go on by n records, none of them in another block."""
    c.place += n
    if n and c.place % BATCH == 0:
        c.block = &c.spans[c.at].blocks.blocks[c.block.next]

cdef inline uint32_t records_in_block(const Course* c) noexcept nogil:
    """How many records that are to be counted does the block still have?"""
    cdef uint32_t at = c.place % BATCH
    cdef uint32_t n = min(c.spans[c.at].blocks.records[c.shard] - c.place, BATCH - at)
    while c.at == 0 and n and c.block.numbers[at + n - 1] >= c.limit:
        n -= 1
    return n

cdef inline Section next_section(const Pipeline* p, Course* c) noexcept nogil:
    """The next records, which another processor wrote: they are prefetched."""
    cdef uint32_t i, at, words = p.flows.plan.shape.n
    cdef Section section
    section.n = records_in_block(c)
    while section.n == 0 and c.at + 1 < c.n:
        c.at += 1
        enter_span(c)
        section.n = records_in_block(c)
    at = c.place % BATCH
    section.digests = c.block.digests + at
    section.words = c.block.words + at * words
    section.numbers = c.block.numbers + at
    section.first = p.earlier + c.spans[c.at].before
    pass_records(c, section.n)
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

cdef inline uint64_t number_at(const Span* s, uint32_t stretch) noexcept nogil:
    """The number of the first record of a stretch; behind the last stretch that of none."""
    return s.stretches[stretch].first if stretch < s.n else UINT64_MAX

cdef inline bint count_shard_of(Pipeline* p, Span** spans, uint32_t n, uint32_t shard, uint32_t first,
                                uint32_t end) noexcept nogil:
    cdef Blocks* b = &spans[0].blocks
    cdef Course course = Course(spans, n, shard, number_at(spans[0], first), 0, 0, NULL)
    enter_span(&course)
    while records_in_block(&course):    # one thread counted those before the first stretch in the order of all records
        pass_records(&course, records_in_block(&course))
    course.limit = number_at(spans[0], end)
    if not count_course(p, &course):
        return False
    if course.at == 0:
        b.passed[shard] = course.place
        b.at[shard] = <uint32_t>(course.block - b.blocks)
    return True

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
            tally_sums(p.totals, s.reader.counts, s.digests + s.stretches[k].kept, s.noted + s.stretches[k].first,
                       s.stretches[k].n, &s.stretches[k].sums)
    return True
