# The numbers of the records that the rows of a shard begin with. Each is greater than the one before, so a row keeps a
# step of two bytes from the first record of its leg. Where flows are few, a leg may have a single row; a capture of a
# billion records has 15,000 legs a shard at most.

from libc.stdint cimport UINT16_MAX, uint16_t, uint64_t

from fluxcap.base.types cimport BATCH
from fluxcap.flows.table cimport FIRST_ROWS, Flows, Leg, make_room

cdef inline bint reserve_beginnings(Flows* shard) noexcept nogil:
    """Room for those of a batch; False when memory is out."""
    return make_room(<void**>&shard.steps, &shard.steps_room, shard.n + BATCH, FIRST_ROWS, sizeof(uint16_t)) and \
        make_room(<void**>&shard.legs, &shard.legs_room, shard.n_legs + BATCH, 2 * BATCH, sizeof(Leg))

cdef inline void note_beginning(Flows* shard, uint64_t row, uint64_t number) noexcept nogil:
    """Keep the number of the record that the next row begins with."""
    if shard.n_legs == 0 or number - shard.legs[shard.n_legs - 1].number > UINT16_MAX:
        shard.legs[shard.n_legs] = Leg(row, number)
        shard.n_legs += 1
    shard.steps[row] = <uint16_t>(number - shard.legs[shard.n_legs - 1].number)

cdef inline uint64_t leg_of(const Flows* shard, uint64_t row) noexcept nogil:
    """The leg with a row."""
    cdef uint64_t low = 0, high = shard.n_legs, middle
    while high - low > 1:
        middle = low + (high - low) // 2
        if shard.legs[middle].row <= row:
            low = middle
        else:
            high = middle
    return low

cdef inline uint64_t next_leg(const Flows* shard, uint64_t leg, uint64_t row) noexcept nogil:
    """The leg with a row, where `leg` has the row before."""
    return leg + (leg + 1 < shard.n_legs and shard.legs[leg + 1].row == row)

cdef inline uint64_t beginning_in(const Flows* shard, uint64_t leg, uint64_t row) noexcept nogil:
    return shard.legs[leg].number + shard.steps[row]

cdef inline uint64_t beginning_of(const Flows* shard, uint64_t row) noexcept nogil:
    return beginning_in(shard, leg_of(shard, row), row)

cdef inline uint64_t rows_before(const Flows* shard, uint64_t number) noexcept nogil:
    """The rows of a shard that began before the record of this number."""
    cdef uint64_t low = 0, high = shard.n, middle
    while low < high:
        middle = low + (high - low) // 2
        if beginning_of(shard, middle) < number:
            low = middle + 1
        else:
            high = middle
    return low
