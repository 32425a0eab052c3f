"""What a timeline counts: packets as they are read and the connections that they make, or the flows of a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from fluxcap._core import NO_TIME, VERDICTS
from fluxcap.capture.inputs import Captures, expand
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.flows import FlowTable, collect_from_flows, flow_table
from fluxcap.tables.gathering import by_batch, gather
from fluxcap.tables.timeline.intervals import UNTIMED, Span, Tally, filled
from fluxcap.values.arrays import Array, kinds, medians
from fluxcap.values.units import BITS_PER_OCTET, NS_PER_SECOND

if TYPE_CHECKING:
    from fluxcap.plan.read_options import ReadOptions
    from fluxcap.tables.packets import PacketTable
    from fluxcap.values.metadata import Metadata

T = TypeVar("T")

BAD, PARTIAL = map(VERDICTS.index, ("bad", "partial"))
# What is summed, and the columns of packets that it comes from.
SUMMED: Final = ("packets", "bytes", "bad", "partial", "ip_bad", "retransmitted")
PACKET_COLUMNS: Final = ("time", "file", "protocol", "wire_length", "verdict", "ip_verdict", "_resent")


class Counting:
    """Packets by interval and group, as they are read."""

    def __init__(self, interval: int, by: str | None) -> None:
        self.span = Span(interval)
        self.tally = Tally(len(SUMMED))
        self.by = by
        self._before = NO_TIME, 0  # time and file of the last record

    def add(self, packets: PacketTable) -> None:
        """Count the packets of a batch."""
        if not len(packets):
            return
        times = filled(packets["time"], packets["file"], self._before)
        self._before = int(times[-1]), int(packets["file"][-1])
        verdicts = packets["verdict"]
        counts = {
            "packets": np.ones_like(verdicts),
            "bytes": packets["wire_length"],
            "bad": verdicts == BAD,
            "partial": verdicts == PARTIAL,
            "ip_bad": packets["ip_verdict"] == BAD,
            "retransmitted": packets["_resent"],
        }
        self.tally.add(self.span.place(times), self.groups(packets), [counts[name] for name in SUMMED])

    def groups(self, packets: PacketTable) -> Array:
        """The group of each packet."""
        return packets[self.by].astype(np.int64) if self.by else np.zeros(len(packets), np.int64)

    def grid(self) -> Grid:
        """The rows: every interval and group, with the sums of each."""
        cells = self.tally.cells()
        untimed = cells.places == UNTIMED
        grid = Grid(self.span, np.unique(cells.groups), cells.groups[untimed])
        rows = grid.rows(cells.places, cells.groups)
        sums = np.zeros((len(SUMMED), grid.n), np.uint64)
        sums[:, rows] = cells.sums
        seconds = self.span.interval / NS_PER_SECOND
        grid.columns |= {
            "time": grid.times(),
            **dict(zip(SUMMED, sums, strict=True)),
            "packets_per_second": sums[SUMMED.index("packets")] / seconds,
            "bits_per_second": sums[SUMMED.index("bytes")] * float(BITS_PER_OCTET) / seconds,
        }
        return grid


class Grid:
    """A row an interval and group; then one for each group that has records without a time."""

    def __init__(self, span: Span, groups: Array, untimed: Array) -> None:
        span.check(max(len(groups), 1))
        self.groups, self.untimed = groups, untimed
        self.timed = span.intervals * len(groups)
        self.n = self.timed + len(untimed)
        self.columns: dict[str, Array] = {}
        self._span = span

    def rows(self, places: Array, groups: Array) -> Array:
        """The rows of some cells."""
        rows = self._span.rows(places) * len(self.groups) + np.searchsorted(self.groups, groups)
        return np.where(places == UNTIMED, self.timed + np.searchsorted(self.untimed, groups), rows)

    def times(self) -> Array:
        """When the interval of each row begins."""
        times = np.full(self.n, NO_TIME)
        times[: self.timed] = np.repeat(self._span.starts(), len(self.groups))
        return times

    def codes(self) -> Array:
        """The group of each row."""
        return np.concatenate((np.tile(self.groups, self._span.intervals), self.untimed))


def of_packets(
    src: Captures,
    interval: int,
    by: str | None,
    plan: FlowPlan | None,
    options: ReadOptions,
    build: Callable[[dict[str, Array], Metadata], T],
) -> T:
    """Read packets into the columns of a timeline; with a plan also the connections that they make."""
    counting = Counting(interval, by)
    reading = by_batch(options, PACKET_COLUMNS, plan)

    def built() -> T:
        grid = counting.grid()
        if by is not None:
            grid.columns[by] = grid.codes().astype(np.uint8)
        if plan is None:
            return build(grid.columns, reading.metadata())
        connections = flow_table(ConnectionTable, reading, plan, last=True)
        groups = connections[by].astype(np.int64) if by else np.zeros(len(connections), np.int64)
        columns = _of_connections(connections, groups, grid, counting.span)
        return build(grid.columns | columns, connections.metadata)

    return gather(reading, expand(src), counting.add, built)


def _of_connections(c: ConnectionTable, groups: Array, grid: Grid, span: Span) -> dict[str, Array]:
    """How many connections began and were under way, and the median of the round trips of those that began."""
    timed = c["first"] != NO_TIME
    first, last = span.place(c["first"][timed]), span.place(c["last"][timed])
    rows = grid.rows(first, groups[timed])
    begun = np.bincount(rows, minlength=grid.n)
    # Each is under way from its first record on, and no longer after the interval of its last one.
    over = np.bincount(grid.rows(last + 1, groups[timed]), minlength=grid.n + len(grid.groups))
    changes = (begun - over[: grid.n])[: grid.timed].reshape(-1, max(len(grid.groups), 1))
    open_ = np.zeros(grid.n, np.int64)
    open_[: grid.timed] = changes.cumsum(axis=0).reshape(-1)
    trips = (c["synack_rtt"] + c["ack_rtt"])[timed]
    known = ((c["synack_rtt"] >= 0) & (c["ack_rtt"] >= 0))[timed]
    return {
        "flows": open_.astype(np.uint64),
        "new_flows": begun.astype(np.uint64),
        "rtt_median": medians(trips[known], rows[known], grid.n),
    }


def of_flows(
    src: Captures, interval: int, plan: FlowPlan, options: ReadOptions, build: Callable[[dict[str, Array], Metadata], T]
) -> T:
    """Read the flows of a key, cut at every interval, into the columns of a timeline."""

    def built(flows: FlowTable) -> T:
        return build(_of_flows(flows, interval, plan.key.names), flows.metadata)

    return collect_from_flows(src, plan, options, FlowTable, built)


def _of_flows(flows: FlowTable, interval: int, key: tuple[str, ...]) -> dict[str, Array]:
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
    grid = counting.grid()
    codes = grid.codes()
    return grid.columns | {name: flows[name][rows[codes]] for name in key}


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
