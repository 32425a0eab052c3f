# Times in the form of RFC 3339 section 5.6, in UTC with nine digits: 2023-11-14T22:13:20.000000001Z. NO_TIME is blank,
# in JSON null.

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from fluxcap.base.times cimport NO_TIME
from fluxcap.text.digits cimport put_padded

cdef enum:
    NS_PER_SECOND = 1000000000
    SECONDS_PER_DAY = 86400
    SECOND_WIDTH = 19           # 2023-11-14T22:13:20
    TIME_WIDTH = 30
    JSON_TIME_WIDTH = 32        # with quotes

cdef struct Clock:              # the second written last: neighbouring packets often share it
    int64_t second
    uint8_t text[SECOND_WIDTH]
    bint known

cdef inline void put_date(uint8_t* to, int64_t days) noexcept nogil:
    """Write the date of a day since 1970-01-01 in the Gregorian calendar, for years 0 to 9999.

    A year begins in March here, so that the leap day is the last of its year, and months have lengths by a rule: 153
    days every five months (https://howardhinnant.github.io/date_algorithms.html, civil_from_days).
    """
    cdef int64_t day = days + 719468                    # since 0000-03-01
    cdef int64_t era = day // 146097                    # of 400 years
    cdef uint32_t of_era = <uint32_t>(day - era * 146097)
    cdef uint32_t year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    cdef uint32_t of_year = of_era - (365 * year + year // 4 - year // 100)
    cdef uint32_t month = (5 * of_year + 2) // 153      # 0 = March
    put_padded(to + 8, of_year - (153 * month + 2) // 5 + 1, 2)
    month = month + 3 if month < 10 else month - 9
    put_padded(to, <uint32_t>(era * 400) + year + (month <= 2), 4)
    put_padded(to + 5, month, 2)
    to[4] = to[7] = b"-"

cdef inline void put_second(uint8_t* to, int64_t second) noexcept nogil:
    cdef int64_t days = second // SECONDS_PER_DAY
    cdef int64_t of_day = second - days * SECONDS_PER_DAY
    if of_day < 0:
        days -= 1
        of_day += SECONDS_PER_DAY
    put_date(to, days)
    to[10] = b"T"
    put_padded(to + 11, of_day // 3600, 2)
    put_padded(to + 14, of_day // 60 % 60, 2)
    put_padded(to + 17, of_day % 60, 2)
    to[13] = to[16] = b":"

cdef inline uint8_t* put_time(uint8_t* to, int64_t ns, Clock* clock) noexcept nogil:
    """Write a time in nanoseconds since 1970, from 1677 to 2262; nothing for NO_TIME."""
    cdef int64_t second = ns // NS_PER_SECOND
    cdef int64_t fraction = ns - second * NS_PER_SECOND
    if ns == NO_TIME:
        return to
    if fraction < 0:            # C divides towards zero
        second -= 1
        fraction += NS_PER_SECOND
    if second != clock.second or not clock.known:
        put_second(clock.text, second)
        clock.second = second
        clock.known = True
    memcpy(to, clock.text, SECOND_WIDTH)
    to[SECOND_WIDTH] = b"."
    put_padded(to + SECOND_WIDTH + 1, fraction, 9)
    to[TIME_WIDTH - 1] = b"Z"
    return to + TIME_WIDTH

cdef inline uint8_t* put_json_time(uint8_t* to, int64_t ns, Clock* clock) noexcept nogil:
    """The same in quotes, or null."""
    if ns == NO_TIME:
        memcpy(to, b"null", 4)
        return to + 4
    to[0] = b'"'
    to = put_time(to + 1, ns, clock)
    to[0] = b'"'
    return to + 1
