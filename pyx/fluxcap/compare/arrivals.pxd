# Packets that have arrived, remembered for a while, so that a copy of one is known for one. Only that it has arrived
# is asked of it, and most packets arrive: of each no more is kept than a hash and a time.

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free

from fluxcap.base.memory cimport heap_zeroed
from fluxcap.compare.clock cimport after

cdef enum:
    FIRST_ARRIVALS = 1 << 12    # places to begin with
    # A copy made in the network comes this soon, in ns: routes that flap and queues hold no packet longer.
    COPY_WITHIN = 1_000_000_000

cdef struct Arrival:
    uint64_t key                # 0: the place is empty
    int64_t time                # ns, by the common clock: the last time

cdef struct Arrivals:
    Arrival* at
    uint64_t mask
    uint64_t n                  # with those that are too old by now
    # How many come within COPY_WITHIN, from the reading that the clock is learned from: the table has room for them
    # from the beginning. One that grows to a million takes the memory twice, and all of it must be zeroed.
    int64_t since
    uint64_t since_then
    uint64_t before
    uint64_t most

cdef inline void expect_arrival(Arrivals* a, int64_t now) noexcept nogil:
    """Count one of those that will be remembered."""
    if not 0 <= after(now, a.since) < COPY_WITHIN:
        a.before = a.since_then
        a.since = now
        a.since_then = 0
    a.since_then += 1
    a.most = max(a.most, a.before + a.since_then)

cdef inline bint open_arrivals(Arrivals* a) noexcept nogil:
    """Make an empty table for as many as are expected."""
    a.mask = FIRST_ARRIVALS - 1
    a.n = 0
    while a.most * 2 > a.mask:
        a.mask = a.mask * 2 + 1
    a.at = <Arrival*>heap_zeroed(a.mask + 1, sizeof(Arrival))
    return a.at != NULL

cdef inline void free_arrivals(Arrivals* a) noexcept nogil:
    free(a.at)
    a.at = NULL

cdef inline Arrival* arrival_of(const Arrivals* a, uint64_t key) noexcept nogil:
    """The place of a packet, or the empty one where it belongs."""
    cdef uint64_t at = key & a.mask
    while a.at[at].key and a.at[at].key != key:
        at = at + 1 & a.mask
    return &a.at[at]

cdef inline bint is_recent(const Arrival* arrival, int64_t now) noexcept nogil:
    """It may be one from before the clock was set back, too."""
    cdef int64_t apart = after(now, arrival.time)
    return -COPY_WITHIN <= apart <= COPY_WITHIN

cdef inline bint reserve_arrivals(Arrivals* a, int64_t now) noexcept nogil:
    """Have half of the places free, without the old ones or else in a larger table: a packet may complete MOST_JOINED
    others. False: memory is out."""
    cdef Arrivals grown
    cdef uint64_t i, recent = 0
    if a.n * 2 <= a.mask:
        return True
    for i in range(a.mask + 1):
        recent += a.at[i].key != 0 and is_recent(&a.at[i], now)
    # Two thirds are free after this: as many packets come before the next time as pay for going through all places.
    grown = a[0]
    while recent * 3 > grown.mask:
        grown.mask = grown.mask * 2 + 1
    grown.n = recent
    grown.at = <Arrival*>heap_zeroed(grown.mask + 1, sizeof(Arrival))
    if grown.at == NULL:
        return False
    for i in range(a.mask + 1):
        if a.at[i].key and is_recent(&a.at[i], now):
            arrival_of(&grown, a.at[i].key)[0] = a.at[i]
    free(a.at)
    a[0] = grown
    return True

cdef inline void note_arrival(Arrivals* a, uint64_t key, int64_t now) noexcept nogil:
    """Remember a packet; room for one was reserved."""
    cdef Arrival* arrival = arrival_of(a, key)
    a.n += arrival.key == 0
    arrival.key = key
    arrival.time = now

cdef inline bint has_arrived(const Arrivals* a, uint64_t key, int64_t now) noexcept nogil:
    cdef const Arrival* arrival = arrival_of(a, key)
    return arrival.key != 0 and is_recent(arrival, now)
