# Records of several inputs as one stream, in the order of time: order/ writes it, and the pipeline reads it as it reads
# a file. No file has this format: a reader is told that its input does, and never finds it by a magic number.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fluxcap.base.types cimport Batch, Packet
from fluxcap.capture.reader cimport (
    Interface, InterfaceCounts, MORE, MORE_INTERFACES, RECORD, Reader, SKIPPED, Step, available)

cdef enum MergedKind:
    MERGED_RECORD               # the bytes of a record follow
    MERGED_INTERFACE            # an Interface follows, the next one of the stream

cdef struct MergedHeader:
    int64_t time                # as in Packet, from here on
    uint64_t number
    uint64_t offset
    uint32_t wire
    uint32_t interface          # of the stream, over all inputs
    uint8_t direction
    uint8_t offload_flags
    uint8_t kind                # MergedKind
    uint32_t length             # of what follows, in bytes

cdef inline Step merged_interface(Reader* r, const uint8_t* at) noexcept nogil:
    if r.n_interfaces == r.interfaces_room:
        return MORE_INTERFACES
    memcpy(&r.interfaces[r.n_interfaces], at, sizeof(Interface))
    memset(&r.counts[r.n_interfaces], 0, sizeof(InterfaceCounts))
    r.n_interfaces += 1
    return SKIPPED

cdef inline Step merged_step(Reader* r, Packet* p) noexcept nogil:
    """Pass a record or the description of an interface. order/ writes them whole: MORE is the end of what it wrote."""
    cdef const uint8_t* at = r.buffer + r.start
    cdef MergedHeader header
    cdef const Interface* interface
    cdef Step step = RECORD
    if available(r) < sizeof(MergedHeader):
        return MORE
    memcpy(&header, at, sizeof(MergedHeader))
    at += sizeof(MergedHeader)
    if header.kind == MERGED_INTERFACE:
        step = merged_interface(r, at)
        if step != SKIPPED:
            return step
    else:
        interface = &r.interfaces[header.interface]
        p.data = at
        p.time = header.time
        p.number = header.number
        p.offset = header.offset
        p.captured = header.length
        p.wire = header.wire
        p.interface = header.interface
        p.link_type = interface.link_type
        p.fcs = interface.fcs
        p.direction = header.direction
        p.offload_flags = header.offload_flags
        p.refused = False
    r.start += sizeof(MergedHeader) + header.length
    return step

cdef inline Step fill_merged(Reader* r, Batch* batch, uint32_t limit) noexcept nogil:
    """fill_batch() for this format: each record keeps the number that it has in its own input."""
    cdef Step step = RECORD
    batch.n = 0
    while batch.n < limit:
        step = merged_step(r, &batch.packets[batch.n])
        if step == RECORD:
            batch.n += 1
        elif step != SKIPPED:
            return step
    return step
