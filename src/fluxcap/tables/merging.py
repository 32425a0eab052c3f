"""Merging flow tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fluxcap._core import Scanner
from fluxcap.capture.reading import Metadata
from fluxcap.tables.flows import FlowTable, spec_of, table_of

# What the tables of a merge must have in common.
_ALIKE = ("by", "biflow", "interval", "semantics", "idle_timeout", "tcp_idle_timeout", "bytes", "direction")


def merge(tables: Iterable[FlowTable]) -> FlowTable:
    """One table of all the flows, as if the captures had been read together.

    Exact and associative; commutative up to the order of rows. ValueError if there is no table, if they were made with
    different keys, directions, intervals, idle timeouts or semantics, or with an active timeout.
    """
    parts = list(tables)
    if not parts:
        raise ValueError("nothing to merge: the list of tables is empty")
    made = parts[0].metadata
    for part in parts:
        for name in _ALIKE:
            if part.metadata[name] != made[name]:
                raise ValueError(f"tables of different {name} do not merge: {made[name]!r} and {part.metadata[name]!r}")
        if part.metadata["features"] or part.metadata["splt"]:
            raise ValueError(
                "tables with features do not merge: the gap between the last packet of one and the first of the next is"
                " in neither; read the captures together instead"
            )
        if part.metadata["connections"]:
            raise ValueError(
                "tables of connections do not merge: what became of one depends on all its segments; read the captures"
                " together instead"
            )
        if part.metadata["active_timeout"]:
            raise ValueError(
                "tables made with an active timeout do not merge: where it splits a flow depends on the records before;"
                " read the captures together instead"
            )
    common = {name: value for name, value in made.items() if all(part.metadata.get(name) == value for part in parts)}
    scanner = Scanner(key=spec_of(made | {"max_flows": 0}))
    # An error that found its flow left a row without errors behind.
    unseen = [one.filter(one["icmp_errors"] > 0) for one in (part._unseen for part in parts) if one is not None]
    for part in [*unseen, *([_in_time_order(parts)] if made["idle_timeout"] else parts)]:
        scanner.add_flows({name: np.ascontiguousarray(values) for name, values in part._arrays().items()}, len(part))
    return table_of(FlowTable, scanner, common | _sums([part.metadata for part in parts]), True)


def _in_time_order(parts: list[FlowTable]) -> FlowTable:
    """All rows by the time of their first record: whether a row continues another shows only in that order."""
    order = np.argsort(np.concatenate([part["first"] for part in parts]), kind="stable")
    return FlowTable({name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]._columns})


def _sums(parts: list[Metadata]) -> Metadata:
    """The metadata that the parts have between them."""
    timed = [part for part in parts if part["packets"]]
    ledger = {
        disposition: tuple(map(sum, zip(*(part["ledger"][disposition] for part in parts), strict=True)))
        for disposition in parts[0]["ledger"]
    }
    sums: dict[str, Any] = {
        name: sum(part[name] for part in parts) for name in ("packets", "captured_octets", "wire_octets")
    }
    lists = {name: [one for part in parts for one in part[name]] for name in ("inputs", "skipped", "damage")}
    return {
        **sums,
        **lists,
        "ledger": ledger,
        "first": min((part["first"] for part in timed), default=0),
        "last": max((part["last"] for part in timed), default=0),
        "flows_full": any(part["flows_full"] for part in parts),
        "interrupted": any(part["interrupted"] for part in parts),
    }
