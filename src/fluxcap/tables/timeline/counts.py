"""What a timeline counts: packets as they are read and the connections that they make, or the flows of a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np

from fluxcap._core import NO_TIME, RESENT, SHAKEN, VERDICTS
from fluxcap.capture.inputs import Captures, expand
from fluxcap.plan.flow_plan import FLOW, FlowPlan
from fluxcap.tables.flows import FlowTable, collect_from_flows, flow_metadata
from fluxcap.tables.gathering import by_batch, gather
from fluxcap.tables.timeline.connections import Connections, Trips
from fluxcap.tables.timeline.intervals import EVERY, UNTIMED, Cells, Span, Tally, filled
from fluxcap.values.arrays import Array, kinds, medians
from fluxcap.values.names import TIMELINE_FLOWS
from fluxcap.values.units import BITS_PER_OCTET, NS_PER_SECOND

if TYPE_CHECKING:
    from fluxcap.capture.reading import Reading
    from fluxcap.plan.read_options import ReadOptions
    from fluxcap.tables.packets import PacketTable
    from fluxcap.values.metadata import Metadata

T = TypeVar("T")

BAD, PARTIAL = map(VERDICTS.index, ("bad", "partial"))
# What is summed, and the columns of packets that it comes from.
SUMMED: Final = ("packets", "bytes", "bad", "partial", "ip_bad", "retransmitted")
PACKET_COLUMNS: Final = ("time", "file", "protocol", "wire_length", "verdict", "ip_verdict", "_mark")
GROUP: Final = "_group"  # the column of the number of a row's group


class Sums(NamedTuple):
    """What was counted, by the times at which intervals begin: those of several readings add up."""

    cells: Cells
    trips: Trips | None  # where connections are followed


class Counting:
    """Packets by interval and group, as they are read."""

    def __init__(self, interval: int, by: str | None, connections: Connections | None = None) -> None:
        self.span = Span(interval)
        self.names = SUMMED if connections is None else (*SUMMED, *TIMELINE_FLOWS)
        self.tally = Tally(len(self.names))
        self.by = by
        self.connections = connections
        self._before = NO_TIME, 0  # time and file of the last record

    def sums(self) -> Sums:
        """Give up all that was counted up to now."""
        cells = self.tally.take(EVERY)
        trips = None if self.connections is None else self.connections.trips(EVERY)
        if trips is not None:
            trips = trips._replace(places=self.span.times(trips.places))
        return Sums(cells._replace(places=self.span.times(cells.places)), trips)

    def add_sums(self, sums: Sums) -> None:
        """Count what others have counted."""
        self.tally.add(self.span.place(sums.cells.places), sums.cells.groups, [*sums.cells.sums])
        if sums.trips is not None and self.connections is not None:
            self.connections.add_trips(sums.trips._replace(places=self.span.place(sums.trips.places)))

    def add(self, packets: PacketTable) -> Array:
        """Count the packets of a batch; gives the time of each."""
        if not len(packets):
            return np.zeros(0, np.int64)
        times = self.times(packets)
        places, groups = self.span.place(times), self.groups(packets)
        self._before = int(times[-1]), int(packets["file"][-1])
        verdicts, marks = packets["verdict"], packets["_mark"]
        counts = [
            np.ones_like(verdicts),
            packets["wire_length"],
            verdicts == BAD,
            verdicts == PARTIAL,
            packets["ip_verdict"] == BAD,
            marks & RESENT,
        ]
        if self.connections is not None:
            flows = packets[FLOW]
            begin, come = self.connections.follow(flows, places)
            counts += [come, begin]
            shaken = np.flatnonzero(marks & SHAKEN)
            self.connections.shake(flows[shaken], places[shaken], groups[shaken])
        self.tally.add(places, groups, counts)
        return times

    def times(self, packets: PacketTable) -> Array:
        """The time of each packet of a batch that is to be counted next."""
        return filled(packets["time"], packets["file"], self._before)

    def groups(self, packets: PacketTable) -> Array:
        """The group of each packet."""
        return packets[self.by].astype(np.int64) if self.by else np.zeros(len(packets), np.int64)

    def columns(self) -> dict[str, Array]:
        """The columns of a row for every interval and group, with the sums of each; then one for each group that has
        records without a time."""
        cells = self.tally.cells()
        groups = np.unique(cells.groups)
        self.span.check(max(len(groups), 1))
        untimed = cells.groups[cells.places == UNTIMED]
        spanned = self.span.places()
        places = np.concatenate((np.repeat(spanned, len(groups)), np.full(len(untimed), UNTIMED)))
        return self.laid(places, np.concatenate((np.tile(groups, len(spanned)), untimed)), cells)

    def laid(self, places: Array, groups: Array, cells: Cells) -> dict[str, Array]:
        """The columns of rows in the order of place and group, to which these cells are all that there is."""
        rows = _rows(places, groups, cells.places, cells.groups)
        sums = np.zeros((len(self.names), len(places)), np.uint64)
        sums[:, rows] = cells.sums
        columns = {"time": self.span.times(places), GROUP: groups, **dict(zip(self.names, sums, strict=True))}
        seconds = self.span.interval / NS_PER_SECOND
        columns["packets_per_second"] = columns["packets"] / seconds
        columns["bits_per_second"] = columns["bytes"] * float(BITS_PER_OCTET) / seconds
        if self.connections is not None:
            trips = self.connections.trips(int(places[-1]) + 1 if len(places) else -UNTIMED)
            rows = _rows(places, groups, trips.places, trips.groups)
            columns["rtt_median"] = medians(trips.values, rows, len(places))
        if self.by is not None:
            columns[self.by] = groups.astype(np.uint8)
        return columns


def _rows(places: Array, groups: Array, of_places: Array, of_groups: Array) -> Array:
    """The row, among those in the order of place and group, of each of some places and groups."""
    if not len(places):
        return np.zeros(0, np.int64)
    spanned, present = np.unique(places), np.unique(groups)

    def codes(places: Array, groups: Array) -> Array:
        return np.searchsorted(spanned, places) * len(present) + np.searchsorted(present, groups)

    return np.searchsorted(codes(places, groups), codes(of_places, of_groups))


def of_packets(
    src: Captures,
    interval: int,
    by: str | None,
    plan: FlowPlan | None,
    options: ReadOptions,
    build: Callable[[dict[str, Array], Metadata], T],
) -> T:
    """Read packets into the columns of a timeline; with a plan also the connections that they make."""
    reading, counting = begin(interval, by, plan, options)

    def add(packets: PacketTable) -> None:
        counting.add(packets)

    return gather(reading, expand(src), add, lambda: build(counting.columns(), about(reading, plan)))


def begin(interval: int, by: str | None, plan: FlowPlan | None, options: ReadOptions) -> tuple[Reading, Counting]:
    """What reads packets, and what counts them; with a plan also the connections that they make."""
    reading = by_batch(options, PACKET_COLUMNS if plan is None else (*PACKET_COLUMNS, FLOW), plan)
    return reading, Counting(interval, by, None if plan is None else Connections(reading.scanner))


def about(reading: Reading, plan: FlowPlan | None) -> Metadata:
    """The metadata of a timeline, about what was read up to now."""
    return reading.metadata() if plan is None else flow_metadata(reading, plan)


def of_flows(
    src: Captures, interval: int, plan: FlowPlan, options: ReadOptions, build: Callable[[dict[str, Array], Metadata], T]
) -> T:
    """Read the flows of a key, cut at every interval, into the columns of a timeline."""

    def built(flows: FlowTable) -> T:
        return build(from_flows(flows, interval, plan.key.names), flows.metadata)

    return collect_from_flows(src, plan, options, FlowTable, built)


def from_flows(flows: FlowTable, interval: int, key: tuple[str, ...]) -> dict[str, Array]:
    """The columns of a timeline, from flows that are cut at every interval."""
    rows, groups = _kinds_of_flows(flows, key)
    biflow = flows.metadata["biflow"]
    counts: dict[str, Array] = {
        "packets": flows["packets"] + flows["reverse_packets"] if biflow else flows["packets"],
        "bytes": flows["bytes"] + flows["reverse_bytes"] if biflow else flows["bytes"],
        **{name: flows[name] for name in ("bad", "partial", "ip_bad")},
        "retransmitted": np.zeros(len(flows), np.uint64),
    }
    counting = Counting(interval, None)
    counting.tally.add(counting.span.place(flows["interval"]), groups, [counts[name] for name in SUMMED])
    columns = counting.columns()
    return columns | {name: flows[name][rows[columns[GROUP]]] for name in key}


def _kinds_of_flows(flows: FlowTable, key: tuple[str, ...]) -> tuple[Array, Array]:
    """The first row of each value of the key, and the value of each row. The two directions of a flow are of one value,
    whichever of them was first in an interval."""
    columns = {name: flows[name] for name in key}
    both = list(columns.values())
    if flows.metadata["biflow"]:
        both = [np.concatenate((values, columns[_turned(name)])) for name, values in columns.items()]
    firsts, codes = kinds(both)
    earliest = codes.reshape(-1, len(flows)).min(axis=0) if len(flows) else codes
    values, groups = np.unique(earliest, return_inverse=True)
    return firsts[values], groups


def _turned(name: str) -> str:
    """The field of a key that has this one's value in the other direction."""
    side, _, what = name.partition("_")
    return {"src": f"dst_{what}", "dst": f"src_{what}"}.get(side, name)
