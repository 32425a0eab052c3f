# Numbers in decimal and hexadecimal.
#
# Every writer of this folder puts a text at `to` and returns the place behind it. The caller provides room for the
# widest text of the kind, and SLACK bytes more, which a writer may overwrite.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    SLACK = 32
    ZERO = 48                   # "0" in ASCII
    UINT8_WIDTH = 3
    UINT16_WIDTH = 5
    UINT32_WIDTH = 10
    UINT64_WIDTH = 20
    INT64_WIDTH = 20            # -9223372036854775808

cdef inline const char* digit_pairs() noexcept nogil:
    return (
        b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
        b"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899")

cdef inline uint32_t count_digits(uint64_t value) noexcept nogil:
    cdef uint32_t n = 1
    while True:
        if value < 10:
            return n
        if value < 100:
            return n + 1
        if value < 1000:
            return n + 2
        if value < 10000:
            return n + 3
        value //= 10000
        n += 4

cdef inline void put_padded(uint8_t* to, uint64_t value, uint32_t digits) noexcept nogil:
    """Write exactly so many digits, from the last one to the first, two at a time."""
    while digits >= 2:
        digits -= 2
        memcpy(to + digits, digit_pairs() + value % 100 * 2, 2)
        value //= 100
    if digits:
        to[0] = <uint8_t>(ZERO + value)

cdef inline uint8_t* put_unsigned(uint8_t* to, uint64_t value) noexcept nogil:
    cdef uint32_t digits
    if value < 10:              # half the columns of most packets
        to[0] = <uint8_t>(ZERO + value)
        return to + 1
    digits = count_digits(value)
    put_padded(to, value, digits)
    return to + digits

cdef inline uint8_t* put_signed(uint8_t* to, int64_t value) noexcept nogil:
    if value >= 0:
        return put_unsigned(to, <uint64_t>value)
    to[0] = b"-"
    return put_unsigned(to + 1, 0 - <uint64_t>value)

# The numbers of digits in the next two are as good as random, and branches on them would be mispredicted. So each digit
# is written, and the next one overwrites it if it was a leading zero.

cdef inline uint8_t* put_octet(uint8_t* to, uint8_t octet) noexcept nogil:
    to[0] = <uint8_t>(ZERO + octet // 100)
    to += octet >= 100
    to[0] = <uint8_t>(ZERO + octet // 10 % 10)
    to += octet >= 10
    to[0] = <uint8_t>(ZERO + octet % 10)
    return to + 1

cdef inline uint8_t hex_digit(uint32_t value) noexcept nogil:
    cdef const char* digits = b"0123456789abcdef"
    return digits[value & 15]

cdef inline uint8_t* put_hex(uint8_t* to, uint16_t word) noexcept nogil:
    to[0] = hex_digit(word >> 12)
    to += word >= 0x1000
    to[0] = hex_digit(word >> 8)
    to += word >= 0x100
    to[0] = hex_digit(word >> 4)
    to += word >= 0x10
    to[0] = hex_digit(word)
    return to + 1

cdef inline uint8_t* put_hex_octet(uint8_t* to, uint8_t octet) noexcept nogil:
    """Two digits, whatever the value."""
    to[0] = hex_digit(octet >> 4)
    to[1] = hex_digit(octet)
    return to + 2
