/* What the processor has beyond its first generation, asked once, when the module is loaded.
 *
 * By the instructions themselves: __builtin_cpu_supports() asks the library of the compiler, and that of zig knows no
 * processor. They take a microsecond or more in a virtual machine, too long for each batch. */
#ifndef FLUXCAP_CHECKSUM_PROCESSOR_H
#define FLUXCAP_CHECKSUM_PROCESSOR_H

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__AARCH64EL__) && defined(__linux__)
#include <sys/auxv.h>
#endif

enum { HAS_CRC32C = 1, HAS_AVX2 = 2, HAS_AVX512 = 4 };

#if defined(__x86_64__)
/* Of the state that the system keeps for each thread (XCR0): SSE and AVX; opmask and the upper parts of ZMM too. */
enum { KEEPS_AVX = 0x06, KEEPS_AVX512 = 0xE6 };

static inline int ask_processor(void) {
    unsigned a, b, c, d, kept, upper;
    int has = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return has;
    if (c & bit_SSE4_2)
        has |= HAS_CRC32C;
    if (!(c & bit_OSXSAVE) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return has;
    __asm__("xgetbv" : "=a"(kept), "=d"(upper) : "c"(0));
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_BMI2;
    if ((kept & KEEPS_AVX) == KEEPS_AVX && b & bit_AVX2)
        has |= HAS_AVX2;
    if ((kept & KEEPS_AVX512) == KEEPS_AVX512 && (b & avx512) == avx512)
        has |= HAS_AVX512;
    return has;
}
#elif defined(__ARM_FEATURE_CRC32)
static inline int ask_processor(void) { return HAS_CRC32C; } /* what is built runs on no other: so on macOS */
#elif defined(__AARCH64EL__) && defined(__linux__)
static inline int ask_processor(void) { return getauxval(AT_HWCAP) & HWCAP_CRC32 ? HAS_CRC32C : 0; }
#else
static inline int ask_processor(void) { return 0; }
#endif

static int processor;

__attribute__((constructor)) static void know_processor(void) { processor = ask_processor(); }

#endif
