# pcapng: sections of blocks; the length of a block stands at its beginning and at its end. draft-ietf-opsawg-pcapng

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport file16, file32, file64
from fluxcap.base.times cimport NO_TIME, scale_ticks
from fluxcap.base.types cimport (
    CAPTURED_OVER_SNAPLEN, CAPTURED_OVER_WIRE, DIRECTIONS_END, DIRECTION_UNKNOWN, DROPPED_BEFORE, OPTION_OVERRUN,
    Packet, TIME_OUT_OF_RANGE, TSRESOL_LENGTH, WITHOUT_TIME)
from fluxcap.capture.magic cimport ORDER_MAGIC, ORDER_MAGIC_VALUE, SECTION_HEADER, begins_capture, no_record
from fluxcap.capture.reader cimport (
    BLOCK_CUT, BLOCK_MISALIGNED, BLOCK_TOO_LONG, BLOCK_TOO_SHORT, BLOCK_TRAILER, BYTE_ORDER_MAGIC, CAPLEN_PAST_BLOCK,
    CAPLEN_TOO_BIG, DamageCode, Interface, InterfaceCounts, JOINED, MAX_BLOCK, MAX_CAPTURED, MAX_INTERFACES,
    MORE_INTERFACES, NAME_OCTETS, NO_INTERFACE, RECORD, Reader, SKIPPED, Step, TOO_MANY_INTERFACES, TSRESOL,
    UNSUPPORTED_VERSION, available, broken, more)

cdef enum:                      # block types; SECTION_HEADER is in magic.pxd
    INTERFACE_DESCRIPTION = 1
    OBSOLETE_PACKET = 2
    SIMPLE_PACKET = 3
    INTERFACE_STATISTICS = 5
    ENHANCED_PACKET = 6

cdef enum:                      # any block: type, length, body, length; sizes in bytes
    BLOCK_LENGTH = 4
    BLOCK_HEADER = 8
    BLOCK_TRAILER_SIZE = 4
    BLOCK_MINIMUM = 12
    # The smallest block of each kind.
    SECTION_MINIMUM = 28
    INTERFACE_MINIMUM = 20
    OBSOLETE_MINIMUM = 32
    SIMPLE_MINIMUM = 16
    ENHANCED_MINIMUM = 32
    STATISTICS_MINIMUM = 24

cdef enum:                      # where the data of a packet begin
    PACKET_DATA = 28            # of an enhanced or obsolete block
    SIMPLE_DATA = 12

cdef enum:                      # section header body
    SECTION_MAJOR = 12
    SECTION_MINOR = 14
    SECTION_LENGTH = 16         # of all blocks of the section after this one; -1 = not stated
    SECTION_LENGTH_OCTETS = 8

cdef enum:                      # options
    OPTION_END = 0
    OPTION_HEADER = 4           # code, length

cdef enum:                      # options of a packet block
    OPTION_FLAGS = 2            # epb_flags, pack_flags
    FLAGS_DIRECTION = 3         # bits 0 and 1
    FLAGS_OFFLOAD_SHIFT = 9     # bits 9 to 11: OffloadFlag
    FLAGS_OFFLOAD = 7
    OPTION_DROPCOUNT = 4        # epb_dropcount: packets dropped between this one and the one before it

cdef enum:                      # options of interface statistics
    OPTION_IFDROP = 5           # packets that the interface had no room for
    OPTION_OSDROP = 7           # ... the operating system

cdef enum:                      # options of an interface description
    OPTION_NAME = 2
    OPTION_TSRESOL = 9
    OPTION_FCSLEN = 13
    OPTION_TSOFFSET = 14
    TSRESOL_POWER_OF_TWO = 0x80
    MAX_DECIMAL_RESOLUTION = 19  # 10^19 is the last power of ten in 64 bits
    MAX_BINARY_RESOLUTION = 63
    DEFAULT_RESOLUTION = 6      # microseconds

cdef inline void set_resolution(Interface* interface, uint8_t tsresol) noexcept nogil:
    cdef uint32_t power = tsresol & 0x7F, _
    interface.tsresol = tsresol
    interface.multiplier = 1
    interface.divisor = 1
    interface.shift = 0
    if tsresol & TSRESOL_POWER_OF_TWO:
        interface.multiplier = 1000000000
        interface.shift = power
        if power > MAX_BINARY_RESOLUTION:
            interface.divisor = 0
    elif power > MAX_DECIMAL_RESOLUTION:
        interface.divisor = 0
    else:
        for _ in range(power, 9):
            interface.multiplier *= 10
        for _ in range(9, power):
            interface.divisor *= 10

cdef inline Step section_header(Reader* r, const uint8_t* at) noexcept nogil:
    cdef uint32_t major = file16(at + SECTION_MAJOR, r.swapped), minor = file16(at + SECTION_MINOR, r.swapped)
    # 1.2 was never specified, but some programs wrote it; it is read as 1.0 (section 4.1 of the draft).
    if major != 1 or minor != 0 and minor != 2:
        return broken(r, UNSUPPORTED_VERSION, <uint64_t>major << 16 | minor, 0)
    r.sections += 1
    r.section_interfaces = r.n_interfaces
    return SKIPPED

cdef struct Options:            # those of a block, one at a time
    const uint8_t* at           # the next one's header
    uint32_t left               # bytes from there to the end of the block
    uint32_t code
    uint32_t size
    const uint8_t* value

cdef inline bint next_option(Reader* r, Options* o) noexcept nogil:
    """Read the next option; False where the block holds no further whole one."""
    cdef uint32_t padded
    if o.left < OPTION_HEADER:
        return False
    o.code = file16(o.at, r.swapped)
    o.size = file16(o.at + 2, r.swapped)
    o.value = o.at + OPTION_HEADER
    o.left -= OPTION_HEADER
    if o.code == OPTION_END:
        return False
    if o.size > o.left:
        r.anomalies[OPTION_OVERRUN] += 1
        return False
    padded = (o.size + 3) & ~3  # to 32 bits; size <= left < MAX_BLOCK, so this cannot wrap
    if padded > o.left:
        padded = o.left
    o.at = o.value + padded
    o.left -= padded
    return True

cdef inline Step interface_description(Reader* r, const uint8_t* at, uint32_t length) noexcept nogil:
    cdef Interface* interface
    cdef Options o
    if r.n_interfaces == MAX_INTERFACES:
        return broken(r, TOO_MANY_INTERFACES, r.n_interfaces, MAX_INTERFACES)
    if r.n_interfaces == r.interfaces_room:
        return MORE_INTERFACES
    interface = &r.interfaces[r.n_interfaces]
    r.n_interfaces += 1
    memset(interface, 0, sizeof(Interface))
    memset(&r.counts[r.n_interfaces - 1], 0, sizeof(InterfaceCounts))
    interface.link_type = file16(at + 8, r.swapped)
    interface.snaplen = file32(at + 12, r.swapped)
    interface.swapped = r.swapped
    set_resolution(interface, DEFAULT_RESOLUTION)
    o.at = at + 16
    o.left = length - INTERFACE_MINIMUM
    while next_option(r, &o):
        if o.code == OPTION_NAME:
            interface.name_length = <uint8_t>(o.size if o.size < NAME_OCTETS else NAME_OCTETS)
            memcpy(interface.name, o.value, interface.name_length)
        elif o.code == OPTION_TSRESOL:
            if o.size == 1:
                set_resolution(interface, o.value[0])
            else:
                r.anomalies[TSRESOL_LENGTH] += 1
        elif o.code == OPTION_FCSLEN and o.size == 1:
            interface.fcs = o.value[0]
        elif o.code == OPTION_TSOFFSET and o.size == 8:
            interface.offset_s = <int64_t>file64(o.value, r.swapped)
    return SKIPPED

cdef inline Step interface_statistics(Reader* r, const uint8_t* at, uint32_t length) noexcept nogil:
    """Note the drops of an interface. They are counted from the beginning of the capture: the last block has all."""
    cdef uint32_t index = file32(at + 8, r.swapped)
    cdef InterfaceCounts* counts
    cdef uint64_t dropped = 0
    cdef bint told = False
    cdef Options o
    if index >= r.n_interfaces - r.section_interfaces:
        return SKIPPED          # it says nothing about any packet
    o.at = at + 20
    o.left = length - STATISTICS_MINIMUM
    while next_option(r, &o):
        if (o.code == OPTION_IFDROP or o.code == OPTION_OSDROP) and o.size == 8:
            dropped += file64(o.value, r.swapped)
            told = True
    if told:
        counts = &r.counts[r.section_interfaces + index]
        counts.dropped = dropped
        counts.counts_drops = True
    return SKIPPED

cdef inline void packet_options(Reader* r, Packet* p, uint64_t room) noexcept nogil:
    """Read direction, offload and drops from the options behind the data; `room` bytes lie between p.data and their
    end."""
    cdef Options o
    cdef uint32_t flags
    cdef uint64_t padded = (<uint64_t>p.captured + 3) & ~<uint64_t>3
    if room < padded + OPTION_HEADER:
        return
    o.at = p.data + padded
    o.left = <uint32_t>(room - padded)
    while next_option(r, &o):
        if o.code == OPTION_FLAGS and o.size == 4:
            flags = file32(o.value, r.swapped)
            p.direction = flags & FLAGS_DIRECTION
            p.offload_flags = flags >> FLAGS_OFFLOAD_SHIFT & FLAGS_OFFLOAD
            if p.direction >= DIRECTIONS_END:       # both bits set: not a direction
                p.direction = DIRECTION_UNKNOWN
        elif o.code == OPTION_DROPCOUNT and o.size == 8:
            r.anomalies[DROPPED_BEFORE] += file64(o.value, r.swapped)

cdef inline Step packet_block(Reader* r, Packet* p, uint32_t index, const uint8_t* lengths, const uint8_t* times,
                              const uint8_t* data, uint64_t room) noexcept nogil:
    """Fill the packet from an enhanced, obsolete or simple block; a simple one has neither time nor captured length."""
    cdef Interface* interface
    cdef uint32_t captured, wire
    cdef uint64_t ticks
    if index >= r.n_interfaces - r.section_interfaces:
        return broken(r, NO_INTERFACE, index, r.n_interfaces - r.section_interfaces)
    p.interface = r.section_interfaces + index
    interface = &r.interfaces[p.interface]
    if times != NULL:
        captured = file32(lengths, r.swapped)
        wire = file32(lengths + 4, r.swapped)
        if interface.divisor == 0:
            return broken(r, TSRESOL, interface.tsresol, 0)
        ticks = <uint64_t>file32(times, r.swapped) << 32 | file32(times + 4, r.swapped)
        p.time = scale_ticks(ticks, interface.multiplier, interface.divisor, interface.shift, interface.offset_s)
    else:
        # The snap length says how much of the packet was kept.
        wire = file32(lengths, r.swapped)
        captured = wire if interface.snaplen == 0 or wire < interface.snaplen else interface.snaplen
        p.time = NO_TIME
    if captured > room:
        return broken(r, CAPLEN_PAST_BLOCK, captured, room)
    if captured > MAX_CAPTURED:
        return broken(r, CAPLEN_TOO_BIG, captured, MAX_CAPTURED)
    p.data = data
    p.captured = captured
    p.wire = wire
    p.link_type = interface.link_type
    p.fcs = interface.fcs
    p.offset = r.base + <uint64_t>(data - r.buffer)
    p.direction = DIRECTION_UNKNOWN
    p.offload_flags = 0
    if times != NULL:           # a simple block has no options either
        packet_options(r, p, room)
    r.anomalies[TIME_OUT_OF_RANGE if times != NULL else WITHOUT_TIME] += p.time == NO_TIME
    r.anomalies[CAPTURED_OVER_WIRE] += captured > wire
    r.anomalies[CAPTURED_OVER_SNAPLEN] += captured > interface.snaplen and interface.snaplen != 0
    return RECORD

cdef inline uint32_t block_minimum(uint32_t kind) noexcept nogil:
    if kind == ENHANCED_PACKET:
        return ENHANCED_MINIMUM
    elif kind == INTERFACE_DESCRIPTION:
        return INTERFACE_MINIMUM
    elif kind == SECTION_HEADER:
        return SECTION_MINIMUM
    elif kind == OBSOLETE_PACKET:
        return OBSOLETE_MINIMUM
    elif kind == SIMPLE_PACKET:
        return SIMPLE_MINIMUM
    return BLOCK_MINIMUM

cdef inline Step byte_order(Reader* r, const uint8_t* at) noexcept nogil:
    """Set r.swapped from a section header: its byte order is that of the section, its own length included."""
    if available(r) < ORDER_MAGIC + 4:
        return more(r, BLOCK_CUT, SECTION_MINIMUM)
    r.swapped = False
    if file32(at + ORDER_MAGIC, False) != ORDER_MAGIC_VALUE:
        if file32(at + ORDER_MAGIC, True) != ORDER_MAGIC_VALUE:
            return broken(r, BYTE_ORDER_MAGIC, file32(at + ORDER_MAGIC, False), ORDER_MAGIC_VALUE)
        r.swapped = True
    return SKIPPED

cdef inline Step no_block(Reader* r, uint32_t kind, DamageCode code, uint64_t found, uint64_t wanted) noexcept nogil:
    """A block whose lengths cannot be: is it one of this format? A section may follow another."""
    if kind == SECTION_HEADER:
        return broken(r, code, found, wanted)
    return no_record(r, BLOCK_HEADER, code, found, wanted)

cdef inline Step pcapng_block(Reader* r, Packet* p) noexcept nogil:
    cdef const uint8_t* at = r.buffer + r.start
    cdef uint32_t kind, length, trailer
    cdef Step step
    if available(r) < BLOCK_HEADER:
        return more(r, BLOCK_CUT, BLOCK_MINIMUM)
    kind = file32(at, r.swapped)
    if kind == SECTION_HEADER:
        step = byte_order(r, at)
        if step != SKIPPED:
            return step
    length = file32(at + BLOCK_LENGTH, r.swapped)
    if length < block_minimum(kind):
        return no_block(r, kind, BLOCK_TOO_SHORT, length, block_minimum(kind))
    if length > MAX_BLOCK:
        return no_block(r, kind, BLOCK_TOO_LONG, length, MAX_BLOCK)
    if length & 3:
        return no_block(r, kind, BLOCK_MISALIGNED, length, 4)
    if available(r) < length:
        # The version of a pcap, and the end of the magic of a snoop file, can be a length too.
        if r.ended and kind != SECTION_HEADER and begins_capture(at):
            return broken(r, JOINED, 0, 0)
        return more(r, BLOCK_CUT, length)
    trailer = file32(at + length - BLOCK_TRAILER_SIZE, r.swapped)
    if trailer != length:
        return no_block(r, kind, BLOCK_TRAILER, trailer, length)
    # The whole block is in the window and as long as its kind needs: fixed fields need no further check below.
    if kind == ENHANCED_PACKET:
        step = packet_block(
            r, p, file32(at + 8, r.swapped), at + 20, at + 12, at + PACKET_DATA, length - ENHANCED_MINIMUM)
    elif kind == SIMPLE_PACKET:
        step = packet_block(r, p, 0, at + 8, NULL, at + SIMPLE_DATA, length - SIMPLE_MINIMUM)
    elif kind == OBSOLETE_PACKET:
        step = packet_block(
            r, p, file16(at + 8, r.swapped), at + 20, at + 12, at + PACKET_DATA, length - OBSOLETE_MINIMUM)
    elif kind == INTERFACE_DESCRIPTION:
        step = interface_description(r, at, length)
    elif kind == SECTION_HEADER:
        step = section_header(r, at)
    elif kind == INTERFACE_STATISTICS and length >= STATISTICS_MINIMUM:
        step = interface_statistics(r, at, length)
    else:
        step = SKIPPED
    if step == RECORD or step == SKIPPED:
        r.start += length
    return step

cdef inline uint32_t before_data(const Packet* p, bint swapped) noexcept nogil:
    """Bytes from the beginning of a block to the data of its packet. The captured length stands before the data; in a
    simple block, which has none, the length of the block does, which is larger."""
    return SIMPLE_DATA if file32(p.data - 8, swapped) > p.captured else PACKET_DATA
