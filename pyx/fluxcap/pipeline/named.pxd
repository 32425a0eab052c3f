# What packets tell of names, on its way from where their bytes were read to where they are counted: packets that are
# held back for fragments lose their bytes meanwhile. Packets are counted in the order in which they were read, so this
# is a queue.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from fluxcap.flows.table cimport Named
from fluxcap.fragments.holding cimport HELD_MAX

cdef enum:
    NAMED_ROOM = 2 * HELD_MAX   # more than are held back, and a batch
    NAMED_MASK = NAMED_ROOM - 1

cdef struct NamedQueue:
    Named* ring
    uint64_t head               # packets ever counted
    uint64_t tail               # packets ever read

cdef inline bint open_named(NamedQueue* q) noexcept nogil:
    q.ring = <Named*>malloc(NAMED_ROOM * sizeof(Named))
    return q.ring != NULL

cdef inline void free_named(NamedQueue* q) noexcept nogil:
    free(q.ring)

cdef inline void put_named(NamedQueue* q, const Named* named, uint32_t n) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        q.ring[(q.tail + i) & NAMED_MASK] = named[i]
    q.tail += n

cdef inline void take_named(NamedQueue* q, Named* named, uint32_t n) noexcept nogil:
    """What the next n packets tell, BATCH at most."""
    cdef uint32_t i
    for i in range(n):
        named[i] = q.ring[(q.head + i) & NAMED_MASK]
    q.head += n
