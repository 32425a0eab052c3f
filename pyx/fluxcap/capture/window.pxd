# The window of a Reader: room for more bytes, and the bytes of a file.

from libc.errno cimport EINTR, errno
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memmove
from posix.types cimport off_t
from posix.unistd cimport pread

from fluxcap.capture.reader cimport MAX_BLOCK, Reader

cdef enum:
    # One read() into this much beats mapping the file: no page faults, and the copy stays in L2 (1 MiB and up today).
    WINDOW = 262144
    # A record or block that does not fit doubles the window, up to one block and the start of the next.
    MAX_WINDOW = 2 * MAX_BLOCK

cdef inline uint64_t octets_come(const Reader* r) noexcept nogil:
    """Of the input, so far."""
    return r.base + r.end

cdef inline bint make_space(Reader* r) noexcept nogil:
    """Move what is left in the window to its front, and double it where that is all of it; False when memory is out."""
    cdef void* grown
    if r.start:
        memmove(r.buffer, r.buffer + r.start, r.end - r.start)
        r.base += r.start
        r.end -= r.start
        r.start = 0
    if r.end == r.capacity:
        grown = realloc(r.buffer, r.capacity * 2)
        if grown == NULL:
            return False
        r.buffer = <uint8_t*>grown
        r.capacity *= 2
    return True

cdef inline int fill(Reader* r, int file) noexcept nogil:
    """Read on in a file, into the space of the window; at the end of the file the input has ended. 0, or errno."""
    cdef ssize_t n = pread(file, r.buffer + r.end, r.capacity - r.end, <off_t>octets_come(r))
    if n < 0:
        return 0 if errno == EINTR else errno
    r.end += n
    r.ended = n == 0
    return 0
