# Completing checksums for Python: input goes in as into a Scanner, and comes out with its checksums completed.

from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free, malloc

from fluxcap.base.types cimport Batch
from fluxcap.capture.reader cimport BROKEN, MORE_INTERFACES, Step
from fluxcap.fragments.holding cimport open_holding
from fluxcap.fragments.table cimport PLACES
from fluxcap.rewrite.repair cimport FirstFragment, Repair, mend_window


cdef class Repairer(Scanner):
    cdef Repair repair
    cdef size_t mended_from     # place in the window of the first mended byte

    def __cinit__(self):
        self.writes = True
        self.repair.one = <Batch*>malloc(sizeof(Batch))
        self.repair.firsts = <FirstFragment*>calloc(PLACES, sizeof(FirstFragment))
        if self.repair.one == NULL or self.repair.firsts == NULL or not open_holding(&self.line.holding):
            raise MemoryError

    def __dealloc__(self):
        free(self.repair.one)
        free(self.repair.firsts)

    cdef int step(self, uint32_t threads) except -1:
        cdef Step step
        self.repair.n_late = 0
        self.mended_from = self.reader.start
        while True:
            with nogil:
                step = mend_window(&self.repair, &self.line, &self.reader)
            if step != MORE_INTERFACES:
                break
            self.grow_interfaces()
        if self.reader.start > self.mended_from:
            return ROWS_FULL
        return DAMAGED if step == BROKEN else WANTS_INPUT

    def mended(self):
        with self.claim:
            return PyMemoryView_FromMemory(
                <char*>self.reader.buffer + self.mended_from, self.reader.start - self.mended_from, PyBUF_READ)

    def late(self):
        cdef uint32_t i
        with self.claim:
            return [(self.repair.late[i].at, (<char*>self.repair.late[i].value)[:2]) for i in range(self.repair.n_late)]

    @property
    def repaired(self):
        with self.claim:
            return self.repair.records, self.repair.transport, self.repair.headers
