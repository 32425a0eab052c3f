# What each task of a crew took, and how long threads waited for one: tests/bench/bench_scaling.py schedules the tasks
# of a run on any number of processors. Nothing is traced unless trace_tasks() asks for it.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from posix.time cimport CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, clock_gettime, clockid_t, timespec

cdef enum TaskKind:             # TASK_KINDS in python/held.pxi names them
    TASK_READ
    TASK_AHEAD                  # hops in a window before its turn
    TASK_TURN                   # a thread waits until the window before its own has been cut
    TASK_HOP
    TASK_EXAMINE
    TASK_ALONE
    TASK_PART
    TASK_JOB
    TASK_IDLE                   # a thread waits for any task
    TASK_KINDS_END

cdef struct Task:
    uint64_t span               # or job: the first one, of `n`
    uint64_t began              # monotonic time, in ns
    uint64_t wall               # ns until it was over
    uint64_t processor          # ns of them on a processor
    uint32_t kind
    uint32_t lane
    uint32_t n

cdef struct Trace:              # guarded by the lock of the crew
    Task* tasks
    uint64_t n                  # more than `room` if some were not kept
    uint64_t room

cdef inline uint64_t read_time(clockid_t clock) noexcept nogil:
    cdef timespec time
    clock_gettime(clock, &time)
    return <uint64_t>time.tv_sec * 1_000_000_000 + <uint64_t>time.tv_nsec

cdef inline uint64_t monotonic() noexcept nogil:
    return read_time(CLOCK_MONOTONIC)

cdef inline bint open_trace(Trace* t, uint64_t room) noexcept nogil:
    """Make room for so many tasks; False when memory is out."""
    free(t.tasks)
    t.tasks = <Task*>calloc(room, sizeof(Task))
    t.n = 0
    t.room = room if t.tasks != NULL else 0
    return t.tasks != NULL

cdef inline void free_trace(Trace* t) noexcept nogil:
    free(t.tasks)

cdef inline void start_task(const Trace* t, Task* task) noexcept nogil:
    if t.room:
        task.began = monotonic()
        task.processor = read_time(CLOCK_THREAD_CPUTIME_ID)

cdef inline void stop_task(const Trace* t, Task* task) noexcept nogil:
    """The thread that started the task stops it."""
    if t.room:
        task.processor = read_time(CLOCK_THREAD_CPUTIME_ID) - task.processor
        task.wall = monotonic() - task.began

cdef inline void note_task(
    Trace* t, Task* task, TaskKind kind, uint64_t span, uint32_t lane, uint32_t n
) noexcept nogil:
    """Keep a task of `n` spans from `span` on."""
    if t.room == 0:
        return
    task.kind = kind
    task.span = span
    task.lane = lane
    task.n = n
    if t.n < t.room:
        t.tasks[t.n] = task[0]
    t.n += 1
