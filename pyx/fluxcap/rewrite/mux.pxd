# Segments as the records of a pcap: the file header, and a record header before each.
# https://www.tcpdump.org/manpages/pcap-savefile.5.html

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from fluxcap.capture.pcap cimport FILE_HEADER, RECORD_HEADER
from fluxcap.capture.reader cimport MAX_CAPTURED
from fluxcap.layers.link cimport LINKTYPE_ETHERNET
from fluxcap.rewrite.segment cimport SegmentPlan, put_segment, segment_octets

cdef enum:
    SECONDS_END = 0x100000000   # a record header has 32 bits for the seconds: until 2106

cdef struct FileHeader:
    uint32_t magic
    uint16_t major
    uint16_t minor
    uint32_t zone
    uint32_t accuracy
    uint32_t snaplen
    uint32_t link_type

cdef struct RecordHeader:
    uint32_t seconds
    uint32_t fraction
    uint32_t captured
    uint32_t wire

cdef inline size_t put_file_header(uint8_t* at) noexcept nogil:
    """Write a file header in the byte order of this machine, with the magic number for ns. Returned: its size."""
    cdef FileHeader header = FileHeader(<uint32_t>0xA1B23C4DU, 2, 4, 0, 0, MAX_CAPTURED, LINKTYPE_ETHERNET)
    memcpy(at, &header, FILE_HEADER)
    return FILE_HEADER

cdef inline size_t put_record(const SegmentPlan* s, int64_t time, uint8_t* at) noexcept nogil:
    """Write a segment as a record; `time` in ns, 0 to SECONDS_END seconds. Returned: its size, header included."""
    cdef RecordHeader header
    header.seconds = <uint32_t>(time // 1000000000)
    header.fraction = <uint32_t>(time % 1000000000)
    header.captured = segment_octets(s)
    header.wire = header.captured + s.missing
    memcpy(at, &header, RECORD_HEADER)
    put_segment(s, at + RECORD_HEADER)
    return RECORD_HEADER + header.captured
