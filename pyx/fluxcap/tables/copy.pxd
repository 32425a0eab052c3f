# A copy of a flow table. Counting in the copy does not change the original.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, malloc
from libc.string cimport memcpy

from fluxcap.base.memory cimport pages_new
from fluxcap.flows.aside cimport Aside, HoleBlock
from fluxcap.flows.table cimport Flows, Leg, Quoted, RareCounts, free_flows, index_octets
from fluxcap.tables.shards cimport free_shards

cdef inline void* copied(const void* at, uint64_t room, uint64_t used, bint* done) noexcept nogil:
    cdef void* copy
    if at == NULL:
        return NULL
    copy = pages_new(room)
    if copy == NULL:
        done[0] = False
    else:
        memcpy(copy, at, used)
    return copy

cdef inline bint copy_shards(Flows* to, const Flows* from_) noexcept nogil:
    cdef bint done = True
    cdef uint32_t i
    to.shards = <Flows*>calloc(from_.n_shards, sizeof(Flows))
    if to.shards == NULL:
        return False
    to.n_shards = from_.n_shards
    for i in range(from_.n_shards):
        done = copy_flows(&to.shards[i], &from_.shards[i], 0) and done
    return done

cdef inline bint copy_flows(Flows* to, const Flows* from_, uint64_t quotations) noexcept nogil:
    """False when memory is out. Call drop_copy() in the end, also after False. The copy uses the server ports of the
    original. `quotations`: keys in the ring of quotations."""
    cdef bint done = True
    to[0] = from_[0]
    to.quoted = NULL
    to.unseen = NULL
    to.shards = NULL
    to.n_shards = 0
    to.rows = <uint8_t*>copied(from_.rows, from_.room * from_.stride, from_.n * from_.stride, &done)
    to.index = <uint64_t*>copied(from_.index, index_octets(from_), index_octets(from_), &done)
    to.features = <uint8_t*>copied(
        from_.features, from_.features_room * from_.features_stride, from_.n * from_.features_stride, &done)
    to.connections = <uint8_t*>copied(
        from_.connections, from_.connections_room * from_.connections_stride, from_.n * from_.connections_stride, &done)
    to.rare = <RareCounts*>copied(
        from_.rare, from_.rare_room * sizeof(RareCounts), from_.n_rare * sizeof(RareCounts), &done)
    to.blocks = <HoleBlock*>copied(
        from_.blocks, from_.blocks_room * sizeof(HoleBlock), from_.n_blocks * sizeof(HoleBlock), &done)
    to.asides = <Aside*>copied(from_.asides, from_.asides_room * sizeof(Aside), from_.n_asides * sizeof(Aside), &done)
    to.numbers = <uint64_t*>copied(
        from_.numbers, from_.numbers_room * sizeof(uint64_t), from_.n * sizeof(uint64_t), &done)
    to.legs = <Leg*>copied(from_.legs, from_.legs_room * sizeof(Leg), from_.n_legs * sizeof(Leg), &done)
    to.steps = <uint16_t*>copied(
        from_.steps, from_.steps_room * sizeof(uint16_t), from_.n * sizeof(uint16_t), &done)
    if from_.n_shards and not copy_shards(to, from_):
        return False
    if from_.quoted != NULL:
        to.quoted = <Quoted*>malloc(quotations * sizeof(Quoted))
        if to.quoted == NULL:
            return False
        memcpy(to.quoted, from_.quoted, quotations * sizeof(Quoted))
    if from_.unseen != NULL:
        to.unseen = <Flows*>calloc(1, sizeof(Flows))
        return to.unseen != NULL and copy_flows(to.unseen, from_.unseen, 0) and done
    return done

cdef inline void drop_copy(Flows* copy) noexcept nogil:
    free_shards(copy)
    copy.servers = NULL
    free_flows(copy)
