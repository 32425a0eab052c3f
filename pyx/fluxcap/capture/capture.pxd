# From bytes to records: which format does an input have, and what are its next packets?

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport be32, file32
from fluxcap.base.types cimport Batch, Packet
from fluxcap.capture.magic cimport SECTION_HEADER, SNOOP_MAGIC
from fluxcap.capture.merged cimport fill_merged
from fluxcap.capture.pcap cimport (
    CAPTURED_FIRST, RECORD_HEADER, Usual, is_pcap, is_usual, pcap_header, pcap_record, usual_of, usual_record)
from fluxcap.capture.pcapng cimport pcapng_block
from fluxcap.capture.reader cimport (
    EMPTY, FILE_HEADER_CUT, FORMAT_MERGED, FORMAT_PCAP, FORMAT_PCAPNG, FORMAT_SNOOP, MORE, NOT_A_CAPTURE, RECORD,
    Reader, SKIPPED, STRAY, Step, available, broken, more)
from fluxcap.capture.resync cimport resync_step
from fluxcap.capture.snoop cimport snoop_header, snoop_record

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

cdef inline Step next_step(Reader* r, Packet* p) noexcept nogil:
    """Move past the next record, or past something that is not a record."""
    if r.resync != NULL and (r.format == FORMAT_PCAP or r.format == FORMAT_PCAPNG):
        return resync_step(r, p)
    if r.format == FORMAT_PCAP:
        return pcap_record(r, p, r.swapped, r.lengths, r.record_header)
    if r.format == FORMAT_PCAPNG:
        return pcapng_block(r, p) if available(r) else MORE
    if r.format == FORMAT_SNOOP:
        return snoop_record(r, p)
    return probe(r)

cdef inline Step next_record(Reader* r, Packet* p) noexcept nogil:
    cdef Step step = SKIPPED
    while step == SKIPPED or step == STRAY:
        step = next_step(r, p)
    return step

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
    batch.n = 0
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
    if is_usual(r) and r.resync == NULL:
        return fill_records(r, batch, limit, True)
    if r.format == FORMAT_MERGED:
        return fill_merged(r, batch, limit)
    return fill_records(r, batch, limit, False)
