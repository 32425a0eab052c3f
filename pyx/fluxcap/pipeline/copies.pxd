# Copies: records of a packet that an earlier record holds, because two mirror ports, a trunk, a router or a tunnel
# showed it to the capturing machine twice.
#
# A record is a copy if the identity of its packet (identity.pxd) was seen within a window. What a sender sends again
# has the same identity only where the sender numbers nothing: then a copy has to lie elsewhere (another VLAN, tunnel,
# TTL or interface) or to come much sooner than any sender repeats itself.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free

from fluxcap.base.memory cimport pages_free, pages_new
from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport (
    Batch, DUPLICATE, EXACT_COPY, OTHER_INTERFACE, OTHER_TUNNEL, OTHER_VLAN, Packet, REASON_NONE, ROUTED, Reason, reset)
from fluxcap.pipeline.identity cimport Identity, IdentityKey, identify

cdef enum:
    # Records remembered: those of 10 ms of the smallest frames at 10 Gbit/s (148,810), or of 200 ms at a million a
    # second. What is forgotten within the window is counted.
    SEEN_MAX = 1 << 18
    # ns between the records of an exact copy whose packet has no number of its own. A mirror or a switch delays a frame
    # by a few others; a sender repeats itself after a round trip at the soonest (RFC 5681 section 3.2).
    SOON = 100_000
    # ns within which a copy comes if nothing is said. A mirror port that two ports fill queues for a few ms.
    COPY_WINDOW = 10_000_000
    # The widest window: from the shortest time on after which a kernel sends a segment again without an acknowledgment
    # (Linux: 200 ms; RFC 6298 section 2.4 asks for a second), a packet may be its own and not a copy.
    COPY_WINDOW_MAX = 200_000_000

cdef struct Lying:              # where a record shows a packet
    uint32_t file
    uint32_t interface
    uint32_t mpls_label
    uint32_t tunnel_id
    uint16_t vlan
    uint16_t inner_vlan
    uint8_t depth
    uint8_t ttl

cdef struct Seen:               # a record
    Identity identity
    int64_t time
    uint64_t older              # serial number of the record before it in the chain, 0 = none
    # of the first record of the packet: this one, unless it is a copy
    uint64_t number
    int64_t first
    Lying lying

cdef struct Copies:
    IdentityKey key
    int64_t window              # ns
    bint leave_out              # copies are DUPLICATE; else they are only marked
    Seen* seen                  # a ring of SEEN_MAX; a serial number modulo that is a place in it
    uint64_t* chains            # SEEN_MAX: the last serial number of each hash
    uint64_t n                  # serial number given last, from 1
    uint64_t before             # ... at the beginning of this input: earlier ones are not looked at

cdef inline bint open_copies(Copies* c) noexcept nogil:
    c.seen = <Seen*>pages_new(SEEN_MAX * sizeof(Seen))
    c.chains = <uint64_t*>pages_new(SEEN_MAX * sizeof(uint64_t))
    return c.seen != NULL and c.chains != NULL

cdef inline void free_copies(Copies* c) noexcept nogil:
    if c != NULL:
        pages_free(c.seen, SEEN_MAX * sizeof(Seen))
        pages_free(c.chains, SEEN_MAX * sizeof(uint64_t))
    free(c)

cdef inline void next_input(Copies* c) noexcept nogil:
    """The numbers of records begin anew: those of the input before are no longer looked for."""
    if c != NULL:
        c.before = c.n

cdef inline Seen* seen_at(const Copies* c, uint64_t serial) noexcept nogil:
    """The record with this serial number; NULL if it is forgotten."""
    if serial <= c.before or serial + SEEN_MAX <= c.n:
        return NULL
    return &c.seen[serial % SEEN_MAX]

cdef inline bint is_within(int64_t a, int64_t b, int64_t window) noexcept nogil:
    """Do the times lie so close? They may be out of order, and further apart than 63 bits of ns can say."""
    return (<uint64_t>a - <uint64_t>b if a > b else <uint64_t>b - <uint64_t>a) <= <uint64_t>window

cdef inline bint same_identity(const Identity* a, const Identity* b) noexcept nogil:
    return a.ends == b.ends and a.head == b.head and a.data == b.data

cdef inline Seen* find_seen(const Copies* c, const Identity* identity, uint64_t serial) noexcept nogil:
    """The last record with this identity, in the chain from `serial` on."""
    cdef Seen* seen = seen_at(c, serial)
    while seen != NULL and not same_identity(&seen.identity, identity):
        seen = seen_at(c, seen.older)
    return seen

cdef inline Lying lying_of(const Packet* p) noexcept nogil:
    cdef Lying lying
    lying.file = p.key.file
    lying.interface = p.key.interface
    lying.mpls_label = p.key.mpls_label
    lying.tunnel_id = p.key.tunnel_id
    lying.vlan = p.key.vlan
    lying.inner_vlan = p.key.inner_vlan
    lying.depth = p.depth
    lying.ttl = p.ttl
    return lying

cdef inline Reason kind_of_copy(const Lying* a, const Lying* b) noexcept nogil:
    """How do two records of a packet differ most?"""
    if a.ttl != b.ttl:
        return ROUTED
    if a.depth != b.depth or a.tunnel_id != b.tunnel_id:
        return OTHER_TUNNEL
    if a.vlan != b.vlan or a.inner_vlan != b.inner_vlan or a.mpls_label != b.mpls_label:
        return OTHER_VLAN
    if a.interface != b.interface or a.file != b.file:
        return OTHER_INTERFACE
    return EXACT_COPY

cdef inline Reason copy_of(const Copies* c, const Seen* seen, const Seen* record) noexcept nogil:
    """Which copy of the packet seen with the same identity is a record? REASON_NONE: it is none."""
    cdef Reason kind = kind_of_copy(&seen.lying, &record.lying)
    if record.identity.own:
        return kind if is_within(seen.time, record.time, c.window) else <Reason>REASON_NONE
    if is_within(seen.first, record.time, SOON if kind == EXACT_COPY else c.window):
        return kind
    return REASON_NONE

cdef inline void mark_copy(Copies* c, Packet* p, uint64_t* forgotten) noexcept nogil:
    """Remember a record, and mark it if it is a copy."""
    cdef Seen record
    cdef Seen* place
    cdef Seen* seen
    cdef uint64_t* chain
    p.duplicate_of = 0
    p.duplicate_kind = REASON_NONE
    p.duplicate_hops = 0
    if p.refused or p.time == NO_TIME:
        return
    identify(p, &c.key, &record.identity)
    chain = &c.chains[(record.identity.ends ^ record.identity.head ^ record.identity.data) % SEEN_MAX]
    record.time = record.first = p.time
    record.number = p.number
    record.lying = lying_of(p)
    record.older = chain[0]
    seen = find_seen(c, &record.identity, chain[0])
    if seen != NULL:
        p.duplicate_kind = copy_of(c, seen, &record)
        if seen == &c.seen[chain[0] % SEEN_MAX]:
            record.older = seen.older   # nobody asks for it again: so a packet that comes ever again makes no chain
    if p.duplicate_kind:
        p.duplicate_of = record.number = seen.number
        p.duplicate_hops = <uint8_t>abs(<int>seen.lying.ttl - <int>record.lying.ttl)
        record.first = seen.first
        record.lying = seen.lying
    c.n += 1
    place = &c.seen[c.n % SEEN_MAX]
    forgotten[0] += c.n > c.before + SEEN_MAX and is_within(place.time, record.time, c.window)
    place[0] = record
    chain[0] = c.n

cdef inline void mark_copies(Copies* c, Batch* batch, uint64_t* forgotten) noexcept nogil:
    """Mark the copies in a decoded batch, whose packets have their bytes. `forgotten` counts records that made room for
    others within the window: a copy of them is not found."""
    cdef Packet* p
    cdef uint32_t i
    for i in range(batch.n):
        p = &batch.packets[i]
        mark_copy(c, p, forgotten)
        if p.duplicate_kind and c.leave_out:
            reset(p, DUPLICATE)
            p.reason = p.duplicate_kind
