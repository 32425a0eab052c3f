# What was learned last, under hashes of what it is about. There are so many entries and no more: the oldest one makes
# room. Entries of one bucket are a list, so that an entry is found and dropped in constant time.
#
# A hash of 64 bits with a secret key stands for what it is about: that of something else is among a quarter of a
# million by a chance of 1 in 70 million million.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

cdef struct LatestEntry:
    uint64_t hash
    uint32_t value
    uint32_t next               # 1 + the next entry of the bucket, 0 = none
    bint used

cdef struct Latest:
    LatestEntry* entries
    uint32_t* buckets           # as many as entries: 1 + the first entry, 0 = none
    uint32_t size               # a power of two
    uint32_t turn               # the entry that is taken next: a free one, or the oldest
    uint32_t n

cdef inline bint open_latest(Latest* l, uint32_t size) noexcept nogil:
    l.size = size
    l.entries = <LatestEntry*>calloc(size, sizeof(LatestEntry))
    l.buckets = <uint32_t*>calloc(size, sizeof(uint32_t))
    return l.entries != NULL and l.buckets != NULL

cdef inline void free_latest(Latest* l) noexcept nogil:
    free(l.entries)
    free(l.buckets)

cdef inline LatestEntry* find_latest(const Latest* l, uint64_t hash) noexcept nogil:
    """The entry under a hash, NULL = there is none."""
    cdef uint32_t at
    if l.n == 0:
        return NULL
    at = l.buckets[hash & (l.size - 1)]
    while at and l.entries[at - 1].hash != hash:
        at = l.entries[at - 1].next
    return &l.entries[at - 1] if at else NULL

cdef inline uint32_t place_of_latest(const Latest* l, const LatestEntry* entry) noexcept nogil:
    return <uint32_t>(entry - l.entries)

cdef inline void drop_latest(Latest* l, LatestEntry* entry) noexcept nogil:
    """Take an entry that is used out of its bucket."""
    cdef uint32_t* link = &l.buckets[entry.hash & (l.size - 1)]
    cdef uint32_t number = place_of_latest(l, entry) + 1
    while link[0] != number:
        link = &l.entries[link[0] - 1].next
    link[0] = entry.next
    entry.used = False
    l.n -= 1

cdef inline LatestEntry* put_latest(Latest* l, uint64_t hash, uint32_t value, bint* made_room) noexcept nogil:
    """Put a value under a hash, as the newest entry; what was under it before goes. `made_room`: did the oldest entry
    go, one of another hash?"""
    cdef LatestEntry* there = find_latest(l, hash)
    cdef LatestEntry* entry = &l.entries[l.turn]
    cdef uint32_t* bucket = &l.buckets[hash & (l.size - 1)]
    if there != NULL:
        drop_latest(l, there)
    made_room[0] = entry.used
    if entry.used:
        drop_latest(l, entry)
    entry.hash = hash
    entry.value = value
    entry.used = True
    entry.next = bucket[0]
    bucket[0] = l.turn + 1
    l.n += 1
    l.turn = l.turn + 1 & (l.size - 1)
    return entry
