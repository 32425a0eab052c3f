# snoop: what Solaris writes. A file header, then records that are padded to their own length; all of it big-endian.
# RFC 1761; link types: https://www.iana.org/assignments/snoop-datalink-types

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport be32, file32
from fluxcap.base.types cimport (
    CAPTURED_OVER_WIRE, DIRECTION_UNKNOWN, DROPPED_BEFORE, FRACTION_OVER_SECOND, Packet)
from fluxcap.capture.magic cimport is_snoop, no_record
from fluxcap.capture.reader cimport (
    CAPLEN_PAST_RECORD, CAPLEN_TOO_BIG, FILE_HEADER_CUT, Interface, MAX_BLOCK, MAX_CAPTURED, MORE, NOT_A_CAPTURE,
    RECORD, RECORD_CUT, RECORD_HEADER_CUT, RECORD_TOO_LONG, Reader, SKIPPED, SNOOP_LINK, Step, UNSUPPORTED_VERSION,
    available, broken, more, position)

cdef enum:                      # file header, offsets in bytes
    SNOOP_VERSION = 8
    SNOOP_DATALINK = 12
    SNOOP_FILE_HEADER = 16

cdef enum:                      # record header, offsets in bytes
    SNOOP_WIRE_LENGTH = 0
    SNOOP_CAPTURED_LENGTH = 4
    SNOOP_RECORD_LENGTH = 8     # of header, data and padding
    SNOOP_DROPS = 12            # records that the machine has dropped, from the beginning to this one
    SNOOP_SECONDS = 16
    SNOOP_MICROSECONDS = 20
    SNOOP_RECORD_HEADER = 24

cdef inline int snoop_link(uint32_t datalink) noexcept nogil:
    """LINKTYPE_ values of those that are read, -1 of another."""
    if datalink == 0 or datalink == 4:      # IEEE 802.3, Ethernet
        return 1
    elif datalink == 2:                     # token ring
        return 6
    elif datalink == 8:                     # FDDI
        return 10
    elif datalink == 9 or datalink == 14:   # other, loopback: an address family stands before the packet
        return 0
    elif datalink == 0x80000005U:           # ipnet of Solaris
        return 226
    return -1

cdef inline Step snoop_header(Reader* r) noexcept nogil:
    cdef const uint8_t* at = r.buffer + r.start
    cdef Interface* interface = &r.interfaces[0]
    if available(r) < SNOOP_FILE_HEADER:
        return more(r, FILE_HEADER_CUT, SNOOP_FILE_HEADER)
    if not is_snoop(at):
        return broken(r, NOT_A_CAPTURE, be32(at), 0)
    if be32(at + SNOOP_VERSION) != 2:
        return broken(r, UNSUPPORTED_VERSION, <uint64_t>be32(at + SNOOP_VERSION) << 16, 0)
    if snoop_link(be32(at + SNOOP_DATALINK)) < 0:
        return broken(r, SNOOP_LINK, be32(at + SNOOP_DATALINK), 0)
    r.swapped = be32(at) != file32(at, False)
    r.drops = 0
    r.n_interfaces = 1
    interface.link_type = <uint16_t>snoop_link(be32(at + SNOOP_DATALINK))
    interface.fcs = 0
    interface.snaplen = 0
    interface.swapped = r.swapped
    r.start += SNOOP_FILE_HEADER
    return SKIPPED

cdef inline void count_drops(Reader* r, uint32_t drops) noexcept nogil:
    """The count goes up; one that goes down is of no use, and the next is counted from it."""
    if drops > r.drops:
        r.anomalies[DROPPED_BEFORE] += drops - r.drops
    r.drops = drops

cdef inline Step snoop_record(Reader* r, Packet* p) noexcept nogil:
    cdef const uint8_t* at = r.buffer + r.start
    cdef size_t there = available(r)
    cdef uint32_t captured, wire, length, fraction
    if there < SNOOP_RECORD_HEADER:
        return more(r, RECORD_HEADER_CUT, SNOOP_RECORD_HEADER) if there else MORE
    captured = be32(at + SNOOP_CAPTURED_LENGTH)
    wire = be32(at + SNOOP_WIRE_LENGTH)
    length = be32(at + SNOOP_RECORD_LENGTH)
    if captured > MAX_CAPTURED:
        return no_record(r, SNOOP_RECORD_HEADER, CAPLEN_TOO_BIG, captured, MAX_CAPTURED)
    if length > MAX_BLOCK:
        return no_record(r, SNOOP_RECORD_HEADER, RECORD_TOO_LONG, length, MAX_BLOCK)
    if length < SNOOP_RECORD_HEADER + captured:
        return no_record(r, SNOOP_RECORD_HEADER, CAPLEN_PAST_RECORD, captured,
                         max(length, <uint32_t>SNOOP_RECORD_HEADER) - SNOOP_RECORD_HEADER)
    if there < length:
        return more(r, RECORD_CUT, length)
    fraction = be32(at + SNOOP_MICROSECONDS)
    p.data = at + SNOOP_RECORD_HEADER
    p.time = <int64_t>be32(at + SNOOP_SECONDS) * 1000000000 + <int64_t>fraction * 1000
    p.captured = captured
    p.wire = wire
    p.interface = 0
    p.link_type = r.interfaces[0].link_type
    p.fcs = 0
    p.direction = DIRECTION_UNKNOWN
    p.offload_flags = 0
    p.offset = position(r) + SNOOP_RECORD_HEADER
    count_drops(r, be32(at + SNOOP_DROPS))
    r.anomalies[FRACTION_OVER_SECOND] += fraction > 999999
    r.anomalies[CAPTURED_OVER_WIRE] += captured > wire
    r.start += length
    return RECORD
