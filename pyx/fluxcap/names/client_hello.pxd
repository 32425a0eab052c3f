# The name of the server in the ClientHello that a TLS client begins with: RFC 8446 sections 5.1 and 4.1.2, RFC 6066
# section 3. The hello may lie in several records, and need not be there whole: what is behind the name is not needed.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from fluxcap.base.bytes cimport be16, be24

cdef enum Told:
    TOLD_NOTHING                # no name, and none can follow
    TOLD_NOT_YET                # more bytes may have it
    TOLD_NAME

cdef enum:
    TLS_RECORD = 5              # content type, version, length
    TLS_LENGTH = 3
    TLS_HANDSHAKE = 22
    TLS_MAJOR = 3               # of the version, SSL 3.0 to TLS 1.3
    TLS_FRAGMENT_MAX = 1 << 14  # bytes that a record carries
    HELLO = 4                   # message type and length
    CLIENT_HELLO = 1
    HELLO_FIXED = 34            # version and random
    EXTENSION = 4               # type and length
    SERVER_NAME = 0
    HOST_NAME = 0
    # Bytes of a hello that are looked at: with a post-quantum key share it has two thousand. One that is longer than a
    # record holds is not what a client sends.
    HELLO_MAX = TLS_FRAGMENT_MAX

cdef struct Piece16:            # a place in a buffer
    uint32_t at
    uint32_t n

cdef inline bint may_be_hello(const uint8_t* at, uint32_t n) noexcept nogil:
    """Do these bytes begin as a record with a ClientHello does, as far as they go?"""
    return n and at[0] == TLS_HANDSHAKE and (n < 2 or at[1] == TLS_MAJOR) and (n < 6 or at[TLS_RECORD] == CLIENT_HELLO)

cdef inline Told gather_hello(const uint8_t* at, uint32_t n, uint8_t* to, uint32_t* gathered) noexcept nogil:
    """Copy what the records carry, HELLO_MAX bytes at most, one after the other. TOLD_NOT_YET: they are records of a
    handshake as far as they go, so more may follow."""
    cdef uint32_t i = 0, length, taken
    gathered[0] = 0
    while n - i >= TLS_RECORD and gathered[0] < HELLO_MAX:
        length = be16(at + i + TLS_LENGTH)
        if at[i] != TLS_HANDSHAKE or at[i + 1] != TLS_MAJOR or length == 0 or length > TLS_FRAGMENT_MAX:
            return TOLD_NOTHING
        i += TLS_RECORD
        taken = min(min(length, n - i), HELLO_MAX - gathered[0])
        memcpy(to + gathered[0], at + i, taken)
        gathered[0] += taken
        if taken < length:
            break
        i += taken
    return TOLD_NOT_YET

cdef inline bint skip_vector(const uint8_t* at, uint32_t n, uint32_t length_octets, uint32_t* i) noexcept nogil:
    """Go past a vector with a length of one or two bytes before it; False where the bytes end before it does."""
    cdef uint32_t length
    if n - i[0] < length_octets:
        return False
    length = at[i[0]] if length_octets == 1 else be16(at + i[0])
    if length > n - i[0] - length_octets:
        return False
    i[0] += length_octets + length
    return True

cdef inline Told host_name(const uint8_t* at, uint32_t n, uint32_t length, Piece16* name) noexcept nogil:
    """Find the host name in the server_name extension of this length, of which n bytes are there."""
    cdef uint32_t i = 2, one
    while i + 3 <= min(n, length):
        one = be16(at + i + 1)
        if one > length - i - 3:
            return TOLD_NOTHING
        if at[i] == HOST_NAME:
            name.at = i + 3
            name.n = one
            return TOLD_NAME if one <= n - i - 3 else TOLD_NOT_YET
        i += 3 + one
    return TOLD_NOT_YET if n < length else TOLD_NOTHING

cdef inline Told read_hello(const uint8_t* at, uint32_t n, Piece16* name) noexcept nogil:
    """Find the host name in a handshake message, of which n bytes are there."""
    cdef uint32_t i = HELLO + HELLO_FIXED, end, kind, length
    cdef Told more = TOLD_NOT_YET
    cdef Told told
    if n < HELLO:
        return more
    end = be24(at + 1) + HELLO
    if at[0] != CLIENT_HELLO or end > HELLO_MAX:
        return TOLD_NOTHING
    if n >= end:
        n = end
        more = TOLD_NOTHING     # the hello is there, so what is missing is missing
    if n < i or not skip_vector(at, n, 1, &i) or not skip_vector(at, n, 2, &i) or not skip_vector(at, n, 1, &i):
        return more             # session, cipher suites, compression
    if n - i < 2:
        return more
    end = min(end, i + 2 + be16(at + i))
    i += 2
    while i + EXTENSION <= min(n, end):
        kind, length = be16(at + i), be16(at + i + 2)
        i += EXTENSION
        if length > end - i:
            return TOLD_NOTHING
        if kind == SERVER_NAME:
            name.at = name.n = 0
            told = host_name(at + i, min(n - i, length), length, name)
            name.at += i
            return told if told != TOLD_NOT_YET else more
        i += length
    return more if n < end else TOLD_NOTHING
