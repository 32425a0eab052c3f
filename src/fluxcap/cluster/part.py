"""What a worker makes of a group of inputs: the flows, and where each of them begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from fluxcap._core import DISPOSITIONS, VERDICTS
from fluxcap.capture.inputs import Input
from fluxcap.capture.warn import keeping_warnings
from fluxcap.cluster.account import Account, Accounting
from fluxcap.cluster.gathering import Summary
from fluxcap.plan.flow_plan import FLOW, FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.flows import FlowTable, flow_metadata, table_of
from fluxcap.tables.scan import BATCH_ROWS
from fluxcap.values.arrays import Array, arrays

if TYPE_CHECKING:
    from fluxcap.values.metadata import Metadata

FILE_BITS: Final = 40  # of a position: the number of a packet in its file; the file is above
# What tells where a flow begins, and which flows have fragments.
COLUMNS: Final = ("file", "packet", FLOW, "protocol", "fragment_offset", "verdict", "disposition", "_datagram")
FRAGMENT: Final = VERDICTS.index("fragment")
# The verdicts that a first fragment cannot have, but for one that completes its datagram.
OF_WHOLE: Final = tuple(map(VERDICTS.index, ("good", "bad", "partial", "truncated")))
ORPHAN: Final = DISPOSITIONS.index("orphan_fragment")


class Work(NamedTuple):
    """What is made of every group."""

    plan: FlowPlan
    options: ReadOptions
    kind: type[FlowTable]
    collect: bool  # pass over inputs that cannot be read


class Part(NamedTuple):
    """The flows of a group of inputs. No row has ended because the group has."""

    table: FlowTable
    begins: Array  # the position of the first record of each row
    fragments: Array  # whether each row has a fragment
    suspects: Array  # whether each row may have the first fragment of a datagram, which no column tells
    account: Account

    @property
    def summary(self) -> Summary:
        """What is to be known of it to join it to others."""
        return Summary(self.table.metadata, self.account, bool(self.fragments.any()), bool(self.suspects.any()))


def positions(files: Array, packets: Array) -> Array:
    """Numbers that are in the order of records."""
    made: Array = files.astype(np.int64) << FILE_BITS | packets.astype(np.int64)
    return made


class Beginnings:
    """The first record of each flow, found while records are read."""

    def __init__(self) -> None:
        self._begins: list[Array] = []
        self._known = 0
        self._fragments: list[Array] = []
        self._suspects: list[Array] = []

    def add(self, rows: dict[str, Array]) -> None:
        """Look at some records, behind those seen before."""
        in_flow = rows[FLOW] >= 0
        flows, at = np.unique(rows[FLOW][in_flow], return_index=True)
        new = flows >= self._known
        self._begins.append(positions(rows["file"][in_flow], rows["packet"][in_flow])[at[new]])
        self._known += int(new.sum())
        fragments = (rows["fragment_offset"] > 0) | (rows["verdict"] == FRAGMENT) | (rows["disposition"] == ORPHAN)
        fragments |= rows["_datagram"] > 0
        self._fragments.append(np.unique(rows[FLOW][in_flow & fragments]))
        self._suspects.append(np.unique(rows[FLOW][in_flow & (fragments | ~np.isin(rows["verdict"], OF_WHOLE))]))

    def of_all(self) -> Array:
        """The position of each, in order."""
        return np.concatenate([np.zeros(0, np.int64), *self._begins])

    def with_fragments(self, n: int) -> tuple[Array, Array]:
        """Which of so many flows have fragments, and which may have first fragments."""
        return _marked(self._fragments, n), _marked(self._suspects, n)


def _marked(several: Sequence[Array], n: int) -> Array:
    found = np.zeros(n, np.bool_)
    for places in several:
        found[places] = True
    return found


def read_part(inputs: Sequence[Input], work: Work) -> Part:
    """Read a group of inputs."""
    return part_of(planned(work), inputs, work, lambda rows: None)


def part_of(reading: Accounting, inputs: Sequence[Input], work: Work, add: Callable[[dict[str, Array]], None]) -> Part:
    """What such a reading makes of a group. `add` has the records too."""
    beginnings = Beginnings()

    def add_both(rows: dict[str, Array]) -> None:
        beginnings.add(rows)
        add(rows)

    with keeping_warnings() as warnings:
        read_all(reading, inputs, add_both)
        table = open_table(reading, work)
    return Part(table, beginnings.of_all(), *beginnings.with_fragments(len(table)), reading.account(warnings))


def planned(work: Work, more: Sequence[str] = ()) -> Accounting:
    """A reading of flows that gives its records in batches, with more columns than are needed here."""
    options, columns = work.options._replace(threads=1), tuple(dict.fromkeys((*COLUMNS, *more)))
    return Accounting(options, work.collect, key=work.plan.spec(), columns=columns, row_limit=BATCH_ROWS)


def read_all(reading: Accounting, inputs: Sequence[Input], add: Callable[[dict[str, Array]], None]) -> None:
    """Read inputs to their ends, and give the records to `add`."""
    for _ in reading.read(inputs):
        add(arrays(reading.scanner.take()))
    add(arrays(reading.scanner.take()))


def open_table(reading: Accounting, work: Work) -> FlowTable:
    """The flows of a reading, none of them ended by its end: a record that comes later may continue any."""
    metadata: Metadata = flow_metadata(reading, work.plan)
    made = table_of(work.kind, reading.scanner, metadata | {"last": None}, last=True)
    made.metadata["last"] = metadata["last"]
    return made
