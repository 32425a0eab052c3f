/* Memory for tables that grow: whole pages, zeroed, so that rows keep to cache lines and growth moves page tables
 * instead of octets. */
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

/* From here on memory comes in huge pages: without them a row that is not in the cache costs a walk through the page
 * tables as well. The kernel gives them where size and address are multiples of one. */
enum { HUGE_FROM = 2 << 20 };

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

/* NULL on failure, the old memory left as it was. The part that is new reads as zero. */
static inline void *pages_grow(void *at, size_t octets, size_t wanted) {
    void *grown;
    if (at == NULL)
        return pages_new(wanted);
    if (octets >= HUGE_FROM && wanted <= octets) {
        size_t kept = pages_whole(wanted), whole = pages_whole(octets);
        return kept == whole || munmap((char *)at + kept, whole - kept) == 0 ? at : NULL;
    }
#if defined(__linux__)
    /* Pages move as they are, small ones too, unless they are to be huge from now on. */
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

/* Pieces of memory that are not read again, a huge page each, to be laid under memory that nobody has touched yet. So
 * it is there without a new page, and the kernel's zeroing of it; where a host takes back what its guests leave free, a
 * new page can cost more than all that is done with it. What stood in a piece stays in it. */
enum {
    SPARE_MAX = 128,   /* pieces kept; what comes beyond them is given back to the system */
#if defined(MREMAP_DONTUNMAP)
    MOVED_MAX = 4096,  /* to one owner: each is a mapping of its own, of which Linux lets a process have 65,530 */
#else
    MOVED_MAX = 0,
#endif
};

typedef struct {
    uint32_t n;
    uint32_t moved;
    int failed;        /* there is a hole where a piece was to be: no memory */
    char *piece[SPARE_MAX];
} Spare;

static inline char *piece_at(void *at) { return (char *)at - (uintptr_t)at % HUGE_FROM; }

/* Nothing up to `to` is read again, and this was said of what lies before `from`. */
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

/* Lay a piece under the first one that begins from `from` on and before `to`, none of it touched yet. Its end, from
 * where on memory reads as zero again, or NULL: none begins there, or none is spare. */
static inline void *pages_take(Spare *spare, void *at, size_t octets, size_t from, size_t to) {
#if defined(MREMAP_DONTUNMAP)
    char *piece = piece_at((char *)at + from + HUGE_FROM - 1);
    if (piece >= (char *)at + to || piece + HUGE_FROM > (char *)at + pages_whole(octets) || spare->n == 0 ||
        spare->moved >= MOVED_MAX)
        return NULL;
    spare->moved++;
    /* The range it comes from stays its owner's, so that nothing else is mapped there before that is freed. */
    if (mremap(spare->piece[--spare->n], HUGE_FROM, HUGE_FROM, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
               piece) != MAP_FAILED)
        return piece + HUGE_FROM;
    /* An older kernel, or one that is short of mappings: no more of this. It may have unmapped the target. */
    spare->moved = MOVED_MAX;
    spare->failed = pages_settle(mmap(piece, HUGE_FROM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                                      -1, 0), HUGE_FROM) == NULL;
#endif
    return NULL;
}

/* A block is memory that is filled from front to back and may end up small or large. From HUGE_FROM on it is pages: on
 * small ones the faults would cost nearly as much as all the reading (5 M packets with all columns: 0.76 s instead of
 * 0.47 s). Below, it comes from the heap, which hands out again what the last batch of rows gave back. */
static inline void block_free(void *at, size_t octets) {
    if (octets >= HUGE_FROM)
        pages_free(at, octets);
    else
        free(at);
}

/* NULL on failure, the old block left as it was. */
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

/* Whether what was not written of a block reads as zero. */
static inline int block_zeroed(size_t octets) { return octets >= HUGE_FROM; }

/* What a block can be cut down to when no more comes: large ones stay large. */
static inline size_t block_least(size_t octets, size_t used) {
    size_t least = octets >= HUGE_FROM ? HUGE_FROM : 1;
    return used > least ? used : least;
}

/* Zero a struct of a few hundred octets. Compilers turn memset() of such a size into `rep stos`, whose start-up alone
 * costs as much as half the stores: 10 % of all the time on small packets. */
typedef uint64_t clear_block __attribute__((vector_size(32), aligned(1), may_alias));

static inline void clear(void *at, size_t octets) {
    const clear_block zero = {0};
    char *to = at;
    for (; octets >= sizeof zero; to += sizeof zero, octets -= sizeof zero) {
        *(clear_block *)to = zero;
        __asm__ volatile("" : : : "memory");  /* keeps the loop from being recognised as memset */
    }
    memset(to, 0, octets);
}

/* The empty statement keeps GCC from taking a function that does nothing else for one without effect. */
static inline void prefetch(const void *at) {
    __builtin_prefetch(at, 1, 3);
    __asm__ volatile("");
}

#endif
