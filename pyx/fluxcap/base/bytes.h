/* Loads from any alignment, in the byte order of the network, of a capture file, or of this machine. net16() and
 * net32() swap a number from this machine's byte order to the network's, or back; put16() and put32() store one in
 * network order.
 * memcpy is the one portable unaligned load; compilers turn each function into one or two instructions. */
#ifndef FLUXCAP_BYTES_H
#define FLUXCAP_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t native16(const uint8_t *at) { uint16_t v; memcpy(&v, at, sizeof v); return v; }
static inline uint32_t native32(const uint8_t *at) { uint32_t v; memcpy(&v, at, sizeof v); return v; }
static inline uint64_t native64(const uint8_t *at) { uint64_t v; memcpy(&v, at, sizeof v); return v; }
static inline double native_double(const uint8_t *at) { double v; memcpy(&v, at, sizeof v); return v; }

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static inline uint16_t be16(const uint8_t *at) { return __builtin_bswap16(native16(at)); }
static inline uint32_t be32(const uint8_t *at) { return __builtin_bswap32(native32(at)); }
static inline uint32_t le32(const uint8_t *at) { return native32(at); }
static inline uint16_t le16(const uint8_t *at) { return native16(at); }
static inline uint16_t net16(uint16_t v) { return __builtin_bswap16(v); }
static inline uint32_t net32(uint32_t v) { return __builtin_bswap32(v); }
#else
static inline uint16_t be16(const uint8_t *at) { return native16(at); }
static inline uint32_t be32(const uint8_t *at) { return native32(at); }
static inline uint32_t le32(const uint8_t *at) { return __builtin_bswap32(native32(at)); }
static inline uint16_t le16(const uint8_t *at) { return __builtin_bswap16(native16(at)); }
static inline uint16_t net16(uint16_t v) { return v; }
static inline uint32_t net32(uint32_t v) { return v; }
#endif

static inline uint32_t be24(const uint8_t *at) { return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2]; }

static inline void put16(uint8_t *at, uint16_t v) { v = net16(v); memcpy(at, &v, sizeof v); }
static inline void put32(uint8_t *at, uint32_t v) { v = net32(v); memcpy(at, &v, sizeof v); }

/* The writer of a capture file uses its own byte order; `swapped` says that this machine has the other one. */
static inline uint16_t file16(const uint8_t *at, int swapped) {
    uint16_t v = native16(at);
    return swapped ? __builtin_bswap16(v) : v;
}
static inline uint32_t file32(const uint8_t *at, int swapped) {
    uint32_t v = native32(at);
    return swapped ? __builtin_bswap32(v) : v;
}
static inline uint64_t file64(const uint8_t *at, int swapped) {
    uint64_t v = native64(at);
    return swapped ? __builtin_bswap64(v) : v;
}

static inline uint32_t count_bits(uint64_t v) { return (uint32_t)__builtin_popcountll(v); }

/* Words of a flow key (struct Key in types.pxd), from a packet: the second half of ::ffff:a.b.c.d, and the ports of a
 * transport header with the protocol. Both have to be what the same fields, stored one by one, are as words. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static inline uint64_t mapped_word(const uint8_t *at) { return (uint64_t)native32(at) << 32 | 0xFFFF0000; }
static inline uint64_t ports_word(const uint8_t *at, uint8_t protocol) {
    uint32_t pair = be32(at);
    return (pair << 16 | pair >> 16) | (uint64_t)protocol << 48;
}
#else
static inline uint64_t mapped_word(const uint8_t *at) { return native32(at) | 0xFFFF00000000; }
static inline uint64_t ports_word(const uint8_t *at, uint8_t protocol) {
    return (uint64_t)native32(at) << 32 | (uint64_t)protocol << 8;
}
#endif

/* Is the 128-bit number a greater than b? Compiled to one subtraction with borrow and no branch: the order of the two
 * ends of a flow is as good as random, and a mispredicted branch would cost more than the rest of the key. */
static inline int greater128(uint64_t a_high, uint64_t a_low, uint64_t b_high, uint64_t b_low) {
    return ((unsigned __int128)a_high << 64 | a_low) > ((unsigned __int128)b_high << 64 | b_low);
}

static inline uint64_t multiply_high(uint64_t a, uint64_t b) { return (uint64_t)((unsigned __int128)a * b >> 64); }

/* Ones'-complement addition: the carry is added back at the lowest bit. Adding 64-bit words gives the same sum as
 * adding their 16-bit words (RFC 1071 section 2(C)), in a quarter of the additions. */
static inline uint64_t ones_add(uint64_t a, uint64_t b) {
    uint64_t sum = a + b;
    return sum + (sum < a);
}

/* Sums of squares in 128 bits, lower half first. They are exact for sizes and for gaps in ns: with rounded sums, large
 * means would leave nothing of a small deviation but rounding errors. */
static inline void add_square(uint64_t sum[2], int64_t value) {
    unsigned __int128 both = ((unsigned __int128)sum[1] << 64 | sum[0]) + (unsigned __int128)((__int128)value * value);
    sum[0] = (uint64_t)both;
    sum[1] = (uint64_t)(both >> 64);
}

/* The sum of the squared deviations from the mean of n numbers, from their sum and their sum of squares. */
static inline double squared_deviations(uint64_t n, int64_t sum, const uint64_t squares[2]) {
    int64_t count = (int64_t)n, mean = sum / count, rest = sum % count;
    __int128 off = (__int128)((unsigned __int128)squares[1] << 64 | squares[0]) - (__int128)mean * sum;
    return (double)off - (double)rest * (double)sum / (double)n;
}

/* The two halves of a 64x64 -> 128 bit product, folded: one multiplication mixes every bit of both sides. */
static inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A hash of n bytes, two words at a time. A key of two random words, drawn for a process, keeps a sender from choosing
 * bytes that meet: each multiplication has one word of it, or the hash so far, on both sides. */
static inline uint64_t hash_bytes(const uint8_t *at, uint64_t n, const uint64_t key[2]) {
    uint64_t hash = multiply_fold(key[0] ^ n, key[1]), first = 0, last = 0;
    for (; n > 16; at += 16, n -= 16)
        hash = multiply_fold(native64(at) ^ key[0], native64(at + 8) ^ hash);
    /* The last 16 bytes or fewer, as two words that overlap: the hash has their number already. */
    if (n >= 8) {
        first = native64(at);
        last = native64(at + n - 8);
    } else if (n >= 4) {
        first = native32(at);
        last = native32(at + n - 4);
    } else if (n) {
        first = at[0] | (uint64_t)at[n / 2] << 8 | (uint64_t)at[n - 1] << 16;
    }
    hash = multiply_fold(first ^ key[0], last ^ hash);
    return multiply_fold(hash ^ key[1], key[0] | 1);
}

/* A condition that few packets meet: the compiler then allocates registers for the other path. */
#define rarely(condition) __builtin_expect(!!(condition), 0)

#endif
