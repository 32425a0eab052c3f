# Memory for the records that wait for their turn: slabs that are filled from the front, and free again when the last
# record in them is gone. Records leave nearly in the order in which they came, so few slabs are held by few records.

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc

cdef enum:
    SLAB = 1 << 20              # four of the longest records: little of it is lost where the next one does not fit
    ALIGNED = 8

cdef struct Slab:
    Slab* next                  # of those that hold no record
    Slab* older                 # of all
    size_t used                 # bytes
    uint64_t records            # that are still in it

cdef struct Pool:
    Slab* current               # takes the next record
    Slab* unused
    Slab* newest                # of all
    uint64_t in_use             # bytes of slabs that hold records, or take the next one
    uint64_t limit              # bytes

cdef inline bint is_full(const Pool* pool) noexcept nogil:
    return pool.in_use > pool.limit

cdef inline void retire(Pool* pool, Slab* slab) noexcept nogil:
    slab.next = pool.unused
    pool.unused = slab
    pool.in_use -= SLAB

cdef inline bint open_slab(Pool* pool) noexcept nogil:
    """Have another slab take the next records; False when memory is out."""
    cdef Slab* slab = pool.unused
    if slab == NULL:
        slab = <Slab*>malloc(SLAB)
        if slab == NULL:
            return False
        slab.older = pool.newest
        pool.newest = slab
    else:
        pool.unused = slab.next
    slab.used = sizeof(Slab)
    slab.records = 0
    pool.in_use += SLAB
    if pool.current != NULL and pool.current.records == 0:
        retire(pool, pool.current)
    pool.current = slab
    return True

cdef inline uint8_t* keep_room(Pool* pool, size_t octets) noexcept nogil:
    """Room for a record of so many bytes, at most SLAB - sizeof(Slab), in pool.current; NULL when memory is out."""
    cdef Slab* slab
    octets = (octets + ALIGNED - 1) & ~<size_t>(ALIGNED - 1)
    if (pool.current == NULL or SLAB - pool.current.used < octets) and not open_slab(pool):
        return NULL
    slab = pool.current
    slab.used += octets
    slab.records += 1
    return <uint8_t*>slab + slab.used - octets

cdef inline void leave(Pool* pool, Slab* slab) noexcept nogil:
    """One record less in this slab."""
    slab.records -= 1
    if slab.records == 0:
        if slab == pool.current:
            slab.used = sizeof(Slab)
        else:
            retire(pool, slab)

cdef inline void free_pool(Pool* pool) noexcept nogil:
    cdef Slab* older
    while pool.newest != NULL:
        older = pool.newest.older
        free(pool.newest)
        pool.newest = older
