/* Times: nanoseconds since the Unix epoch in 64 bits, from 1677 to 2262.
 *
 * A record may have none: a simple packet block of a pcapng file holds no time, and 64-bit ticks with an offset in
 * seconds reach far beyond these years. Such a record is NO_TIME, which is the number that numpy and pandas take for
 * "not a time" (NaT), so that their arrays need no second column that says which times count. */
#ifndef FLUXCAP_TIMES_H
#define FLUXCAP_TIMES_H

#include <stdint.h>

static const int64_t NO_TIME = INT64_MIN;

/* ticks * multiplier / divisor >> shift, in 128 bits: 64-bit arithmetic is wrong from 10^-12 s or 2^-34 s on. */
static inline int64_t scale_ticks(uint64_t ticks, uint64_t multiplier, uint64_t divisor, unsigned shift, int64_t offset_s) {
    __int128 ns = (__int128)(((unsigned __int128)ticks * multiplier / divisor) >> shift) + (__int128)offset_s * 1000000000;
    return ns > INT64_MAX || ns < INT64_MIN ? NO_TIME : (int64_t)ns;
}

#endif
