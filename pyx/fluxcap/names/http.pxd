# The Host of an HTTP/1 request: RFC 9112 sections 2.1, 3 and 5, RFC 9110 section 7.2.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp

from fluxcap.names.client_hello cimport Piece16, TOLD_NAME, TOLD_NOTHING, TOLD_NOT_YET, Told
from fluxcap.names.dns cimport small_letter

cdef enum:
    METHOD_MIN = 3              # letters: GET
    METHOD_MAX = 20             # ... and VERSION-CONTROL, with some to spare
    VERSION_LENGTH = 8          # HTTP/1.1
    LINE_FEED = 10
    CARRIAGE_RETURN = 13
    TAB = 9
    EMPTY_MAX = 4               # bytes of two empty lines

cdef inline uint32_t empty_lines(const uint8_t* at, uint32_t n) noexcept nogil:
    """Bytes of the empty lines before a request, which a server passes over (RFC 9112 section 2.2)."""
    cdef uint32_t i = 0
    while i < min(n, <uint32_t>EMPTY_MAX) and (at[i] == CARRIAGE_RETURN or at[i] == LINE_FEED):
        i += 1
    return i

cdef inline bint may_be_request(const uint8_t* octets, uint32_t n_octets, bint begins) noexcept nogil:
    """Do these bytes begin with a method in capital letters and a space? `begins`: they are the first of a stream, and
    may be too few to tell."""
    cdef uint32_t i = 0, empty = empty_lines(octets, n_octets), n = n_octets - empty
    cdef const uint8_t* at = octets + empty
    while i < min(n, <uint32_t>METHOD_MAX) and (b'A' <= at[i] <= b'Z' or at[i] == b'-' or at[i] == b'_'):
        i += 1
    if i == n:
        return begins and n_octets != 0
    return at[i] == b' ' and i >= METHOD_MIN

cdef inline uint32_t line_end(const uint8_t* at, uint32_t n, uint32_t i) noexcept nogil:
    """The place of the line feed that ends the line, or n."""
    while i < n and at[i] != LINE_FEED:
        i += 1
    return i

cdef inline uint32_t without_return(const uint8_t* at, uint32_t begin, uint32_t end) noexcept nogil:
    return end - 1 if end > begin and at[end - 1] == CARRIAGE_RETURN else end

cdef inline bint is_request_line(const uint8_t* at, uint32_t n) noexcept nogil:
    """Does a line that begins with a method end in the version HTTP/1, with a target between them?"""
    cdef const uint8_t* space = <const uint8_t*>memchr(at, b' ', n)
    if n <= VERSION_LENGTH or memcmp(at + n - VERSION_LENGTH - 1, b" HTTP/1.", VERSION_LENGTH):
        return False
    return b'0' <= at[n - 1] <= b'9' and space + 1 < at + n - VERSION_LENGTH - 1

cdef inline bint is_host(const uint8_t* at, uint32_t n) noexcept nogil:
    """Is this the field Host? Names of fields may have letters of either case."""
    cdef const uint8_t* field = <const uint8_t*>b"host:"
    cdef uint32_t i
    if n < 5:
        return False
    for i in range(5):
        if small_letter(at[i]) != field[i]:
            return False
    return True

cdef inline bint is_space(uint8_t octet) noexcept nogil:
    return octet == b' ' or octet == TAB

cdef inline void set_value(const uint8_t* at, uint32_t begin, uint32_t end, Piece16* value) noexcept nogil:
    """The value of a field without the white space around it (RFC 9112 section 5.1)."""
    while begin < end and is_space(at[begin]):
        begin += 1
    while begin < end and is_space(at[end - 1]):
        end -= 1
    value.at = begin
    value.n = end - begin

cdef inline Told read_request(const uint8_t* at, uint32_t n, uint32_t* line, Piece16* host) noexcept nogil:
    """Find the first Host in a request, of which n bytes are there. `line`: where the first line begins that was not
    read before, 0 for the line of the request."""
    cdef uint32_t begin, end, stop
    while True:
        begin = line[0] if line[0] else empty_lines(at, n)
        end = line_end(at, n, begin)
        if end == n:
            return TOLD_NOT_YET
        stop = without_return(at, begin, end)
        if line[0] == 0 and not is_request_line(at + begin, stop - begin):
            return TOLD_NOTHING
        if stop == begin:       # the empty line behind the fields
            return TOLD_NOTHING
        if line[0] and is_host(at + line[0], stop - line[0]):
            set_value(at, line[0] + 5, stop, host)
            return TOLD_NAME
        line[0] = end + 1
