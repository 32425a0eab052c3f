# Lists of packets under keys of 64 bits: those that one point has seen and the other one has not seen yet. A packet is
# in several lists at once, one for each question that another packet may ask. All lists are in one open-addressed
# table. Joining, leaving and finding take the same time whatever the lists hold: a million equal packets are one list.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free

from fluxcap.base.memory cimport heap_zeroed

cdef enum:
    FIRST_LISTS = 1 << 12       # slots to begin with

cdef struct ListSlot:
    uint64_t key                # 0: the slot is empty
    uint32_t first              # numbers of packets, the oldest first
    uint32_t last

cdef struct ListLink:           # of a packet in one list
    uint64_t key                # 0: in no list
    uint32_t older              # numbers of packets, 0 = none
    uint32_t newer

cdef struct Lists:
    ListSlot* slots
    uint64_t mask
    uint64_t n                  # lists

cdef inline bint open_lists(Lists* l) noexcept nogil:
    l.slots = <ListSlot*>heap_zeroed(FIRST_LISTS, sizeof(ListSlot))
    l.mask = FIRST_LISTS - 1
    l.n = 0
    return l.slots != NULL

cdef inline ListSlot* list_slot(const Lists* l, uint64_t key) noexcept nogil:
    """The slot of a list, or the empty one where it belongs."""
    cdef uint64_t at = key & l.mask
    while l.slots[at].key and l.slots[at].key != key:
        at = at + 1 & l.mask
    return &l.slots[at]

cdef inline bint reserve_lists(Lists* l, uint64_t more) noexcept nogil:
    """Have room for more lists, the table half full at most. False: memory is out."""
    cdef Lists grown
    cdef uint64_t i
    if (l.n + more) * 2 <= l.mask:
        return True
    grown.mask = l.mask * 2 + 1
    grown.slots = <ListSlot*>heap_zeroed(grown.mask + 1, sizeof(ListSlot))
    if grown.slots == NULL:
        return False
    for i in range(l.mask + 1):
        if l.slots[i].key:
            list_slot(&grown, l.slots[i].key)[0] = l.slots[i]
    free(l.slots)
    l.slots = grown.slots
    l.mask = grown.mask
    return True

cdef inline void drop_list(Lists* l, ListSlot* slot) noexcept nogil:
    """Empty a slot, and move up those behind it that would not be found any longer."""
    cdef uint64_t hole = slot - l.slots, at = hole, home
    while True:
        at = at + 1 & l.mask
        if l.slots[at].key == 0:
            break
        home = l.slots[at].key & l.mask
        if (at - home & l.mask) >= (at - hole & l.mask):
            l.slots[hole] = l.slots[at]
            hole = at
    l.slots[hole].key = 0
    l.n -= 1
