# Spans: pieces of an input whose records are whole. Any thread does the work that needs nothing of earlier spans; one
# thread at a time does the rest, in the order of the input.
#
# Batches with something special in them (fragments, ICMP errors, anomalies, damage, rows to be made) are left alone the
# first time, and every batch that follows while fragments are held back is done again: scan() reads them in order, as
# it reads all batches where there is one thread. That is why the number of threads cannot show in the result.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset
from posix.types cimport off_t
from posix.unistd cimport pread

from fluxcap.base.columns cimport is_wanted
from fluxcap.base.types cimport ANOMALIES_END, BATCH, Batch, Digest, FRAGMENTS, QUOTATIONS
from fluxcap.capture.capture cimport fill_batch
from fluxcap.capture.hop cimport Hop, hop_records
from fluxcap.capture.reader cimport BROKEN, MAX_CAPTURED, RECORD, Reader, Step, available, position
from fluxcap.capture.window cimport WINDOW
from fluxcap.flows.count cimport prefetch_slots
from fluxcap.fragments.holding cimport held_count
from fluxcap.pipeline.digest cimport digest_batch
from fluxcap.pipeline.scan cimport (
    OUTCOME_ROWS_FULL, OUTCOME_WANTS_INPUT, Outcome, Pipeline, count_digests_and_ledger, examine_batch, scan)

cdef enum:
    # Before a window that was read: for the part of a record, with its header, that the one before ended with.
    HEADROOM = MAX_CAPTURED + 64

cdef struct Stretch:            # a batch of a span
    size_t start                # in the window
    uint64_t first              # number of its first record in the span, from 0
    uint32_t n
    bint plain                  # digested, and there is nothing special in it

cdef struct Span:
    Reader reader               # its window ends with the span's last record
    size_t end                  # ... here
    size_t capacity             # bytes of that window's memory
    uint64_t before             # records of the input before it
    uint64_t room               # records that the three below are enough for
    Digest* digests
    uint64_t* words             # plan.shape.n for each digest
    Stretch* stretches
    uint32_t n                  # stretches
    uint32_t counted            # ... of them
    bint midway                 # rows were full in the middle of the next one
    bint examined

cdef inline void free_room(Span* s) noexcept nogil:
    free(s.digests)
    free(s.words)
    free(s.stretches)
    s.digests = NULL
    s.words = NULL
    s.stretches = NULL
    s.room = 0

cdef inline bint open_span(Span* s, const Pipeline* p, uint64_t records) noexcept nogil:
    """Room for so many records; False when memory is out."""
    if s.room and records <= s.room:
        return True
    records += records // 4 + BATCH     # spans differ; this keeps them from growing a little each time
    free_room(s)
    s.digests = <Digest*>malloc(records * sizeof(Digest))
    s.words = <uint64_t*>malloc(records * max(p.flows.plan.shape.n, 1) * sizeof(uint64_t))
    # A batch ends where it is full or the span ends; one may be broken, and so hold no record.
    s.stretches = <Stretch*>malloc((records // BATCH + 2) * sizeof(Stretch))
    if s.digests == NULL or s.words == NULL or s.stretches == NULL:
        free_room(s)
        return False
    s.room = records
    return True

cdef inline void free_span(Span* s) noexcept nogil:
    free(s.reader.buffer)
    free_room(s)

cdef inline void begin_span(Span* s, Reader* r, const Hop* hop) noexcept nogil:
    """The span's reader has its window, up to where was hopped; the input's reader goes on with what is left of it."""
    cdef size_t left = s.reader.end - hop.end
    memcpy(r.buffer, s.reader.buffer + hop.end, left)
    r.base = s.reader.base + hop.end
    r.start = 0
    r.end = left
    r.number += hop.records
    s.reader.end = s.end = hop.end
    s.before = s.reader.number
    s.counted = 0
    s.midway = False
    s.examined = False

cdef inline bint cut_span(Span* s, Reader* r, const Hop* hop) noexcept nogil:
    """Move what was hopped over from the reader's window into the span; False when memory is out. The two exchange
    their buffers."""
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
    """Read a window of a file; False where it ends or fails before, or memory is out."""
    if s.capacity < HEADROOM + WINDOW:
        free(s.reader.buffer)
        s.reader.buffer = <uint8_t*>malloc(HEADROOM + WINDOW)
        s.capacity = HEADROOM + WINDOW if s.reader.buffer != NULL else 0
        if s.reader.buffer == NULL:
            return False
    return pread(file, s.reader.buffer + HEADROOM, WINDOW, <off_t>offset) == WINDOW

cdef inline bint join_window(Span* s, Reader* r, const Pipeline* p) noexcept nogil:
    """Make a window that was read a span, with what the input's reader had left before it. False, and the reader as it
    was, where it takes one thread to read it."""
    cdef uint8_t* buffer = s.reader.buffer
    cdef size_t before = available(r)
    cdef Hop hop
    if before > HEADROOM:
        return False
    s.reader = r[0]
    s.reader.buffer = buffer
    s.reader.start = HEADROOM - before
    s.reader.end = HEADROOM + WINDOW
    s.reader.base = position(r) - s.reader.start    # modulo 2^64: only base + place is ever used
    memcpy(buffer + s.reader.start, r.buffer + r.start, before)
    hop = hop_records(&s.reader, p.filtered)
    if hop.stopped or s.reader.end - hop.end > r.capacity or not open_span(s, p, hop.records):
        return False
    begin_span(s, r, &hop)
    return True

cdef inline bint is_plain(const Pipeline* p, const Batch* batch, const uint64_t* anomalies) noexcept nogil:
    cdef uint64_t found = batch.special & (FRAGMENTS | QUOTATIONS if p.counts_flows else FRAGMENTS)
    cdef uint32_t i
    cdef int anomaly
    if p.columns.n_columns:
        for i in range(batch.n):
            found |= is_wanted(&p.columns, &batch.packets[i])
    for anomaly in range(ANOMALIES_END):
        found |= anomalies[anomaly]
    return found == 0

cdef inline void examine_span(Pipeline* p, Span* s, Batch* batch) noexcept nogil:
    """Everything about its records that does not depend on what came before. `batch` is the thread's own."""
    cdef uint64_t anomalies[ANOMALIES_END]
    cdef Reader r = s.reader
    cdef Stretch* stretch
    cdef Step step = RECORD
    cdef uint64_t done = 0
    r.anomalies = anomalies
    memset(anomalies, 0, sizeof(anomalies))
    s.n = 0
    while step == RECORD:
        stretch = &s.stretches[s.n]
        stretch.start = r.start
        step = fill_batch(&r, batch, BATCH)
        if step != BROKEN and batch.n == 0:
            break
        examine_batch(p, &r, batch)
        stretch.first = done
        stretch.n = batch.n
        stretch.plain = step != BROKEN and is_plain(p, batch, anomalies)
        s.n += 1
        if stretch.plain:
            digest_batch(&p.flows.plan, batch, s.digests + done, s.words + done * p.flows.plan.shape.n)
        else:
            memset(anomalies, 0, sizeof(anomalies))
        done += batch.n

cdef inline Outcome count_span(Pipeline* p, Span* s) noexcept nogil:
    """Its records into the tables, after all those before it. What is broken leaves its damage in the span's reader;
    where rows are full, the next call goes on."""
    cdef Outcome outcome = OUTCOME_WANTS_INPUT
    cdef Stretch* stretch
    cdef bint last
    while s.counted < s.n:
        stretch = &s.stretches[s.counted]
        last = s.counted + 1 == s.n
        if p.counts_flows and not last and stretch[1].plain:
            prefetch_slots(&p.flows, s.digests + stretch[1].first, stretch[1].n)
        if stretch.plain and not s.midway and held_count(&p.holding) == 0:
            outcome = count_digests_and_ledger(p, s.reader.counts, s.digests + stretch.first,
                                               s.words + stretch.first * p.flows.plan.shape.n, &stretch.n)
        else:
            if not s.midway:
                s.reader.start = stretch.start
                s.reader.end = s.end if last else stretch[1].start
                s.reader.number = s.before + stretch.first
            outcome = scan(p, &s.reader)
            s.midway = outcome == OUTCOME_ROWS_FULL
        s.counted += outcome == OUTCOME_WANTS_INPUT
        if outcome != OUTCOME_WANTS_INPUT:
            break
    return outcome
