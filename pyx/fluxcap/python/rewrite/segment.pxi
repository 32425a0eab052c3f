# Making segments for Python, one by one or as the records of a pcap.

from cpython.buffer cimport PyBUF_READ
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from fluxcap.rewrite.mux cimport SECONDS_END, put_file_header, put_record
from fluxcap.rewrite.segment cimport SegmentPlan, longest_message, put_segment, segment_octets


cdef SegmentPlan plan_segment(const uint8_t[::1] message, const uint8_t[::1] src, uint16_t src_port,
                              const uint8_t[::1] dst, uint16_t dst_port, uint8_t protocol,
                              uint64_t missing=0) except *:
    """A plan with the fields that the message and the two ends decide. It points into the message and the addresses."""
    cdef SegmentPlan s
    memset(&s, 0, sizeof(SegmentPlan))
    if src.shape[0] != dst.shape[0] or src.shape[0] != 4 and src.shape[0] != 16:
        raise ValueError(f"addresses of {src.shape[0]} and {dst.shape[0]} bytes: both have to be IPv4, or both IPv6")
    s.src, s.dst, s.address_octets = &src[0], &dst[0], <uint32_t>src.shape[0]
    s.src_port, s.dst_port = src_port, dst_port
    s.protocol = protocol
    s.framed = s.atomic = True
    s.ttl = 64
    if <uint64_t>message.shape[0] > longest_message(&s) or missing > longest_message(&s) - <uint64_t>message.shape[0]:
        raise ValueError(f"a message of {message.shape[0] + missing:,} bytes does not fit into one packet,"
                         f" which holds {longest_message(&s):,}")
    s.length = <uint32_t>message.shape[0]
    s.missing = <uint32_t>missing
    s.message = &message[0] if s.length else NULL
    return s


def segment(const uint8_t[::1] message, const uint8_t[::1] src, uint16_t src_port, const uint8_t[::1] dst,
            uint16_t dst_port, *, uint8_t protocol, bint framed, uint8_t ttl, identification, uint32_t seq,
            uint32_t ack, uint8_t flags, uint16_t window):
    cdef SegmentPlan s = plan_segment(message, src, src_port, dst, dst_port, protocol)
    cdef bytes octets
    s.framed = framed
    s.ttl = ttl
    s.atomic = identification is None
    s.identification = identification or 0
    s.seq, s.ack, s.flags, s.window = seq, ack, flags, window
    octets = PyBytes_FromStringAndSize(NULL, segment_octets(&s))
    put_segment(&s, <uint8_t*><char*>octets)
    return octets


cdef enum:
    MUXED_AT_ONCE = 262144      # bytes of records, as many as are read at once
    LONGEST_RECORD = 65536 + 128    # more than the longest packet, its frame header and its record header


cdef class Muxer:
    """Writes a pcap of Ethernet frames, in the byte order of this machine, with nanoseconds."""

    cdef Claim claim
    cdef uint8_t* buffer
    cdef size_t used

    def __cinit__(self):
        self.claim = Claim()
        self.buffer = <uint8_t*>malloc(MUXED_AT_ONCE + LONGEST_RECORD)
        if self.buffer == NULL:
            raise MemoryError
        self.used = put_file_header(self.buffer)

    def __dealloc__(self):
        free(self.buffer)

    def add(self, const uint8_t[::1] message, uint64_t missing, int64_t time, const uint8_t[::1] src, uint16_t src_port,
            const uint8_t[::1] dst, uint16_t dst_port, uint8_t protocol):
        cdef SegmentPlan s = plan_segment(message, src, src_port, dst, dst_port, protocol, missing)
        with self.claim:
            if not 0 <= time < <int64_t>SECONDS_END * 1000000000:
                raise ValueError(f"a time of {time} ns since 1970 does not fit a pcap")
            if self.used >= MUXED_AT_ONCE:
                raise RuntimeError("the buffer is full: call take() before adding more")
            self.used += put_record(&s, time, self.buffer + self.used)
            return self.used >= MUXED_AT_ONCE

    def take(self):
        cdef size_t used
        with self.claim:
            used, self.used = self.used, 0
            return PyMemoryView_FromMemory(<char*>self.buffer, used, PyBUF_READ)
