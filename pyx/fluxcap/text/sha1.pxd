# SHA-1 (FIPS 180-4) of messages that fit into one block, for identifiers that are defined by it. It protects nothing.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport be32, put32

cdef enum:
    SHA1_OCTETS = 20
    SHA1_BLOCK = 64
    SHA1_LONGEST = SHA1_BLOCK - 9   # behind the message a bit, in a byte of its own, and its length in 8 bytes
    SHA1_ROUNDS = 80

cdef inline uint32_t rotated(uint32_t word, int bits) noexcept nogil:
    return word << bits | word >> (32 - bits)

cdef inline void schedule(const uint8_t* message, uint32_t length, uint32_t* words) noexcept nogil:
    """The words of the rounds (section 6.1.2, step 1) of a message of at most SHA1_LONGEST bytes."""
    cdef uint8_t[SHA1_BLOCK] block
    cdef int i
    memset(block, 0, SHA1_BLOCK)
    memcpy(block, message, length)
    block[length] = 0x80
    put32(block + SHA1_BLOCK - 4, length * 8)
    for i in range(16):
        words[i] = be32(block + 4 * i)
    for i in range(16, SHA1_ROUNDS):
        words[i] = rotated(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1)

cdef inline void mix(uint32_t* state, uint32_t chosen) noexcept nogil:
    """Step 3 of a round; `chosen` is the sum of its function, its constant and its word."""
    cdef uint32_t first = rotated(state[0], 5) + chosen + state[4]
    state[4] = state[3]
    state[3] = state[2]
    state[2] = rotated(state[1], 30)
    state[1] = state[0]
    state[0] = first

cdef inline void sha1(const uint8_t* message, uint32_t length, uint8_t* digest) noexcept nogil:
    cdef uint32_t[SHA1_ROUNDS] words
    cdef uint32_t[5] start = [
        <uint32_t>0x67452301U, <uint32_t>0xEFCDAB89U, <uint32_t>0x98BADCFEU, <uint32_t>0x10325476U,
        <uint32_t>0xC3D2E1F0U]
    cdef uint32_t[5] s
    cdef int i
    memcpy(s, start, sizeof(start))
    schedule(message, length, words)
    for i in range(20):
        mix(s, (s[1] & s[2] | ~s[1] & s[3]) + <uint32_t>0x5A827999U + words[i])
    for i in range(20, 40):
        mix(s, (s[1] ^ s[2] ^ s[3]) + <uint32_t>0x6ED9EBA1U + words[i])
    for i in range(40, 60):
        mix(s, (s[1] & s[2] | s[1] & s[3] | s[2] & s[3]) + <uint32_t>0x8F1BBCDCU + words[i])
    for i in range(60, SHA1_ROUNDS):
        mix(s, (s[1] ^ s[2] ^ s[3]) + <uint32_t>0xCA62C1D6U + words[i])
    for i in range(5):
        put32(digest + 4 * i, start[i] + s[i])
