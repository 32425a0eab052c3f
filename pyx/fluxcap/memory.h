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

/* From here on ask for huge pages: below it they would waste more than the TLB misses they save. */
enum { HUGE_FROM = 8 << 20 };

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
    return pages_settle(mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), octets);
}

static inline void pages_free(void *at, size_t octets) {
    if (at != NULL)
        munmap(at, octets);
}

/* NULL on failure, the old memory left as it was. The part that is new reads as zero. */
static inline void *pages_grow(void *at, size_t octets, size_t wanted) {
    if (at == NULL)
        return pages_new(wanted);
#if defined(__linux__)
    return pages_settle(mremap(at, octets, wanted, MREMAP_MAYMOVE), wanted);
#else
    void *grown = pages_new(wanted);
    if (grown != NULL) {
        memcpy(grown, at, octets);
        pages_free(at, octets);
    }
    return grown;
#endif
}

/* Zero a struct of a few hundred octets. Compilers turn memset() of such a size into `rep stos`, whose start-up alone
 * costs as much as half the stores: 10 % of all the time on small packets. */
typedef uint64_t clear_block __attribute__((vector_size(32), aligned(8), may_alias));

static inline void clear(void *at, size_t octets) {
    const clear_block zero = {0};
    char *to = at;
    for (; octets >= sizeof zero; to += sizeof zero, octets -= sizeof zero) {
        *(clear_block *)to = zero;
        __asm__ volatile("" : : : "memory");  /* keeps the loop from being recognised as memset */
    }
    memset(to, 0, octets);
}

static inline void prefetch(const void *at) { __builtin_prefetch(at, 1, 3); }

#endif
