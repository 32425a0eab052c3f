"""Extraction: the records of some flows are found by reading the inputs again, then copied into one capture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from fluxcap._core import UNLIKE, WANTS_INPUT, Copier
from fluxcap.capture.compression import DecompressionError
from fluxcap.capture.damaged import Unchanged
from fluxcap.capture.inputs import refuse_once
from fluxcap.capture.reading import Reading
from fluxcap.errors import ChangedError
from fluxcap.plan.flow_plan import FLOW, spec_of
from fluxcap.plan.read_options import ReadOptions
from fluxcap.values.arrays import Array, arrays
from fluxcap.whole_files import check_target, replacing

if TYPE_CHECKING:
    from fluxcap.capture.inputs import Input
    from fluxcap.values.metadata import Metadata

Rows = int | np.integer | slice | Sequence[int] | Sequence[bool] | Array

ROWS_AT_ONCE = 65536  # records whose flows are found before any of them is copied


class Flows(NamedTuple):
    """Some flows of a table, and the inputs of the table."""

    inputs: Sequence[Input]
    metadata: Metadata  # of the table
    numbers: Array  # of the flows in the order of reading, each once
    columns: Mapping[str, Array]  # of the flows with these numbers


def positions(rows: Rows, n: int) -> Array:
    """The positions that `rows` picks among `n` rows, each once and in order. IndexError beyond the rows."""
    which = rows if isinstance(rows, int | np.integer | slice | np.ndarray) else list(rows)
    return np.unique(np.arange(n)[which])


def extract(flows: Flows, path: str | os.PathLike[str]) -> None:
    """Write the records of these flows to a file that appears under its name only when it is whole."""
    check_target(path, [item.name for item in flows.inputs])
    with replacing(path) as out:
        copy_records(flows, out)


def copy_records(flows: Flows, out: BinaryIO) -> None:
    """Write the records of these flows to a stream; FlowTable.extract() describes the capture."""
    _check_repeatable(flows)
    unchanged = Unchanged(flows.inputs)
    before = None
    copier = Copier(resync=bool(flows.metadata["strays"]))
    for item, records in _found(flows):
        for octets in copied(copier, item, records, before):
            out.write(octets)
        before = before or item
    unchanged.check()


def _check_repeatable(flows: Flows) -> None:
    if not flows.inputs:
        raise ValueError(
            "this table does not know what it was read from: it was merged, unpickled or made by a FlowAggregator;"
            " take one that read_flows() returned"
        )
    refuse_once(flows.inputs, "extract from it")
    if flows.metadata["interrupted"]:
        raise ValueError("the reading was interrupted, and another would end elsewhere; read to the end to extract")


def _found(flows: Flows) -> Iterator[tuple[Input, Array]]:
    """Each input with records of these flows (without any: the first input), and the numbers of these records."""
    numbers, read = flows.numbers, flows.metadata
    options = ReadOptions(
        read["where"],
        read["decap"],
        inner=read["inner"],
        tunnels=read["tunnels"],
        order=read["order"],
        reorder=read["reorder"],
        dedupe=read["dedupe"],
        on_damage="resync" if read["strays"] else "warn",
    )
    reading = Reading(options, key=spec_of(read), columns=("file", "packet", FLOW), row_limit=ROWS_AT_ONCE)

    def taken() -> dict[str, Array]:
        columns = arrays(reading.scanner.take())
        wanted = np.isin(columns[FLOW], numbers)
        return {name: column[wanted] for name, column in columns.items()}

    parts = [*(taken() for _ in reading.read(flows.inputs)), taken()]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if (packets := reading.scanner.totals()["packets"]) != read["packets"]:
        raise ChangedError(f"{packets:,} packets are there, not {read['packets']:,}")
    again = arrays(reading.scanner.flows(last=True))
    if len(again["packets"]) <= numbers.max(initial=-1) or any(
        not np.array_equal(again[name][numbers], values) for name, values in flows.columns.items() if name in again
    ):
        raise ChangedError("these flows are others now")
    for file in np.unique(found["file"]) if len(numbers) else [0]:
        yield flows.inputs[file], np.sort(found["packet"][found["file"] == file])


def copied(
    copier: Copier, item: Input, records: Array, before: Input | None = None, *, left_out_of: int | None = None
) -> Iterator[memoryview]:
    """The bytes of the copy from one input, behind that of the inputs before, in pieces; each piece is valid until the
    next is asked for. `left_out_of`: it is to have all of so many records but these."""
    copier.begin(records, left_out_of is not None)
    state, n = WANTS_INPUT, 1
    with item.open() as source:
        while state == WANTS_INPUT and n:
            try:
                n = source.readinto(copier.space())
            except (DecompressionError, OSError):  # the first reading met the error too, and warned
                n = 0
            if n:
                copier.advance(n)
            else:
                copier.finish()
            state = copier.run()
            yield copier.kept()
    if state == UNLIKE:
        several = f"the captures joined in {item.name}" if before is None else f"{before.name} and {item.name}"
        raise ValueError(
            f"{several} do not fit into one file: their formats or headers differ; extract from each by itself"
        )
    if copier.missing:
        raise ChangedError(f"{item.name} ends {copier.missing:,} records too early")
    if left_out_of not in (None, copier.packets):
        raise ChangedError(f"{item.name} has {copier.packets:,} records, not {left_out_of:,}")
