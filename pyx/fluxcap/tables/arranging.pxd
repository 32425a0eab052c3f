# Rows of a table change places. New memory for all of them would take longer to come than the rows to be copied.

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from fluxcap.flows.table cimport Flows, row_at

cdef enum Arranged:
    ARRANGED
    NO_ORDER                    # a row would be missing
    NO_MEMORY_TO_ARRANGE

cdef inline bint has_each(const int64_t* order, uint64_t n, uint8_t* seen) noexcept nogil:
    """Does this order have each of n rows? `seen`: n zeroed bytes."""
    cdef uint64_t i, row
    for i in range(n):
        row = <uint64_t>order[i]
        if row >= n or seen[row]:
            return False
        seen[row] = True
    return True

cdef inline void move_rows(Flows* f, int64_t* order, void* kept) noexcept nogil:
    """Move each row once: the one that belongs at a place goes there, then its own place is free for the next one.
    `kept`: room for a row, the first of such a round."""
    cdef uint64_t i, place, row
    for i in range(f.n):
        if <uint64_t>order[i] == i:
            continue
        memcpy(kept, row_at(f, i), f.stride)
        place = i
        while <uint64_t>order[place] != i:
            row = <uint64_t>order[place]
            memcpy(row_at(f, place), row_at(f, row), f.stride)
            order[place] = <int64_t>place
            place = row
        memcpy(row_at(f, place), kept, f.stride)
        order[place] = <int64_t>place

cdef inline Arranged arrange(Flows* f, int64_t* order) noexcept nogil:
    """Put the rows of a table, which has nothing beside them, in this order, which is used up. The index leads to wrong
    rows then: read them, and drop them."""
    cdef uint8_t* seen = <uint8_t*>calloc(f.n + 1, 1)
    cdef void* kept = malloc(f.stride)
    cdef Arranged arranged = ARRANGED
    if seen == NULL or kept == NULL:
        arranged = NO_MEMORY_TO_ARRANGE
    elif not has_each(order, f.n, seen):
        arranged = NO_ORDER
    else:
        move_rows(f, order, kept)
    free(seen)
    free(kept)
    return arranged
