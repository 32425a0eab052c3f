# Hopping from record to record without reading them: up to where does the window hold nothing but whole records?

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport file16, file32
from fluxcap.capture.chain cimport Header, is_large, is_sound, leads_on, plausible_block, read_header
from fluxcap.capture.magic cimport SECTION_HEADER, begins_capture, is_zero
from fluxcap.capture.pcap cimport CAPTURED_FIRST, CAPTURED_LENGTH, WIRE_LENGTH
from fluxcap.capture.pcapng cimport (
    BLOCK_HEADER, ENHANCED_PACKET, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS, OBSOLETE_PACKET, SIMPLE_MINIMUM,
    SIMPLE_PACKET, block_minimum)
from fluxcap.capture.reader cimport (
    FORMAT_PCAP, FORMAT_PCAPNG, FORMAT_UNKNOWN, Framing, Interface, MAX_BLOCK, MAX_CAPTURED, Reader)

cdef struct Hop:
    size_t begin                # of the first record
    size_t end                  # past the last whole record
    uint64_t records
    uint32_t second             # of the last record of a pcap that is resynchronised
    bint stopped                # at something that has to be read in order, not at the end of the window

cdef inline bint has_program(const Reader* r, uint32_t index) noexcept nogil:
    """Does this interface of the section have a filter program already?"""
    return index < r.n_interfaces - r.section_interfaces and r.interfaces[r.section_interfaces + index].program

cdef inline bint hops_pcap(const Reader* r, bint filtered) noexcept nogil:
    """Records are read in order where the captured length may stand second, or a filter is not compiled yet."""
    return r.lengths == CAPTURED_FIRST and not (filtered and not has_program(r, 0))

cdef inline bint hop_over(const Reader* r, Hop* hop) noexcept nogil:
    """Hop over one record of a pcap; False where there is none."""
    cdef const uint8_t* at = r.buffer + hop.end
    cdef size_t there = r.end - hop.end
    cdef uint32_t captured, wire
    if there < r.record_header:
        return False
    captured = file32(at + CAPTURED_LENGTH, r.swapped)
    wire = file32(at + WIRE_LENGTH, r.swapped)
    # A header of zeros may be padding, which the bytes after it tell. Another capture may be of another kind.
    hop.stopped = captured > MAX_CAPTURED or (captured == 0 or captured > wire) and (
        begins_capture(at) or is_zero(at, r.record_header))
    if hop.stopped or there - r.record_header < captured:
        return False
    hop.end += r.record_header + captured
    hop.records += 1
    return True

cdef inline void hop_pcap(const Reader* r, bint filtered, size_t until, Hop* hop) noexcept nogil:
    hop.stopped = not hops_pcap(r, filtered)
    while not hop.stopped and hop.end < until and hop_over(r, hop):
        pass

cdef inline void hop_pcapng(const Reader* r, bint filtered, size_t until, Hop* hop) noexcept nogil:
    cdef size_t at = hop.end
    cdef uint32_t kind, length, index
    cdef bint packet
    hop.stopped = r.resync != NULL and (r.resync.searching or r.resync.fresh)
    while not hop.stopped and at < until and r.end - at >= BLOCK_HEADER:
        kind = file32(r.buffer + at, r.swapped)
        length = file32(r.buffer + at + 4, r.swapped)
        # Statistics are read in order too: the ledger counts beside them.
        hop.stopped = kind == SECTION_HEADER or kind == INTERFACE_DESCRIPTION or kind == INTERFACE_STATISTICS or \
            length < block_minimum(kind) or length > MAX_BLOCK or length & 3
        if hop.stopped or r.end - at < length:
            break
        if r.resync != NULL and not is_sound_block(r, r.buffer + at, kind, length):
            hop.stopped = True
            break
        packet = kind == ENHANCED_PACKET or kind == SIMPLE_PACKET or kind == OBSOLETE_PACKET
        if not packet and begins_capture(r.buffer + at):
            hop.stopped = True
            break
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

cdef inline void hop_sound_pcap(const Reader* r, bint filtered, Hop* hop) noexcept nogil:
    """Where damage is read past, only headers that prove themselves are hopped over."""
    cdef Framing f = r.resync.framing
    cdef Header h
    hop.stopped = r.resync.searching or f.format == FORMAT_UNKNOWN or filtered and not has_program(r, 0)
    while not hop.stopped and r.end - hop.end >= f.header:
        read_header(&f, r.buffer + hop.end, &h)
        hop.stopped = not is_sound(&f, &h) or is_large(&f, &h) or h.captured == 0 or begins_capture(r.buffer + hop.end)
        if hop.stopped or r.end - hop.end < 2 * f.header + h.captured:
            break
        hop.stopped = not leads_on(&f, r.buffer + hop.end + f.header + h.captured, &h)
        if hop.stopped:
            break
        hop.end += f.header + h.captured
        hop.records += 1
        hop.second = f.second = h.second

cdef inline bint is_sound_block(const Reader* r, const uint8_t* at, uint32_t kind, uint32_t length) noexcept nogil:
    """Will pcapng_block() read this one, which is whole?"""
    cdef bint swapped = r.swapped
    cdef uint32_t index, captured
    cdef const Interface* interface
    if plausible_block(at, length, &swapped) == 0:
        return False
    if kind != ENHANCED_PACKET and kind != OBSOLETE_PACKET and kind != SIMPLE_PACKET:
        return True
    index = 0 if kind == SIMPLE_PACKET else file32(at + 8, swapped) if kind == ENHANCED_PACKET else \
        file16(at + 8, swapped)
    if index >= r.n_interfaces - r.section_interfaces:
        return False
    interface = &r.interfaces[r.section_interfaces + index]
    if kind == SIMPLE_PACKET:
        captured = file32(at + 8, swapped)
        captured = min(captured, interface.snaplen) if interface.snaplen else captured
        return captured <= length - SIMPLE_MINIMUM and captured <= MAX_CAPTURED
    return file32(at + 20, swapped) <= MAX_CAPTURED and interface.divisor != 0

cdef inline Hop hop_from(size_t begin) noexcept nogil:
    """No hop yet."""
    return Hop(begin, begin, 0, 0, False)

cdef inline void hop_to(const Reader* r, bint filtered, size_t until, Hop* hop) noexcept nogil:
    """Hop on, over all records that begin before a place. Only the framing is looked at: damage inside a record is
    found when the record is read."""
    if r.format == FORMAT_PCAP and r.resync != NULL:
        hop_sound_pcap(r, filtered, hop)
    elif r.format == FORMAT_PCAP:
        hop_pcap(r, filtered, until, hop)
    elif r.format == FORMAT_PCAPNG:
        hop_pcapng(r, filtered, until, hop)
    else:
        hop.stopped = True

cdef inline Hop hop_records(const Reader* r, bint filtered) noexcept nogil:
    """Hop over all records in the window."""
    cdef Hop hop = hop_from(r.start)
    hop_to(r, filtered, r.end, &hop)
    return hop
