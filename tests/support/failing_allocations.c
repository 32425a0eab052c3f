/* Makes one allocation of the core fail: the k-th malloc, calloc, realloc, posix_memalign, mmap or mremap that code
 * between two addresses asks for, from arm() on. Preloaded into a Python. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static char *from, *to;
static long left;
static int failed;

void arm(char *first, char *end, long k) {
    from = first, to = end, failed = 0;
    __atomic_store_n(&left, k, __ATOMIC_SEQ_CST);
}

/* Whether an allocation failed since arm(). None does from now on. */
int disarm(void) {
    __atomic_store_n(&left, 0, __ATOMIC_SEQ_CST);
    return failed;
}

static int fails(char *caller) {
    if (__atomic_load_n(&left, __ATOMIC_RELAXED) <= 0 || caller < from || caller >= to)
        return 0;
    if (__atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) != 0)
        return 0;
    errno = ENOMEM;
    return failed = 1;
}

#define CALLER ((char *)__builtin_return_address(0))

void *malloc(size_t size) { return fails(CALLER) ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fails(CALLER) ? NULL : __libc_calloc(n, size); }
void *realloc(void *at, size_t size) { return fails(CALLER) ? NULL : __libc_realloc(at, size); }

int posix_memalign(void **at, size_t alignment, size_t size) {
    if (fails(CALLER))
        return ENOMEM;
    *at = __libc_memalign(alignment, size);
    return *at == NULL ? ENOMEM : 0;
}

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
    static void *(*next)(void *, size_t, int, int, int, off_t);
    if (next == NULL)
        next = dlsym(RTLD_NEXT, "mmap");
    return fails(CALLER) ? MAP_FAILED : next(at, size, protection, flags, file, offset);
}

/* The name by which code calls it whose offsets in files have 64 bits, as those of Python's extensions have. */
void *mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset) __attribute__((alias("mmap")));

void *mremap(void *at, size_t size, size_t wanted, int flags, ...) {
    static void *(*next)(void *, size_t, size_t, int, void *);
    va_list rest;
    void *target;
    va_start(rest, flags);
    target = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
    va_end(rest);
    if (next == NULL)
        next = dlsym(RTLD_NEXT, "mremap");
    return fails(CALLER) ? MAP_FAILED : next(at, size, wanted, flags, target);
}
