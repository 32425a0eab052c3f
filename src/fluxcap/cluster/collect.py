"""Flows: from the inputs to one table."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from fluxcap.capture.inputs import Captures
from fluxcap.cluster.gathering import Gathered, gathered
from fluxcap.cluster.part import Part, Work, read_part
from fluxcap.cluster.seams import corrected, crossing, joined
from fluxcap.cluster.sharing import Sharing
from fluxcap.cluster.sums import adds_up, collect_sums
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.flows import FlowTable, merge
from fluxcap.tables.merging import added_up, refusal

T = TypeVar("T", bound=FlowTable)


def collect_flows(src: Captures, plan: FlowPlan, options: ReadOptions, kind: type[T], sharing: Sharing) -> T:
    """Read captures into a table of this kind."""
    plan.spec()  # what contradicts itself is refused before any work
    if "file" in plan.key.names:
        raise ValueError("`file` is no field where many machines read; read the captures with fluxcap.read_flows()")
    if plan.server_names:
        raise ValueError(
            "names of servers are looked for by one process: the answer that names an address may be in another input"
            " than the flow; read the captures with fluxcap.read_flows(), without --scheduler"
        )
    work = Work(plan, options, kind, sharing.on_error == "collect")
    if adds_up(plan):
        return cast("T", collect_sums(src, work, sharing))
    with gathered(src, options, sharing, read_part, work) as found:
        table: T
        if found.split or not added_up(found.metadata)["in_order"] or refusal(found.metadata):
            table = _by_seams(found, work)
        else:
            table = found.sharers.joined(merge, found.parts, _table)
    table.metadata = found.told(table.metadata)
    return table


def _by_seams(found: Gathered, work: Work) -> Any:
    sharers, metadata = found.sharers, added_up(found.metadata)
    shared, made, again = crossing(found, found.parts, work)
    corrections = sharers.do(corrected, metadata, made, again, work) if found.split and again is not None else metadata
    return sharers.result(sharers.do(joined, found.parts, shared, again, work, corrections))


def _table(part: Part, place: int) -> FlowTable:
    return part.table
