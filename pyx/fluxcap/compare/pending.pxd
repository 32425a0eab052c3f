# Packets in flight: seen at one point, and not yet at the other. They are found by what they are, and leave in the
# order of time. One that has arrived is remembered for a while, so that a copy of it is known for one.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free

from fluxcap.base.arrays cimport reserve_array
from fluxcap.compare.lists cimport ListLink, ListSlot, Lists, drop_list, list_slot, open_lists, reserve_lists
from fluxcap.compare.sighting cimport Sighting

cdef enum:                      # ListKind: the questions by which a packet is found
    LIST_SAME                   # which packet between these ends is this one?
    LIST_MOVED                  # ... between any ends, because addresses were translated?
    LIST_CHANGED                # ... with these headers, because its payload was changed?
    LIST_STARTS                 # which segment begins with this byte of the stream, as segments were cut or joined?
    LIST_KINDS

cdef enum:                      # AgeKind
    AGE_WAITING
    AGE_ARRIVED
    AGE_KINDS

cdef enum:
    FIRST_PENDING = 1 << 10

cdef struct Pending:
    Sighting s
    int64_t time                # ns, by the clock that is common to both points
    uint64_t order              # of its way at its point, from 1
    ListLink links[LIST_KINDS]
    uint32_t older              # in the queue of its age
    uint32_t newer
    uint32_t way
    uint32_t left               # bytes of payload not yet seen at the other point, and
    int64_t met                 # ... when the first of them were seen there, by the common clock
    uint8_t point
    uint8_t age                 # AgeKind
    uint8_t copy                # its point has seen the same packet just before

cdef struct AgeQueue:
    uint32_t oldest
    uint32_t newest

cdef struct InFlight:
    Pending* at                 # by number; number 0 is none
    uint64_t n
    uint64_t room
    uint32_t unused             # the first of those that can be used again
    Lists lists
    AgeQueue ages[AGE_KINDS]

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

cdef inline void begin_age(InFlight* f, uint32_t number, uint32_t kind) noexcept nogil:
    cdef AgeQueue* queue = &f.ages[kind]
    cdef Pending* p = &f.at[number]
    p.age = <uint8_t>kind
    p.newer = 0
    p.older = queue.newest
    if queue.newest:
        f.at[queue.newest].newer = number
    else:
        queue.oldest = number
    queue.newest = number

cdef inline void end_age(InFlight* f, uint32_t number) noexcept nogil:
    cdef AgeQueue* queue = &f.ages[f.at[number].age]
    cdef const Pending* p = &f.at[number]
    if p.older:
        f.at[p.older].newer = p.newer
    else:
        queue.oldest = p.newer
    if p.newer:
        f.at[p.newer].older = p.older
    else:
        queue.newest = p.older

cdef inline void leave_lists(InFlight* f, uint32_t number) noexcept nogil:
    cdef int i
    for i in range(LIST_KINDS):
        leave_list(f, number, i)

cdef inline void let_go(InFlight* f, uint32_t number) noexcept nogil:
    """Forget a packet: its number can be used again."""
    leave_lists(f, number)
    end_age(f, number)
    f.at[number].newer = f.unused
    f.at[number].age = AGE_KINDS
    f.unused = number
