"""The metadata of tables that become one, and whether they do so exactly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fluxcap.values.metadata import Metadata

if TYPE_CHECKING:
    from fluxcap.errors import Late
    from fluxcap.tables.table import Table

TableT = TypeVar("TableT", bound="Table")

IN_ORDER: Final = "merge them in the order of time, or read the captures together"
ALIKE: Final = (  # what they must have in common
    *("by", "biflow", "interval", "semantics", "idle_timeout", "tcp_idle_timeout", "bytes", "direction"),
)
LISTS: Final = ("inputs", "skipped", "damage", "strays", "joined", "hints")  # those of all, one after the other


def refusal(parts: Sequence[Metadata]) -> str:
    """Why tables with this metadata do not merge exactly; "" if they do."""
    made = parts[0]
    for part in parts:
        for name in ALIKE:
            if part[name] != made[name]:
                return f"tables of different {name} do not merge: {made[name]!r} and {part[name]!r}"
        if part["features"] or part.get("activity") or part["splt"]:
            return (
                "tables with features do not merge: the gap between the last packet of one and the first of the next is"
                " in neither; read the captures together instead"
            )
        if part.get("payload"):
            return "tables with payload do not merge: the first bytes of one may lack some; read the captures together"
        if part.get("server_names"):
            return (
                "tables with names of servers do not merge: the answer that names an address may be in another capture"
                " than the flow; read the captures together instead"
            )
        if part["connections"]:
            return (
                "tables of connections do not merge: what became of one depends on all its segments; read the captures"
                " together instead"
            )
        if part["active_timeout"]:
            return (
                "tables made with an active timeout do not merge: where it splits a flow depends on the records before;"
                " read the captures together instead"
            )
        if part.get("end"):
            return (
                "tables of flows that TCP ends do not merge: whether a SYN begins another depends on the records"
                " before; read the captures together instead"
            )
        if part["interval"] and part["direction"] == "server ports":
            return (
                "tables with intervals in these semantics do not merge: who began a flow depends on the intervals"
                " before; read the captures together instead"
            )
    if made["idle_timeout"] and any(part["without_time"] for part in parts[1:]):
        return (
            "records without a time do not merge with an idle timeout: whether one ends a flow of the table before is"
            " not known; read the captures together instead"
        )
    if made["idle_timeout"] and _goes_back(parts):
        return f"time goes back between these tables, and an idle timeout depends on its order; {IN_ORDER}"
    return ""


def added_up(parts: Sequence[Metadata]) -> Metadata:
    """The metadata of the table that tables with this metadata become."""
    common = {name: value for name, value in parts[0].items() if all(part.get(name) == value for part in parts)}
    sums = joint(parts)
    return {
        **common,
        **sums,
        "in_order": sums["in_order"] and not _goes_back(parts),
        "flows_full": any(part.get("flows_full") for part in parts),
        "limit": next((part["limit"] for part in parts if part.get("limit")), ""),
    }


def continued(before: Metadata, after: Metadata, passed: int) -> Metadata:
    """The metadata of a reading of an input, and of another that goes on with it and has not counted so many packets
    before its own."""
    late = after["late"]
    if late is not None:
        late = late._replace(packet=late.packet + passed, input=late.input - 1)  # the last one of those before
    return added_up([before, {**after, "late": late}]) | {"inputs": before["inputs"]}


def _goes_back(parts: Sequence[Metadata]) -> bool:
    """Whether a table has records from before the end of an earlier table."""
    timed = [part for part in parts if part["first"] is not None]
    return any(after["first"] < before["last"] for before, after in pairwise(timed))


def _late(parts: Sequence[Metadata]) -> Late | None:
    """The late records within the parts; records that are late between two parts are not known."""
    found: list[Late] = []
    before = 0
    for part in parts:
        if part["late"] is not None:
            found.append(part["late"]._replace(input=part["late"].input + before))
        before += len(part["inputs"])
    if not found:
        return None
    return found[0]._replace(records=sum(late.records for late in found), by=max(late.by for late in found))


def joint(parts: Sequence[Metadata]) -> Metadata:
    """What readings that have nothing to do with one another say of their records together."""
    timed = [part for part in parts if part["first"] is not None]
    ledger = {
        disposition: tuple(map(sum, zip(*(part["ledger"][disposition] for part in parts), strict=True)))
        for disposition in parts[0]["ledger"]
    }
    counts = ("packets", "captured_octets", "wire_octets", "without_time")
    sums: dict[str, Any] = {name: sum(part[name] for part in parts) for name in counts}
    lists = {name: [one for part in parts for one in part[name]] for name in LISTS}
    return {
        **sums,
        **lists,
        "ledger": ledger,
        "first": min((part["first"] for part in timed), default=None),
        "last": max((part["last"] for part in timed), default=None),
        "late": _late(parts),
        "in_order": all(part["in_order"] for part in parts),
        "interrupted": any(part["interrupted"] for part in parts),
    }


def joined(tables: Sequence[TableT]) -> TableT:
    """The rows of tables with the same columns as one table, with the metadata of the last."""
    import numpy as np

    arrays = [table._arrays() for table in tables]
    columns = {name: np.concatenate([one[name] for one in arrays]) for name in arrays[0]}
    return type(tables[-1])(columns, tables[-1].metadata)


def in_time_order(table: TableT) -> TableT:
    """The rows in the order of their first records: only in that order it shows whether a row continues another."""
    import numpy as np

    order = np.argsort(table["first"], kind="stable")
    return type(table)({name: values[order] for name, values in table._arrays().items()}, table.metadata)
