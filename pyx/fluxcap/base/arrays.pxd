# Arrays on the heap that grow as they fill. Tables of many rows lie in pages instead: memory.pxd.

from libc.stdint cimport uint64_t
from libc.stdlib cimport realloc

from fluxcap.base.memory cimport heap_huge

cdef inline bint reserve_array(void** at, uint64_t* room, uint64_t wanted, uint64_t least,
                               uint64_t size) noexcept nogil:
    """Have room for `wanted` items of `size` bytes, `least` to begin with and then twice as many each time. False when
    memory is out: the array is then left as it was."""
    cdef uint64_t larger = room[0] if room[0] else least
    cdef void* moved
    if wanted <= room[0]:
        return True
    while larger < wanted:
        larger *= 2
    moved = heap_huge(realloc(at[0], larger * size), larger * size)
    if moved == NULL:
        return False
    at[0] = moved
    room[0] = larger
    return True
