# Inputs in the order of time for Python: each goes into a window of its own, and records come out as one stream, which
# a Scanner takes for one input.

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t

from fluxcap.capture.reader cimport FORMAT_MERGED
from fluxcap.order.merge cimport (
    MERGED_ROOM, MERGE_DONE, MERGE_INPUT_ENDED, MERGE_NO_MEMORY, MERGE_WANTS_INPUT, MERGE_WANTS_INTERFACES, Merge,
    MergeInput, MergeStop, add_input, free_merge, merge_records, stop_reading)
from fluxcap.order.pool cimport SLAB

INPUT_ENDED, RECORDS_MADE = 6, 7


cdef class Source(Window):
    cdef Scanner scanner        # whose anomalies it counts

    def __cinit__(self, Scanner scanner):
        self.scanner = scanner
        self.reader.anomalies = scanner.line.totals.anomalies
        self.read_past_damage(scanner.reader.resync != NULL)
        self.begin_input()

    def read_on(self, int file):
        with self.claim:
            self.fill(file)

    def format(self):
        with self.claim:
            return self.describe()


cdef class Merger:
    cdef Claim claim
    cdef Merge merge
    cdef Scanner scanner
    cdef list sources
    cdef bytearray out          # the stream, as much of it as was made last
    cdef size_t made
    cdef bint ended             # an input has, which is to be told after what was made before

    def __cinit__(self, Scanner scanner, int64_t window, uint64_t pool):
        if window < 0 or pool < 2 * SLAB:
            raise ValueError(f"a window of {window} ns, or less than {2 * SLAB} bytes for it")
        self.claim = Claim()
        self.scanner = scanner
        self.sources = []
        self.out = bytearray(MERGED_ROOM)
        self.merge.window = window
        self.merge.pool.limit = pool
        scanner.begin()
        scanner.reader.format = FORMAT_MERGED

    def __dealloc__(self):
        free_merge(&self.merge)

    def add(self):
        cdef Source source = Source(self.scanner)
        with self.claim:
            if not add_input(&self.merge, &source.reader):
                raise MemoryError
            self.sources.append(source)
            return source

    def run(self):
        cdef MergeStop stop
        cdef uint8_t* out = self.out
        with self.claim, self.scanner.claim:
            if self.ended:
                self.ended, self.made = False, 0
                return INPUT_ENDED
            while True:
                with nogil:
                    stop = merge_records(&self.merge, out, &self.made)
                if stop != MERGE_WANTS_INTERFACES or self.made:
                    break
                (<Source>self.sources[self.merge.at]).grow_interfaces()
            if stop == MERGE_NO_MEMORY:
                raise MemoryError("no room for the records that wait for their turn")
            if self.made:
                self.ended = stop == MERGE_INPUT_ENDED
                return RECORDS_MADE
            return {MERGE_WANTS_INPUT: WANTS_INPUT, MERGE_INPUT_ENDED: INPUT_ENDED, MERGE_DONE: ENDED}[stop]

    def stop(self):
        with self.claim:
            stop_reading(&self.merge)

    @property
    def octets(self):
        with self.claim:
            return memoryview(self.out)[:self.made]

    @property
    def at(self):
        with self.claim:
            return self.merge.at

    @property
    def late(self):
        with self.claim:
            return (self.merge.late_input, self.merge.late_number) if self.merge.late_number else None

    @property
    def early(self):
        with self.claim:
            return self.merge.early

    def counted(self, uint32_t place):
        cdef MergeInput* input
        with self.claim:
            if place >= self.merge.n:
                raise IndexError(place)
            input = &self.merge.inputs[place]
            return input.reader.number, input.captured, input.wire, input.over_second
