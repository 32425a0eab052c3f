# Reading the tables of a scanner before it gives them up: with packets counted that are held back, handshakes, losses.

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from fluxcap.capture.reader cimport InterfaceCounts
from fluxcap.flows.follow cimport read_round_trips
from fluxcap.flows.losses cimport read_losses
from fluxcap.flows.table cimport Flows
from fluxcap.fragments.holding cimport held_count
from fluxcap.pipeline.ledger cimport Totals
from fluxcap.pipeline.quotation cimport QUOTED_MAX
from fluxcap.pipeline.scan cimport OUTCOME_NO_MEMORY, count_held
from fluxcap.tables.copy cimport copy_flows, drop_copy
from fluxcap.threads.trace cimport TASK_KINDS_END, Task, open_trace


cdef class HeldCounted:
    cdef Scanner scanner
    cdef Flows flows            # the tables of the scanner, meanwhile
    cdef Totals* totals         # NULL: nothing is held back, and the scanner has its own tables
    cdef InterfaceCounts* counts

    def __cinit__(self, Scanner scanner):
        if scanner.line.columns.n_columns:
            raise ValueError("rows of packets that are held back cannot be read before the packets are released")
        self.scanner = scanner

    def __enter__(self):
        with self.scanner.claim:
            self.scanner.settle_crew()
            if held_count(&self.scanner.line.holding) and not self.count():
                self.restore()
                raise MemoryError("no room for a copy of the tables, to count the packets that are held back")
        return self

    cdef bint count(self):
        """Replace the tables by copies, and count the packets that are held back in these. False when memory is out."""
        cdef Scanner s = self.scanner
        cdef bint done
        self.flows, self.totals, self.counts = s.line.flows, s.line.totals, s.reader.counts
        s.line.totals = <Totals*>malloc(sizeof(Totals))
        s.reader.counts = <InterfaceCounts*>calloc(s.reader.interfaces_room, sizeof(InterfaceCounts))
        with nogil:
            done = copy_flows(&s.line.flows, &self.flows, QUOTED_MAX)
        if not done or s.line.totals == NULL or s.reader.counts == NULL:
            return False
        memcpy(s.line.totals, self.totals, sizeof(Totals))
        memcpy(s.reader.counts, self.counts, s.reader.n_interfaces * sizeof(InterfaceCounts))
        with nogil:
            done = count_held(&s.line, &s.reader) != OUTCOME_NO_MEMORY
        return done

    def __exit__(self, *error):
        self.restore()

    cdef void restore(self) noexcept:
        cdef Scanner s = self.scanner
        if self.totals != NULL:
            drop_copy(&s.line.flows)
            free(s.line.totals)
            free(s.reader.counts)
            s.line.flows, s.line.totals, s.reader.counts = self.flows, self.totals, self.counts
            self.totals = NULL


def round_trips(Scanner scanner not None, const int64_t[::1] rows, int64_t[::1] trips):
    cdef uint64_t n = min(rows.shape[0], trips.shape[0])
    with scanner.claim:
        scanner.settle_crew()
        if n and scanner.line.flows.connections_stride:
            read_round_trips(&scanner.line.flows, &rows[0], &trips[0], n)


def losses(Scanner scanner not None, uint64_t[:, ::1] lost):
    if lost.shape[1] != 2:
        raise ValueError("a connection has two sides")
    with scanner.claim:
        scanner.settle_crew()
        if lost.shape[0] and scanner.line.flows.connections_stride:
            read_losses(&scanner.line.flows, &lost[0, 0], lost.shape[0])


# Which tasks the threads of a scanner did, and what each took.
TASK_KINDS = ("read", "ahead", "turn", "hop", "examine", "alone", "part", "job", "idle")
assert len(TASK_KINDS) == TASK_KINDS_END


def trace_tasks(Scanner scanner not None, uint64_t room):
    with scanner.claim:
        scanner.dismiss_crew()
        if not open_trace(&scanner.traced, room):
            raise MemoryError


def traced_tasks(Scanner scanner not None):
    cdef Task task
    cdef list found = []
    cdef uint64_t i
    with scanner.claim:
        scanner.settle_crew()
        for i in range(min(scanner.traced.n, scanner.traced.room)):
            task = scanner.traced.tasks[i]
            found.append((TASK_KINDS[task.kind], task.span, task.n, task.lane, task.began, task.wall, task.processor))
    return found
