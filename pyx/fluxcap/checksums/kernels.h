/* Ones'-complement sums (RFC 1071) and CRC32c (RFC 9260 appendix A), one implementation per kind of processor.
 *
 * A kernel takes a list of jobs, so that choosing it costs one indirect call a batch. Its target attribute covers the
 * loop over the jobs, so the rest of the build needs no -m flags. The sum is taken over 16-bit words in this machine's
 * byte order, which RFC 1071 section 2(B) allows: the result only has to be byte-swapped when it is shown.
 *
 * To add a kernel: one function, one row in list_kernels(). The tests run every row that the processor supports. */
#ifndef FLUXCAP_CHECKSUM_KERNELS_H
#define FLUXCAP_CHECKSUM_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "checksums/processor.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__AARCH64EL__)
#include <arm_neon.h>
#endif

typedef struct {
    const uint8_t *at;
    uint32_t length;  /* bytes; at most MAX_CAPTURED, far below the 2 MiB where 32-bit lanes could overflow */
    uint64_t sum;     /* before: what else belongs to the sum; after: all of it, not folded */
} SumJob;

typedef void (*SumKernel)(SumJob *jobs, size_t n);

/* Fold a sum to 16 bits, every carry added back at the lowest bit. A number plus itself with its halves exchanged has,
 * in its upper half, the sum of the halves and the carry of the lower half. */
static inline uint32_t fold(uint64_t sum) {
    uint32_t half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
    return (half + (half << 16 | half >> 16)) >> 16;
}

/* Is a sum 0xFFFF when it is folded? Then it is a multiple of 0xFFFF and not zero. A number is a multiple of an odd one
 * where its product with the inverse of that one, modulo 2^64, is a possible quotient. */
static inline int is_right(uint64_t sum) { return sum * 0xFFFEFFFEFFFEFFFF - 1 < 0x0001000100010001; }

static inline uint32_t sum_octets(const uint8_t *at, size_t length) {
    uint64_t sum = 0, word;
    for (; length >= 4; at += 4, length -= 4) {
        uint32_t half;
        memcpy(&half, at, 4);
        sum += half;
    }
    word = 0;
    memcpy(&word, at, length);
    /* The zero padding has to come last in the last 16-bit word, on a big-endian machine too: memcpy() to the low
     * address of the 64-bit word puts it there, and the halves of that word are summed below. */
    return fold(sum + (word & 0xFFFFFFFF) + (word >> 32));
}

static void sum_scalar(SumJob *jobs, size_t n) {
    for (size_t i = 0; i < n; i++)
        jobs[i].sum = ones_add(jobs[i].sum, sum_octets(jobs[i].at, jobs[i].length));
}

#if defined(__x86_64__)
/* The two 16-bit words of a 32-bit lane are added separately, in three operations: `whole` has the sum of both, modulo
 * 2^32, and `high` that of the upper ones; the sum of the lower ones is what `whole` has beside those. */
typedef struct {
    __m256i whole, high;
} Lanes256;

__attribute__((target("avx2"))) static inline Lanes256 add_avx2(Lanes256 sum, __m256i v) {
    sum.whole = _mm256_add_epi32(sum.whole, v);
    sum.high = _mm256_add_epi32(sum.high, _mm256_srli_epi32(v, 16));
    return sum;
}

/* A word of two 32-bit lanes has the ones'-complement sum of both, so that not all lanes have to be added. `odd` is one
 * byte more, for which a lane has room. */
__attribute__((target("avx2"))) static inline uint64_t add_lanes_avx2(__m256i sum, uint64_t odd) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    return ones_add((uint64_t)_mm_cvtsi128_si64(half) + odd, (uint64_t)_mm_extract_epi64(half, 1));
}

__attribute__((target("avx2"))) static void sum_avx2(SumJob *jobs, size_t n) {
    static const uint8_t masks[64] = {[32 ... 63] = 0xFF}; /* from i on: the last i of 32 bytes */
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = jobs[i].at;
        size_t length = jobs[i].length;
        if (length < 32) {
            jobs[i].sum = ones_add(jobs[i].sum, sum_octets(at, length));
            continue;
        }
        size_t even = length & ~(size_t)1;
        uint64_t odd = at[length - 1] & (0 - (length & 1));
        /* First what is left behind whole vectors: the last 32 bytes of an even number, without those that belong to a
         * whole one. No byte past the end is touched, and no branch is taken on how many are left, which is as good as
         * random. */
        __m256i mask = _mm256_loadu_si256((const __m256i *)(masks + even % 32));
        __m256i rest = _mm256_and_si256(mask, _mm256_loadu_si256((const __m256i *)(at + even - 32)));
        Lanes256 sum = {rest, _mm256_srli_epi32(rest, 16)};
        if (even & 32) {
            sum = add_avx2(sum, _mm256_loadu_si256((const __m256i *)at));
            at += 32;
        }
        for (const uint8_t *end = at + (even & ~(size_t)63); at != end; at += 64) {
            sum = add_avx2(sum, _mm256_loadu_si256((const __m256i *)at));
            sum = add_avx2(sum, _mm256_loadu_si256((const __m256i *)(at + 32)));
        }
        __m256i words = _mm256_sub_epi32(_mm256_add_epi32(sum.whole, sum.high), _mm256_slli_epi32(sum.high, 16));
        jobs[i].sum = ones_add(jobs[i].sum, add_lanes_avx2(words, odd));
    }
}

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,bmi2")))

typedef struct {
    __m512i whole, high;
} Lanes512;

AVX512 static inline Lanes512 add_avx512(Lanes512 sum, __m512i v) {
    sum.whole = _mm512_add_epi32(sum.whole, v);
    sum.high = _mm512_add_epi32(sum.high, _mm512_srli_epi32(v, 16));
    return sum;
}

AVX512 static void sum_avx512(SumJob *jobs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = jobs[i].at;
        uint32_t length = jobs[i].length;
        Lanes512 sum = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        for (; length > 128; at += 64, length -= 64)
            sum = add_avx512(sum, _mm512_loadu_si512(at));
        /* Two masked loads take 0 to 128 bytes: no scalar tail, no byte past the end is touched, and no branch on the
         * lengths of small packets, which are as good as random. */
        sum = add_avx512(sum, _mm512_maskz_loadu_epi8(_bzhi_u64(~0ull, length < 64 ? length : 64), at));
        sum = add_avx512(sum, _mm512_maskz_loadu_epi8(_bzhi_u64(~0ull, length < 64 ? 0 : length - 64), at + 64));
        __m512i words = _mm512_sub_epi32(_mm512_add_epi32(sum.whole, sum.high), _mm512_slli_epi32(sum.high, 16));
        __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(words), _mm512_extracti64x4_epi64(words, 1));
        jobs[i].sum = ones_add(jobs[i].sum, add_lanes_avx2(half, 0));
    }
}
#elif defined(__AARCH64EL__)
/* Each 64-bit lane takes both its 32-bit words in one operation, and has room for all carries. */
static inline uint64x2_t add_neon(uint64x2_t sum, const uint8_t *at) {
    return vpadalq_u32(sum, vreinterpretq_u32_u8(vld1q_u8(at)));
}

/* The rest comes first, as in sum_avx2(). */
static void sum_neon(SumJob *jobs, size_t n) {
    static const uint8_t masks[32] = {[16 ... 31] = 0xFF}; /* from i on: the last i of 16 bytes */
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = jobs[i].at;
        size_t length = jobs[i].length;
        if (length < 16) {
            jobs[i].sum = ones_add(jobs[i].sum, sum_octets(at, length));
            continue;
        }
        size_t even = length & ~(size_t)1;
        uint64_t odd = at[length - 1] & (0 - (length & 1));
        uint8x16_t rest = vandq_u8(vld1q_u8(masks + even % 16), vld1q_u8(at + even - 16));
        uint64x2_t sum = vpaddlq_u32(vreinterpretq_u32_u8(rest)), other = vdupq_n_u64(0);
        if (even & 16) {
            other = add_neon(other, at);
            at += 16;
        }
        for (const uint8_t *end = at + (even & ~(size_t)31); at != end; at += 32) {
            sum = add_neon(sum, at);
            other = add_neon(other, at + 16);
        }
        jobs[i].sum = ones_add(jobs[i].sum, vaddvq_u64(vaddq_u64(sum, other)) + odd);
    }
}
#endif

typedef struct {
    const char *name;
    SumKernel run;
    int supported;
} KernelRow;

enum { KERNELS_MAX = 3 };

/* Fastest first. */
static size_t list_kernels(KernelRow rows[KERNELS_MAX]) {
    size_t n = 0;
#if defined(__x86_64__)
    rows[n++] = (KernelRow){"avx512", sum_avx512, processor & HAS_AVX512};
    rows[n++] = (KernelRow){"avx2", sum_avx2, processor & HAS_AVX2};
#elif defined(__AARCH64EL__)
    rows[n++] = (KernelRow){"neon", sum_neon, 1};
#endif
    rows[n++] = (KernelRow){"scalar", sum_scalar, 1};
    return n;
}

/* CRC32c, reflected polynomial 0x82F63B78. The caller takes the final complement, so that one piece can follow another.
 * */
static inline uint32_t crc32c_octet(uint32_t crc, uint8_t octet) {
    crc ^= octet;
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    return crc;
}

static uint32_t crc32c_scalar(uint32_t crc, const uint8_t *at, size_t length) {
    while (length--)
        crc = crc32c_octet(crc, *at++);
    return crc;
}

/* A processor's own instructions, for a word and for a byte. */
#if defined(__x86_64__)
#define CRC32C __attribute__((target("sse4.2,crc32")))
#define crc32c_of_word _mm_crc32_u64
#define crc32c_of_octet _mm_crc32_u8
#elif defined(__AARCH64EL__)
/* In assembly: compilers, and versions of one, differ in the attribute that makes the functions of arm_acle.h known. */
#define CRC32C
static inline uint32_t crc32c_of_word(uint32_t crc, uint64_t word) {
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
}
static inline uint32_t crc32c_of_octet(uint32_t crc, uint32_t octet) {
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(octet));
    return crc;
}
#endif

#ifdef CRC32C
CRC32C static uint32_t crc32c_instructions(uint32_t crc, const uint8_t *at, size_t length) {
    uint64_t wide = crc, word;
    for (; length >= 8; at += 8, length -= 8) {
        memcpy(&word, at, 8);
        wide = crc32c_of_word(wide, word);
    }
    crc = (uint32_t)wide;
    while (length--)
        crc = crc32c_of_octet(crc, *at++);
    return crc;
}
#endif

static uint32_t crc32c_update(uint32_t crc, const uint8_t *at, size_t length) {
#ifdef CRC32C
    if (processor & HAS_CRC32C)
        return crc32c_instructions(crc, at, length);
#endif
    return crc32c_scalar(crc, at, length);
}

#endif
