"""How the tables of groups become one where merging their rows is not exact: the flows that records of several groups
belong to are read again, from these records alone, in order.

What becomes of a flow depends on its own records, on ICMP errors about it, and on fragments. So the records of flows in
several groups, all ICMP, and the flows that may have fragments, if datagrams may be in several groups, are read as one
capture. Every other row is final in its group.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from fluxcap._core import NO_TIME, Copier
from fluxcap.capture.inputs import Input, expand
from fluxcap.capture.warn import keeping_warnings, warn
from fluxcap.cluster.part import FILE_BITS, Beginnings, Part, Work, open_table, planned, positions, read_all
from fluxcap.plan.flow_plan import FLOW
from fluxcap.rewrite.extract import copied
from fluxcap.tables.flows import FlowTable
from fluxcap.values.arrays import Array, row_bytes
from fluxcap.values.metadata import Metadata
from fluxcap.values.names import ICMP, ICMPV6, TCP

if TYPE_CHECKING:
    from distributed import Future  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.cluster.gathering import Gathered

CUT_UP: Final = "interrupted: a flow that crosses from one group of inputs to the next has a row in each"
IDLE, ACTIVE, OPEN = 1, 2, 4  # end reasons


class Excerpt(NamedTuple):
    """Some records of an input, as a capture."""

    file: int  # in its group
    packets: Array  # their numbers there
    octets: bytes


class Again(NamedTuple):
    """The flows that were read again."""

    table: FlowTable
    groups: Array
    begins: Array  # in the group: the position of the first record of each row
    fragments: Array  # whether each row has a fragment


class Keys(NamedTuple):
    """What tells whether flows are in several groups."""

    rows: Array
    unseen: Array  # of flows that only ICMP errors of the group are about
    suspects: Array  # which rows may have fragments


def keys_of(part: Part) -> Keys:
    """The keys of a part."""
    unseen, biflow = part.table._unseen, part.table.metadata["biflow"]
    rows = _keys(part.table, biflow)
    return Keys(rows, rows[:0] if unseen is None else _keys(unseen, biflow), part.suspects)


def _keys(table: FlowTable, biflow: bool) -> Array:
    """The key of each row as bytes, the same for both directions of a flow."""
    names = table.columns[: table.columns.index("packets")]
    whole = _joined(table, names)
    if biflow:
        turned = _joined(table, [_turned(name) for name in names])
        rows = np.arange(len(whole))
        differ = np.argmax(whole != turned, axis=1) if len(whole) else rows
        whole = np.where((whole[rows, differ] <= turned[rows, differ])[:, None], whole, turned)
    return row_bytes(whole)


def _joined(table: FlowTable, names: Sequence[str]) -> Array:
    columns = [np.ascontiguousarray(table[name]) for name in names]
    widths = [column.dtype.itemsize * (column.shape[1] if column.ndim > 1 else 1) for column in columns]
    octets = [column.view(np.uint8).reshape(len(table), width) for column, width in zip(columns, widths, strict=True)]
    return np.concatenate(octets, axis=1)


def _turned(name: str) -> str:
    side, _, what = name.partition("_")
    return {"src": f"dst_{what}", "dst": f"src_{what}"}.get(side, name)


def across(keys: Sequence[Keys], split: bool) -> Array:
    """The keys, in order, of flows that are to be read again. `split`: datagrams may be in several groups."""
    groups = [np.unique(np.concatenate((one.rows, one.unseen))) for one in keys]
    found, times = np.unique(np.concatenate(groups), return_counts=True)
    shared = found[times > 1]
    return np.unique(np.concatenate((shared, *(one.rows[one.suspects] for one in keys)))) if split else shared


def excerpts(part: Part, inputs: Sequence[Input], work: Work, shared: Array) -> list[Excerpt]:
    """The records of a group that these flows depend on."""
    keys = keys_of(part)
    numbers = np.flatnonzero(np.isin(keys.rows, shared))
    if not len(numbers) and not np.isin(keys.unseen, shared).any():
        return []
    found: dict[int, list[Array]] = {}

    def add(rows: dict[str, Array]) -> None:
        wanted = np.isin(rows[FLOW], numbers) | np.isin(rows["protocol"], (ICMP, ICMPV6))
        for file in np.unique(rows["file"][wanted]):
            found.setdefault(int(file), []).append(rows["packet"][wanted & (rows["file"] == file)])

    reading = planned(work)
    with keeping_warnings():  # the first reading has them
        read_all(reading, inputs, add)
    return [_excerpt(reading.begun[file], file, np.sort(np.concatenate(found[file]))) for file in sorted(found)]


def _excerpt(item: Input, file: int, packets: Array) -> Excerpt:
    octets = bytearray()
    for piece in copied(Copier(joins=True), item, packets):
        octets += piece
    return Excerpt(file, packets, bytes(octets))


def read_again(groups: Sequence[Sequence[Excerpt]], work: Work) -> Again:
    """The flows in the excerpts of all groups."""
    several = [(group, one) for group, made in enumerate(groups) for one in made]
    reading, beginnings = planned(work._replace(collect=False)), Beginnings()
    with keeping_warnings():
        read_all(reading, expand([one.octets for _, one in several]), beginnings.add)
        table = open_table(reading, work)
    places = beginnings.of_all()
    file, packet = places >> FILE_BITS, places & ((1 << FILE_BITS) - 1)
    begins = np.zeros(len(places), np.int64)
    for number, (_, one) in enumerate(several):
        here = file == number
        begins[here] = positions(np.full(here.sum(), one.file), one.packets[packet[here] - 1])
    of_files = np.array([group for group, _ in several], np.int64)
    return Again(table, of_files[file], begins, beginnings.with_fragments(len(table))[0])


def strayed(keys: Sequence[Keys], shared: Array, again: Again, biflow: bool) -> tuple[Array, bool]:
    """The keys again, and those of flows that fragments turned out to belong to with their first fragment from another
    group; and whether a group has rows of these, so that all their records are to be read too."""
    found = _keys(again.table, biflow)
    new = np.unique(found[again.fragments & ~np.isin(found, shared)])
    return np.union1d(shared, new), any(np.isin(new, np.concatenate((one.rows, one.unseen))).any() for one in keys)


def crossing(found: Gathered, parts: Sequence[Future], work: Work) -> tuple[Any, list[Future], Any]:
    """The keys of flows that records of several groups belong to, the excerpts of each group that have these records,
    and what was read from them; None in its place if there are none.

    After Ctrl-C nothing is read again: the flows stay as the groups have them, and that is said.
    """
    if found.interrupted:
        warn(UserWarning(CUT_UP))
        return np.zeros(0, np.void), [], None
    sharers, groups, split = found.sharers, found.groups, found.split
    keys = sharers.each(keys_of, parts)
    shared, more = sharers.do(across, keys, split), True
    while more:
        made = [sharers.do(excerpts, part, group, work, shared) for part, group in zip(parts, groups, strict=True)]
        again = sharers.do(read_again, made, work) if any(sharers.results(sharers.each(len, made))) else None
        more = split and again is not None
        if more:
            strays = sharers.do(strayed, keys, shared, again, work.plan.metadata()["biflow"])
            shared, more = sharers.do(itemgetter(0), strays), sharers.result(sharers.do(itemgetter(1), strays))
    return shared, made, again


def joined(parts: Sequence[Part], shared: Array, again: Again | None, work: Work, metadata: Metadata) -> FlowTable:
    """One table: rows of the parts that are final there, and rows that were read again."""
    tables, groups, begins = [], [], []
    for group, part in enumerate(parts):
        final = ~np.isin(keys_of(part).rows, shared) if len(shared) else np.ones(len(part.table), bool)
        tables.append(part.table.filter(final))
        groups.append(np.full(final.sum(), group))
        begins.append(part.begins[final])
    if again is not None:
        wanted = np.isin(_keys(again.table, metadata["biflow"]), shared)
        tables.append(again.table.filter(wanted))
        groups.append(again.groups[wanted])
        begins.append(again.begins[wanted])
    order = np.lexsort((np.concatenate(begins), np.concatenate(groups)))
    columns = {name: np.concatenate([table[name] for table in tables])[order] for name in tables[0]._columns}
    columns["end_reason"] = _ended(columns, metadata)
    return work.kind(columns, metadata)


def _ended(columns: dict[str, Array], metadata: Metadata) -> Array:
    """Why each row has ended, now that the time of the last record is known."""
    reasons, newest = columns["end_reason"].copy(), metadata["last"]
    if newest is None:
        return reasons
    is_open = (reasons == OPEN) & (columns["last"] != NO_TIME)
    if metadata["active_timeout"]:
        reasons[is_open & (newest - columns["first"] >= metadata["active_timeout"])] = ACTIVE
    idle = np.full(len(reasons), metadata["idle_timeout"])
    if "protocol" in columns:
        idle[columns["protocol"] == TCP] = metadata["tcp_idle_timeout"]
    reasons[is_open & (idle > 0) & (newest - columns["last"] >= idle)] = IDLE
    return reasons


def corrected(metadata: Metadata, groups: Sequence[Sequence[Excerpt]], again: Again, work: Work) -> Metadata:
    """The metadata with a ledger in which fragments of a datagram in several groups are counted as one capture has
    them."""
    ledger = {name: np.array(counted) for name, counted in metadata["ledger"].items()}
    alone = [read_again([made], work).table.metadata for made in groups if made]
    for sign, several in ((1, [again.table.metadata]), (-1, alone)):
        for one in several:
            for name, counted in one["ledger"].items():
                ledger[name] += sign * np.array(counted)
    return metadata | {"ledger": {name: tuple(map(int, counted)) for name, counted in ledger.items()}}
