"""Timelines: what the groups count adds up, but for flows that records of several groups belong to.

What a record of these counts for depends on records of other groups. So the excerpts that have all these records are
counted twice: those of each group alone, as they were counted before, and all together. The difference is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fluxcap._core import Scanner
from fluxcap.capture.inputs import Captures, Input, expand
from fluxcap.capture.warn import keeping_warnings
from fluxcap.cluster.account import Accounting
from fluxcap.cluster.collect import collect_flows
from fluxcap.cluster.gathering import Gathered, Summary, gathered
from fluxcap.cluster.part import Part, Work, part_of, planned, read_all
from fluxcap.cluster.seams import Excerpt, corrected, crossing
from fluxcap.cluster.sharing import Sharing
from fluxcap.plan import keys
from fluxcap.plan.durations import nanoseconds
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.flows import FlowTable
from fluxcap.tables.merging import added_up
from fluxcap.tables.packets import PacketTable
from fluxcap.tables.timeline.connections import Connections, Trips
from fluxcap.tables.timeline.counts import PACKET_COLUMNS, Counting, Sums, from_flows
from fluxcap.tables.timeline.intervals import Cells, added
from fluxcap.tables.timeline.table import OF_PACKETS, VERDICT, TimelineTable, columns_of, plan_of, table_of
from fluxcap.values.arrays import Array

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration

LESS = np.uint64(2**64 - 1)  # times this number: taken away, in 64 bits


class Counts(NamedTuple):
    """What is counted."""

    interval: int  # nanoseconds
    by: str | None


class Counted(NamedTuple):
    """What a worker has counted in a group."""

    part: Part
    sums: Sums

    @property
    def summary(self) -> Summary:
        """What is to be known of it to join it to others."""
        return self.part.summary


def count_part(inputs: Sequence[Input], work: Work, counts: Counts) -> Counted:
    """Count the records of a group."""
    reading = planned(work, PACKET_COLUMNS)
    counting = _begun(reading, counts)
    part = part_of(reading, inputs, work, lambda rows: _count(counting, rows))
    return Counted(part, counting.sums())


def _begun(reading: Accounting, counts: Counts) -> Counting:
    follows = counts.by != VERDICT
    return Counting(counts.interval, counts.by, Connections(reading.scanner) if follows else None)


def _count(counting: Counting, rows: dict[str, Array]) -> None:
    counting.add(PacketTable(rows))


def count_again(groups: Sequence[Sequence[Excerpt]], work: Work, counts: Counts) -> Sums:
    """Count the records in the excerpts of some groups."""
    reading = planned(work._replace(collect=False), PACKET_COLUMNS)
    counting = _begun(reading, counts)
    captures = [one.octets for made in groups for one in made]
    if captures:
        with keeping_warnings():
            read_all(reading, expand(captures), lambda rows: _count(counting, rows))
    return counting.sums()


def collect_timeline(
    src: Captures,
    interval: Duration,
    by: str | None,
    options: ReadOptions,
    sharing: Sharing,
    ignore_checksums: bool = False,
) -> TimelineTable:
    """Read captures into a timeline: packet by packet, or from the flows of a key."""
    counts = Counts(nanoseconds(interval, "interval"), by)
    columns_of(by)  # is it one?
    if by not in OF_PACKETS:
        plan = FlowPlan(keys.parse(by), interval=interval)
        flows = collect_flows(src, plan, options, FlowTable, sharing)
        return table_of(from_flows(flows, counts.interval, plan.key.names), counts.interval, by, flows.metadata)
    plan = plan_of(by, ignore_checksums, None) or FlowPlan()
    work = Work(plan, options, FlowTable, sharing.on_error == "collect")
    with gathered(src, options, sharing, count_part, work, counts) as found:
        several, less, metadata = _counted(found, work, counts)
    counting = Counting(counts.interval, by, None if several[0].trips is None else Connections(Scanner()))
    counting.add_sums(_together(several, less))
    return table_of(counting.columns(), counts.interval, by, found.told(metadata))


def _counted(found: Gathered, work: Work, counts: Counts) -> tuple[list[Sums], list[Sums], Any]:
    """What adds up to the timeline, what is taken away from it, and its metadata."""
    sharers, metadata = found.sharers, added_up(found.metadata)
    if len(found.parts) > 1 and metadata["without_time"] and not found.interrupted:
        # A record without a time counts at that of the record before it, which an excerpt need not have.
        whole = sharers.do(count_part, [item for group in found.groups for item in group], work, counts)
        return [sharers.result(sharers.do(_sums, whole))], [], sharers.result(sharers.do(_metadata, whole))
    _, made, again = crossing(found, sharers.each(_part, found.parts), work)
    several, less = sharers.each(_sums, found.parts), []
    if again is not None:
        several.append(sharers.do(count_again, made, work, counts))
        less = [sharers.do(count_again, [one], work, counts) for one in made]
        if found.split:
            metadata = sharers.result(sharers.do(corrected, metadata, made, again, work))
    return sharers.results(several), sharers.results(less), metadata


def _part(counted: Counted) -> Part:
    return counted.part


def _sums(counted: Counted) -> Sums:
    return counted.sums


def _metadata(counted: Counted) -> Any:
    return counted.part.table.metadata


def _together(several: Sequence[Sums], less: Sequence[Sums]) -> Sums:
    """The sums of all, without some."""
    both = (*several, *less)
    places, groups = (np.concatenate([getattr(one.cells, name) for one in both]) for name in ("places", "groups"))
    sums = np.concatenate([one.cells.sums for one in several] + [one.cells.sums * LESS for one in less], axis=1)
    cells = added(Cells(places, groups, sums))
    there = cells.sums[0] > 0  # records
    cells = Cells(cells.places[there], cells.groups[there], cells.sums[:, there])
    return Sums(cells, _trips_together([one.trips for one in several], [one.trips for one in less]))


def _trips_together(several: Sequence[Trips | None], less: Sequence[Trips | None]) -> Trips | None:
    """All round trips, without some."""
    known = [trips for trips in (*several, *less) if trips is not None]
    if not known:
        return None
    rows = np.concatenate([np.stack(trips, axis=1) for trips in known])
    taken_away = sum(len(trips.places) for trips in less if trips is not None)
    ways = np.repeat((1, -1), (len(rows) - taken_away, taken_away))
    distinct, which = np.unique(rows, axis=0, return_inverse=True)
    times = np.bincount(which.reshape(-1), ways, len(distinct)).astype(np.int64)
    return Trips(*np.repeat(distinct, times, axis=0).T)
