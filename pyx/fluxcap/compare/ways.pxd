# Ways: the packets from one socket to another, one direction of a flow. Both points see them under the same addresses
# and ports, or, where these are translated between the points, under two: then one of the two ways stands for both.

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from fluxcap.base.memory cimport heap_zeroed, pages_free, pages_grow
from fluxcap.compare.delays cimport Delays
from fluxcap.compare.sighting cimport POINTS
from fluxcap.pipeline.identity cimport IdentityKey, hash_ends
from fluxcap.streams.stream cimport Ends, turned

cdef enum:
    FIRST_WAYS = 256
    FIRST_WAY_SLOTS = 1 << 10
    NOT_TOLD = 2                # of a point: neither
    EVERY_POINT = 3             # bits of the points

cdef struct Apart:              # of a packet that was seen at both points:
    int64_t time                # the middle of both times, ns
    int64_t raw                 # how much later it was seen at B, by the clocks as they are, ns

cdef struct Way:                # groups of fields begin cache lines: of a million ways hardly one is in a cache
    # what tells from where it comes: a packet that is learned from needs this and the next group, two lines
    int64_t untold              # packets were seen at both points before that was known; of these the one that was
    Apart least                 # ... the least later at B,
    Apart most                  # ... and the most
    int64_t fewer_hops          # packets with a lower TTL at B, less those with a lower one at A
    int64_t earlier             # packets that prove that it comes from A, less those that prove B
    uint64_t met                # packets seen at both points, and of these the sums of
    double sum_raw              # ... how much later they were seen at B, ns,
    double sum_time             # ... the middle of both times after the first packet, ns
    int64_t last_time           # of the last packet seen at both points, the middle of both times, ns,
    int64_t last_raw            # ... how much later it was seen at B, by the clocks as they are
    # what is asked of it with each packet that a point has seen
    uint64_t hash               # of the ends
    uint32_t back               # place of the opposite way, 0 = not seen
    uint32_t stands             # place of the way that stands for this one, 0 = it does itself
    uint32_t other              # ... of the one that this one stands for, as the other point sees it; 0 = none
    uint8_t seen_at             # bits of the points that have seen these ends
    uint8_t straight            # packets had these ends at both points
    uint8_t from_               # the point it passes first, NOT_TOLD before that is known
    uint8_t paired              # a packet of it was seen at both points
    int64_t last_apart          # how much later the last packet seen at both points was at B, by the common clock
    # what is counted with each: two lines. Of the points: where a packet was seen.
    int64_t first
    int64_t last
    uint64_t seen[POINTS]
    uint64_t octets[POINTS]     # of payload
    # ... and with each that arrives
    uint64_t arrived
    uint64_t next_order         # the least order that is none of a reordered packet (RFC 4737 section 3.3),
    int64_t next_came           # ... and when the packet before that came, by the common clock
    int64_t last_delay
    double variation            # sum of the sizes of the delay variation (RFC 3393) from packet to packet, ns
    int16_t hops                # by which TTL was lowered: of the first packet that arrived,
    int16_t hops_least          # ... and of all
    int16_t hops_most
    uint16_t mss[POINTS]        # of its last SYN with one
    Delays delays
    # ... and with some
    uint64_t alone[POINTS]      # packets that the other point has not seen
    uint64_t copies[POINTS]     # further copies of packets that the other point has seen
    uint64_t reordered
    uint64_t changed            # payload
    uint64_t changed_good       # ... with a checksum that is right behind the change
    uint64_t uncompared         # payload that was cut at a point
    uint64_t remarked           # DSCP
    uint64_t clamped            # MSS
    uint32_t open_[POINTS]      # number of the segment in flight whose bytes are being met, 0 = none
    int64_t median              # quantiles of the delays; -1 without one
    int64_t most_of_20          # 95 %
    int64_t most_of_100         # 99 %
    Ends ends
    uint64_t rest[4]            # of the last line

cdef struct WaySlot:
    uint64_t hash
    uint32_t place              # 0: empty

cdef struct Ways:
    Way* at                     # in the order of their first packets; place 0 is none
    uint64_t n
    uint64_t room
    WaySlot* slots
    uint64_t mask

cdef inline bint open_ways(Ways* w) noexcept nogil:
    w.slots = <WaySlot*>heap_zeroed(FIRST_WAY_SLOTS, sizeof(WaySlot))
    w.mask = FIRST_WAY_SLOTS - 1
    w.n = 1
    return w.slots != NULL and reserve_ways(w)

cdef inline void free_ways(Ways* w) noexcept nogil:
    pages_free(w.at, w.room * sizeof(Way))
    free(w.slots)

cdef inline WaySlot* way_slot(const Ways* w, uint64_t hash) noexcept nogil:
    cdef uint64_t at = hash & w.mask
    while w.slots[at].place and w.slots[at].hash != hash:
        at = at + 1 & w.mask
    return &w.slots[at]

cdef inline bint grow_ways(Ways* w) noexcept nogil:
    cdef uint64_t room = w.room * 2 if w.room else FIRST_WAYS
    cdef void* moved = pages_grow(w.at, w.room * sizeof(Way), room * sizeof(Way))
    if moved == NULL:
        return False
    w.at = <Way*>moved
    w.room = room
    return True

cdef inline bint reserve_ways(Ways* w) noexcept nogil:
    """Have room for one way more, the index half full at most. False: memory is out."""
    cdef Ways grown
    cdef uint64_t i
    if w.n >= w.room and not grow_ways(w):
        return False
    if w.n * 2 <= w.mask:
        return True
    grown.mask = w.mask * 2 + 1
    grown.slots = <WaySlot*>heap_zeroed(grown.mask + 1, sizeof(WaySlot))
    if grown.slots == NULL:
        return False
    for i in range(w.mask + 1):
        if w.slots[i].place:
            way_slot(&grown, w.slots[i].hash)[0] = w.slots[i]
    free(w.slots)
    w.slots = grown.slots
    w.mask = grown.mask
    return True

cdef inline void begin_way(Ways* w, uint32_t place, const Ends* ends, uint64_t hash) noexcept nogil:
    """Begin a way in memory that is zeroed already, as pages_grow() gives it."""
    cdef Way* way = &w.at[place]
    way.ends = ends[0]
    way.hash = hash
    way.from_ = NOT_TOLD

cdef inline uint64_t hash_turned(const Ends* ends, const IdentityKey* key) noexcept nogil:
    """The hash of the ends of the opposite way."""
    cdef Ends back = turned(ends)
    return hash_ends(&back, ends.protocol, key)

cdef inline uint32_t way_of(Ways* w, const Ends* ends, uint64_t hash, const IdentityKey* key) noexcept nogil:
    """The place of the way between these ends; room for one was reserved."""
    cdef WaySlot* slot = way_slot(w, hash)
    cdef uint32_t back
    if slot.place:
        return slot.place
    slot.hash = hash
    slot.place = <uint32_t>w.n
    begin_way(w, slot.place, ends, hash)
    w.n += 1
    back = way_slot(w, hash_turned(ends, key)).place
    if back and back != slot.place:
        w.at[slot.place].back = back
        w.at[back].back = slot.place
    return slot.place

cdef inline uint32_t standing(const Ways* w, uint32_t place) noexcept nogil:
    """The way that stands for this one."""
    return w.at[place].stands if w.at[place].stands else place

cdef inline uint32_t way_back(const Ways* w, uint32_t place) noexcept nogil:
    """The way that stands for the opposite one, 0 where that was not seen. Of two ways that are one, each point may
    have seen the opposite one of its own."""
    cdef uint32_t back = w.at[place].back
    if back == 0 and w.at[place].other:
        back = w.at[w.at[place].other].back
    return standing(w, back) if back else 0

cdef inline void join_ways(Ways* w, uint32_t place, uint32_t other) noexcept nogil:
    """Two ways, each seen at one point only, are one: the first stands for both."""
    cdef Way* way = &w.at[place]
    cdef Way* same = &w.at[other]
    cdef int i
    way.other = other
    same.stands = place
    if same.seen[0] + same.seen[1]:
        way.first = min(way.first, same.first) if way.seen[0] + way.seen[1] else same.first
        way.last = max(way.last, same.last) if way.seen[0] + way.seen[1] else same.last
    for i in range(POINTS):
        way.seen[i] += same.seen[i]
        way.octets[i] += same.octets[i]
        way.alone[i] += same.alone[i]
        way.copies[i] += same.copies[i]

cdef inline bint part_ways(Ways* w, uint32_t place) noexcept nogil:
    """Both points have seen the ends of this way, so nothing translates them. True: another way stood for it, or it for
    another one."""
    cdef Way* way = &w.at[place]
    if way.stands:
        w.at[way.stands].other = 0
    elif way.other:
        w.at[way.other].stands = 0
    else:
        return False
    way.stands = way.other = 0
    return True

cdef inline void forget_counts(Way* way) noexcept nogil:
    """Keep what is known of a way, and count anew."""
    way.paired = False
    way.last_apart = 0
    memset(&way.first, 0, <char*>&way.ends - <char*>&way.first)

cdef inline void forget_direction(Way* way) noexcept nogil:
    """Keep only the ends of a way, which points have seen them, and what they are translated to."""
    way.from_ = NOT_TOLD
    memset(&way.untold, 0, <char*>&way.hash - <char*>&way.untold)
