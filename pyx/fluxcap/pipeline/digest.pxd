# From packets to digests: the fields that are counted, and the words of the key.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport Batch, Digest, Packet
from fluxcap.flows.key cimport (
    FIVE_TUPLE_WORDS, KeyPlan, Shape, five_tuple, hash_words, interval_start, project, same_shape)

cdef inline void digest_packet(const Packet* p, uint32_t octets_at, Digest* d) noexcept nogil:
    # One copy takes all fields that both structs have in the same order; fields.pxi asserts that they lie alike.
    memcpy(d, &p.time, <char*>&d.protocol - <char*>d)
    d.protocol = p.key.protocol
    d.ethertype = p.key.ethertype
    d.octets = (<const uint32_t*>(<const char*>p + octets_at))[0]
    d.row = 0
    d.icmp = p.icmp
    d.header_words = p.header_words

cdef inline void digest_key(const KeyPlan* plan, Shape shape, const Packet* p, Digest* d,
                            uint64_t* words) noexcept nogil:
    d.flip = <uint8_t>project(plan, shape, &p.key, words)
    d.tag = <uint32_t>(hash_words(plan, words, shape.n) >> 32)

cdef inline void digest_words(const KeyPlan* plan, Shape shape, Batch* batch, int64_t before, Digest* digests,
                              uint64_t* words) noexcept nogil:
    cdef Packet* p
    cdef uint32_t i, octets_at = plan.octets_at
    for i in range(batch.n):
        p = &batch.packets[i]
        digest_packet(p, octets_at, &digests[i])
        if plan.interval:
            before = p.time if p.time != NO_TIME else before
            p.key.interval = interval_start(before, plan.interval)
        digest_key(plan, shape, p, &digests[i], words)
        words += shape.n

cdef inline void digest_scattered(const KeyPlan* plan, const Batch* batch, const uint32_t* places, Digest* digests,
                                  uint64_t* words) noexcept nogil:
    """Fill the digest at places[i] for packet i of a batch: under the default key, or without a key where there is no
    plan, because no flow is counted."""
    cdef uint32_t i, at
    for i in range(batch.n):
        at = places[i]
        digest_packet(&batch.packets[i], plan.octets_at if plan != NULL else 0, &digests[at])
        if plan != NULL:
            digest_key(plan, five_tuple(), &batch.packets[i], &digests[at], words + at * FIVE_TUPLE_WORDS)

cdef inline void digest_batch(const KeyPlan* plan, Batch* batch, int64_t before, Digest* digests,
                              uint64_t* words) noexcept nogil:
    """Fill a digest for each packet of a decoded and judged batch, and plan.shape.n words of its key beside it.

    A record without a time is in the interval of the record with one before it: `before` is the time of the last such
    record of the file before this batch, or NO_TIME."""
    if same_shape(plan.shape, five_tuple()):
        digest_words(plan, five_tuple(), batch, before, digests, words)
    else:
        digest_words(plan, plan.shape, batch, before, digests, words)
