# Loads and stores at any alignment, and the few 128-bit operations; the code is in bytes.h.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "base/bytes.h" nogil:
    uint16_t native16(const uint8_t* at)
    uint32_t native32(const uint8_t* at)
    uint64_t native64(const uint8_t* at)
    double native_double(const uint8_t* at)
    uint16_t be16(const uint8_t* at)
    uint32_t be24(const uint8_t* at)
    uint32_t be32(const uint8_t* at)
    uint16_t net16(uint16_t value)
    uint32_t net32(uint32_t value)
    void put16(uint8_t* at, uint16_t value)
    void put32(uint8_t* at, uint32_t value)
    uint16_t le16(const uint8_t* at)
    uint32_t le32(const uint8_t* at)
    uint16_t file16(const uint8_t* at, bint swapped)
    uint32_t file32(const uint8_t* at, bint swapped)
    uint64_t file64(const uint8_t* at, bint swapped)
    uint32_t count_bits(uint64_t value)
    bint greater128(uint64_t a_high, uint64_t a_low, uint64_t b_high, uint64_t b_low)
    uint64_t multiply_high(uint64_t a, uint64_t b)
    uint64_t ones_add(uint64_t a, uint64_t b)
    void add_square(uint64_t* sum, int64_t value)
    double squared_deviations(uint64_t n, int64_t sum, const uint64_t* squares)
    uint64_t multiply_fold(uint64_t a, uint64_t b)
    bint rarely(bint condition)
