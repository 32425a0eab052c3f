# Floating-point numbers as the shortest decimal that reads back as the same number, in the form of Python's repr().
#
# The digits are found with integers only, by the algorithm Schubfach, which its author proves (Raffaello Giulietti,
# "The Schubfach way to render doubles", 2021; Java has it since version 19).

from libc.math cimport isfinite, isnan
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from fluxcap.base.bytes cimport multiply_high
from fluxcap.text.digits cimport ZERO, count_digits, put_padded, put_unsigned

cdef enum:
    FLOAT_WIDTH = 24            # -2.2250738585072014e-308
    FRACTION_BITS = 52          # of an IEEE 754 double, below its implicit bit
    EXPONENT_BIAS = 1075        # of the exponent of an integer of 53 bits
    EXPONENT_BITS = 2047
    LOWEST_POWER = -292         # of ten; what the exponents of a double need
    HIGHEST_POWER = 324
    # repr() has an exponent from these places of the decimal point on, counted from the first digit.
    POINT_TOO_LOW = -4
    POINT_TOO_HIGH = 17

cdef struct Power:              # 10**k in 128 bits, rounded up: times that power of two that makes the first bit 1
    uint64_t low
    uint64_t high

cdef struct Decimal:            # digits * 10**exponent
    uint64_t digits
    int32_t exponent

# Logarithms by multiplication, exact for all exponents of doubles (section 9 of the paper); a shift rounds down.

cdef inline int32_t floor_log10_of_pow2(int32_t e) noexcept nogil:
    return (e * 1262611) >> 22

cdef inline int32_t floor_log10_of_three_quarters_pow2(int32_t e) noexcept nogil:
    return (e * 1262611 - 524031) >> 22

cdef inline int32_t floor_log2_of_pow10(int32_t e) noexcept nogil:
    return (e * 1741647) >> 19

cdef inline uint64_t round_to_odd(const Power* power, uint64_t value) noexcept nogil:
    """The product in units of 2**128, its last bit set where something was lost."""
    cdef uint64_t middle = power.high * value
    cdef uint64_t high = multiply_high(power.high, value)
    cdef uint64_t sum = middle + multiply_high(power.low, value)
    high += sum < middle
    return high | (sum > 1)

cdef inline Decimal shortest(uint64_t fraction, uint32_t exponent, const Power* powers) noexcept nogil:
    """The shortest decimal that rounds to this double above zero; of several the nearest one."""
    cdef Decimal d
    cdef uint64_t c = fraction | <uint64_t>1 << FRACTION_BITS if exponent else fraction
    cdef int32_t q = (<int32_t>exponent if exponent else 1) - EXPONENT_BIAS
    cdef bint closer_below = fraction == 0 and exponent > 1     # the neighbour below is half as far away
    cdef bint odd = c & 1       # the ends of the interval round to even: not to this double
    cdef int32_t h
    cdef uint64_t lower, middle, upper, s
    cdef bint under_fits, over_fits
    cdef const Power* power
    if -FRACTION_BITS <= q <= 0 and (c & ((<uint64_t>1 << -q) - 1)) == 0:
        d.digits = c >> -q      # an integer
        d.exponent = 0
        return d
    d.exponent = floor_log10_of_three_quarters_pow2(q) if closer_below else floor_log10_of_pow2(q)
    h = q + floor_log2_of_pow10(-d.exponent) + 1
    power = &powers[-d.exponent - LOWEST_POWER]
    lower = round_to_odd(power, (4 * c - 2 + closer_below) << h) + odd
    middle = round_to_odd(power, (4 * c) << h)
    upper = round_to_odd(power, (4 * c + 2) << h) - odd
    s = middle // 4
    if s >= 10:                 # one digit less
        d.digits = s // 10
        under_fits = lower <= 40 * d.digits
        over_fits = 40 * d.digits + 40 <= upper
        if under_fits != over_fits:
            d.digits += over_fits
            d.exponent += 1
            return d
    under_fits = lower <= 4 * s
    over_fits = 4 * s + 4 <= upper
    if under_fits != over_fits:
        d.digits = s + over_fits
    else:                       # both or none: the nearest, of two as near the even one
        d.digits = s + (middle > 4 * s + 2 or (middle == 4 * s + 2 and (s & 1) != 0))
    return d

cdef inline uint8_t* put_decimal(uint8_t* to, Decimal d) noexcept nogil:
    cdef uint32_t n
    cdef int32_t point
    while d.digits % 10 == 0:
        d.digits //= 10
        d.exponent += 1
    n = count_digits(d.digits)
    point = <int32_t>n + d.exponent         # digits before the decimal point
    if POINT_TOO_LOW < point <= 0:
        memset(to, ZERO, 2 - point)
        to[1] = b"."
        put_padded(to + 2 - point, d.digits, n)
        return to + 2 - point + n
    if 0 < point < POINT_TOO_HIGH:
        put_padded(to, d.digits, n)
        if <int32_t>n > point:
            memmove(to + point + 1, to + point, n - point)
            to[point] = b"."
            return to + n + 1
        memset(to + n, ZERO, point - n + 2)
        to[point] = b"."
        return to + point + 2
    put_padded(to + 1, d.digits, n)
    to[0] = to[1]
    to[1] = b"."
    to += 1 if n == 1 else n + 1
    to[0] = b"e"
    to[1] = b"-" if point <= 0 else b"+"
    n = <uint32_t>(1 - point if point <= 0 else point - 1)
    if n >= 100:
        return put_unsigned(to + 2, n)
    put_padded(to + 2, n, 2)
    return to + 4

cdef inline uint8_t* put_float(uint8_t* to, double value, const Power* powers) noexcept nogil:
    """Write a number; nothing for NaN."""
    cdef uint64_t bits
    if isnan(value):
        return to
    memcpy(&bits, &value, sizeof(bits))
    if bits >> 63:
        to[0] = b"-"
        to += 1
    if value == 0:
        memcpy(to, b"0.0", 3)
        return to + 3
    if not isfinite(value):
        memcpy(to, b"inf", 3)
        return to + 3
    return put_decimal(to, shortest(bits & ((<uint64_t>1 << FRACTION_BITS) - 1),
                                    bits >> FRACTION_BITS & EXPONENT_BITS, powers))
