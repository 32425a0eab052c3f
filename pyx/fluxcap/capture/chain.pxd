# Where is the next record? The question of a reading that meets damage, and of one that begins in the middle of a file.
#
# Any bytes may look like a record header. But the length in a header leads to the next one, so records are a chain: an
# offset is believed when LINKS headers in a row are plausible, or when the chain ends exactly where the input does, and
# when the chain leads out of any record that may lie around it. A capture inside a packet is a chain too, and breaks
# where the packet ends; of two chains the one that leads further is that of the file. A pcapng block says its length at
# both ends, so there the block before a record also has to lead to it.
#
# Each offset is passed by one chain only (`seen`): a chain that meets another shares its fate. So a search takes time
# in proportion to the bytes searched, whatever they are.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.bytes cimport file16, file32
from fluxcap.capture.magic cimport ORDER_MAGIC, ORDER_MAGIC_VALUE, SECTION_HEADER, begins_capture, is_zero
from fluxcap.capture.pcap cimport (
    CAPTURED_LENGTH, FILE_HEADER, FRACTION, MODIFIED_RECORD_HEADER, SECONDS, SMALLER_IS_CAPTURED, WIRE_FIRST,
    WIRE_LENGTH, is_pcap, pcap_header)
from fluxcap.capture.pcapng cimport (
    BLOCK_HEADER, BLOCK_MINIMUM, BLOCK_TRAILER_SIZE, ENHANCED_MINIMUM, ENHANCED_PACKET, INTERFACE_DESCRIPTION,
    OBSOLETE_PACKET, SIMPLE_PACKET, block_minimum)
from fluxcap.capture.reader cimport FORMAT_PCAP, Framing, Interface, MAX_CAPTURED, Reader, SKIPPED

cdef enum:
    NO_OFFSET = -1              # as size_t: past every offset
    LINKS = 3                   # plausible headers in a row that make a chain
    # The longest wire length that is plausible: twice that of a Linux super-packet (BIG TCP, 512 KiB).
    MAX_WIRE = 1048576
    NEAR = 3600                 # seconds between neighbours that need no further proof
    USUAL = 2048                # captured lengths that need no further proof
    # Seconds of 1970. Most numbers in a packet are small: they are a time only in a file that has such times.
    EARLY = 31536000
    # The longest record or block in a chain. Longer blocks are read, but no search leads over them.
    LONGEST_LINK = MAX_CAPTURED + MODIFIED_RECORD_HEADER
    LONGEST_BLOCK = 2 * MAX_CAPTURED
    SEEN_WORDS = 2 * LONGEST_BLOCK // 64 + 1
    MAX_UNLIKE = 16             # beginnings of captures of another kind that one search looks at

cdef enum Oddity:               # bits: what a header may state, and hardly any does
    ODD_OVER_WIRE = 1           # a captured length over the wire length
    ODD_OVER_SNAPLEN = 2
    ODD_FRACTION = 4            # of a second, and over a second
    ODD_EMPTY = 8               # no byte is captured
    ODD_WIRE = 16               # a wire length over MAX_WIRE
    ODD_OR_NOT = 23             # all but ODD_EMPTY: sixteen bytes are easily mistaken for a record without a byte

cdef struct Header:             # of a pcap record
    uint32_t second
    uint32_t captured
    uint32_t wire
    uint32_t odd

cdef enum Fate:
    CHAIN_BREAKS
    CHAIN_GOES_ON               # past the limit
    CHAIN_ENDS                  # exactly at the end of the input
    CHAIN_IS_CUT                # in the middle of its last record, by the end of the input

cdef struct Chain:
    size_t start
    size_t reach                # offset behind its last record
    size_t until                # its records up to here need no further proof
    uint32_t links
    Fate fate
    # The first record near the time of the last one read, NO_OFFSET = none is. A capture in a packet has times of its
    # own, and its chain may end exactly where the packet does: then the file goes on where times are near again.
    size_t near

cdef struct Walk:               # how a chain is followed
    size_t limit                # a chain that comes here, or further, is long enough
    uint32_t loose              # oddities that are no objection
    bint timeless               # neither are times
    bint joins                  # a chain may end where another capture begins, as at the end of the input
    uint64_t* seen              # of the bytes from `origin` to `limit`; NULL: none
    size_t origin

cdef enum Search:
    SEARCH_FOUND
    SEARCH_NOTHING              # in the first longest() bytes
    SEARCH_WANTS_MORE           # bytes: search_needs() in all, or the end

cdef struct Found:
    size_t at                   # the record, or the file header of another capture
    size_t until                # records up to here need no further proof

# One header -----------------------------------------------------------------------------------------------------------

cdef inline size_t longest(const Framing* f) noexcept nogil:
    return LONGEST_LINK if f.format == FORMAT_PCAP else LONGEST_BLOCK

cdef inline size_t search_needs(const Framing* f) noexcept nogil:
    """Bytes that decide on an offset among the first longest(): a chain begins there, is followed for longest() bytes
    more, and has LINKS records."""
    return longest(f) * (2 + LINKS) + FILE_HEADER

cdef inline void read_header(const Framing* f, const uint8_t* at, Header* h) noexcept nogil:
    cdef uint32_t captured = file32(at + CAPTURED_LENGTH, f.swapped), wire = file32(at + WIRE_LENGTH, f.swapped)
    if f.lengths == WIRE_FIRST or f.lengths == SMALLER_IS_CAPTURED and captured > wire:
        captured, wire = wire, captured
    h.second = file32(at + SECONDS, f.swapped)
    h.captured = captured
    h.wire = wire
    h.odd = 0
    if captured > wire:
        h.odd |= ODD_OVER_WIRE
    if captured > f.snaplen and f.snaplen:
        h.odd |= ODD_OVER_SNAPLEN
    if file32(at + FRACTION, f.swapped) > f.fraction_max:
        h.odd |= ODD_FRACTION
    if captured == 0:
        h.odd |= ODD_EMPTY
    if wire > MAX_WIRE:
        h.odd |= ODD_WIRE

cdef inline bint is_padding(const Framing* f, const uint8_t* at, size_t there) noexcept nogil:
    """Zeros for longer than a record header: see odd_record()."""
    cdef size_t after = min(there - f.header, <size_t>f.header)
    return after and is_zero(at, f.header + after)

cdef inline bint is_possible(const Framing* f, const uint8_t* at, size_t there, const Header* h) noexcept nogil:
    """Would this header be read, where nothing is known of what follows it?"""
    return h.captured <= MAX_CAPTURED and not begins_capture(at) and not (
        h.captured == 0 and is_padding(f, at, there))

cdef inline bint is_near(uint32_t a, uint32_t b) noexcept nogil:
    return -NEAR <= <int64_t>a - b <= NEAR

cdef inline bint is_in_time(const Framing* f, const Header* h) noexcept nogil:
    """Is the time near that of the last record? That of 1970 is no proof."""
    return not f.timed or is_near(h.second, f.second) and h.second > EARLY

cdef inline bint is_whole(const Framing* f, const Header* h) noexcept nogil:
    """Was the packet captured whole, or cut as others were? Two lengths that agree are hardly chance."""
    return h.captured == h.wire or h.captured < h.wire and h.captured and (
        h.captured == f.snaplen or h.captured == f.cut)

cdef inline bint is_too_early(const Framing* f, const Header* h) noexcept nogil:
    return not is_whole(f, h) and f.timed and f.second > EARLY and h.second <= EARLY

cdef inline uint32_t objections(const Header* h, uint32_t loose, bint near) noexcept nogil:
    """Oddities that make a record doubtful. A whole packet in its time outweighs some of them."""
    return h.odd & ~loose & ~<uint32_t>(ODD_FRACTION | ODD_OVER_SNAPLEN if near and h.captured == h.wire else 0)

cdef inline bint is_sound(const Framing* f, const Header* h) noexcept nogil:
    """Does this header, where a record should begin, need no further proof?"""
    cdef bint near = not f.timed or is_near(h.second, f.second)
    return near and h.captured <= MAX_CAPTURED and is_whole(f, h) and objections(h, f.loose, f.timed) == 0

cdef inline bint is_large(const Framing* f, const Header* h) noexcept nogil:
    """Is this larger than all records before, and than a usual packet? A byte too many makes 16 KiB of 64 bytes."""
    return h.captured > max(f.largest, <uint32_t>USUAL)

cdef inline bint leads_on(const Framing* f, const uint8_t* at, const Header* before) noexcept nogil:
    """Is the header behind a sound one sound too?"""
    cdef Header h
    read_header(f, at, &h)
    return h.captured <= MAX_CAPTURED and is_near(h.second, before.second) and is_whole(f, &h) and \
        objections(&h, f.loose, True) == 0

cdef inline void learn(Framing* f, const Header* h) noexcept nogil:
    """A record was read: what it says of those that follow."""
    f.loose |= h.odd if not f.timed else h.odd & f.odd
    f.odd |= h.odd
    f.timed = True
    f.second = h.second
    f.largest = max(f.largest, h.captured)
    if h.captured < h.wire and h.captured != f.snaplen:
        f.cut = h.captured

cdef inline uint32_t plausible_block(const uint8_t* at, size_t there, bint* swapped) noexcept nogil:
    """The length of the block, 0 = there is none. A section header sets the byte order."""
    cdef uint32_t kind, length
    if there < BLOCK_MINIMUM:
        return 0
    kind = file32(at, swapped[0])
    if kind == SECTION_HEADER:
        swapped[0] = file32(at + ORDER_MAGIC, False) != ORDER_MAGIC_VALUE
        if file32(at + ORDER_MAGIC, swapped[0]) != ORDER_MAGIC_VALUE:
            return 0
    length = file32(at + 4, swapped[0])
    if length < block_minimum(kind) or length > LONGEST_BLOCK or length & 3 or length > there:
        return 0
    if file32(at + length - BLOCK_TRAILER_SIZE, swapped[0]) != length:
        return 0
    if kind == ENHANCED_PACKET or kind == OBSOLETE_PACKET:
        if file32(at + 20, swapped[0]) > length - ENHANCED_MINIMUM:
            return 0
    return length

cdef inline bint may_begin(const Framing* f, const uint8_t* at, size_t there) noexcept nogil:
    """pcapng: can the reading go on at this block? Only at one of a known kind, which random bytes seldom are."""
    cdef uint32_t kind
    if there < BLOCK_MINIMUM:
        return False
    kind = file32(at, f.swapped)
    if kind == SECTION_HEADER:
        return True
    if f.sections_only:
        return False
    if kind == ENHANCED_PACKET:
        return file32(at + BLOCK_HEADER, f.swapped) < f.interfaces
    if kind == OBSOLETE_PACKET:
        return file16(at + BLOCK_HEADER, f.swapped) < f.interfaces
    return kind == INTERFACE_DESCRIPTION or kind == SIMPLE_PACKET and f.interfaces > 0

# A chain --------------------------------------------------------------------------------------------------------------

cdef inline bint is_last(const uint8_t* octets, size_t n, size_t end) noexcept nogil:
    """Does the input end, or another capture begin, behind a record?"""
    return end == n or n - end >= FILE_HEADER and begins_capture(octets + end)

cdef inline bint pass_by(const Walk* w, size_t at) noexcept nogil:
    """Mark an offset; False if another chain has passed it."""
    cdef size_t place = at - w.origin
    cdef uint64_t bit = <uint64_t>1 << (place & 63)
    if w.seen == NULL or at >= w.limit:
        return True
    if w.seen[place >> 6] & bit:
        return False
    w.seen[place >> 6] |= bit
    return True

cdef inline size_t next_pcap(const Framing* f, const Walk* w, const uint8_t* at, size_t there, Chain* c,
                             Header* before) noexcept nogil:
    """The size of the record; 0 = none is here."""
    cdef Header h
    cdef bint near, alone = c.links == 0 and not f.timed    # there is no time to compare with
    if there < f.header:
        return 0
    read_header(f, at, &h)
    near = not alone and is_near(h.second, before.second if c.links else f.second)
    if objections(&h, w.loose, near) or not is_possible(f, at, there, &h):
        return 0
    # Whole packets may follow each other at any time: a file of several captures has gaps.
    if not (near or alone or w.timeless) and not (
            h.second > EARLY and is_whole(f, &h) and (c.links == 0 or is_whole(f, before))):
        return 0
    if is_large(f, &h):
        c.until = min(c.until, c.reach)
    if c.near == <size_t>NO_OFFSET and is_near(h.second, f.second):
        c.near = c.reach
    before[0] = h
    return f.header + h.captured

cdef inline Chain follow(const Framing* f, const Walk* w, const uint8_t* octets, size_t n, size_t start) noexcept nogil:
    """Follow the chain that begins at an offset."""
    cdef Chain c
    cdef Header before
    cdef bint swapped = f.swapped
    cdef size_t size, last = start
    memset(&before, 0, sizeof(Header))
    c.start = c.reach = start
    c.until = <size_t>NO_OFFSET
    c.near = <size_t>NO_OFFSET if f.timed else start
    c.links = 0
    c.fate = CHAIN_BREAKS
    while True:
        if c.links and (c.reach == n or w.joins and is_last(octets, n, c.reach)):
            c.fate = CHAIN_ENDS
            break
        if c.links >= LINKS and c.reach >= w.limit:
            c.fate = CHAIN_GOES_ON
            break
        if f.format == FORMAT_PCAP:
            size = next_pcap(f, w, octets + c.reach, n - c.reach, &c, &before)
        else:
            size = plausible_block(octets + c.reach, n - c.reach, &swapped)
        if size == 0 or not pass_by(w, c.reach):
            break
        c.links += 1
        if size > n - c.reach:      # the input ends inside this record
            c.fate = CHAIN_IS_CUT if c.links >= LINKS else CHAIN_BREAKS
            break
        last = c.reach
        c.reach += size
    c.until = min(c.until, last if c.fate == CHAIN_BREAKS else c.reach)
    return c

cdef inline void open_framing(const Reader* r, Framing* f) noexcept nogil:
    """What the file header that was read says of the records."""
    memset(f, 0, sizeof(Framing))
    f.format = r.format
    f.swapped = r.swapped
    f.header = r.record_header
    f.lengths = r.lengths
    f.fraction_max = r.fraction_max
    f.snaplen = r.interfaces[r.section_interfaces].snaplen
    f.link_type = r.interfaces[r.section_interfaces].link_type
    f.interfaces = r.n_interfaces - r.section_interfaces

cdef inline bint read_file_header(const uint8_t* at, Framing* f) noexcept nogil:
    """What the file header of a pcap says; False if there is none here."""
    cdef Reader r
    cdef Interface interface
    memset(&r, 0, sizeof(Reader))
    memset(&interface, 0, sizeof(Interface))
    r.buffer = <uint8_t*>at
    r.end = FILE_HEADER
    r.ended = True
    r.interfaces = &interface
    r.swapped = not is_pcap(file32(at, False), &r)
    if r.swapped and not is_pcap(file32(at, True), &r) or pcap_header(&r) != SKIPPED:
        return False
    r.format = FORMAT_PCAP
    open_framing(&r, f)
    return True

cdef inline bint is_like(const Framing* a, const Framing* b) noexcept nogil:
    """Can records of the one file be read as records of the other?"""
    return a.format == b.format and a.swapped == b.swapped and a.header == b.header and a.lengths == b.lengths and \
        a.fraction_max == b.fraction_max and a.link_type == b.link_type

cdef inline bint find_joined(const Framing* f, const Walk* w, const uint8_t* octets, size_t n, size_t at,
                             uint32_t* unlike, Found* found) noexcept nogil:
    """Does another capture begin here? One that is longer than any packet lies in none."""
    cdef Framing other
    cdef Walk alone = w[0]
    cdef Chain c
    if not read_file_header(octets + at, &other):
        return False
    other.timed = f.timed
    other.second = f.second
    if not is_like(f, &other):
        unlike[0] += 1
        if unlike[0] > MAX_UNLIKE:
            return False
        alone.seen = NULL
    c = follow(&other, &alone, octets, n, at + FILE_HEADER)
    if c.fate == CHAIN_BREAKS:              # it lies in a packet: no record of it is one of the file
        if alone.seen == NULL and follow(f, &alone, octets, n, at + FILE_HEADER).fate == CHAIN_BREAKS:
            follow(f, w, octets, n, at + FILE_HEADER)
        return False
    found.at = found.until = at
    if c.near != <size_t>NO_OFFSET and c.near > c.start:     # it lies in a packet that ends where it does
        found.at = c.near
        found.until = c.until
        return is_like(f, &other)
    # One of the same kind that is short may lie in the last packet. Of another kind only its file header tells.
    return c.fate == CHAIN_GOES_ON or alone.seen == NULL

cdef inline size_t search_led_to(const Framing* f, const uint8_t* octets, size_t n, size_t origin) noexcept nogil:
    """pcapng: the block behind the one at `origin`, by the length at the end of that; NO_OFFSET = none is."""
    cdef size_t at
    cdef bint swapped
    for at in range(origin + BLOCK_MINIMUM, min(origin + LONGEST_BLOCK, n), 4):
        swapped = f.swapped
        if file32(octets + at - BLOCK_TRAILER_SIZE, swapped) == at - origin and may_begin(f, octets + at, n - at) and \
                plausible_block(octets + at, n - at, &swapped):
            return at
    return <size_t>NO_OFFSET

cdef inline Search search_record(const Framing* f, uint64_t* seen, const uint8_t* octets, size_t n, size_t start,
                                 size_t stop, bint ended, Found* found) noexcept nogil:
    """Find the first record among the offsets from `start` to `stop`, the first longest() of them at most. `ended`: the
    input ends with these n bytes."""
    cdef Walk walk
    cdef Chain c, best, far
    cdef size_t at
    cdef uint32_t unlike = 0
    if not ended and n - start < search_needs(f):
        return SEARCH_WANTS_MORE
    walk = Walk(start + 2 * longest(f), f.loose, False, False, seen, start)
    memset(seen, 0, SEEN_WORDS * sizeof(uint64_t))
    memset(&best, 0, sizeof(Chain))
    memset(&far, 0, sizeof(Chain))
    far.near = min(stop, start + longest(f), n)
    for at in range(start, far.near):
        if best.links and at >= best.reach + BLOCK_MINIMUM or at >= far.near:
            break
        if f.format == FORMAT_PCAP:
            if n - at >= FILE_HEADER and begins_capture(octets + at) and \
                    find_joined(f, &walk, octets, n, at, &unlike, found):
                if best.links:
                    break
                return SEARCH_FOUND
        elif not may_begin(f, octets + at, n - at):
            continue
        c = follow(f, &walk, octets, n, at)
        if best.links and c.links and at == best.reach:
            break               # the chain goes on by another clock
        if c.fate != CHAIN_BREAKS and (
                c.near == c.start or c.near == <size_t>NO_OFFSET and far.links == 0 and best.links == 0):
            found.at = c.start
            found.until = c.until
            return SEARCH_FOUND
        if c.fate != CHAIN_BREAKS and c.near < far.near:
            far = c             # another may come to the same records, by nearer ones
            memset(seen, 0, SEEN_WORDS * sizeof(uint64_t))
        elif c.links >= LINKS and c.reach > best.reach and c.near == c.start:
            best = c
    if best.links:
        found.at = best.start
        found.until = best.until
        return SEARCH_FOUND
    if far.links:
        found.at = far.near
        found.until = far.until
        return SEARCH_FOUND
    return SEARCH_NOTHING
