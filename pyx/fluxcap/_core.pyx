"""The compiled core's door to Python: buffers in, columns and totals out. Types and docstrings: _core.pyi."""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.buffer cimport PyBUF_WRITE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

import os

from fluxcap.bytes cimport net16
from fluxcap.capture.capture cimport fill_batch
from fluxcap.capture.pcap cimport MODIFIED_RECORD_HEADER
from fluxcap.capture.reader cimport (
    BROKEN, DAMAGES_END, DAMAGE_NONE, Damage, FORMAT_PCAP, FORMAT_PCAPNG, FORMAT_UNKNOWN, Interface, MAX_BLOCK, MORE,
    MORE_INTERFACES, RECORD, Reader, Step)
from fluxcap.checksum cimport KERNELS_MAX, KernelRow, SumJob, SumKernel, crc32c_update, fold, list_kernels, verify_batch
from fluxcap.columns cimport Columns, append_rows, collect_batch, free_columns, reserve_columns, resize_column
from fluxcap.decode cimport decode_packets
from fluxcap.filter cimport FilterProgram, Filters, Instruction, filter_batch, is_sound
from fluxcap.flows.count cimport close_rows, count_batch, merge_row
from fluxcap.flows.export cimport RECORDS_AT_ONCE, split_rows
from fluxcap.flows.key cimport ABSENT as NO_WORD
from fluxcap.flows.key cimport KeyPlan, WORD_DST_MAC, WORD_PORTS, WORD_SRC_MAC
from fluxcap.flows.table cimport FlowRecord, FlowRow, Flows, MAX_ROWS, drop_index, free_flows, open_unseen, reserve
from fluxcap.holding cimport Holding, free_holding, gather, held_count, needs_holding, open_holding, release
from fluxcap.layers.cursor cimport MAX_DEPTH
from fluxcap.memory cimport block_free, block_least
from fluxcap.quotation cimport quote_batch
from fluxcap.tally cimport Totals, tally_batch
from fluxcap.text.digits cimport SLACK
from fluxcap.text.rows cimport (
    CELL_ADDRESS, CELL_INT64, CELL_MAC, CELL_NAME, CELL_TEXT, CELL_TIME, CELL_UINT16, CELL_UINT32, CELL_UINT64,
    CELL_UINT8, Cells, Kind, Literal, NAME_WIDTH, Name, put_rows, widest)
from fluxcap.types cimport (
    ANOMALIES_END, BATCH, Batch, DISPOSITIONS_END, KEY_WORDS, Key, Packet, REASONS_END, TIME_WENT_BACK, VERDICTS_END)

cdef enum:
    # One read() into this much beats mapping the file: no page faults, and the copy stays in L2 (1 MiB and up today).
    WINDOW = 262144
    # A record or block that does not fit doubles the window, up to one block and the start of the next.
    MAX_WINDOW = 2 * MAX_BLOCK

VERDICTS = ("none", "good", "bad", "partial", "absent", "illegal", "truncated", "fragment", "bad_length")
DISPOSITIONS = ("counted", "non_ip", "unknown_link", "unknown_transport", "truncated_header", "malformed",
                "orphan_fragment", "filtered")
REASONS = ("none", "short_link", "short_ip", "short_extension", "short_transport", "wrong_version", "header_length",
           "total_length", "too_many_tags", "too_many_extensions", "too_many_layers")
DAMAGES = ("none", "empty", "not_a_capture", "file_header_cut", "unsupported_version", "reserved_link_bits",
           "record_header_cut", "record_cut", "caplen_too_big", "block_too_short", "block_too_long", "block_misaligned",
           "block_trailer", "block_cut", "no_interface", "too_many_interfaces", "caplen_past_block", "byte_order_magic",
           "tsresol")
ANOMALIES = ("captured_over_wire", "captured_over_snaplen", "fraction_over_second", "time_went_back",
             "tunnels_too_deep", "datagrams_evicted", "fragments_not_held", "option_overrun", "tsresol_length")
assert len(VERDICTS) == VERDICTS_END and len(DISPOSITIONS) == DISPOSITIONS_END and len(REASONS) == REASONS_END
assert len(DAMAGES) == DAMAGES_END and len(ANOMALIES) == ANOMALIES_END

WANTS_INPUT, ROWS_FULL, FLOWS_FULL, DAMAGED = 0, 1, 2, 3
cdef enum Outcome:
    OUTCOME_WANTS_INPUT
    OUTCOME_ROWS_FULL
    OUTCOME_FLOWS_FULL
    OUTCOME_DAMAGED
    OUTCOME_NO_MEMORY
    OUTCOME_WANTS_PROGRAM       # filter_batch() lacks one

include "fields.pxi"
include "handover.pxi"
include "kernels.pxi"
include "text.pxi"
include "dictionary.pxi"
include "arrow.pxi"
include "programs.pxi"


# Scanner ------------------------------------------------------------------------------------------------------------

cdef class Scanner:
    cdef Reader reader
    cdef Filters filters
    cdef Batch* batch
    cdef Columns columns
    cdef Holding holding
    cdef Flows flow_table
    cdef Totals* totals_
    cdef SumKernel kernel
    cdef tuple packet_fields
    cdef tuple flow_fields
    cdef object where
    cdef dict programs          # 1 + place in filters by (link type, swapped)
    cdef dict link_types        # of the inputs before this one
    cdef dict unknown_links
    cdef bint counts_flows
    cdef uint32_t max_depth
    cdef uint64_t row_limit
    cdef uint32_t file
    cdef bint begun

    def __cinit__(self, *, key=None, columns=(), verdicts=0xFFFFFFFF, row_limit=0, decap=True, where=None, file=0):
        self.batch = <Batch*>malloc(sizeof(Batch))
        self.totals_ = <Totals*>calloc(1, sizeof(Totals))
        self.reader.buffer = <uint8_t*>malloc(WINDOW)
        self.reader.capacity = WINDOW
        if self.batch == NULL or self.totals_ == NULL or self.reader.buffer == NULL:
            raise MemoryError
        self.grow_interfaces()
        self.kernel = chosen.run
        self.where = where
        self.programs = {}
        self.link_types = {}
        self.unknown_links = {}
        self.holding.decode = decode_packets
        seed = os.urandom(sizeof(uint64_t))
        memcpy(&self.holding.fragments.seed, <const char*>seed, sizeof(uint64_t))
        self.max_depth = MAX_DEPTH if decap else 0
        self.file = file
        self.row_limit = row_limit
        self.packet_fields = tuple([packet_field(name) for name in columns])
        plan_columns(&self.columns, self.packet_fields)
        self.columns.verdicts = verdicts
        self.flow_fields = ()
        if key is not None:
            self.counts_flows = True
            self.plan_flows(key)

    def __dealloc__(self):
        free(self.batch)
        free(self.totals_)
        free(self.reader.buffer)
        free(self.reader.interfaces)
        free_filters(&self.filters)
        free_columns(&self.columns)
        free_flows(&self.flow_table)
        free_holding(&self.holding)

    cdef int plan_flows(self, key) except -1:
        plan_key(&self.flow_table.plan, key)
        self.flow_table.stride = flow_stride(&self.flow_table.plan)
        self.flow_table.idle_timeout = key["idle_timeout"]
        self.flow_table.active_timeout = key["active_timeout"]
        self.flow_table.max_rows = min(key["max_flows"] or MAX_ROWS, MAX_ROWS)
        self.flow_fields = flow_fields(key)
        return 0

    cdef int grow_interfaces(self) except -1:
        cdef uint32_t wanted = self.reader.interfaces_room * 2 or 4
        cdef void* grown = realloc(self.reader.interfaces, wanted * sizeof(Interface))
        if grown == NULL:
            raise MemoryError
        self.reader.interfaces = <Interface*>grown
        self.reader.interfaces_room = wanted
        return 0

    def begin(self):
        cdef Reader* r = &self.reader
        if self.begun:
            self.link_types, self.unknown_links = self.count_link_types()
            self.file += 1
        self.begun = True
        self.filters.waiting = 0
        r.start = r.end = 0
        r.base = 0
        r.ended = False
        r.format = FORMAT_UNKNOWN
        r.swapped = False
        r.number = 0
        r.last_time = 0
        r.sections = 0
        r.section_interfaces = 0
        r.n_interfaces = 0
        memset(&r.damage, 0, sizeof(Damage))
        memset(r.interfaces, 0, sizeof(Interface))

    def space(self):
        cdef Reader* r = &self.reader
        cdef void* grown
        if r.start:
            memmove(r.buffer, r.buffer + r.start, r.end - r.start)
            r.base += r.start
            r.end -= r.start
            r.start = 0
        if r.end == r.capacity:
            if r.capacity >= MAX_WINDOW:
                raise RuntimeError("the window is full: run() has to come before more input")
            grown = realloc(r.buffer, r.capacity * 2)
            if grown == NULL:
                raise MemoryError
            r.buffer = <uint8_t*>grown
            r.capacity *= 2
        return PyMemoryView_FromMemory(<char*>r.buffer + r.end, r.capacity - r.end, PyBUF_WRITE)

    def advance(self, size_t n):
        if n > self.reader.capacity - self.reader.end:
            raise ValueError("more octets than space() had")
        self.reader.end += n

    def finish(self):
        self.reader.ended = True

    cdef int find_program(self, Interface* interface) except -1:
        """Give an interface the filter of its link type, compiled if it is the first of that type."""
        kind = interface.link_type, bool(interface.swapped)
        if kind not in self.programs:
            add_program(&self.filters, self.where(*kind))
            self.programs[kind] = self.filters.n
        interface.program = self.programs[kind]
        return 0

    def run(self):
        cdef Outcome outcome
        while True:
            with nogil:
                outcome = self.scan()
            if outcome == OUTCOME_NO_MEMORY:
                raise MemoryError("no room for more rows")
            if outcome == OUTCOME_WANTS_PROGRAM:
                self.find_program(&self.reader.interfaces[self.filters.lacking])
            elif outcome == OUTCOME_WANTS_INPUT and self.reader.n_interfaces == self.reader.interfaces_room:
                self.grow_interfaces()
            else:
                break
        if self.where is not None and not self.programs and self.reader.ended and self.reader.n_interfaces:
            # Where there is no record to apply it to, a wrong filter is wrong all the same.
            self.find_program(&self.reader.interfaces[0])
        return outcome

    cdef Outcome scan(self) noexcept nogil:
        """The whole data path, a batch at a time: capture, filter, decode, checksum, fragments, tables."""
        cdef Reader* r = &self.reader
        cdef Batch* batch = self.batch
        cdef Step step = RECORD
        cdef Outcome outcome
        cdef uint32_t limit = BATCH
        while True:
            if self.row_limit and self.columns.n + BATCH > self.row_limit:
                limit = <uint32_t>(self.row_limit - self.columns.n)
                if limit == 0:
                    return OUTCOME_ROWS_FULL
            if held_count(&self.holding):
                release(&self.holding, batch, limit, step == BROKEN or step == MORE and r.ended, r.anomalies)
            else:
                batch.n = 0
            if batch.n == 0:
                if step == BROKEN:
                    return OUTCOME_DAMAGED
                if step == MORE or step == MORE_INTERFACES:
                    return OUTCOME_WANTS_INPUT
                if self.filters.waiting:
                    batch.n = self.filters.waiting
                    self.filters.waiting = 0
                else:
                    step = fill_batch(r, batch, limit)
                if self.where is not None and not filter_batch(&self.filters, r, batch):
                    return OUTCOME_WANTS_PROGRAM
                decode_packets(batch.packets, batch.n, self.max_depth, self.file, r.anomalies)
                verify_batch(batch, self.kernel)
                if self.counts_flows and not quote_batch(&self.flow_table, batch, self.holding.decode, self.max_depth):
                    return OUTCOME_NO_MEMORY
                if needs_holding(&self.holding, batch):
                    if not open_holding(&self.holding):
                        return OUTCOME_NO_MEMORY
                    gather(&self.holding, batch, r.anomalies)
            outcome = self.count(batch)
            if outcome != OUTCOME_WANTS_INPUT:
                return outcome

    cdef Outcome count(self, Batch* batch) noexcept nogil:
        """Flows, ledger and columns of a batch that is decoded and judged."""
        cdef uint32_t whole = batch.n
        if self.counts_flows:
            if not reserve(&self.flow_table, BATCH):
                return OUTCOME_NO_MEMORY
            batch.n = count_batch(&self.flow_table, batch)
        tally_batch(batch, &self.reader, self.totals_)
        if self.columns.n_columns:
            if not reserve_columns(&self.columns, BATCH):
                return OUTCOME_NO_MEMORY
            collect_batch(&self.columns, batch)
        if batch.n < whole:
            close_rows(&self.flow_table)
            return OUTCOME_FLOWS_FULL
        return OUTCOME_WANTS_INPUT

    def take(self):
        return hand_over(&self.columns, self.packet_fields)

    def flows(self, bint last=False):
        return self.read_rows(&self.flow_table, last)

    def unseen(self):
        cdef Flows none
        if self.flow_table.unseen != NULL:
            return self.read_rows(self.flow_table.unseen, False)
        memset(&none, 0, sizeof(Flows))
        return self.read_rows(&none, False)

    cdef dict read_rows(self, Flows* f, bint last):
        cdef Columns c
        cdef FlowRecord* records = <FlowRecord*>malloc(RECORDS_AT_ONCE * sizeof(FlowRecord))
        memset(&c, 0, sizeof(Columns))
        plan_columns(&c, self.flow_fields)
        try:
            if records == NULL or not reserve_columns(&c, f.n):
                raise MemoryError
            with nogil:
                if last:
                    drop_index(f)
                split_rows(f, &c, records, last)
            return hand_over(&c, self.flow_fields)
        finally:
            free(records)
            free_columns(&c)

    def add_flows(self, dict columns, uint64_t n):
        cdef Columns c
        cdef FlowRecord record
        cdef const uint8_t[::1] view
        cdef uint64_t row
        cdef uint32_t i
        cdef Flows* f = &self.flow_table
        cdef list held = []     # the buffers stay alive, and their pointers valid, until the last row is read
        memset(&c, 0, sizeof(Columns))
        plan_columns(&c, self.flow_fields)
        for i in range(c.n_columns):
            view = columns[self.flow_fields[i][0]]
            if <uint64_t>view.shape[0] != n * c.size[i]:
                raise ValueError(f"{self.flow_fields[i][0]} has {view.shape[0]} octets, not {n} times {c.size[i]}")
            held.append(view)
            c.data[i] = <uint8_t*>&view[0] if n else NULL
        for row in range(n):
            memset(&record, 0, sizeof(FlowRecord))
            for i in range(c.n_columns):
                memcpy(<uint8_t*>&record + c.offset[i], c.data[i] + row * c.size[i], c.size[i])
            if not reserve(f, 1) or not (record.packets[0] or record.packets[1] or open_unseen(f)):
                raise MemoryError("no room for more rows")
            if not merge_row(f, &record):
                raise MemoryError(f"more than {f.max_rows} flows")

    @property
    def damage(self):
        if self.reader.damage.code == DAMAGE_NONE:
            return None
        return self.reader.damage

    cdef tuple count_link_types(self):
        """Records by link type: all of them, and those whose link type is not read."""
        cdef dict counts = dict(self.link_types), unknown = dict(self.unknown_links)
        cdef Interface* interface
        cdef uint32_t i
        for i in range(self.reader.n_interfaces):
            interface = &self.reader.interfaces[i]
            if interface.packets:
                counts[interface.link_type] = counts.get(interface.link_type, 0) + interface.packets
            if interface.unknown:
                unknown[interface.link_type] = unknown.get(interface.link_type, 0) + interface.unknown
        return counts, unknown

    def totals(self):
        cdef Totals* t = self.totals_
        cdef int i
        link_types, unknown_links = self.count_link_types()
        return {
            "packets": t.packets,
            "captured_octets": t.captured,
            "wire_octets": t.wire,
            "first": t.first,
            "last": t.last,
            "in_order": self.reader.anomalies[TIME_WENT_BACK] == 0,
            "dispositions": [(t.records[i], t.octets[i]) for i in range(DISPOSITIONS_END)],
            "reasons": [t.reasons[i] for i in range(REASONS_END)],
            "verdicts": {i: t.verdicts[i] for i in range(256) if any(t.verdicts[i])},
            "ip_verdicts": t.ip_verdicts,
            "gre_verdicts": t.gre_verdicts,
            "link_types": link_types,
            "unknown_links": unknown_links,
            "ip_versions": {i: t.ip_versions[i] for i in range(7) if t.ip_versions[i]},
            "anomalies": self.reader.anomalies,
        }

    def format(self):
        cdef Reader* r = &self.reader
        return {
            "name": {FORMAT_PCAP: "pcap", FORMAT_PCAPNG: "pcapng"}.get(r.format, ""),
            "variant": pcap_variant(r) if r.format == FORMAT_PCAP else "",
            "byte_order": byte_order_name(r.swapped),
            "sections": r.sections,
            "interfaces": [interface_row(&r.interfaces[i], r.format) for i in range(r.n_interfaces)],
        }
