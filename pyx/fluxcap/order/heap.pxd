# A heap: the first of many in the order of time, then of inputs, then of the records of an input.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fluxcap.base.arrays cimport reserve_array

cdef struct Place:
    int64_t key                 # the time that decides
    uint64_t number             # of the record in its input
    uint32_t input
    uint32_t run                # of that input

cdef struct Heap:
    Place* places               # [0] comes first
    uint32_t n
    uint64_t room

cdef inline bint goes_before(const Place* a, const Place* b) noexcept nogil:
    if a.key != b.key:
        return a.key < b.key
    return a.number < b.number if a.input == b.input else a.input < b.input

cdef inline bint reserve_place(Heap* h) noexcept nogil:
    """Have room for one more; False when memory is out."""
    return reserve_array(<void**>&h.places, &h.room, h.n + 1, 16, sizeof(Place))

cdef inline void sink(Heap* h) noexcept nogil:
    """The first one has changed, to one that may come later: put it where it belongs."""
    cdef Place place = h.places[0]
    cdef uint32_t at = 0, child = 1
    while child < h.n:
        if child + 1 < h.n and goes_before(&h.places[child + 1], &h.places[child]):
            child += 1
        if not goes_before(&h.places[child], &place):
            break
        h.places[at] = h.places[child]
        at = child
        child = 2 * at + 1
    h.places[at] = place

cdef inline void push(Heap* h, const Place* place) noexcept nogil:
    """There is room for it: reserve_place()."""
    cdef uint32_t at = h.n, parent
    h.n += 1
    while at:
        parent = (at - 1) // 2
        if not goes_before(place, &h.places[parent]):
            break
        h.places[at] = h.places[parent]
        at = parent
    h.places[at] = place[0]

cdef inline void drop_first(Heap* h) noexcept nogil:
    h.n -= 1
    h.places[0] = h.places[h.n]
    if h.n:
        sink(h)
