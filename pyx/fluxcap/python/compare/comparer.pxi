# Two captures compared, for Python: a Watcher reads each, and a Comparer takes what they see side by side.

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

import os

from fluxcap.compare.account cimport CROSSED_END, CrossedRow, quantile
from fluxcap.compare.clock cimport CLOCK_TWO_WAYS
from fluxcap.compare.delays cimport Delays
from fluxcap.compare.matcher cimport Matcher
from fluxcap.compare.sighting cimport POINTS, Watch, free_watch, open_sightings, see
from fluxcap.compare.walk cimport (
    Coming, LINE, WALK_ENDED as WALK_ENDED_CODE, WALK_NO_MEMORY, WALK_WANTS_A as WALK_WANTS_A_CODE,
    WALK_WANTS_B as WALK_WANTS_B_CODE, WalkStop, accept_seen, begin_counting, end_counting, forget_coming,
    free_coming, free_walk, learn_again, open_coming, open_walk, walk)
from fluxcap.compare.ways cimport Way

WALK_WANTS_A, WALK_WANTS_B, WALK_ENDED = WALK_WANTS_A_CODE, WALK_WANTS_B_CODE, WALK_ENDED_CODE
CROSSINGS = ("arrived", "alone", "copy")
assert len(CROSSINGS) == CROSSED_END
CLOCK_BASES = ("unknown", "one way", "two ways")
assert len(CLOCK_BASES) == CLOCK_TWO_WAYS + 1

assert sizeof(Way) % LINE == 0

cdef Way way_
cdef CrossedRow crossed_


cdef tuple way_field(str name, void* at, size_t octets, str kind="u", int width=1):
    return field(name, <char*>at - <char*>&way_, octets, kind, width)


cdef tuple crossed_field(str name, void* at, size_t octets, str kind="u"):
    return field(name, <char*>at - <char*>&crossed_, octets, kind)


cdef tuple WAY_FIELDS = (
    way_field("protocol", &way_.ends.protocol, 4),
    way_field("src_ip", &way_.ends.src_ip, 16, "u", 16),
    way_field("src_port", &way_.ends.src_port, 2),
    way_field("dst_ip", &way_.ends.dst_ip, 16, "u", 16),
    way_field("dst_port", &way_.ends.dst_port, 2),
    way_field("stands", &way_.stands, 4),
    way_field("other", &way_.other, 4),
    way_field("back", &way_.back, 4),
    way_field("seen_at", &way_.seen_at, 1),
    way_field("from", &way_.from_, 1),
    way_field("first", &way_.first, 8, "i"),
    way_field("last", &way_.last, 8, "i"),
    way_field("seen_a", &way_.seen[0], 8),
    way_field("seen_b", &way_.seen[1], 8),
    way_field("bytes_a", &way_.octets[0], 8),
    way_field("bytes_b", &way_.octets[1], 8),
    way_field("alone_a", &way_.alone[0], 8),
    way_field("alone_b", &way_.alone[1], 8),
    way_field("copies_a", &way_.copies[0], 8),
    way_field("copies_b", &way_.copies[1], 8),
    way_field("arrived", &way_.arrived, 8),
    way_field("reordered", &way_.reordered, 8),
    way_field("changed", &way_.changed, 8),
    way_field("changed_good", &way_.changed_good, 8),
    way_field("uncompared", &way_.uncompared, 8),
    way_field("dscp_changed", &way_.remarked, 8),
    way_field("mss_changed", &way_.clamped, 8),
    way_field("mss_a", &way_.mss[0], 2),
    way_field("mss_b", &way_.mss[1], 2),
    way_field("hops_least", &way_.hops_least, 2, "i"),
    way_field("hops_most", &way_.hops_most, 2, "i"),
    way_field("variation", &way_.variation, 8, "f"),
    way_field("delay_min", &way_.delays.least, 8, "i"),
    way_field("delay_median", &way_.median, 8, "i"),
    way_field("delay_95", &way_.most_of_20, 8, "i"),
    way_field("delay_99", &way_.most_of_100, 8, "i"),
    way_field("delay_max", &way_.delays.most, 8, "i"),
)
cdef tuple CROSSED_FIELDS = (
    crossed_field("way", &crossed_.way, 4),
    crossed_field("outcome", &crossed_.outcome, 1),
    crossed_field("point", &crossed_.point, 1),
    crossed_field("marks", &crossed_.marks, 1),
    crossed_field("file_a", &crossed_.file[0], 4),
    crossed_field("packet_a", &crossed_.packet[0], 8),
    crossed_field("file_b", &crossed_.file[1], 4),
    crossed_field("packet_b", &crossed_.packet[1], 8),
    crossed_field("time_a", &crossed_.time[0], 8, "i"),
    crossed_field("time_b", &crossed_.time[1], 8, "i"),
    crossed_field("delay", &crossed_.delay, 8, "i"),
    crossed_field("payload_length", &crossed_.length, 4),
    crossed_field("verdict_a", &crossed_.verdict[0], 1),
    crossed_field("verdict_b", &crossed_.verdict[1], 1),
    crossed_field("ttl_a", &crossed_.ttl[0], 1),
    crossed_field("ttl_b", &crossed_.ttl[1], 1),
    crossed_field("tos_a", &crossed_.tos[0], 1),
    crossed_field("tos_b", &crossed_.tos[1], 1),
    crossed_field("mss_a", &crossed_.mss[0], 2),
    crossed_field("mss_b", &crossed_.mss[1], 2),
)


cdef class Watcher(Scanner):
    cdef Watch watch

    def __cinit__(self, **options):
        if not open_sightings(&self.watch.seen):
            raise MemoryError
        plan_pieces(&self.watch.pieces, &self.line)
        self.line.lane = False
        self.line.tap = see
        self.line.tapped = &self.watch

    def __dealloc__(self):
        free_watch(&self.watch)

    @property
    def seen(self):
        with self.claim:
            return self.watch.compared, self.watch.joined, self.watch.left_out


cdef class Comparer:
    cdef Claim claim
    cdef Matcher matcher
    cdef list watchers
    cdef Coming coming[POINTS]

    def __cinit__(self, int64_t window, *, bint rows=True, bint every=False):
        self.claim = Claim()
        seed = os.urandom(sizeof(self.matcher.key))
        memcpy(&self.matcher.key, <const char*>seed, sizeof(self.matcher.key))
        self.matcher.window = window
        self.matcher.account.every = every
        if rows:
            plan_columns(&self.matcher.account.rows, CROSSED_FIELDS)
        if not (open_walk(&self.matcher) and open_coming(&self.coming[0]) and open_coming(&self.coming[1])):
            raise MemoryError

    def __dealloc__(self):
        free_walk(&self.matcher)
        free_coming(&self.coming[0])
        free_coming(&self.coming[1])

    def watch(self, Watcher a not None, Watcher b not None):
        with self.claim:
            a.watch.key = b.watch.key = self.matcher.key
            self.watchers = [a, b]
            forget_coming(&self.coming[0])
            forget_coming(&self.coming[1])

    def take(self, uint32_t point):
        cdef Watcher watcher = self.watchers[point]
        with self.claim, watcher.claim:
            return accept_seen(&self.coming[point], &watcher.watch)

    def walk(self, bint a_ended, bint b_ended):
        cdef WalkStop stop
        with self.claim:
            with nogil:
                stop = walk(&self.matcher, &self.coming[0], &self.coming[1], a_ended, b_ended)
            if stop == WALK_NO_MEMORY:
                raise MemoryError("no room for more packets in flight")
            return <int>stop

    def learn_again(self):
        with self.claim:
            return learn_again(&self.matcher)

    def learned(self):
        with self.claim:
            if self.matcher.samples != NULL and not begin_counting(&self.matcher):
                raise MemoryError
            clock = self.matcher.clock
            return {"basis": CLOCK_BASES[clock.basis], "offset": clock.line.offset, "drift": clock.line.drift,
                    "origin": clock.origin, "drifts": bool(clock.drifts), "gap": clock.gap, "kind": clock.kind}

    def ways(self):
        with self.claim:
            end_counting(&self.matcher)
            return side_by_side(WAY_FIELDS, <char*>(self.matcher.ways.at + 1), sizeof(Way), self.matcher.ways.n - 1)

    def rows(self):
        with self.claim:
            return hand_over(&self.matcher.account.rows, CROSSED_FIELDS)

    def delays(self, shares):
        cdef const Delays* delays
        with self.claim:
            made = []
            for point in range(2):
                delays = &self.matcher.account.delays[point]
                made.append((delays.n, delays.least, delays.most,
                             [quantile(&self.matcher.account.octaves, delays, share) for share in shares]))
            return made

    @property
    def early(self):
        with self.claim:
            return self.matcher.account.early, self.matcher.account.earliest

    @property
    def most_in_flight(self):
        with self.claim:
            return self.matcher.flight.n - 1
