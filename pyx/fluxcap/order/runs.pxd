# The records of one input that wait, sorted as they come: in runs, each in the order of time. (Chandramouli and
# Goldstein, "Patience is a virtue: revisiting merge and sort on modern processors", SIGMOD 2014: nearly sorted input
# makes few runs, two queues of a network card make two, and a shuffled one about twice the square root of its length.)
#
# A record goes to the first run whose last record is not later, so the last records of runs grow earlier from run to
# run. The first of all records is the last one in its run only if that is the last run: a run that is used up is always
# the last.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fluxcap.base.arrays cimport reserve_array
from fluxcap.capture.merged cimport MergedHeader
from fluxcap.order.pool cimport Slab

cdef struct Waiting:            # its bytes lie behind it
    Waiting* next               # in its run
    Slab* slab
    int64_t key                 # the time that decides where it goes
    bint late                   # that is not its own
    MergedHeader header         # `interface` is that of its input

cdef struct SortedRun:
    Waiting* first
    Waiting* last

cdef struct Runs:
    SortedRun* runs
    uint32_t n
    uint64_t room

cdef inline bint reserve_run(Runs* r) noexcept nogil:
    """Have room for one more; False when memory is out."""
    return reserve_array(<void**>&r.runs, &r.room, r.n + 1, 4, sizeof(SortedRun))

cdef inline uint32_t run_for(const Runs* r, int64_t key) noexcept nogil:
    """The first run that ends no later than this; r.n if there is none."""
    cdef uint32_t low = 0, high = r.n, middle
    if r.n and r.runs[0].last.key <= key:
        return 0
    while low < high:
        middle = (low + high) // 2
        if r.runs[middle].last.key <= key:
            high = middle
        else:
            low = middle + 1
    return low

cdef inline bint append_to_run(Runs* r, uint32_t run, Waiting* record) noexcept nogil:
    """True: the record begins this run, for which there is room: reserve_run()."""
    record.next = NULL
    if run < r.n:
        r.runs[run].last.next = record
        r.runs[run].last = record
        return False
    r.n += 1
    r.runs[run].first = r.runs[run].last = record
    return True

cdef inline Waiting* take_first(Runs* r, uint32_t run) noexcept nogil:
    """Take the first record of a run; what follows it is returned, NULL where the run is used up."""
    cdef Waiting* next = r.runs[run].first.next
    r.runs[run].first = next
    r.n -= next == NULL
    return next
