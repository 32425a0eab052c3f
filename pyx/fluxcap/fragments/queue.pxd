# A queue of places of a table, in the order in which they were taken, so that the oldest one makes room. Each place has
# two links, so that any place can leave without a search. Queues may share an array of links: a place is in one of
# them.

from libc.stdint cimport uint32_t

cdef struct Link:
    uint32_t older              # 1 + place, 0 = none
    uint32_t newer

cdef struct Queue:
    uint32_t oldest             # 1 + place, 0 = none
    uint32_t newest
    uint32_t n

cdef inline void join_queue(Queue* q, Link* links, uint32_t place) noexcept nogil:
    """Add a place as the newest one."""
    links[place].older = q.newest
    links[place].newer = 0
    if q.newest:
        links[q.newest - 1].newer = place + 1
    else:
        q.oldest = place + 1
    q.newest = place + 1
    q.n += 1

cdef inline void leave_queue(Queue* q, Link* links, uint32_t place) noexcept nogil:
    cdef Link* link = &links[place]
    if link.older:
        links[link.older - 1].newer = link.newer
    else:
        q.oldest = link.newer
    if link.newer:
        links[link.newer - 1].older = link.older
    else:
        q.newest = link.older
    q.n -= 1
