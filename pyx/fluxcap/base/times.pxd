# Times that may not be there: how they are compared. NO_TIME is the least number, so that the latest of some times is
# their maximum as it is; the other comparisons are here.

from libc.stdint cimport int64_t, uint64_t

cdef extern from "base/times.h" nogil:
    const int64_t NO_TIME
    int64_t scale_ticks(uint64_t ticks, uint64_t multiplier, uint64_t divisor, unsigned int shift, int64_t offset_s)

cdef inline int64_t earliest(int64_t a, int64_t b) noexcept nogil:
    """The earlier one of those that are times. One less, NO_TIME is the largest number: so this takes no branch."""
    return a if <int64_t>(<uint64_t>a - 1) < <int64_t>(<uint64_t>b - 1) else b

cdef inline bint is_earlier(int64_t time, int64_t than) noexcept nogil:
    """False where either is no time."""
    return time < than and time != NO_TIME

cdef inline uint64_t later_by(int64_t time, int64_t than) noexcept nogil:
    """By how much `time` is later, 0 where it is not or either is no time. Two times may lie further apart than 63 bits
    of ns can say."""
    return <uint64_t>time - <uint64_t>than if is_earlier(than, time) else 0
