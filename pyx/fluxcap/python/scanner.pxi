# Reading captures into tables: bytes go in, rows and totals come out.

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

import os

from fluxcap.base.columns cimport free_columns
from fluxcap.base.times cimport NO_TIME as NO_TIME_VALUE
from fluxcap.base.tunnels cimport TUNNEL_KINDS_END, TunnelPorts, UDP_PORTS, set_tunnel
from fluxcap.base.types cimport Batch, Decoder, ERRORS_NOT_KEPT
from fluxcap.capture.reader cimport Damage, FORMAT_UNKNOWN, Interface, InterfaceCounts
from fluxcap.flows.connection cimport connections_stride
from fluxcap.flows.follow cimport follow
from fluxcap.flows.key cimport ABSENT as NO_WORD
from fluxcap.flows.roles cimport accepts, answers
from fluxcap.flows.table cimport Flows, MAX_ROWS, free_flows
from fluxcap.fragments.holding cimport free_holding
from fluxcap.layers.cursor cimport MAX_DEPTH
from fluxcap.layers.decode cimport decode_packets
from fluxcap.layers.udp_tunnel cimport set_registered
from fluxcap.names.learn cimport Names, free_names_of
from fluxcap.names.store cimport NAME_MAX
from fluxcap.pipeline.apart cimport RecordsApart, keep_apart
from fluxcap.pipeline.beside cimport free_beside
from fluxcap.pipeline.copies cimport COPY_WINDOW, free_copies, next_input
from fluxcap.pipeline.ledger cimport Totals, open_totals
from fluxcap.pipeline.scan cimport (
    OUTCOME_DAMAGED, OUTCOME_FLOWS_FULL, OUTCOME_NO_MEMORY, OUTCOME_WANTS_INPUT, OUTCOME_WANTS_PROGRAM, Outcome,
    Pipeline, may_take_lane, scan)
from fluxcap.tables.ended cimport take_ended
from fluxcap.tables.shards cimport errors_not_kept, free_shards, rows_in
from fluxcap.threads.crew cimport Crew, dismiss, hire, is_orphaned
from fluxcap.threads.share cimport broken_span, settle, share, share_file
from fluxcap.threads.trace cimport Trace, free_trace

WANTS_INPUT, ROWS_FULL, FLOWS_FULL, DAMAGED, UNLIKE, ENDED = 0, 1, 2, 3, 4, 5
assert DAMAGED == OUTCOME_DAMAGED


cdef class Scanner(Window):
    cdef Pipeline line
    cdef TunnelPorts* ports     # of UDP tunnels
    cdef RecordsApart apart            # the records that stand apart
    cdef Crew* crew             # NULL while one thread reads
    cdef Trace traced           # tasks of its crews; without room: none
    cdef tuple packet_fields
    cdef tuple flow_fields
    cdef tuple feature_fields   # features of a flow; empty if not asked for
    cdef tuple activity_fields  # activity of a flow; empty if not asked for
    cdef tuple first_fields     # first packets of a flow, and the name of its server; empty if not asked for
    cdef Names* names           # NULL: names are not looked for
    cdef object where
    cdef dict programs          # 1 + place in `filters`, by (link type, swapped)
    cdef dict link_types, unknown_links     # records by link type, in the inputs before this one
    cdef bint begun
    cdef bint out_of_memory     # in the middle of a batch, whose records are lost

    def __cinit__(self, *, key=None, columns=(), verdicts=0xFFFFFFFF, row_limit=0, max_octets=0, decap=True, tunnels=(),
                  where=None, inside=None, bint inner=False, file=0, uint32_t shards=1, bint resync=False,
                  bint dedupe=False, int64_t copy_window=0, bint fragments_apart=False, payload=None):
        cdef Pipeline* line = &self.line
        line.batch = <Batch*>malloc(sizeof(Batch))
        line.totals = <Totals*>calloc(1, sizeof(Totals))
        if line.batch == NULL or line.totals == NULL:
            raise MemoryError
        open_totals(line.totals)
        self.reader.anomalies = line.totals.anomalies
        self.read_past_damage(resync)
        line.kernel = chosen.run
        self.where = where
        line.filtered = where is not None and not inner
        if inside is not None:
            line.filters.inside = checked_program(inside)
        self.programs = {}
        self.link_types, self.unknown_links = {}, {}
        self.plan_decoder(decap, tunnels)
        seed = os.urandom(sizeof(uint64_t))
        memcpy(&line.holding.fragments.seed, <const char*>seed, sizeof(uint64_t))
        line.file = file
        line.row_limit = row_limit
        line.max_octets = max_octets
        payload, names = payload or (key or {}).get("payload"), (key or {}).get("server_names", False)
        if payload or names:
            line.beside = keep_beside(payload or (0, False, False), names)
        self.packet_fields = packet_fields(columns, payload)
        plan_packets(&line.columns, self.packet_fields)
        line.columns.verdicts = verdicts
        if dedupe or not COPY_COLUMNS.isdisjoint(columns):
            line.copies = look_for_copies(copy_window or COPY_WINDOW, dedupe)
        self.flow_fields = self.feature_fields = self.activity_fields = self.first_fields = ()
        if key is not None:
            line.counts_flows = True
            self.plan_flows(key)
            if shards > 1:
                plan_shards(line, shards)
        if fragments_apart and self.names != NULL:
            raise ValueError("names are looked for in the order of the records, and what stands apart has left it")
        if fragments_apart:
            line.apart = True
            line.tap = keep_apart
            line.tapped = &self.apart
            self.apart.reader = &self.reader
        line.lane = may_take_lane(line) and os.environ.get("FLUXCAP_LANE") != "0"

    def __dealloc__(self):
        # Do not call methods here: if Window.__cinit__ failed, the object has none yet.
        with nogil:
            dismiss(self.crew)
        free_trace(&self.traced)
        free_copies(self.line.copies)
        free_names_of(self.names)
        free_beside(self.line.beside)
        free(self.apart.octets)
        free(self.line.batch)
        free(self.line.totals)
        free(self.ports)
        free_filters(&self.line.filters)
        free_columns(&self.line.columns)
        free_shards(&self.line.flows)
        free_flows(&self.line.flows)
        free_holding(&self.line.holding)

    cdef int plan_decoder(self, bint decap, tunnels) except -1:
        cdef Decoder* decoder = &self.line.decoder
        self.ports = <TunnelPorts*>calloc(1, sizeof(TunnelPorts))
        if self.ports == NULL:
            raise MemoryError
        set_registered(self.ports)
        for port, kind in tunnels:
            if not (0 <= port < UDP_PORTS and 0 <= kind < TUNNEL_KINDS_END):
                raise ValueError(f"no port and kind of a tunnel: {port}, {kind}")
            set_tunnel(self.ports, port, kind)
        decoder.decode = decode_packets
        decoder.ports = self.ports
        decoder.max_depth = MAX_DEPTH if decap else 0
        self.line.holding.decoder = decoder
        return 0

    cdef int plan_flows(self, key) except -1:
        cdef Flows* flows = &self.line.flows
        plan_key(&flows.plan, key)
        flows.stride = flow_stride(&flows.plan)
        flows.idle_timeout[0] = key["idle_timeout"]
        flows.idle_timeout[1] = key.get("tcp_idle_timeout", key["idle_timeout"])
        flows.active_timeout = key["active_timeout"]
        flows.ends_tcp = key.get("ends_tcp", False)
        # A flow of one direction has no side that answers.
        if key.get("server_ports") and flows.plan.shape.biflow and flows.plan.shape.ports_at != NO_WORD:
            flows.servers = plan_servers(key["server_ports"])
            flows.answers = answers
        if key.get("connections"):
            self.plan_connections(key)
        flows.max_rows = min(key["max_flows"] or MAX_ROWS, MAX_ROWS)
        flows.max_octets = key.get("max_memory", 0)
        self.flow_fields = flow_fields(key)
        self.feature_fields, self.activity_fields, self.first_fields = plan_beside(flows, key)
        fields = self.flow_fields + self.feature_fields + self.activity_fields + self.first_fields
        flows.column_octets, flows.n_columns = sum([size for _, _, size, _, _ in fields]), len(fields)
        if key.get("server_names"):
            self.names = look_for_names(&self.line)
            flows.column_octets += NAME_MAX     # of the column of texts, whose width is that of the longest
        return 0

    cdef int plan_connections(self, key) except -1:
        cdef Flows* flows = &self.line.flows
        if flows.servers == NULL or "protocol" not in {name for name, _, _ in key["fields"]}:
            raise ValueError("connections need a key with protocol, addresses and ports, and server ports")
        flows.answers = accepts
        flows.connections_stride = connections_stride()
        flows.follow = follow
        flows.attempt_timeout = key.get("attempt_timeout", 0)
        flows.close_timeout = key.get("close_timeout", 0)
        flows.ignores_checksums = key.get("ignore_checksums", False)
        return 0

    def begin(self):
        with self.claim:
            self.dismiss_crew()
            if self.begun:
                self.link_types, self.unknown_links = self.count_link_types()
                self.line.file += 1
            self.begun = True
            self.line.filters.waiting = 0
            next_input(self.line.copies)
            self.line.totals.before = NO_TIME_VALUE
            self.line.earlier = self.line.totals.packets
            self.begin_input()

    cdef int find_program(self, Interface* interface) except -1:
        """Give an interface the filter of its link type. The first interface of a type compiles the filter."""
        kind = interface.link_type, bool(interface.swapped)
        if kind not in self.programs:
            add_program(&self.line.filters, self.where(*kind))
            self.programs[kind] = self.line.filters.n
        interface.program = self.programs[kind]
        return 0

    def run(self, uint32_t threads=1):
        with self.claim:
            return self.step(self.worth(threads))

    cdef uint32_t worth(self, uint32_t threads) noexcept:
        """How many of so many threads may read: copies and names are looked for among the records in their order, and
        what stands apart or is kept has a place in it."""
        return threads if self.line.copies == NULL and self.line.beside == NULL and not self.line.apart else 1

    cdef int step(self, uint32_t threads) except -1:
        """Process the bytes in the window with so many threads."""
        cdef Outcome outcome = OUTCOME_WANTS_INPUT
        cdef bint in_order = True
        if self.out_of_memory:
            raise MemoryError("memory ran out before: records are missing")
        self.check_crew()
        if threads > 1 and not self.reader.ended:
            self.take_back()
            outcome = self.share_window(threads, &in_order)
        if in_order or outcome != OUTCOME_WANTS_INPUT:
            outcome = self.settle_crew()
        if in_order and outcome == OUTCOME_WANTS_INPUT:
            outcome = self.scan_window()
        if outcome == OUTCOME_NO_MEMORY:
            self.out_of_memory = True
            raise MemoryError("no room for more rows")
        if outcome == OUTCOME_FLOWS_FULL:   # damage after the last record that counts may have been seen, or not
            memset(&self.reader.damage, 0, sizeof(Damage))
        return <int>outcome

    def read(self, int file, uint32_t threads=1):
        cdef int state
        cdef bint in_order = True       # the next bytes are for one thread
        threads = self.worth(threads)
        with self.claim:
            while True:
                state = self.step(1) if in_order else WANTS_INPUT
                if state != WANTS_INPUT or self.reader.ended:
                    return ENDED if state == WANTS_INPUT else state
                if threads > 1 and self.reader.format != FORMAT_UNKNOWN and self.hire_crew():
                    self.check_crew()
                    self.take_back()
                    with nogil:
                        state = share_file(self.crew, &self.reader, file, threads)
                    in_order = state != WANTS_INPUT or self.crew.in_order
                if in_order and state == WANTS_INPUT:
                    self.fill(file)
                PyErr_CheckSignals()

    cdef int check_crew(self) except -1:
        if self.crew != NULL and is_orphaned(self.crew):
            raise RuntimeError("a process that was forked has none of the threads that this reading goes on with")
        return 0

    cdef bint hire_crew(self) noexcept nogil:
        if self.crew == NULL:
            self.crew = hire(&self.line, &self.traced)
        return self.crew != NULL

    cdef Outcome share_window(self, uint32_t threads, bint* in_order) noexcept:
        """Hand out the bytes in the window. `in_order`: the rest of them is for one thread, after all bytes before."""
        with nogil:
            if not self.hire_crew():
                return OUTCOME_NO_MEMORY
            return share(self.crew, &self.reader, threads, in_order)

    cdef Outcome settle_crew(self) except *:
        """Wait until the tables contain everything that was handed out."""
        cdef Outcome outcome = OUTCOME_WANTS_INPUT
        self.check_crew()
        with nogil:
            if self.crew != NULL:
                outcome = settle(self.crew)
                if outcome == OUTCOME_DAMAGED:
                    self.reader.damage = broken_span(self.crew).reader.damage
        return outcome

    cdef void dismiss_crew(self) noexcept:
        with nogil:
            dismiss(self.crew)
        self.crew = NULL

    cdef Outcome scan_window(self) except *:
        cdef Outcome outcome
        while True:
            with nogil:
                outcome = scan(&self.line, &self.reader)
            if outcome == OUTCOME_WANTS_PROGRAM:
                self.find_program(&self.reader.interfaces[self.line.filters.lacking])
            elif outcome == OUTCOME_WANTS_INPUT and self.reader.n_interfaces == self.reader.interfaces_room:
                self.grow_interfaces()
            else:
                break
        if self.line.filtered and not self.programs and self.reader.ended and self.reader.n_interfaces:
            # A wrong filter is an error even if there are no records to apply it to.
            self.find_program(&self.reader.interfaces[0])
        return outcome

    def take(self):
        with self.claim:
            return hand_over(&self.line.columns, self.packet_fields)

    def take_apart(self):
        cdef bytes octets
        with self.claim:
            octets = (<char*>self.apart.octets)[:self.apart.n] if self.apart.n else b""
            self.apart.n = 0
            return octets

    cdef tuple fields_of(self, const Flows* f):
        """The fields of the columns that rows of this table have: of rows, features, activity, first packets."""
        beside = (self.feature_fields, self.activity_fields, self.first_fields)
        return (self.flow_fields, *(beside if f.features_stride else ((), (), ())))

    def flows(self, bint last=False, int64_t newest=NO_TIME_VALUE, int64_t[::1] order=None):
        with self.claim:
            self.settle_crew()
            if order is not None:
                arrange_rows(&self.line.flows, order, last)
            return read_rows(&self.line.flows, self.fields_of(&self.line.flows), newest, last, self.crew)

    def unseen(self):
        cdef Flows none
        with self.claim:
            self.settle_crew()
            memset(&none, 0, sizeof(Flows))
            unseen = &none if self.line.flows.unseen == NULL else self.line.flows.unseen
            return read_rows(unseen, self.fields_of(unseen), NO_TIME_VALUE, False)

    def ended(self, int64_t until):
        cdef Flows over
        cdef bint done
        with self.claim:
            self.settle_crew()
            if self.line.flows.n_shards:
                raise ValueError("rows leave one table only, not shards")
            if self.line.flows.connections_stride:
                raise ValueError("connections do not end before the input does")
            try:
                with nogil:
                    done = take_ended(&self.line.flows, &over, until)
                if not done:
                    raise MemoryError
                return read_rows(&over, self.fields_of(&self.line.flows), until, True)
            finally:
                free_flows(&over)

    def server_names(self, Column numbers not None):
        with self.claim:
            return name_column(&self.names.store, numbers)

    @property
    def open_flows(self):
        with self.claim:
            return rows_in(&self.line.flows)

    def add_flows(self, dict columns, uint64_t n, const uint64_t[::1] numbers=None):
        with self.claim:
            add_rows(&self.line.flows, self.flow_fields, columns, n, numbers)

    def numbers(self):
        with self.claim:
            return numbers_of(&self.line.flows)

    @property
    def limit(self):
        with self.claim:
            return "max_flows" if self.line.flows.n >= self.line.flows.max_rows else "max_memory"

    cdef tuple count_link_types(self):
        """Records by link type: all, and those of link types that fluxcap does not read."""
        cdef dict counts = dict(self.link_types), unknown = dict(self.unknown_links)
        cdef InterfaceCounts* there
        cdef uint32_t i
        for i in range(self.reader.n_interfaces):
            link_type, there = self.reader.interfaces[i].link_type, &self.reader.counts[i]
            if there.packets:
                counts[link_type] = counts.get(link_type, 0) + there.packets
            if there.unknown:
                unknown[link_type] = unknown.get(link_type, 0) + there.unknown
        return counts, unknown

    def totals(self):
        cdef Totals* t = self.line.totals
        with self.claim:
            self.settle_crew()
            t.anomalies[ERRORS_NOT_KEPT] = errors_not_kept(&self.line.flows)
            tell_names(t, self.names)
            link_types, unknown_links = self.count_link_types()
            return {**totals_of(t), "link_types": link_types, "unknown_links": unknown_links,
                    "rows_left_out": self.line.columns.left_out}

    def format(self):
        with self.claim:
            self.settle_crew()
            return self.describe()
