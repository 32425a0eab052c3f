# Delays counted by size, for their quantiles. A counter stands for 1/64 of an octave, so a quantile is right to 0.8 %,
# and memory does not grow with the number of packets: most flows have one or two octaves of delays. Of a few packets,
# as most flows have no more, the delays themselves are kept.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.arrays cimport reserve_array

cdef enum:
    STEP_BITS = 6               # of 64 steps an octave: half a step is 0.8 % of the delay
    STEPS = 1 << STEP_BITS
    OCTAVES = 64                # more than 63 bits of ns have
    FIRST_OCTAVES = 256
    FEW = 8                     # a cache line of delays

cdef struct Octave:
    uint32_t counts[STEPS]
    uint32_t number             # 0: 0 to 63 ns, 1: 64 to 127 ns, 2: 128 to 255 ns, ...
    uint32_t next               # place of another octave of the same delays, 0 = none

cdef struct Octaves:
    Octave* at                  # place 0 is none
    uint64_t n
    uint64_t room

cdef struct Delays:
    uint64_t n
    int64_t least               # ns, of those that have come
    int64_t most
    uint32_t first              # place of an octave, 0 = none
    int64_t few[FEW]            # the delays, in order, as long as there are no more

cdef inline uint32_t octave_number(uint64_t ns) noexcept nogil:
    cdef uint32_t number = 0
    while ns >> number >= STEPS:
        number += 1
    return number

cdef inline uint32_t step_of(uint32_t number, uint64_t ns) noexcept nogil:
    """The counter of an octave for so many ns; any counter for ns of another octave."""
    return <uint32_t>(ns >> (number - 1) if number else ns) & STEPS - 1

cdef inline Octave* octave_of(Octaves* o, Delays* d, uint32_t number) noexcept nogil:
    """The counters of an octave; NULL where memory is out."""
    cdef uint32_t place = d.first
    while place:
        if o.at[place].number == number:
            return &o.at[place]
        place = o.at[place].next
    if not reserve_array(<void**>&o.at, &o.room, o.n + 2, FIRST_OCTAVES, sizeof(Octave)):
        return NULL
    o.n += 1
    memset(&o.at[o.n], 0, sizeof(Octave))
    o.at[o.n].number = number
    o.at[o.n].next = d.first
    d.first = <uint32_t>o.n
    return &o.at[o.n]

cdef inline bint count_in_octave(Octaves* o, Delays* d, uint64_t ns) noexcept nogil:
    """False: memory is out."""
    cdef uint32_t number = octave_number(ns)
    cdef Octave* octave = octave_of(o, d, number)
    if octave == NULL:
        return False
    octave.counts[step_of(number, ns)] += 1
    return True

cdef inline void keep_few(Delays* d, int64_t ns) noexcept nogil:
    """Insert a delay into the few."""
    cdef uint64_t i = d.n
    while i and d.few[i - 1] > ns:
        d.few[i] = d.few[i - 1]
        i -= 1
    d.few[i] = ns

cdef inline bint count_few(Octaves* o, Delays* d) noexcept nogil:
    """There are more than a few by now. False: memory is out."""
    cdef uint32_t i
    for i in range(<uint32_t>FEW):
        if not count_in_octave(o, d, <uint64_t>d.few[i]):
            return False
    return True

cdef inline bint add_delay(Octaves* o, Delays* d, int64_t ns) noexcept nogil:
    """Count a delay; one under zero as zero. False: memory is out."""
    ns = max(ns, <int64_t>0)
    if d.n < FEW:
        keep_few(d, ns)
    elif not (d.n > FEW or count_few(o, d)) or not count_in_octave(o, d, <uint64_t>ns):
        return False
    d.least = min(d.least, ns) if d.n else ns
    d.most = max(d.most, ns) if d.n else ns
    d.n += 1
    return True

cdef inline int64_t middle_of(uint32_t number, uint32_t step) noexcept nogil:
    """The delay in the middle of those that a counter stands for."""
    if number == 0:
        return step
    return (<int64_t>(STEPS + step) << (number - 1)) + ((<int64_t>1 << (number - 1)) >> 1)

cdef inline int64_t quantile(const Octaves* o, const Delays* d, double share) noexcept nogil:
    """The delay that so great a share of the packets did not exceed (RFC 2330 section 11.3); -1 without any."""
    cdef const Octave* by_number[OCTAVES]
    cdef uint64_t rank = <uint64_t>(share * <double>d.n + 0.999999), sum = 0
    cdef uint32_t place = d.first
    cdef int number, step
    if d.n <= FEW:
        return d.few[rank - 1] if d.n else -1
    memset(by_number, 0, sizeof(by_number))
    while place:
        by_number[o.at[place].number] = &o.at[place]
        place = o.at[place].next
    for number in range(OCTAVES):
        if by_number[number] == NULL:
            continue
        for step in range(STEPS):
            sum += by_number[number].counts[step]
            if sum >= rank and sum:
                return min(max(middle_of(number, step), d.least), d.most)
    return -1
