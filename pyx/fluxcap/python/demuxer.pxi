# Demultiplexing for Python: a Scanner that also collects the bytes that its packets deliver.

from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

import os

from fluxcap.base.columns cimport Columns, append_rows, free_columns, reserve_columns
from fluxcap.base.types cimport BATCH
from fluxcap.pipeline.scan cimport Pipeline
from fluxcap.streams.datagram cimport incomplete_datagrams
from fluxcap.streams.deliveries cimport Deliveries, Gap, Message, Share, begin_anew, group
from fluxcap.streams.demux cimport Demux, end_streams, free_demux, tap
from fluxcap.streams.pieces cimport Pieces
from fluxcap.streams.stream cimport Stream, Streams

cdef Message message_
cdef Gap gap_
cdef Share share_
cdef Stream stream_


cdef tuple message_field(str name, void* at, size_t octets, str kind="u", int width=1):
    return field(name, <char*>at - <char*>&message_, octets, kind, width)


cdef tuple stream_field(str name, void* at, size_t octets, str kind="u", int width=1):
    return field(name, <char*>at - <char*>&stream_, octets, kind, width)


cdef tuple MESSAGE_FIELDS = (
    message_field("socket", &message_.socket, 4),
    message_field("time", &message_.time, 8, "i"),
    message_field("src_ip", &message_.src_ip, 16, "u", 16),
    message_field("src_port", &message_.src_port, 2),
    message_field("offset", &message_.offset, 8),
    message_field("length", &message_.length, 4),
    message_field("missing", &message_.missing, 4),
    message_field("verdict", &message_.verdict, 1),
    message_field("input", &message_.input, 4),
    message_field("packet", &message_.packet, 8),
)
cdef tuple GAP_FIELDS = (
    field("stream", <char*>&gap_.stream - <char*>&gap_, 4, "u"),
    field("side", <char*>&gap_.way - <char*>&gap_, 1, "u"),
    field("offset", <char*>&gap_.offset - <char*>&gap_, 8, "u"),
    field("length", <char*>&gap_.length - <char*>&gap_, 8, "u"),
)
cdef tuple SHARE_FIELDS = (
    field("number", <char*>&share_.number - <char*>&share_, 4, "u"),
    field("side", <char*>&share_.way - <char*>&share_, 1, "u"),
    field("protocol", <char*>&share_.protocol - <char*>&share_, 1, "u"),
    field("start", <char*>&share_.start - <char*>&share_, 8, "u"),
    field("length", <char*>&share_.length - <char*>&share_, 8, "u"),
)
cdef tuple STREAM_FIELDS = (
    stream_field("number", &stream_.number, 4),
    stream_field("side", &stream_.way, 1),
    stream_field("protocol", &stream_.ends.protocol, 4),
    stream_field("began", &stream_.began, 1),
    stream_field("src_ip", &stream_.ends.src_ip, 16, "u", 16),
    stream_field("src_port", &stream_.ends.src_port, 2),
    stream_field("dst_ip", &stream_.ends.dst_ip, 16, "u", 16),
    stream_field("dst_port", &stream_.ends.dst_port, 2),
    stream_field("ended", &stream_.ended, 1),
    stream_field("first", &stream_.first, 8, "i"),
    stream_field("last", &stream_.last, 8, "i"),
    stream_field("packets", &stream_.packets, 8),
    stream_field("messages", &stream_.messages, 8),
    stream_field("octets", &stream_.written, 8),
    stream_field("gaps", &stream_.gaps, 8),
    stream_field("gap_octets", &stream_.gap_octets, 8),
    stream_field("retransmitted", &stream_.retransmitted, 8),
    stream_field("overlapping", &stream_.overlapping, 8),
    stream_field("conflicting", &stream_.conflicting, 8),
    stream_field("out_of_order", &stream_.out_of_order, 8),
    stream_field("out_of_window", &stream_.out_of_window, 8),
    stream_field("keep_alives", &stream_.keep_alives, 8),
    stream_field("after_end", &stream_.after_end, 8),
    stream_field("outside_octets", &stream_.outside, 8),
    stream_field("refused", &stream_.refused, 8),
    stream_field("cut", &stream_.cut, 8),
)
SIDES = ("a", "b")
BEGINNINGS = ("not", "syn", "midstream", "messages")
ENDINGS = ("open", "fin", "rst")


cdef dict side_by_side(tuple fields, const char* structs, uint64_t stride, uint64_t n):
    """The fields of n structs as columns."""
    cdef Columns c
    cdef uint64_t i
    memset(&c, 0, sizeof(Columns))
    plan_columns(&c, fields)
    try:
        if not reserve_columns(&c, n):
            raise MemoryError
        for i in range(0, n, BATCH):
            append_rows(&c, structs + i * stride, stride, NULL, <uint32_t>min(n - i, <uint64_t>BATCH))
        return hand_over(&c, fields)
    finally:
        free_columns(&c)


cdef int plan_pieces(Pieces* pieces, Pipeline* line) except -1:
    """Have the fragments that a scanner reads put together."""
    seed = os.urandom(sizeof(uint64_t))
    memcpy(&pieces.datagrams.fragments.seed, <const char*>seed, sizeof(uint64_t))
    pieces.decoder = &line.decoder
    pieces.kernel = line.kernel
    pieces.anomalies = line.totals.anomalies
    return 0


cdef class Demuxer(Scanner):
    cdef Demux demux

    def __cinit__(self, **options):
        cdef Demux* d = &self.demux
        seed = os.urandom(sizeof(uint64_t))
        memcpy(&d.reassembly.table.seed, <const char*>seed, sizeof(uint64_t))
        plan_columns(&d.reassembly.out.messages, MESSAGE_FIELDS)
        plan_columns(&d.reassembly.out.gaps, GAP_FIELDS)
        plan_pieces(&d.pieces, &self.line)
        # Columns are made twice: of all streams, and of those that are listed.
        d.reassembly.table.column_octets = 2 * sum([size for _, _, size, _, _ in STREAM_FIELDS])
        self.line.lane = False
        self.line.tap = tap
        self.line.tapped = d

    def __dealloc__(self):
        free_demux(&self.demux)

    @property
    def keep_bad(self):
        with self.claim:
            return self.demux.keep_bad

    @keep_bad.setter
    def keep_bad(self, bint keep):
        with self.claim:
            self.demux.keep_bad = keep

    @property
    def max_octets(self):
        with self.claim:
            return self.demux.reassembly.table.max_octets

    @max_octets.setter
    def max_octets(self, uint64_t octets):
        with self.claim:
            self.demux.reassembly.table.max_octets = octets

    def end(self):
        cdef bint more
        with self.claim:
            with nogil:
                more = end_streams(&self.demux)
            if self.demux.reassembly.out.no_memory:
                raise MemoryError("no room for the delivered bytes")
            if self.demux.unbalanced:
                raise AssertionError(f"{self.demux.unbalanced} streams whose bytes do not add up: a bug in fluxcap")
            return more

    def delivered(self):
        cdef Deliveries* out = &self.demux.reassembly.out
        cdef bint done
        with self.claim:
            with nogil:
                done = group(out, self.demux.reassembly.table.streams)
            if not done:
                raise MemoryError("no room for the delivered bytes")
            octets = PyMemoryView_FromMemory(<char*>out.grouped, out.n_octets, PyBUF_READ)
            shares = side_by_side(SHARE_FIELDS, <char*>out.shares, sizeof(Share), out.n_shares)
            begin_anew(out)
            return octets, shares

    def messages(self):
        with self.claim:
            return hand_over(&self.demux.reassembly.out.messages, MESSAGE_FIELDS)

    def gaps(self):
        with self.claim:
            return hand_over(&self.demux.reassembly.out.gaps, GAP_FIELDS)

    def streams(self):
        cdef Streams* t = &self.demux.reassembly.table
        with self.claim:
            return side_by_side(STREAM_FIELDS, <char*>t.streams, sizeof(Stream), t.n)

    @property
    def left_out(self):
        with self.claim:
            return self.demux.left_out, self.demux.left_out_octets

    @property
    def incomplete(self):
        with self.claim:
            return incomplete_datagrams(&self.demux.pieces.datagrams)

    @property
    def refused_fragments(self):
        with self.claim:
            return self.demux.pieces.refused
