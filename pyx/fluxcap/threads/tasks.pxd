# The tasks of a crew, and which of them a free thread does next. Each is called with the lock held, and releases it
# while it works.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.types cimport Batch
from fluxcap.capture.ahead cimport hop_ahead
from fluxcap.capture.window cimport WINDOW
from fluxcap.pipeline.scan cimport OUTCOME_NO_MEMORY, OUTCOME_WANTS_INPUT, Outcome
from fluxcap.threads.crew cimport Crew, Lane, NO_FILE, SPANS_A_PART, tell
from fluxcap.threads.jobs cimport Jobs
from fluxcap.threads.parts cimport count_part
from fluxcap.threads.posix cimport (
    pthread_cond_broadcast, pthread_cond_signal, pthread_cond_t, pthread_cond_wait, pthread_mutex_lock,
    pthread_mutex_unlock)
from fluxcap.threads.span cimport Span, count_span, examine_span, is_for_all, is_short, join_window, read_window
from fluxcap.threads.trace cimport (
    TASK_AHEAD, TASK_ALONE, TASK_EXAMINE, TASK_HOP, TASK_IDLE, TASK_JOB, TASK_PART, TASK_READ, TASK_TURN, Task,
    TaskKind, monotonic, note_task, start_task, stop_task)

cdef inline void begin_task(Crew* crew, Task* task) noexcept nogil:
    pthread_mutex_unlock(&crew.lock)
    start_task(crew.trace, task)

cdef inline void end_task(
        Crew* crew, Task* task, TaskKind kind, uint64_t span, uint32_t lane=0, uint32_t n=1) noexcept nogil:
    stop_task(crew.trace, task)
    pthread_mutex_lock(&crew.lock)
    note_task(crew.trace, task, kind, span, lane, n)

cdef inline void wait_for(Crew* crew, pthread_cond_t* condition) noexcept nogil:
    """Wait for something to do."""
    cdef Task task
    start_task(crew.trace, &task)
    pthread_cond_wait(condition, &crew.lock)
    stop_task(crew.trace, &task)
    note_task(crew.trace, &task, TASK_IDLE, crew.counted, 0, 0)

cdef inline void examine(Crew* crew, Batch* batch) noexcept nogil:
    """Examine the next span that was cut."""
    cdef uint64_t number = crew.taken
    cdef Span* span = &crew.spans[number % crew.n_spans]
    cdef Task task
    crew.taken += 1
    begin_task(crew, &task)
    examine_span(crew.pipeline, span, batch)
    end_task(crew, &task, TASK_EXAMINE, number)
    span.examined = True
    if crew.n_lanes:            # there is something to count for several threads
        pthread_cond_broadcast(&crew.work)
        pthread_cond_signal(&crew.progress)

cdef inline void close_file(Crew* crew) noexcept nogil:
    """Stop reading the file; windows whose turn has not come are dropped."""
    crew.file = NO_FILE
    pthread_cond_broadcast(&crew.turn)

cdef inline void wait_for_turn(Crew* crew, uint64_t number) noexcept nogil:
    """Wait until all windows before this one have been cut, or the file was closed."""
    cdef Task task
    start_task(crew.trace, &task)
    while crew.file != NO_FILE and crew.cut != number:
        pthread_cond_wait(&crew.turn, &crew.lock)
    stop_task(crew.trace, &task)
    note_task(crew.trace, &task, TASK_TURN, number, 0, 1)

cdef inline void read_on(Crew* crew, Batch* batch) noexcept nogil:
    """Read the next window of the file, make it a span when its turn has come, and examine the span while its bytes are
    in the cache of this processor."""
    cdef uint64_t number = crew.begun
    cdef Span* span = &crew.spans[number % crew.n_spans]
    cdef int file = crew.file
    cdef uint64_t offset = crew.offset
    cdef bint joined, last
    cdef Task task, ahead
    crew.begun += 1
    crew.offset += WINDOW
    crew.pausing = monotonic() >= crew.until
    crew.reading += 1
    begin_task(crew, &task)
    joined = read_window(span, &crew.opened, file, offset)
    last = not joined or is_short(span)
    stop_task(crew.trace, &task)
    start_task(crew.trace, &ahead)
    if joined:
        hop_ahead(&span.reader, crew.pipeline.filtered, &span.ahead)
    end_task(crew, &ahead, TASK_AHEAD, number)
    note_task(crew.trace, &task, TASK_READ, number, 0, 1)
    wait_for_turn(crew, number)
    if crew.file != NO_FILE:
        begin_task(crew, &task)
        joined = joined and join_window(span, crew.reader, crew.pipeline)
        end_task(crew, &task, TASK_HOP, number)
        crew.cut += joined
        if joined and not last:
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
    """Count what one thread has to count of the next span: all of it, or, if there are lanes, what they wait for."""
    cdef Outcome outcome
    cdef Task task
    crew.counting += 1
    crew.alone = True
    if crew.n_lanes:
        span.counted = crew.lanes[0].stretch
    begin_task(crew, &task)
    outcome = count_span(crew.pipeline, span)
    end_task(crew, &task, TASK_ALONE, crew.counted)
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

cdef inline bint is_due(const Crew* crew, uint64_t number) noexcept nogil:
    """Is this span examined?"""
    return number < crew.taken and crew.spans[number % crew.n_spans].examined

cdef inline uint32_t run_of(const Span* span, uint32_t stretch) noexcept nogil:
    """The first stretch from this one on that only one thread counts, or the end of the span."""
    return span.stretches[stretch].run if stretch < span.n else span.n

cdef inline uint32_t spans_open(Crew* crew, const Lane* lane, Span** spans) noexcept nogil:
    """The spans that a thread counts at once in an open lane: behind the first one, as long as all of a span can be
    counted."""
    cdef Span* span = &crew.spans[lane.counted % crew.n_spans]
    cdef uint32_t n = 0, run = run_of(span, lane.stretch)
    while run == span.n and n < SPANS_A_PART:
        spans[n] = span
        n += 1
        if not is_due(crew, lane.counted + n):
            break
        span = &crew.spans[(lane.counted + n) % crew.n_spans]
        run = run_of(span, 0)
    if n == 0:
        spans[0] = span
        n = 1
    return n

cdef inline void count_lane(Crew* crew, uint32_t number) noexcept nogil:
    """Count a part of the next spans of a lane."""
    cdef Lane* lane = &crew.lanes[number]
    cdef Span* spans[SPANS_A_PART]
    cdef uint32_t i, n = spans_open(crew, lane, spans)
    cdef uint32_t run = run_of(spans[0], lane.stretch)
    cdef bint done
    cdef Task task
    crew.counting += 1
    lane.busy = True
    begin_task(crew, &task)
    done = count_part(crew.pipeline, spans, n, number, lane.stretch, run)
    end_task(crew, &task, TASK_PART, lane.counted, number, n)
    crew.counting -= 1
    lane.busy = False
    lane.stretch = run
    if run == spans[0].n:
        lane.counted += n
        lane.stretch = 0
        for i in range(n):
            spans[i].parts -= 1
            crew.counted += spans[i].parts == 0     # the spans before passed every lane earlier
    if not done:
        crew.outcome = OUTCOME_NO_MEMORY
    tell(crew)

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
    """Do a job; False if all were begun."""
    cdef Jobs* jobs = &crew.jobs
    cdef uint32_t i = jobs.begun
    cdef Task task
    if i == jobs.n:
        return False
    jobs.begun += 1
    begin_task(crew, &task)
    jobs.job(jobs.on, i)
    end_task(crew, &task, TASK_JOB, i)
    jobs.done += 1
    return True

cdef inline bint do_task(Crew* crew, Batch* batch) noexcept nogil:
    """Do what is most urgent; False if there is nothing to do."""
    cdef uint32_t lane
    if do_job(crew):
        tell(crew)
        return True
    if crew.outcome != OUTCOME_WANTS_INPUT:
        return False
    lane = lane_due(crew)
    if lane < crew.n_lanes and is_due(crew, crew.lanes[lane].counted + crew.least - 1):
        count_lane(crew, lane)
        return True
    # No lane is open: all wait at the same stretch.
    if lane == crew.n_lanes and not crew.counting and is_due(crew, crew.counted):
        count_alone(crew, &crew.spans[crew.counted % crew.n_spans])
        return True
    if crew.taken < crew.cut:
        examine(crew, batch)
        return True
    if crew.file != NO_FILE and not crew.pausing and crew.begun - crew.counted < crew.n_spans:
        read_on(crew, batch)
        return True
    if lane < crew.n_lanes:
        count_lane(crew, lane)
        return True
    return False
