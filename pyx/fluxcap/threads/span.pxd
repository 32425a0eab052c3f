# Spans: pieces of an input that hold whole records. Any thread may examine a span: that needs nothing of earlier spans.
# Spans are counted in the order of the input: a span by one thread at a time, or, where the flow table has shards, each
# part of a span by one thread at a time: the digests of one shard, or the ledger. The batches that examining leaves out
# cut such a span into pieces.
#
# Examining leaves out batches with something special in them (fragments, ICMP errors, anomalies, damage, rows to be
# made). When the span is counted, scan() reads those in order, and also every batch that comes while fragments are held
# back, as it reads all batches where there is one thread. So the number of threads changes no result.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset
from posix.types cimport off_t
from posix.unistd cimport pread

from fluxcap.base.columns cimport is_wanted
from fluxcap.base.memory cimport lines_new, prefetch
from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport ANOMALIES_END, BATCH, Batch, Digest, FRAGMENTS, KEY_WORDS, QUOTATIONS, in_a_flow
from fluxcap.capture.capture cimport fill_batch
from fluxcap.capture.hop cimport Hop, hop_records
from fluxcap.capture.reader cimport BROKEN, FORMAT_PCAP, MAX_CAPTURED, RECORD, Reader, Step, available, position
from fluxcap.capture.window cimport WINDOW
from fluxcap.flows.count cimport prefetch_slots
from fluxcap.flows.table cimport Flows
from fluxcap.fragments.holding cimport held_count
from fluxcap.pipeline.digest cimport digest_batch
from fluxcap.pipeline.ledger cimport Sums, sum_digests, tally_sums
from fluxcap.pipeline.scan cimport (
    DIGESTED, OUTCOME_ROWS_FULL, OUTCOME_WANTS_INPUT, Outcome, Pipeline, admit_batch, count_digests_and_ledger,
    digest_by_lane, examine_batch, scan)
from fluxcap.tables.shards cimport MAX_SHARDS, count_shard

cdef enum:
    # Room before a window: for the part of a record, with its header, that the window before ended with.
    HEADROOM = MAX_CAPTURED + 64

cdef struct Stretch:            # one batch of a span
    size_t start                # in the window
    uint64_t first              # number of its first record in the span, from 0
    uint32_t n
    bint plain                  # it has digests, and there is nothing special in it
    uint32_t run                # the first stretch from this one on that is not plain; the number of stretches if none
    Sums sums                   # where it is plain

cdef struct Span:
    Reader reader               # its window ends with the last record of the span
    size_t end                  # ... at this place
    size_t capacity             # bytes of memory of that window
    uint64_t before             # records of the input before the span
    uint64_t room               # records that the next four arrays have room for
    Digest* digests
    uint64_t* words             # plan.shape.n for each digest
    Stretch* stretches
    uint32_t* sorted            # `room` for each shard: numbers of its records that are in a flow
    uint32_t in_shard[MAX_SHARDS]       # how many they are
    uint32_t parts              # still to be counted: shards, and the ledger
    uint32_t n                  # stretches
    uint32_t counted            # ... that are counted by one thread
    bint midway                 # rows became full in the middle of the next stretch
    bint examined

cdef inline void free_room(Span* s) noexcept nogil:
    free(s.digests)
    free(s.words)
    free(s.stretches)
    free(s.sorted)
    s.digests = NULL
    s.words = NULL
    s.stretches = NULL
    s.sorted = NULL
    s.room = 0

cdef inline bint open_span(Span* s, const Pipeline* p, uint64_t records) noexcept nogil:
    """Make room for `records`; False when memory is out."""
    if s.room and records <= s.room:
        return True
    # Spans differ in size: without more room the arrays would grow again and again. Of `sorted` each shard has an odd
    # number of cache lines, so that the places to which all shards write next do not share a few sets of L1.
    records = (records + records // 4 + BATCH | 16) & ~<uint64_t>15
    free_room(s)
    s.digests = <Digest*>lines_new(records * sizeof(Digest))
    s.words = <uint64_t*>lines_new(records * max(p.flows.plan.shape.n, 1) * sizeof(uint64_t))
    # All batches are full but the last one; a damaged record may add one without records.
    s.stretches = <Stretch*>malloc((records // BATCH + 2) * sizeof(Stretch))
    s.sorted = <uint32_t*>malloc(max(p.flows.n_shards, 1) * records * sizeof(uint32_t))  # most of it is never used
    if s.digests == NULL or s.words == NULL or s.stretches == NULL or s.sorted == NULL:
        free_room(s)
        return False
    s.room = records
    return True

cdef inline void free_span(Span* s) noexcept nogil:
    free(s.reader.buffer)
    s.reader.buffer = NULL
    s.capacity = 0
    free_room(s)

cdef inline void begin_span(Span* s, Reader* r, const Hop* hop) noexcept nogil:
    """Begin a span: its reader keeps the window up to the end of the hop; the bytes after it go to the reader of the
    input."""
    cdef size_t left = s.reader.end - hop.end
    memcpy(r.buffer, s.reader.buffer + hop.end, left)
    r.base = s.reader.base + hop.end
    r.start = 0
    r.end = left
    r.number += hop.records
    if r.resync != NULL and hop.records and r.format == FORMAT_PCAP:
        r.resync.framing.timed = True
        r.resync.framing.second = hop.second
    s.reader.resync = NULL      # its records are sound
    s.reader.end = s.end = hop.end
    s.before = s.reader.number
    s.counted = 0
    s.midway = False
    s.examined = False

cdef inline bint cut_span(Span* s, Reader* r, const Hop* hop) noexcept nogil:
    """Move the records of a hop from the window of the reader into the span: the two exchange their buffers. False:
    memory is out."""
    cdef uint8_t* buffer = s.reader.buffer
    if s.capacity < r.capacity:
        buffer = <uint8_t*>realloc(buffer, r.capacity)
        if buffer == NULL:
            return False
    s.reader = r[0]
    s.capacity = r.capacity
    r.buffer = buffer
    begin_span(s, r, hop)
    return True

cdef inline bint read_window(Span* s, int file, uint64_t offset) noexcept nogil:
    """Read a window of a file; False where the file ends before, reading fails, or memory is out."""
    if s.capacity < HEADROOM + WINDOW:
        free(s.reader.buffer)
        s.reader.buffer = <uint8_t*>malloc(HEADROOM + WINDOW)
        s.capacity = HEADROOM + WINDOW if s.reader.buffer != NULL else 0
        if s.reader.buffer == NULL:
            return False
    return pread(file, s.reader.buffer + HEADROOM, WINDOW, <off_t>offset) == WINDOW

cdef inline bint join_window(Span* s, Reader* r, const Pipeline* p) noexcept nogil:
    """Make a window a span, together with the bytes that the reader of the input had left before it. False, and the
    reader is unchanged, where one thread has to read the window in order."""
    cdef uint8_t* buffer = s.reader.buffer
    cdef size_t before = available(r)
    cdef Hop hop
    if before > HEADROOM:
        return False
    s.reader = r[0]
    s.reader.buffer = buffer
    s.reader.start = HEADROOM - before
    s.reader.end = HEADROOM + WINDOW
    s.reader.base = position(r) - s.reader.start    # modulo 2^64: base is only used in sums with a place
    memcpy(buffer + s.reader.start, r.buffer + r.start, before)
    hop = hop_records(&s.reader, p.filtered)
    if hop.stopped or s.reader.end - hop.end > r.capacity or not open_span(s, p, hop.records):
        return False
    begin_span(s, r, &hop)
    return True

cdef inline bint has_anomalies(const uint64_t* anomalies) noexcept nogil:
    cdef uint64_t found = 0
    cdef int anomaly
    for anomaly in range(ANOMALIES_END):
        found |= anomalies[anomaly]
    return found != 0

cdef inline uint32_t special_bits(const Pipeline* p) noexcept nogil:
    """What a plain batch has none of. A quotation is special where its flow is counted."""
    return FRAGMENTS | QUOTATIONS if p.counts_flows else FRAGMENTS

cdef inline bint is_plain(const Pipeline* p, const Batch* batch) noexcept nogil:
    cdef uint64_t found = batch.special & special_bits(p)
    cdef uint32_t i
    if p.columns.n_columns:
        for i in range(batch.n):
            found |= is_wanted(&p.columns, &batch.packets[i])
    return found == 0

cdef inline bint digest_plain(Pipeline* p, const Reader* r, Batch* batch, Digest* digests,
                              uint64_t* words) noexcept nogil:
    """Fill the digests of an admitted batch; False where it has something special."""
    if p.lane and digest_by_lane(p, r, batch, special_bits(p), digests, words) == DIGESTED:
        return not has_anomalies(r.anomalies)
    examine_batch(p, r, batch)
    if has_anomalies(r.anomalies) or not is_plain(p, batch):
        return False
    # Each has a time: a record without one is an anomaly.
    digest_batch(&p.flows.plan, batch, NO_TIME, digests, words)
    return True

cdef inline void sort_digests(const Flows* f, Span* s, const Stretch* stretch) noexcept nogil:
    """Sort the records of a stretch that are in a flow by shard; in a shard they stay in order."""
    cdef uint32_t shard, k
    for k in range(<uint32_t>stretch.first, <uint32_t>stretch.first + stretch.n):
        if in_a_flow(s.digests[k].disposition):
            shard = s.digests[k].tag & f.n_shards - 1
            s.sorted[shard * s.room + s.in_shard[shard]] = k
            s.in_shard[shard] += 1

cdef inline void divide_span(const Flows* f, Span* s) noexcept nogil:
    """Make an examined span parts of which several threads can count."""
    cdef uint32_t i, run = s.n
    for i in range(s.n, 0, -1):
        if not s.stretches[i - 1].plain:
            run = i - 1
        s.stretches[i - 1].run = run
    s.parts = f.n_shards + 1

cdef inline void examine_span(Pipeline* p, Span* s, Batch* batch) noexcept nogil:
    """Do all work on a span that does not depend on earlier records. `batch` belongs to the calling thread."""
    cdef uint64_t anomalies[ANOMALIES_END]
    cdef Reader r = s.reader
    cdef Stretch* stretch
    cdef Step step = RECORD
    cdef uint64_t done = 0
    memset(s.in_shard, 0, sizeof(s.in_shard))
    r.anomalies = anomalies
    memset(anomalies, 0, sizeof(anomalies))
    s.n = 0
    while step == RECORD:
        stretch = &s.stretches[s.n]
        stretch.start = r.start
        step = fill_batch(&r, batch, BATCH)
        if step != BROKEN and batch.n == 0:
            break
        admit_batch(p, &r, batch)
        stretch.first = done
        stretch.n = batch.n
        stretch.plain = step != BROKEN and digest_plain(
            p, &r, batch, s.digests + done, s.words + done * p.flows.plan.shape.n)
        s.n += 1
        if stretch.plain:
            sum_digests(s.digests + done, batch.n, &stretch.sums)
            if p.flows.n_shards:
                sort_digests(&p.flows, s, stretch)
        else:
            memset(anomalies, 0, sizeof(anomalies))
        done += batch.n
    if p.flows.n_shards:
        divide_span(&p.flows, s)

cdef inline bint is_for_all(const Pipeline* p, const Span* s, uint32_t stretch) noexcept nogil:
    """May several threads count this stretch? While packets are held back, those of the span wait behind them."""
    return s.stretches[stretch].plain and held_count(&p.holding) == 0

cdef inline Outcome count_span(Pipeline* p, Span* s) noexcept nogil:
    """Count the records of a span, after all those before it; with shards, up to the next stretch that several threads
    may count. Damage is left in the reader of the span; after full rows the next call goes on."""
    cdef Outcome outcome = OUTCOME_WANTS_INPUT
    cdef Stretch* stretch
    cdef bint last
    while s.counted < s.n:
        stretch = &s.stretches[s.counted]
        last = s.counted + 1 == s.n
        if p.counts_flows and not p.flows.n_shards and not last and stretch[1].plain:
            prefetch_slots(&p.flows, s.digests + stretch[1].first, stretch[1].n)
        if stretch.plain and not s.midway and held_count(&p.holding) == 0:
            outcome = count_digests_and_ledger(p, s.reader.counts, s.digests + stretch.first,
                                               s.words + stretch.first * p.flows.plan.shape.n, &stretch.n,
                                               &stretch.sums)
        else:
            if not s.midway:
                s.reader.start = stretch.start
                s.reader.end = s.end if last else stretch[1].start
                s.reader.number = s.before + stretch.first
            outcome = scan(p, &s.reader)
            s.midway = outcome == OUTCOME_ROWS_FULL
        s.counted += outcome == OUTCOME_WANTS_INPUT
        if outcome != OUTCOME_WANTS_INPUT or p.flows.n_shards and s.counted < s.n and is_for_all(p, s, s.counted):
            break
    return outcome

cdef struct Gathered:           # up to BATCH records of one shard
    Digest digests[BATCH]
    uint64_t words[BATCH * KEY_WORDS]
    uint64_t numbers[BATCH]     # over all inputs
    uint32_t n

cdef struct Course:             # the way through the records of one shard
    Span** spans
    uint32_t n                  # spans
    uint32_t shard
    uint32_t at                 # the span that is read
    uint32_t place              # in its `sorted`
    uint32_t end                # ... where it stops

cdef inline uint32_t place_of(const Span* s, uint32_t shard, uint32_t stretch) noexcept nogil:
    """The first place of a shard whose record is in this stretch or a later one."""
    cdef const uint32_t* sorted = s.sorted + shard * s.room
    cdef uint32_t low = 0, high = s.in_shard[shard], middle
    if stretch == s.n:
        return high
    while low < high:
        middle = low + (high - low) // 2
        if sorted[middle] < s.stretches[stretch].first:
            low = middle + 1
        else:
            high = middle
    return low

cdef inline bint next_record(Course* course, uint32_t* k) noexcept nogil:
    """The next record, which is in the span course.at; False at the end."""
    cdef const Span* s = course.spans[course.at]
    while course.place == course.end:
        if course.at + 1 == course.n:
            return False
        course.at += 1
        s = course.spans[course.at]
        course.place = 0
        course.end = s.in_shard[course.shard]
    k[0] = s.sorted[course.shard * s.room + course.place]
    course.place += 1
    return True

cdef inline void expect_records(Course* course, uint32_t words) noexcept nogil:
    """Prefetch the next records: most were written by other processors, and lie apart."""
    cdef const Span* s
    cdef uint32_t k
    cdef int _i
    for _i in range(BATCH):
        if not next_record(course, &k):
            break
        s = course.spans[course.at]
        prefetch(s.digests + k)
        prefetch(s.words + <uint64_t>k * words)
        prefetch(s.words + <uint64_t>k * words + words - 1)

cdef inline void gather_records(const Pipeline* p, Course* course, Gathered* g) noexcept nogil:
    """Copy the next records."""
    cdef const Span* s
    cdef uint32_t k, words = p.flows.plan.shape.n
    g.n = 0
    while g.n < BATCH and next_record(course, &k):
        s = course.spans[course.at]
        g.digests[g.n] = s.digests[k]
        memcpy(g.words + g.n * words, s.words + <uint64_t>k * words, words * sizeof(uint64_t))
        g.numbers[g.n] = p.earlier + s.before + k
        g.n += 1

cdef inline bint count_course(Pipeline* p, Course course) noexcept nogil:
    """Count records of one shard. False when memory is out."""
    cdef Gathered gathered[2]
    cdef Gathered* g
    cdef Course ahead = course
    cdef Flows* f = &p.flows.shards[course.shard]
    cdef uint32_t turn = 0
    expect_records(&ahead, p.flows.plan.shape.n)
    expect_records(&ahead, p.flows.plan.shape.n)
    gather_records(p, &course, &gathered[0])
    prefetch_slots(f, gathered[0].digests, gathered[0].n)
    while gathered[turn].n:
        g = &gathered[turn]
        turn ^= 1
        expect_records(&ahead, p.flows.plan.shape.n)
        gather_records(p, &course, &gathered[turn])
        prefetch_slots(f, gathered[turn].digests, gathered[turn].n)
        if not count_shard(&p.flows, f, g.digests, g.words, g.numbers, g.n):
            return False
    return True

cdef inline bint count_part(Pipeline* p, Span** spans, uint32_t n, uint32_t part, uint32_t first,
                            uint32_t end) noexcept nogil:
    """Count one part of some spans: the records of a shard, or, as the last part, all records in the ledger. Of the
    first span, count the stretches from `first` to `end`. False when memory is out."""
    cdef const Span* s = spans[0]
    cdef uint32_t i, k
    if part < p.flows.n_shards:
        return count_course(p, Course(spans, n, part, 0, place_of(s, part, first), place_of(s, part, end)))
    for i in range(n):
        s = spans[i]
        for k in range(first if i == 0 else 0, end if i == 0 else s.n):
            tally_sums(p.totals, s.reader.counts, s.digests + s.stretches[k].first, s.stretches[k].n,
                       &s.stretches[k].sums)
    return True
