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
from fluxcap.base.memory cimport lines_new
from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport ANOMALIES_END, BATCH, Batch, Digest, FRAGMENTS, KEY_WORDS, QUOTATIONS
from fluxcap.capture.ahead cimport Ahead, hop_on
from fluxcap.capture.capture cimport fill_batch
from fluxcap.capture.hop cimport Hop
from fluxcap.capture.reader cimport BROKEN, FORMAT_PCAP, MAX_CAPTURED, RECORD, Reader, Step, available, position
from fluxcap.capture.window cimport WINDOW
from fluxcap.flows.count cimport prefetch_slots
from fluxcap.flows.table cimport Flows
from fluxcap.fragments.holding cimport held_count
from fluxcap.pipeline.digest cimport digest_batch
from fluxcap.pipeline.ledger cimport Noted, Sums, note_digests, sum_digests, suffices
from fluxcap.pipeline.scan cimport (
    DIGESTED, OUTCOME_ROWS_FULL, OUTCOME_WANTS_INPUT, Outcome, Pipeline, admit_batch, count_digests_and_ledger,
    digest_by_lane, examine_batch, scan)
from fluxcap.threads.blocks cimport Blocks, empty_blocks, free_blocks, open_blocks, sort_digests

cdef enum:
    # Room before a window: for the part of a record, with its header, that the window before ended with.
    HEADROOM = MAX_CAPTURED + 64

cdef struct Stretch:            # one batch of a span
    size_t start                # in the window
    uint64_t first              # number of its first record in the span, from 0
    uint64_t kept               # with shards, the place of the digests that the ledger reads
    uint32_t n
    bint plain                  # it has digests, and there is nothing special in it
    uint32_t run                # the first stretch from this one on that is not plain; the number of stretches if none
    Sums sums                   # where it is plain

cdef struct Span:
    Reader reader               # its window ends with the last record of the span
    size_t end                  # ... at this place
    size_t capacity             # bytes of memory of that window
    Ahead ahead                 # in a window before its turn
    uint64_t before             # records of the input before the span
    uint64_t room               # records that the arrays have room for
    Stretch* stretches
    Digest* digests             # with shards, only those that the ledger reads, one behind the other
    uint64_t kept               # ... and how many of them there are
    uint64_t* words             # plan.shape.n for each digest; NULL with shards, and without them:
    Noted* noted                # of each digest
    Blocks blocks               # the digests by shard, with their words
    uint32_t parts              # still to be counted: shards, and the ledger
    uint32_t n                  # stretches
    uint32_t counted            # ... that are counted by one thread
    bint midway                 # rows became full in the middle of the next stretch
    bint examined

cdef inline void free_room(Span* s) noexcept nogil:
    free(s.stretches)
    free(s.digests)
    free(s.words)
    free(s.noted)
    s.stretches = NULL
    s.digests = NULL
    s.words = NULL
    s.noted = NULL
    free_blocks(&s.blocks)
    s.room = 0

cdef inline bint open_sorted(Span* s, const Flows* f, uint64_t records) noexcept nogil:
    s.noted = <Noted*>malloc(records * sizeof(Noted))
    return s.noted != NULL and open_blocks(&s.blocks, f.n_shards, records)

cdef inline bint open_words(Span* s, const Flows* f, uint64_t records) noexcept nogil:
    s.words = <uint64_t*>lines_new(records * max(f.plan.shape.n, 1) * sizeof(uint64_t))
    return s.words != NULL

cdef inline bint open_span(Span* s, const Pipeline* p, uint64_t records) noexcept nogil:
    """Make room for `records`; False when memory is out."""
    cdef const Flows* f = &p.flows
    if s.room and records <= s.room:
        return True
    # Spans differ in size: without more room the arrays would grow again and again.
    records += records // 4 + BATCH
    free_room(s)
    # All batches are full but the last one; a damaged record may add one without records.
    s.stretches = <Stretch*>malloc((records // BATCH + 2) * sizeof(Stretch))
    s.digests = <Digest*>lines_new(records * sizeof(Digest))
    if s.stretches == NULL or s.digests == NULL or not (
            open_sorted(s, f, records) if f.n_shards else open_words(s, f, records)):
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

cdef inline bint read_window(Span* s, const Reader* opened, int file, uint64_t offset) noexcept nogil:
    """Read a window of a file, of the format that a reader says. False where the file has ended, reading fails, or
    memory is out."""
    cdef uint8_t* buffer
    cdef ssize_t n
    if s.capacity < HEADROOM + WINDOW:
        free(s.reader.buffer)
        s.reader.buffer = <uint8_t*>malloc(HEADROOM + WINDOW)
        s.capacity = HEADROOM + WINDOW if s.reader.buffer != NULL else 0
        if s.reader.buffer == NULL:
            return False
    buffer = s.reader.buffer
    n = pread(file, buffer + HEADROOM, WINDOW, <off_t>offset)
    if n <= 0:
        return False
    s.reader = opened[0]
    s.reader.buffer = buffer
    s.reader.start = HEADROOM
    s.reader.end = HEADROOM + n
    return True

cdef inline bint is_short(const Span* s) noexcept nogil:
    """Was less read than a window? Then the file ends there, or grows."""
    return s.reader.end < HEADROOM + WINDOW

cdef inline bint join_window(Span* s, Reader* r, const Pipeline* p) noexcept nogil:
    """Make a window a span, together with the bytes that the reader of the input had left before it. False, and the
    reader is unchanged, where one thread has to read the window in order."""
    cdef uint8_t* buffer = s.reader.buffer
    cdef size_t before = available(r), end = s.reader.end
    cdef Hop hop
    if before > HEADROOM:
        return False
    s.reader = r[0]
    s.reader.buffer = buffer
    s.reader.start = HEADROOM - before
    s.reader.end = end
    s.reader.base = position(r) - s.reader.start    # modulo 2^64: base is only used in sums with a place
    memcpy(buffer + s.reader.start, r.buffer + r.start, before)
    hop = hop_on(&s.reader, p.filtered, &s.ahead)
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

cdef inline void sort_stretch(Span* s, const Flows* f, Stretch* stretch, const Digest* digests,
                              const uint64_t* words) noexcept nogil:
    """Keep the digests by shard, and of them in order what the ledger needs."""
    cdef uint32_t kept = 1 if suffices(digests, &stretch.sums) else stretch.n
    note_digests(digests, stretch.n, s.noted + stretch.first)
    memcpy(s.digests + s.kept, digests, kept * sizeof(Digest))
    stretch.kept = s.kept
    s.kept += kept
    sort_digests(&s.blocks, f, digests, words, <uint32_t>stretch.first, stretch.n)

cdef inline bint examine_stretch(Pipeline* p, Span* s, const Reader* r, Batch* batch, Stretch* stretch) noexcept nogil:
    """Fill the digests of an admitted batch; False where it has something special."""
    # Those that are sorted come from memory that stays in the cache of this processor, as no other one reads it.
    cdef Digest unsorted[BATCH]
    cdef uint64_t unsorted_words[BATCH * KEY_WORDS]
    cdef bint sorts = p.flows.n_shards != 0
    cdef Digest* digests = &unsorted[0] if sorts else s.digests + stretch.first
    cdef uint64_t* words = &unsorted_words[0] if sorts else s.words + stretch.first * p.flows.plan.shape.n
    if not digest_plain(p, r, batch, digests, words):
        return False
    sum_digests(digests, stretch.n, &stretch.sums)
    if sorts:
        sort_stretch(s, &p.flows, stretch, digests, words)
    return True

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
    empty_blocks(&s.blocks)
    r.anomalies = anomalies
    memset(anomalies, 0, sizeof(anomalies))
    s.n = 0
    s.kept = 0
    while step == RECORD:
        stretch = &s.stretches[s.n]
        stretch.start = r.start
        step = fill_batch(&r, batch, BATCH)
        if step != BROKEN and batch.n == 0:
            break
        admit_batch(p, &r, batch)
        stretch.first = done
        stretch.n = batch.n
        stretch.plain = step != BROKEN and examine_stretch(p, s, &r, batch, stretch)
        s.n += 1
        if not stretch.plain:
            memset(anomalies, 0, sizeof(anomalies))
        done += batch.n
    if p.flows.n_shards:
        divide_span(&p.flows, s)

cdef inline bint is_for_all(const Pipeline* p, const Span* s, uint32_t stretch) noexcept nogil:
    """May several threads count this stretch? While packets are held back, those of the span wait behind them."""
    return s.stretches[stretch].plain and held_count(&p.holding) == 0

cdef inline Outcome count_span(Pipeline* p, Span* s) noexcept nogil:
    """Count the records of a span, after all those before it; with shards, whose digests lie in blocks, read those of
    the stretches up to the next one that several threads may count. Damage is left in the reader of the span; after
    full rows the next call goes on."""
    cdef Outcome outcome = OUTCOME_WANTS_INPUT
    cdef Stretch* stretch
    cdef bint last
    while s.counted < s.n:
        stretch = &s.stretches[s.counted]
        last = s.counted + 1 == s.n
        if p.counts_flows and not p.flows.n_shards and not last and stretch[1].plain:
            prefetch_slots(&p.flows, s.digests + stretch[1].first, stretch[1].n)
        if not p.flows.n_shards and stretch.plain and not s.midway and held_count(&p.holding) == 0:
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
