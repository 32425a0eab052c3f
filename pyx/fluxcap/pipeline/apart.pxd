# Records with fragments, byte for byte, where a capture is read in parts: they are read again, with those of the other
# parts.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fluxcap.base.arrays cimport reserve_array
from fluxcap.base.types cimport Batch, Packet, is_left_out
from fluxcap.capture.capture cimport record_of
from fluxcap.capture.reader cimport Reader
from fluxcap.pipeline.scan cimport TAPPED, TAPPED_NO_MEMORY, Tapped, is_apart

cdef enum:
    FIRST_APART = 1 << 16

cdef struct RecordsApart:
    const Reader* reader        # the packets lie in its window
    uint8_t* octets             # the records, one after the other
    uint64_t n
    uint64_t room

cdef inline Tapped keep_apart(void* to, const Batch* batch) noexcept nogil:
    """Keep the records of a batch that stand apart. For a Pipeline; the lane takes no batch that has any."""
    cdef RecordsApart* a = <RecordsApart*>to
    cdef const Packet* p
    cdef const uint8_t* record
    cdef uint64_t n
    cdef uint32_t i
    for i in range(batch.n):
        p = &batch.packets[i]
        if is_apart(p) and not is_left_out(p.disposition):
            record = record_of(a.reader, p, &n)
            if n == 0:
                continue
            if not reserve_array(<void**>&a.octets, &a.room, a.n + n, FIRST_APART, 1):
                return TAPPED_NO_MEMORY
            memcpy(a.octets + a.n, record, n)
            a.n += n
    return TAPPED
