# pcap: a file header, then records of header and data. https://www.tcpdump.org/manpages/pcap-savefile.5.html

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.bytes cimport file16, file32
from fluxcap.base.types cimport (
    CAPTURED_OVER_SNAPLEN, CAPTURED_OVER_WIRE, DIRECTION_UNKNOWN, FRACTION_OVER_SECOND, Packet)
from fluxcap.capture.magic cimport (
    NO_PCAP, PCAP_MODIFIED, PCAP_NANOSECONDS, PcapKind, VERSION_MAJOR, VERSION_MINOR, begins_capture, is_pcap_version,
    is_snoop, is_zero, no_record, pcap_kind)
from fluxcap.capture.reader cimport (
    CAPLEN_TOO_BIG, FILE_HEADER_CUT, FORMAT_PCAP, Interface, JOINED, MAX_CAPTURED, MORE, PADDING, RECORD, RECORD_CUT,
    RECORD_HEADER_CUT, RESERVED_LINK_BITS, Reader, SKIPPED, Step, UNSUPPORTED_VERSION, available, broken, more,
    position)

cdef enum:                      # file header, offsets in bytes
    SNAPLEN = 16
    LINK_TYPE = 20
    FILE_HEADER = 24

cdef enum:                      # record header
    SECONDS = 0
    FRACTION = 4
    CAPTURED_LENGTH = 8
    WIRE_LENGTH = 12
    RECORD_HEADER = 16
    MODIFIED_RECORD_HEADER = 24  # + interface index, protocol, packet type (Kuznetzov's patch)

cdef enum:                      # the link type field
    LINK_TYPE_MASK = 0x0000FFFF
    RESERVED_BITS = 0x03FF0000
    FCS_PRESENT = 0x04000000
    FCS_SHIFT = 28              # length of the frame check sequence in units of 16 bits

# The order of the two lengths. Up to version 2.2, and in 543.0, the wire length comes first; in 2.3 writers differ, so
# the smaller one is the captured length; in 2.4 the captured length comes first (libpcap, sf-pcap.c).
cdef enum:
    CAPTURED_FIRST
    WIRE_FIRST
    SMALLER_IS_CAPTURED

cdef inline bint is_pcap(uint32_t magic, Reader* r) noexcept nogil:
    """Is this the magic of a pcap, read in the byte order of r.swapped? Sets what the magic tells."""
    cdef PcapKind kind = pcap_kind(magic)
    r.fraction_ns = 1 if kind == PCAP_NANOSECONDS else 1000
    r.fraction_max = 999999999 if kind == PCAP_NANOSECONDS else 999999
    r.record_header = MODIFIED_RECORD_HEADER if kind == PCAP_MODIFIED else RECORD_HEADER
    return kind != NO_PCAP

cdef inline Step pcap_header(Reader* r) noexcept nogil:
    cdef const uint8_t* at = r.buffer + r.start
    cdef uint32_t link_type, major, minor
    cdef Interface* interface
    if available(r) < FILE_HEADER:
        return more(r, FILE_HEADER_CUT, FILE_HEADER)
    major = file16(at + VERSION_MAJOR, r.swapped)
    minor = file16(at + VERSION_MINOR, r.swapped)
    if not is_pcap_version(major, minor):
        return broken(r, UNSUPPORTED_VERSION, <uint64_t>major << 16 | minor, 0)
    r.lengths = CAPTURED_FIRST
    if major == 543 or minor < 3:
        r.lengths = WIRE_FIRST
    elif minor == 3:
        r.lengths = SMALLER_IS_CAPTURED
    link_type = file32(at + LINK_TYPE, r.swapped)
    if link_type & RESERVED_BITS:
        return broken(r, RESERVED_LINK_BITS, link_type, 0)
    interface = &r.interfaces[r.n_interfaces]
    r.n_interfaces += 1
    memset(interface, 0, sizeof(Interface))
    interface.multiplier = r.fraction_ns
    interface.divisor = 1
    interface.link_type = <uint16_t>(link_type & LINK_TYPE_MASK)
    interface.fcs = <uint8_t>((link_type >> FCS_SHIFT) * 2) if link_type & FCS_PRESENT else 0
    interface.snaplen = file32(at + SNAPLEN, r.swapped)
    interface.swapped = r.swapped
    r.start += FILE_HEADER
    return SKIPPED

cdef inline bint is_usual(const Reader* r) noexcept nogil:
    """Is this a pcap of the kind that nearly all are: this machine's byte order, and lengths and record headers as in
    version 2.4?"""
    return r.format == FORMAT_PCAP and not r.swapped and r.lengths == CAPTURED_FIRST and \
        r.record_header == RECORD_HEADER

# What most records of a pcap have in common, read once for a batch.
cdef struct Usual:
    uint32_t most               # bytes captured that are neither damage nor an anomaly; 0 where every record is odd
    uint32_t fraction_ns
    uint32_t fraction_max
    uint32_t interface
    uint16_t link_type
    uint8_t fcs

cdef inline Usual usual_of(const Reader* r) noexcept nogil:
    cdef Usual u
    cdef const Interface* interface = &r.interfaces[r.section_interfaces]
    u.most = min(<uint32_t>MAX_CAPTURED, interface.snaplen)
    u.fraction_ns = r.fraction_ns
    u.fraction_max = r.fraction_max
    u.interface = r.section_interfaces
    u.link_type = interface.link_type
    u.fcs = interface.fcs
    return u

cdef inline void put_record(const uint8_t* at, uint32_t header, uint64_t offset, uint32_t captured, uint32_t wire,
                            int64_t time, uint32_t interface, uint16_t link_type, uint8_t fcs,
                            Packet* p) noexcept nogil:
    """What a packet gets from a record of a pcap."""
    p.data = at + header
    p.time = time
    p.captured = captured
    p.wire = wire
    p.interface = interface
    p.link_type = link_type
    p.fcs = fcs
    p.refused = False
    p.direction = DIRECTION_UNKNOWN
    p.offload_flags = 0
    p.offset = offset + header

cdef inline int64_t record_time(const uint8_t* at, bint swapped, uint32_t fraction, uint32_t unit) noexcept nogil:
    return <int64_t>file32(at + SECONDS, swapped) * 1000000000 + <int64_t>fraction * unit

cdef inline const uint8_t* usual_record(const Usual* u, const uint8_t* at, const uint8_t* until, uint64_t offset,
                                        Packet* p) noexcept nogil:
    """The end of a whole record in which nothing is odd; NULL: it is for pcap_record(). The last record without a byte
    could begin at `until`."""
    cdef uint32_t captured, wire, fraction
    if at > until:
        return NULL
    captured = file32(at + CAPTURED_LENGTH, False)
    wire = file32(at + WIRE_LENGTH, False)
    fraction = file32(at + FRACTION, False)
    # No sum overflows: what is captured is compared with MAX_CAPTURED first.
    if captured - 1 >= u.most or at + captured > until or captured > wire or fraction > u.fraction_max:
        return NULL
    put_record(at, RECORD_HEADER, offset, captured, wire, record_time(at, False, fraction, u.fraction_ns),
               u.interface, u.link_type, u.fcs, p)
    return at + RECORD_HEADER + captured

cdef inline Step odd_record(Reader* r, uint32_t captured, uint32_t header) noexcept nogil:
    """A record that states no byte, or too many: RECORD where it is one all the same. Of zeros one record header can be
    a packet without bytes, of 1970; two in a row, or one and a part of one at the end, are padding."""
    cdef const uint8_t* at = r.buffer + r.start
    cdef size_t after = min(available(r) - header, <size_t>header)
    if captured:
        return no_record(r, header, CAPLEN_TOO_BIG, captured, MAX_CAPTURED)
    if begins_capture(at):
        return broken(r, JOINED, 0, 0)
    if not is_zero(at, header):
        return RECORD
    if after < header and not r.ended:
        return MORE
    return broken(r, PADDING, 0, 0) if after and is_zero(at + header, after) else RECORD

cdef inline bint is_joined(const uint8_t* at, uint32_t captured, uint32_t wire) noexcept nogil:
    """Does another capture begin at these lengths, which no record has? Those of a pcap are its time zone and zero."""
    return captured > wire and begins_capture(at) or is_snoop(at)

cdef inline bint is_odd(const Reader* r, const Interface* interface, uint32_t fraction, uint32_t captured,
                        uint32_t wire) noexcept nogil:
    """Does a record header hold what few do?"""
    return fraction > r.fraction_max or captured > wire or captured > interface.snaplen

cdef inline Step pcap_record(Reader* r, Packet* p, bint swapped, int lengths, uint32_t header) noexcept nogil:
    """`swapped`, `lengths` and `header` are those of the reader: as arguments they can be constants."""
    cdef const uint8_t* at = r.buffer + r.start
    cdef size_t there = available(r)
    cdef uint32_t captured, wire, fraction
    cdef Step step
    cdef Interface* interface = &r.interfaces[r.section_interfaces]
    if there < header:
        return more(r, RECORD_HEADER_CUT, header) if there else MORE
    captured = file32(at + CAPTURED_LENGTH, swapped)
    wire = file32(at + WIRE_LENGTH, swapped)
    if lengths == WIRE_FIRST or lengths == SMALLER_IS_CAPTURED and captured > wire:
        captured, wire = wire, captured
    if captured - 1 >= MAX_CAPTURED:        # 0 as well, in one comparison
        step = odd_record(r, captured, header)
        if step != RECORD:
            return step
    fraction = file32(at + FRACTION, swapped)
    if there - header < captured:
        # What is read must not depend on how many bytes are there: a header without oddity may still be a record.
        if (r.ended or is_odd(r, interface, fraction, captured, wire)) and is_joined(at, captured, wire):
            return broken(r, JOINED, 0, 0)
        return more(r, RECORD_CUT, <uint64_t>header + captured)
    put_record(at, header, position(r), captured, wire, record_time(at, swapped, fraction, r.fraction_ns),
               r.section_interfaces, interface.link_type, interface.fcs, p)
    if is_odd(r, interface, fraction, captured, wire):
        if is_joined(at, captured, wire):
            return broken(r, JOINED, 0, 0)
        r.anomalies[FRACTION_OVER_SECOND] += fraction > r.fraction_max
        r.anomalies[CAPTURED_OVER_WIRE] += captured > wire
        r.anomalies[CAPTURED_OVER_SNAPLEN] += captured > interface.snaplen and interface.snaplen != 0
    r.start += header + captured
    return RECORD
