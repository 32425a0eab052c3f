/* Memory for tables that grow: whole zeroed pages, so that rows are aligned to cache lines and growing a table moves
 * page table entries instead of bytes. */
#ifndef FLUXCAP_MEMORY_H
#define FLUXCAP_MEMORY_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE  /* mremap */
#endif

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* From this size on, memory comes in huge pages: without them, a row that is not in the cache costs a walk through the
 * page tables as well. The kernel gives huge pages where size and address are multiples of their size. */
enum { HUGE_FROM = 2 << 20 };

/* Memory that begins with a cache line, so that a digest is one line and not two halves. */
static inline void *lines_new(size_t octets) {
    void *at;
    return posix_memalign(&at, 64, octets) ? NULL : at;
}

/* The kernel moves pages without copying them. ThreadSanitizer does not see that: the memory that a table is moved to
 * would be, to it, that of another thread's table which lay there before. */
#if defined(__linux__) && !defined(__SANITIZE_THREAD__)
#define MOVES_PAGES
#endif

static inline size_t pages_whole(size_t octets) {
    return octets < HUGE_FROM ? octets : (octets + HUGE_FROM - 1) / HUGE_FROM * HUGE_FROM;
}

static inline void *pages_settle(void *at, size_t octets) {
    if (at == MAP_FAILED)
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (octets >= HUGE_FROM)
        madvise(at, octets, MADV_HUGEPAGE);
#endif
    return at;
}

static inline void *pages_new(size_t octets) {
    octets = pages_whole(octets);
    return pages_settle(mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), octets);
}

static inline void pages_free(void *at, size_t octets) {
    if (at != NULL)
        munmap(at, pages_whole(octets));
}

/* NULL on failure; the old memory is then left as it was. The new part reads as zero. */
static inline void *pages_grow(void *at, size_t octets, size_t wanted) {
    void *grown;
    if (at == NULL)
        return pages_new(wanted);
    if (octets >= HUGE_FROM && wanted <= octets) {
        size_t kept = pages_whole(wanted), whole = pages_whole(octets);
        return kept == whole || munmap((char *)at + kept, whole - kept) == 0 ? at : NULL;
    }
#if defined(MOVES_PAGES)
    /* Small pages are copied once, when they become huge ones. */
    if (octets >= HUGE_FROM || (octets < wanted && wanted < HUGE_FROM)) {
        octets = pages_whole(octets);
        wanted = pages_whole(wanted);
        return pages_settle(mremap(at, octets, wanted, MREMAP_MAYMOVE), wanted);
    }
#endif
    grown = pages_new(wanted);
    if (grown != NULL) {
        memcpy(grown, at, octets < wanted ? octets : wanted);
        pages_free(at, octets);
    }
    return grown;
}

/* Spare pieces: huge pages whose content is not read again. A piece is moved under memory that has not been touched
 * yet, so the kernel neither finds nor zeroes a new page for it. In a virtual machine whose host takes free memory
 * back, a new page can cost more than all the work done with it. A piece keeps its old content. */
enum {
    SPARE_MAX = 128,   /* pieces kept; further ones are given back to the system */
#if defined(MOVES_PAGES) && defined(MREMAP_DONTUNMAP)
    MOVED_MAX = 4096,  /* pieces moved: each is a mapping of its own, and Linux allows a process 65,530 mappings */
#else
    MOVED_MAX = 0,
#endif
};

typedef struct {
    uint32_t n;
    uint32_t moved;
    int failed;        /* no memory: the target of a piece was unmapped and could not be mapped again */
    char *piece[SPARE_MAX];
} Spare;

static inline void spare_open(Spare *spare) { *spare = (Spare){0}; }

static inline char *piece_at(void *at) { return (char *)at - (uintptr_t)at % HUGE_FROM; }

/* Make the huge pages between `from` and `to` spare: they are not read again. What lies before `from` is spare
 * already. */
static inline void pages_spare(Spare *spare, void *at, size_t from, size_t to) {
    char *piece = piece_at((char *)at + from), *end = (char *)at + to;
    if (piece < (char *)at)
        piece += HUGE_FROM;
    for (; piece + HUGE_FROM <= end; piece += HUGE_FROM) {
        if (spare->n < SPARE_MAX && spare->moved < MOVED_MAX)
            spare->piece[spare->n++] = piece;
#if defined(MADV_DONTNEED)
        else
            madvise(piece, HUGE_FROM, MADV_DONTNEED);
#endif
    }
}

/* Move a spare piece under the first huge page that begins between `from` and `to`; that page must be untouched.
 * Returns the end of the page, from where on memory reads as zero again, or NULL: no page begins there, or no piece is
 * spare. */
static inline void *pages_take(Spare *spare, void *at, size_t octets, size_t from, size_t to) {
#if defined(MREMAP_DONTUNMAP)
    char *piece = piece_at((char *)at + from + HUGE_FROM - 1);
    if (piece >= (char *)at + to || piece + HUGE_FROM > (char *)at + pages_whole(octets) || spare->n == 0 ||
        spare->moved >= MOVED_MAX)
        return NULL;
    spare->moved++;
    /* DONTUNMAP keeps the range that the piece leaves: nothing else may be mapped there until its owner frees it. */
    if (mremap(spare->piece[--spare->n], HUGE_FROM, HUGE_FROM, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
               piece) != MAP_FAILED)
        return piece + HUGE_FROM;
    /* The kernel is too old, or the process has no mappings left: move no further pieces. The failed call may have
     * unmapped the target, so map it again. */
    spare->moved = MOVED_MAX;
    spare->failed = pages_settle(mmap(piece, HUGE_FROM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                                      -1, 0), HUGE_FROM) == NULL;
#endif
    return NULL;
}

/* A block is memory that is filled from front to back and may end up small or large. From HUGE_FROM on it consists of
 * huge pages: with small ones the faults would cost nearly as much as reading the capture (5 M packets, all columns:
 * 0.76 s instead of 0.47 s). Smaller blocks come from the heap, which reuses what the last batch of rows gave back. */
static inline void block_free(void *at, size_t octets) {
    if (octets >= HUGE_FROM)
        pages_free(at, octets);
    else
        free(at);
}

/* NULL on failure; the old block is then left as it was. */
static inline void *block_resize(void *at, size_t octets, size_t wanted) {
    void *pages;
    if (octets >= HUGE_FROM)
        return pages_grow(at, octets, wanted);
    if (wanted < HUGE_FROM)
        return realloc(at, wanted);
    pages = pages_new(wanted);
    if (pages != NULL && octets != 0) {
        memcpy(pages, at, octets);
        free(at);
    }
    return pages;
}

/* Ask for huge pages in memory that comes from the heap; it is given back as all of the heap is. */
static inline void *heap_huge(void *at, size_t octets) {
#if defined(MADV_HUGEPAGE)
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)at + page - 1) / page * page;
    if (at != NULL && octets >= HUGE_FROM)
        madvise((void *)begin, (uintptr_t)at + octets - begin, MADV_HUGEPAGE);
#endif
    return at;
}

/* Zeroed items, for tables whose slots are looked up at random. */
static inline void *heap_zeroed(size_t n, size_t size) { return heap_huge(calloc(n, size), n * size); }

/* Does the part of a block that was never written read as zero? */
static inline int block_zeroed(size_t octets) { return octets >= HUGE_FROM; }

/* The memory that a block of so much room takes when `used` bytes of it have been written. */
static inline size_t block_octets(size_t room, size_t used) {
    return room < HUGE_FROM ? used : pages_whole(used > HUGE_FROM ? used : HUGE_FROM);
}

/* Say that only `used` bytes of a block will ever be written. Its end comes in small pages then, where most of a huge
 * one would stay empty: reading 309,463 flows took 123 MiB and takes 110. */
static inline void block_expect(void *at, size_t octets, size_t used) {
#if defined(MADV_NOHUGEPAGE)
    char *last = piece_at((char *)at + used);
    if (octets >= HUGE_FROM && last >= (char *)at && (char *)at + used - last < HUGE_FROM / 2)
        madvise(last, (size_t)((char *)at + octets - last), MADV_NOHUGEPAGE);
#endif
}

/* The size that a finished block can be cut down to. A block of pages stays one: its pages are not copied to the heap.
 * */
static inline size_t block_least(size_t octets, size_t used) {
    size_t least = octets >= HUGE_FROM ? HUGE_FROM : 1;
    return used > least ? used : least;
}

/* Zero a struct of a few hundred bytes. Compilers turn memset() of such a size into `rep stos`, whose start-up costs as
 * much as half the stores: 10 % of all the time on small packets. */
typedef uint64_t clear_block __attribute__((vector_size(32), aligned(1), may_alias));

static inline void clear(void *at, size_t octets) {
    const clear_block zero = {0};
    char *to = at;
    for (; octets >= sizeof zero; to += sizeof zero, octets -= sizeof zero) {
        *(clear_block *)to = zero;
        __asm__ volatile("" : : : "memory");  /* keeps the compiler from turning the loop into memset() */
    }
    memset(to, 0, octets);
}

/* Without the empty statement GCC takes a function that only prefetches for one without effect and drops its calls. */
static inline void prefetch(const void *at) {
    __builtin_prefetch(at, 1, 3);
    __asm__ volatile("");
}

#endif
