# The third reading of two captures that are compared: the payload of packets that were changed.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc

from fluxcap.compare.payloads cimport (
    Payloads, WantedPayload, first_difference as difference_of, free_payloads, keep_payloads)


cdef class PayloadWatcher(Watcher):
    cdef Payloads payloads

    def __cinit__(self, **options):
        self.payloads.watch = &self.watch
        self.line.tap = keep_payloads
        self.line.tapped = &self.payloads

    def __dealloc__(self):
        free_payloads(&self.payloads)

    def want(self, const uint32_t[::1] files, const uint64_t[::1] packets):
        cdef Payloads* k = &self.payloads
        cdef Py_ssize_t i
        with self.claim:
            k.wanted = <WantedPayload*>calloc(max(files.shape[0], 1), sizeof(WantedPayload))
            if k.wanted == NULL:
                raise MemoryError
            k.n = files.shape[0]
            for i in range(files.shape[0]):
                k.wanted[i].file, k.wanted[i].packet = files[i], packets[i]


def first_differences(PayloadWatcher a not None, PayloadWatcher b not None, const int64_t[::1] of_a,
                      const int64_t[::1] of_b, int64_t[::1] places):
    cdef Py_ssize_t i
    with a.claim, b.claim:
        for i in range(of_a.shape[0]):
            if not (0 <= of_a[i] < <int64_t>a.payloads.n and 0 <= of_b[i] < <int64_t>b.payloads.n):
                raise IndexError("no such payload was wanted")
            places[i] = difference_of(&a.payloads, of_a[i], &b.payloads, of_b[i])
