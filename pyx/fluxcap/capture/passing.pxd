# Moving to a record past those before it, of which only the framing is read: a reading may begin anywhere in a capture.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport Packet
from fluxcap.capture.capture cimport next_step
from fluxcap.capture.reader cimport Framing, RECORD, Reader, SKIPPED, STRAY, Step

cdef struct Goal:               # the first record of which one of these is true
    uint64_t number             # it has this number, or a higher one
    uint64_t offset             # it begins at this offset of the input, or behind it
    bint timed
    int64_t time                # it is of this time, or a later one

cdef struct Passed:
    int64_t newest              # the latest time of the records passed; NO_TIME: none has a time
    size_t header               # where in the window the header begins that was passed last

cdef inline bint is_there(const Goal* goal, uint64_t number, uint64_t offset, int64_t time) noexcept nogil:
    """Is this record the goal?"""
    return number >= goal.number or offset >= goal.offset or goal.timed and time != NO_TIME and time >= goal.time

cdef inline Step pass_records(Reader* r, const Goal* goal, Passed* passed) noexcept nogil:
    """RECORD: the window is before the record that was looked for. SKIPPED: it is past the header of a file or section,
    or the description of an interface. Else this is what keeps the reader from going on."""
    cdef Packet p
    cdef Framing learnt
    cdef size_t start
    cdef uint32_t sections, interfaces
    cdef int format
    cdef Step step
    while True:
        start, format, sections, interfaces = r.start, r.format, r.sections, r.n_interfaces
        if r.resync != NULL:
            learnt = r.resync.framing
        step = next_step(r, &p)
        if step == RECORD:
            if is_there(goal, r.number + 1, r.base + start, p.time):
                r.start = start         # the record is not read yet
                if r.resync != NULL:
                    r.resync.framing = learnt
                return RECORD
            r.number += 1
            if p.time != NO_TIME and (passed.newest == NO_TIME or p.time > passed.newest):
                passed.newest = p.time
        elif step == SKIPPED and (r.format != format or r.sections != sections or r.n_interfaces != interfaces):
            passed.header = start
            return SKIPPED
        elif step != SKIPPED and step != STRAY:
            return step
