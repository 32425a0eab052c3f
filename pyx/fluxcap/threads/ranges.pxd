# The threads of a crew make columns of a table, each a range of rows at a time. What only one can do is done in order:
# the columns get memory, and rows give theirs away.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.tables.export cimport (
    Export, RowRange, close_range, fill_range, lay_range, open_range, spare_range, zero_in_range)
from fluxcap.threads.crew cimport Crew, drop_spans, is_done
from fluxcap.threads.posix cimport (
    pthread_cond_broadcast, pthread_cond_destroy, pthread_cond_init, pthread_cond_t, pthread_cond_wait,
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock)
from fluxcap.threads.share cimport do_jobs

cdef enum:
    WORTH_A_THREAD = 2          # ranges: fewer take less time than another thread does to wake up
    RANGES_A_THREAD = 3         # begun before the first of them is read: a thread may be kept waiting by other programs

cdef struct Ranges:
    Export of
    pthread_mutex_t lock
    pthread_cond_t turn         # the columns have memory for another range, or rows have given theirs away
    uint32_t ahead              # ranges that may have memory and have not given theirs away

cdef inline void export_range(void* ranges, uint32_t i) noexcept nogil:
    cdef Ranges* all = <Ranges*>ranges
    cdef Export* e = &all.of
    cdef RowRange r
    cdef bint failed = not open_range(e, i, &r)
    cdef uint64_t zero = zero_in_range(&r, &e.columns.plain) if not failed else 0
    pthread_mutex_lock(&all.lock)
    e.failed = e.failed or failed
    if e.last:
        while e.laid != i or i - e.spared >= all.ahead:
            pthread_cond_wait(&all.turn, &all.lock)
        lay_range(e, &r, zero)
        pthread_cond_broadcast(&all.turn)
    r.columns = e.columns
    failed = e.failed
    pthread_mutex_unlock(&all.lock)
    if not failed:
        fill_range(e, &r, zero)
    if e.last:
        pthread_mutex_lock(&all.lock)
        spare_range(e, i, &r)
        pthread_cond_broadcast(&all.turn)
        pthread_mutex_unlock(&all.lock)
    close_range(&r)

cdef inline void export_ranges(Crew* crew, Ranges* all) noexcept nogil:
    """Fill the columns with all rows. `crew`: a settled one, or NULL."""
    cdef uint32_t i
    all.ahead = RANGES_A_THREAD * (crew.n + 1 if crew != NULL else 1)
    if crew != NULL and all.of.last and is_done(crew):
        drop_spans(crew)        # nothing is read while rows and columns take most memory
    pthread_mutex_init(&all.lock, NULL)
    pthread_cond_init(&all.turn, NULL)
    if crew != NULL and crew.n and all.of.ranges > WORTH_A_THREAD:
        do_jobs(crew, export_range, all, all.of.ranges)
    else:
        for i in range(all.of.ranges):
            export_range(all, i)
    pthread_mutex_destroy(&all.lock)
    pthread_cond_destroy(&all.turn)
