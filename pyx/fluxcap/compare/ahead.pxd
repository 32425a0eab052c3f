# Memory that a packet will need, asked for while packets before it are taken. Ways, lists and packets in flight of a
# long capture fit into no cache, and each packet needs some ten places in them: waiting for one after the other takes
# most of the time. The keys follow from the packet alone, but where ends are translated.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.memory cimport prefetch
from fluxcap.compare.matcher cimport Matcher, arrival_key, list_key, same_key
from fluxcap.compare.pending cimport LIST_CHANGED, LIST_SAME, LIST_STARTS, Pending, first_in_list
from fluxcap.compare.ranges cimport has_range
from fluxcap.compare.sighting cimport POINTS, Sighting, Watch
from fluxcap.compare.ways cimport Way, way_slot

cdef enum:
    SLOTS_AHEAD = 16            # packets: a miss takes as long as a few packets, and there are several a packet
    PLACES_AHEAD = 8            # ... to which the slots lead
    LINE = 64                   # bytes

cdef inline void expect_list(const Matcher* m, uint64_t key) noexcept nogil:
    prefetch(&m.flight.lists.slots[key & m.flight.lists.mask])

cdef inline void expect_slots(const Matcher* m, uint32_t point, const Sighting* s) noexcept nogil:
    cdef uint64_t ends = s.identity.ends
    cdef int there
    prefetch(&m.ways.slots[ends & m.ways.mask])
    for there in range(POINTS):
        expect_list(m, same_key(m, LIST_SAME, there, ends, s))
        if m.samples == NULL:
            expect_list(m, list_key(m, LIST_CHANGED, there, ends, s.identity.head))
    if m.samples == NULL:
        prefetch(&m.arrivals.at[arrival_key(m, ends, s) & m.arrivals.mask])
        if has_range(s):
            expect_list(m, list_key(m, LIST_STARTS, point, ends, s.seq))

cdef inline void expect_octets(const void* at, uint32_t octets) noexcept nogil:
    cdef uint32_t i
    for i in range((octets + LINE - 1) // LINE):
        prefetch(<const char*>at + i * LINE)

cdef inline void expect_way(const Way* w, bint learns) noexcept nogil:
    expect_octets(w, <uint32_t>(<const char*>&w.untold - <const char*>w))
    if learns:
        expect_octets(&w.untold, <uint32_t>(<const char*>&w.first - <const char*>&w.untold))
    else:
        expect_octets(&w.last_apart, <uint32_t>(<const char*>&w.alone - <const char*>&w.last_apart))

cdef inline void expect_places(const Matcher* m, uint32_t point, const Sighting* s) noexcept nogil:
    cdef uint32_t place = way_slot(&m.ways, s.identity.ends).place
    cdef uint32_t number = first_in_list(&m.flight, same_key(m, LIST_SAME, POINTS - 1 - point, s.identity.ends, s))
    if place:
        expect_way(&m.ways.at[place], m.samples != NULL)
    if number:
        expect_octets(&m.flight.at[number], sizeof(Pending))

cdef inline void expect(const Matcher* m, uint32_t point, const Watch* w) noexcept nogil:
    """Ask for what the packets behind the next one need."""
    if w.taken + SLOTS_AHEAD < w.n:
        expect_slots(m, point, &w.seen[w.taken + SLOTS_AHEAD])
    if w.taken + PLACES_AHEAD < w.n:
        expect_places(m, point, &w.seen[w.taken + PLACES_AHEAD])
