# From packets to digests: what is counted of each, and the words of its key.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fluxcap.flows.key cimport FIVE_TUPLE_WORDS, KeyPlan, hash_words, interval_start, project
from fluxcap.types cimport Batch, Digest, Packet

cdef inline void digest_packet(const Packet* p, uint32_t octets_at, Digest* d) noexcept nogil:
    # The fields that both structs begin with, or go on with, in one copy; fields.pxi asserts that they lie alike.
    memcpy(d, &p.time, <char*>&d.protocol - <char*>d)
    d.protocol = p.key.protocol
    d.octets = (<const uint32_t*>(<const char*>p + octets_at))[0]
    d.row = 0

cdef inline void digest_words(const KeyPlan* plan, Batch* batch, Digest* digests, uint64_t* words,
                              uint32_t key_words, bint leading) noexcept nogil:
    cdef Packet* p
    cdef uint32_t i, octets_at = plan.octets_at
    for i in range(batch.n):
        p = &batch.packets[i]
        digest_packet(p, octets_at, &digests[i])
        if plan.interval:
            p.key.interval = interval_start(p.time, plan.interval)
        digests[i].flip = <uint8_t>project(plan, &p.key, key_words, leading, words)
        digests[i].tag = <uint32_t>(hash_words(plan, words, key_words) >> 32)
        words += key_words

cdef inline void digest_batch(const KeyPlan* plan, Batch* batch, Digest* digests, uint64_t* words) noexcept nogil:
    """The digests of a batch that is decoded and judged, and plan.n words beside each; none without a key."""
    if plan.n == FIVE_TUPLE_WORDS and plan.leading:
        digest_words(plan, batch, digests, words, FIVE_TUPLE_WORDS, True)
    else:
        digest_words(plan, batch, digests, words, plan.n, plan.leading)
