# Copying records for Python: input goes in as into a Scanner, and the bytes to keep come out.

from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport uint64_t

from fluxcap.base.types cimport ANOMALIES_END
from fluxcap.capture.reader cimport BROKEN, MORE_INTERFACES, Step
from fluxcap.rewrite.copy cimport Copy, copy_window


cdef class Copier(Window):
    cdef Copy copy
    cdef uint64_t anomalies[ANOMALIES_END]
    cdef const uint64_t[::1] named      # keeps alive the numbers that `copy` points to

    def __cinit__(self, *, bint resync=False, bint joins=False):
        self.copy.joins = joins
        self.reader.anomalies = self.anomalies
        self.read_past_damage(resync)

    def begin(self, const uint64_t[::1] named, bint leave_out=False):
        with self.claim:
            self.begin_input()
            self.named = named
            self.copy.named = &named[0] if named.shape[0] else NULL
            self.copy.n_named = named.shape[0]
            self.copy.n_found = 0
            self.copy.leaves_out = leave_out

    def run(self):
        cdef Step step
        with self.claim:
            self.copy.kept = 0
            while True:
                with nogil:
                    step = copy_window(&self.copy, &self.reader)
                if step != MORE_INTERFACES:
                    break
                self.grow_interfaces()
            return UNLIKE if self.copy.unlike else DAMAGED if step == BROKEN else WANTS_INPUT

    def kept(self):
        with self.claim:
            return PyMemoryView_FromMemory(<char*>self.reader.buffer, self.copy.kept, PyBUF_READ)

    @property
    def packets(self):
        with self.claim:
            return self.reader.number

    @property
    def missing(self):
        with self.claim:
            return self.copy.n_named - self.copy.n_found
