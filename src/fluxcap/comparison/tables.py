"""The tables of a comparison: one row a direction of a flow, and one row a packet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from fluxcap._core import NO_TIME
from fluxcap.tables.table import Table
from fluxcap.values import human
from fluxcap.values.arrays import Array, array
from fluxcap.values.names import (
    CHANGES,
    COMPARED_FLOW_COLUMNS,
    COMPARED_PACKET_COLUMNS,
    CROSSED_MARKS,
    CROSSED_OUTCOMES,
    DELAYS,
    ENDS,
    OF_A_POINT,
)

if TYPE_CHECKING:
    from fluxcap._core import Column
    from fluxcap.values.metadata import Metadata

A, B, NOT_TOLD = 0, 1, 2  # of `from`: the point that a packet passes first
DSCP_SHIFT: Final = 2  # above ECN (RFC 2474 section 3)
ARRIVED, LOST, APPEARED, DUPLICATE = range(len(CROSSED_OUTCOMES))


class ComparedFlowTable(Table):
    """One row a direction of a flow: what was sent at one point, and what of it arrived at the other.

    Rows are in the order of their first packets. docs/compare.md describes the columns.

    See Also
    --------
    read_comparison : makes these tables.

    Examples
    --------
    >>> import fluxcap
    >>> comparison = fluxcap.read_comparison("samples/session.pcap", "samples/session.pcap")
    >>> comparison.flows.columns[5:8]
    ('way', 'sent', 'arrived')
    """

    __slots__ = ()

    def _title(self) -> str:
        return human.counted(len(self), "direction") + " of flows"


class ComparedPacketTable(Table):
    """One row a packet of which there is something to say, or any packet if all were asked for.

    Rows are in the order of time at the point that saw the packet first. docs/compare.md describes the columns.

    See Also
    --------
    read_comparison : makes these tables.

    Examples
    --------
    >>> import fluxcap
    >>> comparison = fluxcap.read_comparison("samples/session.pcap", "samples/session.pcap")
    >>> len(comparison.packets)  # all arrived once, in order, unchanged
    0
    """

    __slots__ = ()

    def _title(self) -> str:
        return human.counted(len(self), "packet")


def _by_point(from_: Array, a: Array, b: Array) -> Array:
    """Of each row the value of the point that is first; `b` where that is B."""
    return np.where((from_ == B).reshape(-1, *(1,) * (a.ndim - 1)), b, a)


class Ways:
    """The ways that the core counted, and which rows are made of them."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        w = {name: array(column) for name, column in columns.items()}
        places = np.arange(len(w["stands"]))
        self.shown = np.flatnonzero((w["stands"] == 0) & (w["seen_a"] + w["seen_b"] > 0))
        self.row = np.full(len(places) + 1, -1, np.int64)  # by place, which counts from 1
        self.row[self.shown + 1] = np.arange(len(self.shown))
        self.row[1:] = self.row[np.where(w["stands"] > 0, w["stands"], places + 1)]
        self._w = w
        self.from_ = self._directions()

    def _directions(self) -> Array:
        """From which point each shown way comes: as the core knows, else where it was seen."""
        w, rows = self._w, self.shown
        told = w["from"][rows]
        back = w["back"][rows]
        back_from = np.where(back > 0, w["from"][np.where(back > 0, back, 1) - 1], NOT_TOLD) if len(rows) else told
        told = np.where((told == NOT_TOLD) & (back_from != NOT_TOLD), 1 - back_from, told)
        seen_more = np.where(w["seen_b"][rows] > w["seen_a"][rows], B, A)
        return np.where((told == NOT_TOLD) | (told > B), seen_more, told).astype(np.uint8)

    def table(self, metadata: Metadata) -> ComparedFlowTable:
        """The table of flows."""
        w = {name: values[self.shown] for name, values in self._w.items()}
        first, there = self._ends()
        from_ = self.from_
        delayed = w["arrived"] > 0
        columns = {
            **first,
            "way": from_,
            "sent": _by_point(from_, w["seen_a"], w["seen_b"]),
            "arrived": w["arrived"],
            "lost": _by_point(from_, w["alone_a"], w["alone_b"]),
            "appeared": _by_point(from_, w["alone_b"], w["alone_a"]),
            "duplicated": _by_point(from_, w["copies_b"], w["copies_a"]),
            "reordered": w["reordered"],
            **{name: w[name] for name in CHANGES},
            "payload_bytes": _by_point(from_, w["bytes_a"], w["bytes_b"]),
            "hops_min": w["hops_least"].astype(np.int64),
            "hops_max": w["hops_most"].astype(np.int64),
            **{name: np.where(delayed, w[name], -1) for name in DELAYS[:-1]},
            "delay_variation": _mean(w["variation"], np.maximum(w["arrived"], 1) - 1),
            "first": w["first"],
            "last": w["last"],
            **{f"nat_{name}": values for name, values in there.items()},
        }
        return ComparedFlowTable({name: columns[name] for name in COMPARED_FLOW_COLUMNS}, metadata)

    def _ends(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """The ends of each shown way, as the point that is first sees them, and as the other one does."""
        w, rows = self._w, self.shown
        other = np.where(w["other"][rows] > 0, w["other"][rows].astype(np.int64) - 1, rows)
        # Of two ways that are one, each was seen at one point only.
        ours_is_first = (w["seen_at"][rows] >> self.from_ & 1).astype(bool) | (other == rows)
        near, far = np.where(ours_is_first, rows, other), np.where(ours_is_first, other, rows)
        first = {name: w[name][near] for name in ENDS}
        first["protocol"] = first["protocol"].astype(np.uint8)
        return first, {name: w[name][far] for name in ENDS[1:]}


def _mean(sums: Array, n: Array) -> Array:
    """Nanoseconds, rounded; -1 of none."""
    means = np.full(len(sums), -1, np.int64)
    there = n > 0
    means[there] = np.rint(sums[there] / n[there]).astype(np.int64)
    return means


def packet_table(
    r: Mapping[str, Array], differences: Array, ways: Ways, flows: ComparedFlowTable, metadata: Metadata
) -> ComparedPacketTable:
    """The table of packets, in the order of time at the point that is first, by the clock of that point."""
    flow = ways.row[r["way"]]
    from_ = ways.from_[flow]
    outcome = np.choose(r["outcome"], [ARRIVED, np.where(r["point"] == from_, LOST, APPEARED), DUPLICATE])
    columns = {
        "flow": flow,
        **{name: flows[name][flow] for name in ENDS},
        "way": from_,
        "outcome": outcome.astype(np.uint8),
        **{f"{point}_{name}": r[f"{name}_{point}"] for point in "ab" for name in OF_A_POINT[:-1]},
        **{f"{point}_dscp": r[f"tos_{point}"] >> DSCP_SHIFT for point in "ab"},
        "delay": r["delay"],
        **{name: r["marks"] >> bit & 1 for bit, name in enumerate(CROSSED_MARKS)},
        "payload_length": r["payload_length"],
        "first_difference": differences,
    }
    seen = np.where((from_ == B) & (columns["b_time"] != NO_TIME) | (columns["a_time"] == NO_TIME), columns["b_time"],
                    columns["a_time"])  # fmt: skip
    in_order = np.argsort(seen, kind="stable")
    return ComparedPacketTable({name: columns[name][in_order] for name in COMPARED_PACKET_COLUMNS}, metadata)
