# Memory in whole zeroed pages for tables that grow; the code is in memory.h.

cdef extern from "base/memory.h" nogil:
    enum: HUGE_FROM
    void* lines_new(size_t octets)
    void* pages_new(size_t octets)
    void* pages_grow(void* at, size_t octets, size_t wanted)
    void pages_free(void* at, size_t octets)
    ctypedef struct Spare:
        bint failed
    void spare_open(Spare* spare)
    void pages_spare(Spare* spare, void* at, size_t first, size_t last)
    void* pages_take(Spare* spare, void* at, size_t octets, size_t first, size_t last)
    bint block_zeroed(size_t octets)
    void* block_resize(void* at, size_t octets, size_t wanted)
    void block_expect(void* at, size_t octets, size_t used)
    size_t block_octets(size_t room, size_t used)
    size_t block_least(size_t octets, size_t used)
    void block_free(void* at, size_t octets)
    void* heap_huge(void* at, size_t octets)
    void* heap_zeroed(size_t n, size_t size)
    void prefetch(const void* at)
    void clear(void* at, size_t octets)
