# Which bytes are copied when records are extracted into one capture? Records are found by the same code as for the
# tables, so that both stop at the same damage.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

from fluxcap.base.types cimport Packet
from fluxcap.capture.capture cimport next_step
from fluxcap.capture.pcap cimport FILE_HEADER
from fluxcap.capture.pcapng cimport SECTION_LENGTH, SECTION_LENGTH_OCTETS
from fluxcap.capture.reader cimport FORMAT_PCAP, FORMAT_SNOOP, FORMAT_UNKNOWN, RECORD, Reader, SKIPPED, STRAY, Step
from fluxcap.capture.snoop cimport SNOOP_FILE_HEADER

cdef struct Copy:
    const uint64_t* named       # numbers of records of this input, ascending
    uint64_t n_named
    uint64_t n_found
    bint leaves_out             # all records but these are wanted
    size_t kept                 # bytes at the front of the window, to be written
    bint unlike                 # this input has another format or header than those before it
    bint joins                  # captures that are joined in an input are joined in the copy
    int format                  # format of the copy; FORMAT_UNKNOWN before its first header
    uint8_t header[FILE_HEADER]  # file header of the copy, if its format has one for all records

cdef inline void keep(Copy* c, Reader* r, size_t start) noexcept nogil:
    """Move the bytes passed since `start` to the front of the window, behind those kept. No unread byte lies there."""
    if c.kept != start:
        memmove(r.buffer + c.kept, r.buffer + start, r.start - start)
    c.kept += r.start - start

cdef inline uint32_t header_size(int format) noexcept nogil:
    """Bytes of the file header that all records share; pcapng has a header for each section."""
    return FILE_HEADER if format == FORMAT_PCAP else SNOOP_FILE_HEADER if format == FORMAT_SNOOP else 0

cdef inline void open_copy(Copy* c, Reader* r, size_t start) noexcept nogil:
    """The reader has found the format of an input, or of a capture that is joined in it. Where all records share a file
    header, that of a later one is left out."""
    cdef const uint8_t* header = r.buffer + start
    if c.format == FORMAT_UNKNOWN:
        c.format = r.format
        memcpy(c.header, header, header_size(r.format))
        keep(c, r, start)
    elif c.joins and r.joined:
        keep(c, r, start)
    else:
        c.unlike = c.format != r.format or memcmp(c.header, header, header_size(r.format)) != 0

cdef inline Step copy_window(Copy* c, Reader* r) noexcept nogil:
    """Keep the wanted records in the window, and all bytes that are not records. Returned: why the reader stopped."""
    cdef Packet p
    cdef Step step
    cdef size_t start, before
    cdef uint32_t sections
    cdef uint64_t joined
    cdef int format
    cdef bint named
    while True:
        start = r.start
        format = r.format
        sections = r.sections
        joined = r.joined
        step = next_step(r, &p)
        if step == RECORD:
            r.number += 1
            named = c.n_found < c.n_named and c.named[c.n_found] == r.number
            c.n_found += named
            if named != c.leaves_out:
                keep(c, r, start)
        elif step == STRAY:
            continue            # what is no record is not copied
        elif step != SKIPPED:
            return step
        elif r.format != format or r.joined != joined:
            open_copy(c, r, start)
            if c.unlike:
                return step
        else:
            before = c.kept
            keep(c, r, start)
            if r.sections != sections:
                # A section that lacks records is shorter than its header says. -1 means that no length is given.
                memset(r.buffer + before + SECTION_LENGTH, 0xFF, SECTION_LENGTH_OCTETS)
