# A checksum word by word, as the RFCs define it: the words that are added, and the sum after each.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from fluxcap.base.bytes cimport be16, put16, put32
from fluxcap.base.types cimport Packet

cdef enum:
    PSEUDO_MAX = 40             # RFC 8200 section 8.1; that of IPv4 has 12 bytes
    LONGEST_IN_16_BITS = 65535  # a longer message has a length of 32 bits in both

cdef inline uint32_t put_address_of(uint8_t* to, const Packet* p, const uint8_t* address,
                                    const uint8_t* instead) noexcept nogil:
    """The address that the sender summed: `instead` where the sum has another one than the IP header."""
    cdef uint32_t octets = 4 if p.ip_version == 4 else 16
    memcpy(to, instead if instead != NULL else address + 16 - octets, octets)
    return octets

cdef inline uint32_t put_pseudo_header(uint8_t* to, const Packet* p) noexcept nogil:
    """Write the pseudo-header (RFC 768; RFC 8200 section 8.1); returns its bytes."""
    cdef uint32_t n = put_address_of(to, p, p.key.src_ip, p.pseudo_src)
    n += put_address_of(to + n, p, p.key.dst_ip, p.pseudo_dst)
    if p.ip_version == 6:
        put32(to + n, p.pseudo_length)
        put32(to + n + 4, p.key.protocol)
        return n + 8
    put16(to + n, p.key.protocol)
    if p.pseudo_length > LONGEST_IN_16_BITS:
        put32(to + n + 2, p.pseudo_length)
        return n + 6
    put16(to + n + 2, <uint16_t>p.pseudo_length)
    return n + 4

cdef inline uint32_t add_words(const uint8_t* at, uint32_t octets, uint32_t field, uint32_t sum, uint16_t* words,
                               uint16_t* sums) noexcept nogil:
    """Add the words of `octets` bytes to a sum, in ones' complement: a carry is added at the other end (RFC 1071). The
    field of the checksum, at this byte, counts as zero, and an odd byte at the end is the first half of a word."""
    cdef uint32_t i, n = 0
    for i in range(0, octets, 2):
        words[n] = be16(at + i) if i + 1 < octets else <uint16_t>(at[i] << 8)
        if i == field:
            words[n] = 0
        sum += words[n]
        sum = (sum & 0xFFFF) + (sum >> 16)
        sums[n] = <uint16_t>sum
        n += 1
    return sum
