# Hopping from record to record without reading them: up to where does the window hold nothing but whole records?

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.bytes cimport file16, file32
from fluxcap.capture.magic cimport SECTION_HEADER, is_zero
from fluxcap.capture.pcap cimport CAPTURED_FIRST, CAPTURED_LENGTH
from fluxcap.capture.pcapng cimport (
    BLOCK_HEADER, ENHANCED_PACKET, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS, OBSOLETE_PACKET, SIMPLE_PACKET,
    block_minimum)
from fluxcap.capture.reader cimport FORMAT_PCAP, FORMAT_PCAPNG, MAX_BLOCK, MAX_CAPTURED, Reader

cdef struct Hop:
    size_t end                  # past the last whole record
    uint64_t records
    bint stopped                # at something that has to be read in order, not at the end of the window

cdef inline bint has_program(const Reader* r, uint32_t index) noexcept nogil:
    """Does this interface of the section have a filter program already?"""
    return index < r.n_interfaces - r.section_interfaces and r.interfaces[r.section_interfaces + index].program

cdef inline void hop_pcap(const Reader* r, bint filtered, Hop* hop) noexcept nogil:
    cdef size_t at = hop.end
    cdef uint32_t captured
    # Records are read in order where the captured length may stand second, or a filter is not compiled yet.
    hop.stopped = r.lengths != CAPTURED_FIRST or filtered and not has_program(r, 0)
    while not hop.stopped and r.end - at >= r.record_header:
        captured = file32(r.buffer + at + CAPTURED_LENGTH, r.swapped)
        # A header of zeros may be padding, which the bytes after it tell.
        hop.stopped = captured > MAX_CAPTURED or captured == 0 and is_zero(r.buffer + at, r.record_header)
        if hop.stopped or r.end - at - r.record_header < captured:
            break
        at += r.record_header + captured
        hop.records += 1
    hop.end = at

cdef inline void hop_pcapng(const Reader* r, bint filtered, Hop* hop) noexcept nogil:
    cdef size_t at = hop.end
    cdef uint32_t kind, length, index
    cdef bint packet
    while r.end - at >= BLOCK_HEADER:
        kind = file32(r.buffer + at, r.swapped)
        length = file32(r.buffer + at + 4, r.swapped)
        # Statistics are read in order too: the ledger counts beside them.
        hop.stopped = kind == SECTION_HEADER or kind == INTERFACE_DESCRIPTION or kind == INTERFACE_STATISTICS or \
            length < block_minimum(kind) or length > MAX_BLOCK or length & 3
        if hop.stopped or r.end - at < length:
            break
        packet = kind == ENHANCED_PACKET or kind == SIMPLE_PACKET or kind == OBSOLETE_PACKET
        if packet and filtered:
            index = 0
            if kind == ENHANCED_PACKET:
                index = file32(r.buffer + at + 8, r.swapped)
            elif kind == OBSOLETE_PACKET:
                index = file16(r.buffer + at + 8, r.swapped)
            hop.stopped = not has_program(r, index)
            if hop.stopped:
                break
        at += length
        hop.records += packet
    hop.end = at

cdef inline Hop hop_records(const Reader* r, bint filtered) noexcept nogil:
    """Only the framing is looked at: damage inside a record is found when the record is read."""
    cdef Hop hop
    hop.end = r.start
    hop.records = 0
    hop.stopped = True
    if r.format == FORMAT_PCAP:
        hop_pcap(r, filtered, &hop)
    elif r.format == FORMAT_PCAPNG:
        hop.stopped = False
        hop_pcapng(r, filtered, &hop)
    return hop
