# Sequence numbers of TCP: all comparisons are modulo 2^32 (RFC 9293 section 3.4). Some numbers are not believed until
# the other side acknowledges them; connections (flows/) and streams (streams/) use the same flags for them.

from libc.stdint cimport int32_t, uint32_t

cdef enum:
    # A segment that begins further ahead than this was not sent in the window seen so far, or the capture lacks
    # hundreds of segments. 1 MiB is the window of 100 Mbit/s over 80 ms.
    FAR = 1 << 20
    NOWHERE = 0x7FFFFFFF        # distance of a segment that cannot be of the connection

cdef enum:
    ASIDE_SYN = 0x01            # a SYN in an open connection
    ASIDE_SYN_ACK = 0x02        # a second SYN+ACK, with another initial sequence number
    ASIDE_OTHER = 0x04          # that number was acknowledged too: there is a second line of sequence numbers
    ASIDE_FAR = 0x08            # a segment that lies further away than FAR
    ASIDE_FIN = 0x10            # ... with a FIN
    ASIDE_ACK = 0x20            # an acknowledgment of bytes that lie further away than FAR

cdef inline int32_t ahead(uint32_t a, uint32_t b) noexcept nogil:
    """How far `a` lies ahead of `b`."""
    return <int32_t>(a - b)

cdef inline int32_t apart(uint32_t a, uint32_t b) noexcept nogil:
    """The distance between two numbers, NOWHERE at most."""
    cdef int32_t distance = ahead(a, b)
    return distance if distance >= 0 else NOWHERE if distance < -NOWHERE else -distance
