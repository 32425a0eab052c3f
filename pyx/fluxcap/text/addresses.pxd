# IP and MAC addresses as text. IPv4 has dots. IPv6 has the form of RFC 5952, as inet_ntop() writes it; the last 32 bits
# are written with dots if the first 96 are zero (RFC 4291 section 2.2, item 3).

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.bytes cimport be16, be32, native64
from fluxcap.text.digits cimport put_hex, put_hex_octet, put_octet

cdef enum:
    ADDRESS_WIDTH = 39          # eight groups of four digits, seven colons
    MAC_WIDTH = 17
    GROUPS = 8

cdef inline uint8_t* put_ipv4(uint8_t* to, const uint8_t* at) noexcept nogil:
    cdef uint32_t i
    to = put_octet(to, at[0])
    for i in range(1, 4):
        to[0] = b"."
        to = put_octet(to + 1, at[i])
    return to

cdef inline uint8_t* put_ipv6(uint8_t* to, const uint8_t* at) noexcept nogil:
    cdef uint32_t i = 0, first = GROUPS, zeros = 1, run     # a single group of zeros is not shortened
    while i < GROUPS:
        run = 0
        while i + run < GROUPS and be16(at + 2 * (i + run)) == 0:
            run += 1
        if run > zeros:         # the first of the longest runs
            first, zeros = i, run
        i += run + 1
    i = 0
    while i < GROUPS:
        if i == first:
            to[0] = to[1] = b":"
            to += 2
            i += zeros
            if first == 0 and zeros == 6:
                return put_ipv4(to, at + 12)
            continue
        if i and i != first + zeros:
            to[0] = b":"
            to += 1
        to = put_hex(to, be16(at + 2 * i))
        i += 1
    return to

cdef inline uint8_t* put_address(uint8_t* to, const uint8_t* at) noexcept nogil:
    """Write an address of 16 bytes; one in ::ffff:0:0/96 is IPv4 (RFC 4291 section 2.5.5.2)."""
    if native64(at) == 0 and be32(at + 8) == 0xFFFF:
        return put_ipv4(to, at + 12)
    return put_ipv6(to, at)

cdef inline uint8_t* put_mac(uint8_t* to, const uint8_t* at) noexcept nogil:
    cdef uint32_t i
    for i in range(6):
        put_hex_octet(to + 3 * i, at[i])
        to[3 * i + 2] = b":"    # the last colon is behind the text
    return to + MAC_WIDTH
