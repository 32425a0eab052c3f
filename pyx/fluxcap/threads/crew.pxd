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
from posix.unistd cimport getpid

from fluxcap.base.types cimport Batch
from fluxcap.capture.reader cimport Reader
from fluxcap.pipeline.scan cimport Outcome, Pipeline
from fluxcap.tables.shards cimport MAX_SHARDS
from fluxcap.threads.jobs cimport Jobs
from fluxcap.threads.posix cimport (
    pthread_cond_broadcast, pthread_cond_destroy, pthread_cond_init, pthread_cond_signal, pthread_cond_t,
    pthread_join, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_t,
    pthread_mutex_unlock, pthread_t)
from fluxcap.threads.span cimport Span, free_span
from fluxcap.threads.trace cimport Trace

cdef enum:
    MAX_THREADS = 64
    MAX_LANES = MAX_SHARDS + 1
    SPANS_A_THREAD = 3          # one in work, one waiting for its turn, one waiting for its thread
    MAX_SPANS = MAX_THREADS * SPANS_A_THREAD
    # Spans that one task counts in a lane. Of many shards each has few records in a span: 20 of 32 shards in a mix of
    # packets, too few to hide a cache miss behind the others.
    SHARDS_A_SPAN = 4           # a task waits for one span for each four shards, as long as there is other work
    SPANS_A_PART = 2 * MAX_SHARDS // SHARDS_A_SPAN  # at most
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
    uint32_t least              # spans that make a task in a lane, while there is other work
    uint32_t counting           # threads that count a span or a part of one
    bint alone                  # one thread counts for all lanes
    Trace* trace                # of its tasks
    Jobs jobs                   # for members that have no span to work on
    bint leaving
    int file                    # read a window at a time; NO_FILE: none
    Reader* reader              # the reader of that file,
    Reader opened               # ... as it was at the first of these windows: its format stays the same
    uint64_t offset             # of the next window
    uint64_t until              # monotonic time, in ns, when Python is asked whether to go on
    bint pausing                # that time has come: no further window is begun
    uint64_t begun              # windows ever begun to be read; a window becomes the span of the same number
    uint32_t reading            # threads that read a window
    bint in_order               # one thread has to read the next window, after all before it are counted
    Batch batch                 # of the calling thread
    Outcome outcome             # other than OUTCOME_WANTS_INPUT: all stopped at the span whose number is `counted`

cdef inline Crew* hire(Pipeline* pipeline, Trace* trace) noexcept nogil:
    """A crew without members yet; NULL when memory is out. `trace`: of its tasks."""
    cdef Crew* crew = <Crew*>calloc(1, sizeof(Crew))
    if crew != NULL:
        crew.pipeline = pipeline
        crew.process = getpid()
        crew.trace = trace
        crew.file = NO_FILE
        crew.least = max(pipeline.flows.n_shards // <uint32_t>SHARDS_A_SPAN, <uint32_t>1)
        crew.n_lanes = pipeline.flows.n_shards + 1 if pipeline.flows.n_shards else 0
        pthread_mutex_init(&crew.lock, NULL)
        pthread_cond_init(&crew.work, NULL)
        pthread_cond_init(&crew.progress, NULL)
        pthread_cond_init(&crew.turn, NULL)
    return crew

cdef inline bint is_orphaned(const Crew* crew) noexcept nogil:
    """Was this process forked from that of the crew? Then the members do not run here: nothing can be waited for."""
    return crew.process != getpid()

cdef inline bint is_done(const Crew* crew) noexcept nogil:
    """Of a settled crew: are all spans counted? If not, a limit stopped it, and threads may examine spans behind it."""
    return crew.counted == crew.cut

cdef inline void drop_spans(Crew* crew) noexcept nogil:
    """Give back the memory of all spans, which none is using."""
    cdef uint32_t i
    for i in range(crew.n_spans):
        free_span(&crew.spans[i])

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
    """Nothing, if there is no crew."""
    if crew == NULL:
        return
    if not is_orphaned(crew):
        send_home(crew)
    drop_spans(crew)
    free(crew)

cdef inline void tell(Crew* crew) noexcept nogil:
    """Wake a thread of each kind that waits: there may be something to do."""
    pthread_cond_signal(&crew.progress)
    pthread_cond_signal(&crew.work)
