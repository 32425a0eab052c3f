/* A claim lets one thread at a time use an object, also where Python runs without its global lock. */
#ifndef FLUXCAP_CLAIM_H
#define FLUXCAP_CLAIM_H

/* Take the claim; False where another thread holds it. */
static inline int claim(int *held) { return !__atomic_exchange_n(held, 1, __ATOMIC_ACQUIRE); }

static inline void release_claim(int *held) { __atomic_store_n(held, 0, __ATOMIC_RELEASE); }

#endif
