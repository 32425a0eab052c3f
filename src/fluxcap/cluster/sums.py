"""Flows that are nothing but sums: no timeout, no interval, no connection. Their parts may be ranges of a capture, and
are read without a look at single packets but for fragments (apart.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fluxcap._core import Scanner
from fluxcap.capture.inputs import Captures, Input
from fluxcap.capture.warn import keeping_warnings
from fluxcap.cluster.account import Account, Accounting
from fluxcap.cluster.apart import COLUMNS, Apart, Place, Together, copied_apart, read_together
from fluxcap.cluster.gathering import Gathered, Summary, gathered
from fluxcap.cluster.part import Work, open_table
from fluxcap.cluster.ranges import Behind, Range, Read, arrived, as_input, goes_on, range_of, uncounted, whole
from fluxcap.cluster.sharing import Sharing, is_tried_again
from fluxcap.plan.flow_plan import FlowPlan, spec_of
from fluxcap.tables.flows import FlowTable, about_unseen, add_rows, table_of
from fluxcap.tables.merging import added_up
from fluxcap.values.arrays import Array, arrays

if TYPE_CHECKING:
    from fluxcap.capture.index.beginning import Way
    from fluxcap.capture.inputs import Opened
    from fluxcap.values.metadata import Metadata


def adds_up(plan: FlowPlan) -> bool:
    """Whether the flows of a plan are nothing but sums over records."""
    spec = plan.spec()
    timeouts = ("idle_timeout", "tcp_idle_timeout", "active_timeout", "attempt_timeout", "close_timeout", "interval")
    more = ("ends_tcp", "features", "activity", "splt", "payload", "connections")
    return not any(spec.get(name) for name in (*timeouts, *more))


class Sum(NamedTuple):
    """The flows of a part, without its fragments."""

    table: FlowTable
    apart: Apart
    account: Account
    read: Read | None

    @property
    def summary(self) -> Summary:
        """What is to be known of it to join it to others."""
        return Summary(self.table.metadata, self.account, len(self.apart.rows["packet"]) > 0, False, self.read)


class _Adding(Accounting):
    """A reading of a part."""

    def _scanner(self, **told: Any) -> Scanner:
        return Scanner(fragments_apart=True, **told)

    def _way(self, item: Input, octets: Opened) -> Way | None:
        found = range_of([item])
        return Behind(self.scanner, octets, found) if found is not None and found.packets else None


def read_sum(inputs: Sequence[Input], work: Work) -> Sum:
    """Read a group of inputs, or a range."""
    found, collect = range_of(inputs), work.collect
    if found is not None:
        try:
            found = found.found()
            inputs = [as_input(found)]
        except OSError as error:
            if is_tried_again(error):
                raise
            inputs = []  # whoever reads the rest meets it again
        collect = collect or found.packets is None or found.end is not None
    reading = _Adding(work.options._replace(threads=1), collect, key=work.plan.spec(), columns=COLUMNS)
    with keeping_warnings() as warnings:
        for _ in reading.read(inputs):
            pass
        rows = arrays(reading.scanner.take())
        table = open_table(reading, work)
    account = reading.account(warnings)
    return Sum(table, copied_apart(rows, reading.begun), account, found and _read(found, reading, account))


def _read(found: Range, reading: _Adding, account: Account) -> Read:
    fine = bool(reading.begun) and not (account.failed or account.damaged)
    packets = reading.scanner.totals()["packets"]
    return Read(found.begin, found.end, packets, fine and arrived(reading.scanner, found.headers))


def read_whole(inputs: Sequence[Input], work: Work) -> FlowTable:
    """Read all inputs as one process does."""
    reading = Accounting(work.options._replace(threads=1), True, key=work.plan.spec())
    with keeping_warnings():
        for _ in reading.read(inputs):
            pass
        return open_table(reading, work)


def collect_sums(src: Captures, work: Work, sharing: Sharing) -> FlowTable:
    """Read captures into a table of flows that add up."""
    with gathered(src, work.options, sharing, read_sum, work, ranges=True, early=(_own, _apart)) as found:
        table = _table(found, work)
        table.metadata = found.told(table.metadata)
    return table


def _table(found: Gathered, work: Work) -> FlowTable:
    sharers, metadata = found.sharers, added_up(found.metadata)
    leaves = found.each(_own)
    if not any(one.fragments for one in found.summaries):
        table: FlowTable = sharers.result(sharers.tree(in_order, leaves)).table
        table.metadata = metadata
        return table
    together = sharers.do(read_together, found.each(_apart), _places(found), work, metadata["in_order"])
    said = sharers.do(_said, together)
    # Begun before it is known whether they will be wanted, as they nearly always are: nobody waits for the client.
    joined = sharers.tree(in_order, [sharers.do(placed, leaf, n, together) for n, leaf in enumerate(leaves)])
    exact, corrections = sharers.result(said)
    if not exact:
        everything: FlowTable = sharers.result(sharers.do(read_whole, whole(found.groups), work))
        return everything
    table = sharers.result(joined).table
    table.metadata = metadata | {"ledger": _corrected(metadata["ledger"], corrections)}
    return table


def _own(part: Sum) -> Leaf:
    return Leaf(part.table)


def _apart(part: Sum) -> Apart:
    return part.apart


def _said(together: Together) -> tuple[bool, Any]:
    return together.exact, together.ledger


def _places(found: Gathered) -> list[Place]:
    made: list[Place] = []
    file = packets = 0  # inputs that have begun, and packets of the last one
    for group, one in zip(found.groups, found.summaries, strict=True):
        part = range_of(group)
        if goes_on(group) and part is not None:
            made.append(Place(file - 1, len(part.headers), uncounted(group, packets)))
            packets += one.metadata["packets"]
        else:
            made.append(Place(file, 0, 0))
            file += len(one.metadata["inputs"])
            packets = one.metadata["packets"]
    return made


def _corrected(ledger: Metadata, corrections: Metadata) -> Metadata:
    return {name: tuple(map(int, np.array(counted) + corrections[name])) for name, counted in ledger.items()}


class Leaf(NamedTuple):
    """Flows for in_order()."""

    table: FlowTable
    order: Array | None = None  # the numbers of its rows in the order of their first records; None: they are in order


def placed(leaf: Leaf, number: int, together: Together) -> Leaf:
    """The flows of a part, with those of its fragments."""
    here = np.flatnonzero(together.parts == number)
    if not len(here):
        return leaf
    table, more = leaf.table, together.table._arrays()
    columns = {name: np.concatenate([own, more[name][here]]) for name, own in table._arrays().items()}
    order = np.argsort(np.concatenate([2 * np.arange(len(table)) + 1, 2 * together.flows[here]]), kind="stable")
    return Leaf(FlowTable(columns, table.metadata, table._unseen), order)


def in_order(leaves: Sequence[Leaf]) -> Leaf:
    """One row for each flow of tables in the order of records, whatever the times of these."""
    metadata = leaves[0].table.metadata
    scanner = Scanner(key=spec_of(metadata | {"max_flows": 0}))
    for table, order in leaves:
        add_rows(scanner, table, True, order)
        for unseen in about_unseen(table):
            add_rows(scanner, unseen, True)
    return Leaf(table_of(FlowTable, scanner, metadata, True))
