# From bytes to records: which format does an input have, and what are its next packets? Captures that `cat` joined are
# one input, whose parts are like the sections of a pcapng.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.bytes cimport be32, file32
from fluxcap.base.types cimport Batch, Packet
from fluxcap.capture.magic cimport SECTION_HEADER, SNOOP_MAGIC, is_snoop
from fluxcap.capture.merged cimport fill_merged
from fluxcap.capture.pcap cimport (
    CAPTURED_FIRST, RECORD_HEADER, Usual, is_pcap, is_usual, pcap_header, pcap_record, usual_of, usual_record)
from fluxcap.capture.pcapng cimport BLOCK_LENGTH, before_data, pcapng_block
from fluxcap.capture.reader cimport (
    BROKEN, Damage, EMPTY, FILE_HEADER_CUT, FORMAT_MERGED, FORMAT_PCAP, FORMAT_PCAPNG, FORMAT_SNOOP, FORMAT_UNKNOWN,
    Interface, InterfaceCounts, JOINED, JOINED_CUT, MAX_INTERFACES, MORE, MORE_INTERFACES, NOT_A_CAPTURE, RECORD,
    Reader, SKIPPED, STRAY, Step, TOO_MANY_INTERFACES, available, broken, more, position)
from fluxcap.capture.resync cimport resync_step
from fluxcap.capture.snoop cimport SNOOP_RECORD_HEADER, SNOOP_RECORD_LENGTH, snoop_header, snoop_record

cdef enum:
    MAGIC = 4                   # bytes that tell one format from another
    SMALLEST_FILE_HEADER = 24

cdef inline Step probe(Reader* r) noexcept nogil:
    """Which format is this? One row a format: its test, then what reads its file header."""
    cdef const uint8_t* at = r.buffer + r.start
    if available(r) < MAGIC:
        if r.ended and available(r) == 0:
            return broken(r, EMPTY, 0, 0)
        return more(r, FILE_HEADER_CUT, SMALLEST_FILE_HEADER)
    if file32(at, False) == SECTION_HEADER:
        r.format = FORMAT_PCAPNG
        return SKIPPED
    if be32(at) == SNOOP_MAGIC:
        step = snoop_header(r)
        if step == SKIPPED:
            r.format = FORMAT_SNOOP
        return step
    r.swapped = not is_pcap(file32(at, False), r)
    if not r.swapped or is_pcap(file32(at, True), r):
        step = pcap_header(r)
        if step == SKIPPED:
            r.format = FORMAT_PCAP
        return step
    return broken(r, NOT_A_CAPTURE, be32(at), 0)

cdef inline bint is_same(const Interface* a, const Interface* b) noexcept nogil:
    """Do the file headers of two pcaps describe the same interface?"""
    return a.link_type == b.link_type and a.fcs == b.fcs and a.snaplen == b.snaplen and a.swapped == b.swapped and \
        a.multiplier == b.multiplier

cdef inline Step begin_joined(Reader* r) noexcept nogil:
    """Another capture begins where a record should. A file header that can begin an input is believed here too, since
    no record has these bytes, and says how all that follows is read. Before and behind a snoop file none is."""
    cdef int format = r.format
    cdef uint32_t before = r.section_interfaces
    cdef uint64_t offset = position(r)
    cdef Step step
    if format == FORMAT_SNOOP or is_snoop(r.buffer + r.start):
        return BROKEN
    memset(&r.damage, 0, sizeof(Damage))
    if r.n_interfaces == MAX_INTERFACES:
        return broken(r, TOO_MANY_INTERFACES, r.n_interfaces, MAX_INTERFACES)
    if r.n_interfaces == r.interfaces_room:
        return MORE_INTERFACES
    if available(r) < SMALLEST_FILE_HEADER:
        return more(r, JOINED_CUT, SMALLEST_FILE_HEADER)
    r.section_interfaces = r.n_interfaces
    step = probe(r)
    if step != SKIPPED:
        r.section_interfaces = before
        return step
    if r.n_interfaces > r.section_interfaces:       # a pcap has one, a pcapng describes them later
        memset(&r.counts[r.section_interfaces], 0, sizeof(InterfaceCounts))
        if format == FORMAT_PCAP and is_same(&r.interfaces[before], &r.interfaces[r.section_interfaces]):
            r.n_interfaces = r.section_interfaces
            r.section_interfaces = before
    if r.resync != NULL:
        r.resync.framing.format = FORMAT_UNKNOWN    # it is learned anew
    if r.joined == 0:
        r.joined_packet = r.number
        r.joined_offset = offset
    r.joined += 1
    return SKIPPED

cdef inline Step step_in_format(Reader* r, Packet* p) noexcept nogil:
    if r.resync != NULL and (r.format == FORMAT_PCAP or r.format == FORMAT_PCAPNG):
        return resync_step(r, p)
    if r.format == FORMAT_PCAP:
        return pcap_record(r, p, r.swapped, r.lengths, r.record_header)
    if r.format == FORMAT_PCAPNG:
        return pcapng_block(r, p) if available(r) else MORE
    if r.format == FORMAT_SNOOP:
        return snoop_record(r, p)
    return probe(r)

cdef inline Step next_step(Reader* r, Packet* p) noexcept nogil:
    """Move past the next record, or past something that is not a record."""
    cdef Step step = step_in_format(r, p)
    return begin_joined(r) if step == BROKEN and r.damage.code == JOINED else step

cdef inline Step next_record(Reader* r, Packet* p) noexcept nogil:
    cdef Step step = SKIPPED
    while step == SKIPPED or step == STRAY:
        step = next_step(r, p)
    return step

cdef inline const uint8_t* record_of(const Reader* r, const Packet* p, uint64_t* n) noexcept nogil:
    """Where the record of a packet in the window begins, and its bytes: of the format and byte order that the reader
    has now. If another section or capture has begun since, that is no record, and perhaps none in the window: 0."""
    cdef uint64_t at = <uint64_t>(p.data - r.buffer), before = r.record_header, length
    if r.format == FORMAT_PCAPNG:
        before = before_data(p, r.swapped)
    elif r.format == FORMAT_SNOOP:
        before = SNOOP_RECORD_HEADER
    n[0] = 0
    if at < before:
        return NULL
    at -= before
    length = before + p.captured
    if r.format == FORMAT_PCAPNG:
        length = file32(r.buffer + at + BLOCK_LENGTH, r.swapped)
    elif r.format == FORMAT_SNOOP:
        length = be32(r.buffer + at + SNOOP_RECORD_LENGTH)
    if length <= r.end - at:
        n[0] = length
    return r.buffer + at

cdef inline void fill_usual(Reader* r, Batch* batch, uint32_t limit) noexcept nogil:
    """Put the next records of a usual pcap into the batch, up to the first that is odd in any way. What the loop reads
    of the reader is kept beside it: the compiler cannot know that a packet is no part of the reader."""
    cdef Usual usual = usual_of(r)
    cdef const uint8_t* buffer = r.buffer
    cdef const uint8_t* at = buffer + r.start
    cdef const uint8_t* until = buffer + r.end - RECORD_HEADER
    cdef Packet* p = &batch.packets[batch.n]
    cdef Packet* last = &batch.packets[limit]
    cdef uint64_t number = r.number, base = r.base
    cdef const uint8_t* next
    if available(r) < RECORD_HEADER:
        return
    while p < last:
        next = usual_record(&usual, at, until, base + <uint64_t>(at - buffer), p)
        if next == NULL:
            break
        at = next
        number += 1
        p.number = number
        p += 1
    r.start = <size_t>(at - buffer)
    r.number = number
    batch.n = <uint32_t>(p - batch.packets)

cdef inline Step fill_records(Reader* r, Batch* batch, uint32_t limit, bint usual) noexcept nogil:
    cdef Step step = RECORD
    cdef Packet* p
    while batch.n < limit:
        if usual:
            fill_usual(r, batch, limit)
            if batch.n == limit:
                break
        p = &batch.packets[batch.n]
        step = pcap_record(r, p, False, CAPTURED_FIRST, RECORD_HEADER) if usual else next_record(r, p)
        if step != RECORD:
            return step
        batch.n += 1
        r.number += 1
        p.number = r.number
        p.refused = False
    return step

cdef inline Step fill_batch(Reader* r, Batch* batch, uint32_t limit) noexcept nogil:
    """Put up to `limit` records into the batch. Returns the step that ended it; RECORD: the batch is full."""
    cdef Step step
    batch.n = 0
    if r.format == FORMAT_MERGED:
        return fill_merged(r, batch, limit)
    if is_usual(r) and r.resync == NULL:
        step = fill_records(r, batch, limit, True)
        if step != BROKEN or r.damage.code != JOINED:
            return step
    return fill_records(r, batch, limit, False)
