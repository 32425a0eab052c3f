# An input is shared among the threads of a crew: by the thread that asks for it, which works with them.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.types cimport Batch
from fluxcap.capture.hop cimport Hop, hop_records
from fluxcap.capture.reader cimport Reader
from fluxcap.capture.window cimport octets_come
from fluxcap.pipeline.scan cimport OUTCOME_NO_MEMORY, OUTCOME_ROWS_FULL, OUTCOME_WANTS_INPUT, Outcome
from fluxcap.threads.crew cimport Crew, MAX_THREADS, NO_FILE, SPANS_A_THREAD
from fluxcap.threads.jobs cimport Job, Jobs
from fluxcap.threads.posix cimport (
    pthread_cond_broadcast, pthread_cond_signal, pthread_mutex_lock, pthread_mutex_unlock, thread_start)
from fluxcap.threads.span cimport Span, cut_span, open_span
from fluxcap.threads.tasks cimport close_file, do_job, do_task, wait_for
from fluxcap.threads.trace cimport monotonic

cdef enum:
    READ_AT_ONCE = 50_000_000   # ns between two checks for Ctrl-C: it is to be answered within 200 ms

cdef inline void* work(void* with_crew) noexcept nogil:
    """The loop of a member."""
    cdef Crew* crew = <Crew*>with_crew
    cdef Batch batch
    pthread_mutex_lock(&crew.lock)
    while not crew.leaving:
        if not do_task(crew, &batch):
            wait_for(crew, &crew.work)
    pthread_mutex_unlock(&crew.lock)
    return NULL

cdef inline Outcome help_until(Crew* crew, uint64_t counted) noexcept nogil:
    """Work until this many spans are counted, or an outcome stops the crew. Called with the lock held."""
    while crew.counted < counted and crew.outcome == OUTCOME_WANTS_INPUT:
        if not do_task(crew, &crew.batch):
            wait_for(crew, &crew.progress)
    return crew.outcome

cdef inline void resume(Crew* crew) noexcept nogil:
    """Go on after full rows, if the rows were taken. Called with the lock held."""
    if crew.outcome == OUTCOME_ROWS_FULL and crew.pipeline.columns.n < crew.pipeline.row_limit:
        crew.outcome = OUTCOME_WANTS_INPUT
        pthread_cond_broadcast(&crew.work)

cdef inline Outcome settle(Crew* crew) noexcept nogil:
    """Work until all spans that were cut are counted."""
    cdef Outcome outcome
    pthread_mutex_lock(&crew.lock)
    resume(crew)
    outcome = help_until(crew, crew.cut)
    while crew.counting:        # other lanes, if memory is out in one
        wait_for(crew, &crew.progress)
    pthread_mutex_unlock(&crew.lock)
    return outcome

cdef inline Span* broken_span(Crew* crew) noexcept nogil:
    """The span whose damage stopped the crew."""
    return &crew.spans[crew.counted % crew.n_spans]

cdef inline void enlist(Crew* crew, uint32_t threads) noexcept nogil:
    """Start members until there are `threads` with the calling thread, or until the system starts no more. The ring
    grows only while none of it is in use. Called with the lock held."""
    while crew.n + 1 < min(threads, <uint32_t>MAX_THREADS) and thread_start(&crew.members[crew.n], work, crew):
        crew.n += 1
    if crew.counted == crew.cut:
        crew.n_spans = (crew.n + 1) * SPANS_A_THREAD

cdef inline Outcome share(Crew* crew, Reader* r, uint32_t threads, bint* in_order) noexcept nogil:
    """Cut a span off the window of the reader, for a crew of `threads`. `in_order`: the rest of the window has to be
    read in order, after everything before it is counted."""
    cdef Span* span
    cdef Hop hop = hop_records(r, crew.pipeline.filtered)
    cdef Outcome outcome
    in_order[0] = hop.stopped
    pthread_mutex_lock(&crew.lock)
    resume(crew)
    outcome = crew.outcome
    if hop.end == r.start or outcome != OUTCOME_WANTS_INPUT:
        pthread_mutex_unlock(&crew.lock)
        return outcome
    enlist(crew, threads)
    if crew.cut - crew.counted == crew.n_spans:
        outcome = help_until(crew, crew.counted + 1)
    if outcome == OUTCOME_WANTS_INPUT:
        span = &crew.spans[crew.cut % crew.n_spans]
        if open_span(span, crew.pipeline, hop.records) and cut_span(span, r, &hop):
            crew.cut += 1
            pthread_cond_signal(&crew.work)
        else:
            outcome = OUTCOME_NO_MEMORY
    pthread_mutex_unlock(&crew.lock)
    return outcome

cdef inline Outcome share_file(Crew* crew, Reader* r, int file, uint32_t threads) noexcept nogil:
    """Let a crew of `threads` read further windows of a file, for READ_AT_ONCE, or until crew.in_order or an
    outcome. The window of the reader holds less than a record at the beginning."""
    cdef Outcome outcome
    pthread_mutex_lock(&crew.lock)
    resume(crew)
    enlist(crew, threads)
    crew.reader = r
    crew.opened = r[0]
    crew.file = file
    crew.offset = octets_come(r)
    crew.begun = crew.cut
    crew.until = monotonic() + READ_AT_ONCE
    crew.pausing = False
    crew.in_order = False
    pthread_cond_broadcast(&crew.work)
    while crew.file != NO_FILE and crew.outcome == OUTCOME_WANTS_INPUT and (not crew.pausing or crew.reading):
        if not do_task(crew, &crew.batch):
            wait_for(crew, &crew.progress)
    close_file(crew)
    while crew.reading:
        wait_for(crew, &crew.progress)
    outcome = crew.outcome
    pthread_mutex_unlock(&crew.lock)
    return outcome

cdef inline void do_jobs(Crew* crew, Job job, void* on, uint32_t n) noexcept nogil:
    """Do n jobs with all threads of a settled crew."""
    pthread_mutex_lock(&crew.lock)
    crew.jobs = Jobs(job, on, n, 0, 0)
    pthread_cond_broadcast(&crew.work)
    while do_job(crew):
        pass
    while crew.jobs.done < n:
        wait_for(crew, &crew.progress)
    pthread_mutex_unlock(&crew.lock)
