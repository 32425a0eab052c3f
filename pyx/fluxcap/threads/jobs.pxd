# Jobs that do not depend on one another: the caller does some, and whichever threads are free do the others.

from libc.stdint cimport uint32_t

ctypedef void (*Job)(void* on, uint32_t i) noexcept nogil

cdef struct Jobs:               # guarded by the lock of the crew
    Job job                     # job(on, i) for each i below n
    void* on
    uint32_t n
    uint32_t begun
    uint32_t done
