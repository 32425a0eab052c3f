# Packets in flight: seen at one point, and not yet at the other. They are found by what they are, and leave when they
# arrive, or in the order of time.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free

from fluxcap.base.arrays cimport reserve_array
from fluxcap.compare.lists cimport ListLink, ListSlot, Lists, drop_list, list_slot, open_lists, reserve_lists
from fluxcap.compare.sighting cimport Sighting

cdef enum:                      # ListKind: the questions by which a packet is found
    LIST_SAME                   # which packet between these ends is this one? (of those with a number, see head_key())
    LIST_MOVED                  # ... between any ends, because addresses were translated?
    LIST_CHANGED                # ... with these headers and no number, because its payload was changed?
    LIST_STARTS                 # which segment begins with this byte of the stream, as segments were cut or joined?
    LIST_KINDS

cdef enum:
    FIRST_PENDING = 1 << 10

cdef struct Pending:
    Sighting s
    int64_t time                # ns, by the clock that is common to both points
    uint64_t order              # of its way at its point, from 1
    ListLink links[LIST_KINDS]
    uint32_t older              # in the order of time
    uint32_t newer
    uint32_t way
    uint32_t left               # bytes of payload not yet seen at the other point, and
    int64_t met                 # ... when the first of them were seen there, by the common clock
    uint8_t point
    uint8_t waiting             # it is in flight; else its number is unused
    uint8_t copy                # its point has seen the same packet just before

cdef struct InFlight:
    Pending* at                 # by number; number 0 is none
    uint64_t n
    uint64_t room
    uint32_t unused             # the first of those that can be used again
    Lists lists
    uint32_t oldest
    uint32_t newest
    uint32_t unsettled          # the oldest whose exact partner may still be seen to come

cdef inline bint open_in_flight(InFlight* f) noexcept nogil:
    f.n = 1
    return open_lists(&f.lists) and reserve_pending(f)

cdef inline void free_in_flight(InFlight* f) noexcept nogil:
    free(f.at)
    free(f.lists.slots)

cdef inline bint reserve_pending(InFlight* f) noexcept nogil:
    """Have room for one packet more, in all its lists."""
    return (f.unused or reserve_array(<void**>&f.at, &f.room, f.n + 1, FIRST_PENDING, sizeof(Pending))) and \
        reserve_lists(&f.lists, LIST_KINDS)

cdef inline uint32_t new_pending(InFlight* f) noexcept nogil:
    """A packet in no list and no queue."""
    cdef uint32_t number = f.unused
    cdef int i
    if number:
        f.unused = f.at[number].newer
    else:
        number = <uint32_t>f.n
        f.n += 1
    for i in range(LIST_KINDS):
        f.at[number].links[i].key = 0
    f.at[number].copy = False
    return number

cdef inline void join_list(InFlight* f, uint32_t number, uint32_t kind, uint64_t key) noexcept nogil:
    cdef ListSlot* slot = list_slot(&f.lists, key)
    cdef ListLink* link = &f.at[number].links[kind]
    link.key = key
    link.newer = 0
    if slot.key == 0:
        f.lists.n += 1
        slot.key = key
        slot.first = number
        link.older = 0
    else:
        link.older = slot.last
        f.at[slot.last].links[kind].newer = number
    slot.last = number

cdef inline void leave_list(InFlight* f, uint32_t number, uint32_t kind) noexcept nogil:
    cdef ListLink* link = &f.at[number].links[kind]
    cdef ListSlot* slot
    if link.key == 0:
        return
    if link.older and link.newer:
        f.at[link.older].links[kind].newer = link.newer
        f.at[link.newer].links[kind].older = link.older
        link.key = 0
        return
    slot = list_slot(&f.lists, link.key)
    link.key = 0
    if link.older:
        f.at[link.older].links[kind].newer = 0
        slot.last = link.older
    elif link.newer:
        f.at[link.newer].links[kind].older = 0
        slot.first = link.newer
    else:
        drop_list(&f.lists, slot)

cdef inline uint32_t first_in_list(const InFlight* f, uint64_t key) noexcept nogil:
    cdef const ListSlot* slot = list_slot(&f.lists, key)
    return slot.first if slot.key else 0

cdef inline uint32_t last_in_list(const InFlight* f, uint64_t key) noexcept nogil:
    cdef const ListSlot* slot = list_slot(&f.lists, key)
    return slot.last if slot.key else 0

cdef inline void begin_waiting(InFlight* f, uint32_t number) noexcept nogil:
    cdef Pending* p = &f.at[number]
    p.waiting = True
    p.newer = 0
    p.older = f.newest
    if f.newest:
        f.at[f.newest].newer = number
    else:
        f.oldest = number
    f.newest = number
    if f.unsettled == 0:
        f.unsettled = number

cdef inline void end_waiting(InFlight* f, uint32_t number) noexcept nogil:
    cdef Pending* p = &f.at[number]
    p.waiting = False
    if f.unsettled == number:
        f.unsettled = p.newer
    if p.older:
        f.at[p.older].newer = p.newer
    else:
        f.oldest = p.newer
    if p.newer:
        f.at[p.newer].older = p.older
    else:
        f.newest = p.older

cdef inline void let_go(InFlight* f, uint32_t number) noexcept nogil:
    """Forget a packet: its number can be used again."""
    cdef int i
    for i in range(LIST_KINDS):
        leave_list(f, number, i)
    end_waiting(f, number)
    f.at[number].newer = f.unused
    f.unused = number
