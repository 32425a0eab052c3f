/* One thread at a time, with the interpreter's lock or without it. */
#ifndef FLUXCAP_CLAIM_H
#define FLUXCAP_CLAIM_H

/* Whether it was free: it is this thread's from now on. */
static inline int claim(int *held) { return !__atomic_exchange_n(held, 1, __ATOMIC_ACQUIRE); }

static inline void release_claim(int *held) { __atomic_store_n(held, 0, __ATOMIC_RELEASE); }

#endif
