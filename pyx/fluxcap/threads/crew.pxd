# Several threads read one input. A free thread reads a window of a file, waits until the span before is cut, cuts its
# own span off the window and examines it (decoding, checksums, keys). Any thread counts a span whose turn has come.
#
#   one       |R0|  E0  |R2| C0 |  E2  | C1 |R4|  E4  | ...
#   another   |R1 |  E1  |R3|  E3  | C2 |R5|  E5  | C3 | ...
#
# R: read, E: examine, C: count. Python reads an input that is not a file, one window after the other; any free thread
# examines its spans.
#
# Spans are counted one at a time, in the order of the input, so the tables need no lock. A flow table in shards has a
# lane for each shard, and one for the ledger: spans pass each lane one at a time, in order, and the lanes are
# independent. A batch with something special in it is counted by one thread, when everything before it has passed all
# lanes.
#
# The lock of the crew guards the ring of spans and is taken about six times for a span of 2,500 small packets, and once
# more for each lane.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from posix.types cimport pid_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.unistd cimport getpid

from fluxcap.base.types cimport Batch
from fluxcap.capture.hop cimport Hop, hop_records
from fluxcap.capture.reader cimport Reader
from fluxcap.capture.window cimport WINDOW, octets_come
from fluxcap.pipeline.scan cimport OUTCOME_NO_MEMORY, OUTCOME_ROWS_FULL, OUTCOME_WANTS_INPUT, Outcome, Pipeline
from fluxcap.tables.shards cimport MAX_SHARDS
from fluxcap.threads.jobs cimport Job, Jobs
from fluxcap.threads.posix cimport (
    pthread_cond_broadcast, pthread_cond_destroy, pthread_cond_init, pthread_cond_signal, pthread_cond_t,
    pthread_cond_wait, pthread_join, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_t,
    pthread_mutex_unlock, pthread_t, thread_start)
from fluxcap.threads.span cimport (
    Span, count_part, count_span, cut_span, examine_span, free_span, is_for_all, join_window, open_span, read_window)

cdef enum:
    MAX_THREADS = 64
    MAX_LANES = MAX_SHARDS + 1
    SPANS_A_THREAD = 3          # one in work, one waiting for its turn, one waiting for its thread
    MAX_SPANS = MAX_THREADS * SPANS_A_THREAD
    READ_AT_ONCE = 50_000_000   # ns between two checks for Ctrl-C: it is to be answered within 200 ms
    NO_FILE = -1

cdef struct Lane:
    uint64_t counted            # spans that passed it
    uint32_t stretch            # ... and stretches of the next span
    bint busy                   # a thread counts in it

cdef struct Crew:
    Pipeline* pipeline
    pid_t process               # the process that its members run in
    uint32_t n                  # members started; the calling thread is not one of them
    pthread_t members[MAX_THREADS]
    pthread_mutex_t lock
    pthread_cond_t work         # a span was cut, or the crew is to end
    pthread_cond_t progress     # a span was counted, or a window read
    pthread_cond_t turn         # a span was cut from a file, or the file was closed
    Span spans[MAX_SPANS]       # a ring of n_spans; few threads use few of them
    uint32_t n_spans
    uint64_t cut                # spans ever cut,
    uint64_t taken              # ... ever taken to be examined,
    uint64_t counted            # ... ever counted
    Lane lanes[MAX_LANES]
    uint32_t n_lanes            # 0: the flow table has no shards
    uint32_t counting           # threads that count a span or a part of one
    bint alone                  # one thread counts for all lanes
    Jobs jobs                   # for members that have no span to work on
    bint leaving
    int file                    # read a window at a time; NO_FILE: none
    Reader* reader              # the reader of that file
    uint64_t offset             # of the next window
    uint64_t until              # monotonic time, in ns, when Python is asked whether to go on
    bint pausing                # that time has come: no further window is begun
    uint64_t begun              # windows ever begun to be read; a window becomes the span of the same number
    uint32_t reading            # threads that read a window
    bint in_order               # one thread has to read the next window, after all before it are counted
    Batch batch                 # of the calling thread
    Outcome outcome             # other than OUTCOME_WANTS_INPUT: all stopped at the span whose number is `counted`

cdef inline Crew* hire(Pipeline* pipeline) noexcept nogil:
    """A crew without members yet; NULL when memory is out."""
    cdef Crew* crew = <Crew*>calloc(1, sizeof(Crew))
    if crew != NULL:
        crew.pipeline = pipeline
        crew.process = getpid()
        crew.file = NO_FILE
        crew.n_lanes = pipeline.flows.n_shards + 1 if pipeline.flows.n_shards else 0
        pthread_mutex_init(&crew.lock, NULL)
        pthread_cond_init(&crew.work, NULL)
        pthread_cond_init(&crew.progress, NULL)
        pthread_cond_init(&crew.turn, NULL)
    return crew

cdef inline bint is_orphaned(const Crew* crew) noexcept nogil:
    """Was this process forked from that of the crew? Then the members do not run here: nothing can be waited for."""
    return crew.process != getpid()

cdef inline void send_home(Crew* crew) noexcept nogil:
    cdef uint32_t i
    pthread_mutex_lock(&crew.lock)
    crew.leaving = True
    pthread_cond_broadcast(&crew.work)
    pthread_mutex_unlock(&crew.lock)
    for i in range(crew.n):
        pthread_join(crew.members[i], NULL)
    pthread_mutex_destroy(&crew.lock)
    pthread_cond_destroy(&crew.work)
    pthread_cond_destroy(&crew.progress)
    pthread_cond_destroy(&crew.turn)

cdef inline void dismiss(Crew* crew) noexcept nogil:
    cdef uint32_t i
    if not is_orphaned(crew):
        send_home(crew)
    for i in range(crew.n_spans):
        free_span(&crew.spans[i])
    free(crew)

cdef inline uint64_t now() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <uint64_t>time.tv_sec * 1_000_000_000 + <uint64_t>time.tv_nsec

cdef inline void tell(Crew* crew) noexcept nogil:
    """Wake a thread of each kind that waits: there may be something to do."""
    pthread_cond_signal(&crew.progress)
    pthread_cond_signal(&crew.work)

cdef inline void examine(Crew* crew, Batch* batch) noexcept nogil:
    """Examine the next span that was cut. Called with the lock held; releases it meanwhile."""
    cdef Span* span = &crew.spans[crew.taken % crew.n_spans]
    crew.taken += 1
    pthread_mutex_unlock(&crew.lock)
    examine_span(crew.pipeline, span, batch)
    pthread_mutex_lock(&crew.lock)
    span.examined = True
    if crew.n_lanes:            # there is something to count for several threads
        pthread_cond_broadcast(&crew.work)
        pthread_cond_signal(&crew.progress)

cdef inline void close_file(Crew* crew) noexcept nogil:
    """Stop reading the file; windows whose turn has not come are dropped."""
    crew.file = NO_FILE
    pthread_cond_broadcast(&crew.turn)

cdef inline void read_on(Crew* crew, Batch* batch) noexcept nogil:
    """Read the next window of the file, make it a span when its turn has come, and examine the span while its bytes are
    in the cache of this processor. Called with the lock held; releases it meanwhile."""
    cdef uint64_t number = crew.begun
    cdef Span* span = &crew.spans[number % crew.n_spans]
    cdef int file = crew.file
    cdef uint64_t offset = crew.offset
    cdef bint joined
    crew.begun += 1
    crew.offset += WINDOW
    crew.pausing = now() >= crew.until
    crew.reading += 1
    pthread_mutex_unlock(&crew.lock)
    joined = read_window(span, file, offset)
    pthread_mutex_lock(&crew.lock)
    while crew.file != NO_FILE and crew.cut != number:
        pthread_cond_wait(&crew.turn, &crew.lock)
    if crew.file != NO_FILE:
        pthread_mutex_unlock(&crew.lock)
        joined = joined and join_window(span, crew.reader, crew.pipeline)
        pthread_mutex_lock(&crew.lock)
        if joined:
            crew.cut += 1
            pthread_cond_broadcast(&crew.turn)
        else:
            crew.in_order = True
            close_file(crew)
    else:
        joined = False
    crew.reading -= 1
    tell(crew)
    if joined:
        examine(crew, batch)

cdef inline void meet(Crew* crew, uint64_t counted, uint32_t stretch) noexcept nogil:
    """Put all lanes at the same place."""
    cdef uint32_t i
    for i in range(crew.n_lanes):
        crew.lanes[i].counted = counted
        crew.lanes[i].stretch = stretch

cdef inline void count_alone(Crew* crew, Span* span) noexcept nogil:
    """Count what one thread has to count of the next span: all of it, or, if there are lanes, what they wait for.
    Called with the lock held; releases it meanwhile."""
    cdef Outcome outcome
    crew.counting += 1
    crew.alone = True
    if crew.n_lanes:
        span.counted = crew.lanes[0].stretch
    pthread_mutex_unlock(&crew.lock)
    outcome = count_span(crew.pipeline, span)
    pthread_mutex_lock(&crew.lock)
    crew.counting -= 1
    crew.alone = False
    crew.outcome = outcome
    if outcome == OUTCOME_WANTS_INPUT:
        if span.counted == span.n:
            crew.counted += 1
            meet(crew, crew.counted, 0)
        else:
            meet(crew, crew.counted, span.counted)
            pthread_cond_broadcast(&crew.work)
    tell(crew)                  # the turn of the next span has come, and the thread that examined it may wait

cdef inline void count_lane(Crew* crew, uint32_t number) noexcept nogil:
    """Count a part of the next span of a lane. Called with the lock held; releases it meanwhile."""
    cdef Lane* lane = &crew.lanes[number]
    cdef Span* span = &crew.spans[lane.counted % crew.n_spans]
    cdef uint32_t run = span.stretches[lane.stretch].run if lane.stretch < span.n else span.n
    cdef bint done
    crew.counting += 1
    lane.busy = True
    pthread_mutex_unlock(&crew.lock)
    done = count_part(crew.pipeline, span, number, lane.stretch, run)
    pthread_mutex_lock(&crew.lock)
    crew.counting -= 1
    lane.busy = False
    lane.stretch = run
    if run == span.n:
        lane.counted += 1
        lane.stretch = 0
        span.parts -= 1
        crew.counted += span.parts == 0     # the spans before passed every lane earlier
    if not done:
        crew.outcome = OUTCOME_NO_MEMORY
    tell(crew)

cdef inline bint is_due(const Crew* crew, uint64_t number) noexcept nogil:
    """Is this span examined?"""
    return number < crew.taken and crew.spans[number % crew.n_spans].examined

cdef inline bint is_open(const Crew* crew, const Lane* lane) noexcept nogil:
    """Is there something that can be counted in this lane?"""
    cdef const Span* span = &crew.spans[lane.counted % crew.n_spans]
    return not lane.busy and is_due(crew, lane.counted) and (
        lane.stretch == span.n or is_for_all(crew.pipeline, span, lane.stretch))

cdef inline uint32_t lane_due(const Crew* crew) noexcept nogil:
    """The lane that is furthest behind, of those in which something can be counted; n_lanes: in none."""
    cdef uint32_t i, found = crew.n_lanes
    if crew.alone:
        return found
    for i in range(crew.n_lanes):
        if (found == crew.n_lanes or crew.lanes[i].counted < crew.lanes[found].counted) and \
                is_open(crew, &crew.lanes[i]):
            found = i
    return found

cdef inline bint do_job(Crew* crew) noexcept nogil:
    """Do a job; False if all were begun. Called with the lock held; releases it meanwhile."""
    cdef Jobs* jobs = &crew.jobs
    cdef uint32_t i = jobs.begun
    if i == jobs.n:
        return False
    jobs.begun += 1
    pthread_mutex_unlock(&crew.lock)
    jobs.job(jobs.on, i)
    pthread_mutex_lock(&crew.lock)
    jobs.done += 1
    return True

cdef inline void do_jobs(Crew* crew, Job job, void* on, uint32_t n) noexcept nogil:
    """Do n jobs with all threads of a settled crew."""
    pthread_mutex_lock(&crew.lock)
    crew.jobs = Jobs(job, on, n, 0, 0)
    pthread_cond_broadcast(&crew.work)
    while do_job(crew):
        pass
    while crew.jobs.done < n:
        pthread_cond_wait(&crew.progress, &crew.lock)
    pthread_mutex_unlock(&crew.lock)

cdef inline bint do_task(Crew* crew, Batch* batch) noexcept nogil:
    """Do what is most urgent; False if there is nothing to do. Called with the lock held; releases it meanwhile."""
    cdef uint32_t lane
    if do_job(crew):
        tell(crew)
        return True
    if crew.outcome != OUTCOME_WANTS_INPUT:
        return False
    lane = lane_due(crew)
    if lane < crew.n_lanes:
        count_lane(crew, lane)
        return True
    # No lane is open: all wait at the same stretch.
    if not crew.counting and is_due(crew, crew.counted):
        count_alone(crew, &crew.spans[crew.counted % crew.n_spans])
        return True
    if crew.taken < crew.cut:
        examine(crew, batch)
        return True
    if crew.file != NO_FILE and not crew.pausing and crew.begun - crew.counted < crew.n_spans:
        read_on(crew, batch)
        return True
    return False

cdef inline void* work(void* with_crew) noexcept nogil:
    """The loop of a member."""
    cdef Crew* crew = <Crew*>with_crew
    cdef Batch batch
    pthread_mutex_lock(&crew.lock)
    while not crew.leaving:
        if not do_task(crew, &batch):
            pthread_cond_wait(&crew.work, &crew.lock)
    pthread_mutex_unlock(&crew.lock)
    return NULL

cdef inline Outcome help_until(Crew* crew, uint64_t counted) noexcept nogil:
    """Work until this many spans are counted, or an outcome stops the crew. Called with the lock held."""
    while crew.counted < counted and crew.outcome == OUTCOME_WANTS_INPUT:
        if not do_task(crew, &crew.batch):
            pthread_cond_wait(&crew.progress, &crew.lock)
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
        pthread_cond_wait(&crew.progress, &crew.lock)
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
    crew.file = file
    crew.offset = octets_come(r)
    crew.begun = crew.cut
    crew.until = now() + READ_AT_ONCE
    crew.pausing = False
    crew.in_order = False
    pthread_cond_broadcast(&crew.work)
    while crew.file != NO_FILE and crew.outcome == OUTCOME_WANTS_INPUT and (not crew.pausing or crew.reading):
        if not do_task(crew, &crew.batch):
            pthread_cond_wait(&crew.progress, &crew.lock)
    close_file(crew)
    while crew.reading:
        pthread_cond_wait(&crew.progress, &crew.lock)
    outcome = crew.outcome
    pthread_mutex_unlock(&crew.lock)
    return outcome
