# The window of a Reader: how it gets room for more bytes, and bytes from a file.

from libc.errno cimport EINTR, errno
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memmove
from posix.types cimport off_t
from posix.unistd cimport pread

from fluxcap.capture.reader cimport MAX_BLOCK, Reader

cdef enum:
    # Reading this many bytes at once is faster than mapping the file: there are no page faults, and the copy stays in
    # L2 (1 MiB and up today).
    WINDOW = 262144
    # So much is read before anything is known of an input: one thread reads it, and others can join then.
    BEGINNING = 4096
    # A record or block that does not fit doubles the window, up to the longest block and the start of the next.
    MAX_WINDOW = 2 * MAX_BLOCK

cdef inline uint64_t octets_come(const Reader* r) noexcept nogil:
    """Bytes of the input that have come so far."""
    return r.base + r.end

cdef inline bint make_space(Reader* r) noexcept nogil:
    """Move the unread bytes to the front of the window, and double it where they fill it. False: memory is out."""
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
    """Read the next bytes of a file into the free part of the window; no byte: the input has ended. Returns 0 or
    errno."""
    cdef size_t most = r.capacity - r.end if octets_come(r) else min(r.capacity, <size_t>BEGINNING)
    cdef ssize_t n = pread(file, r.buffer + r.end, most, <off_t>octets_come(r))
    if n < 0:
        return 0 if errno == EINTR else errno
    r.end += n
    r.ended = n == 0
    return 0
