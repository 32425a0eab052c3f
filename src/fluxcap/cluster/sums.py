"""Flows that are nothing but sums: no timeout, no interval, no connection. Their parts may be ranges of a capture, and
are read without a look at single packets but for fragments (apart.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from fluxcap._core import Scanner
from fluxcap.capture.inputs import Captures, Input
from fluxcap.capture.left_out import about_errors, errors_not_kept
from fluxcap.capture.warn import keeping_warnings, warn
from fluxcap.cluster.account import Account, Accounting
from fluxcap.cluster.apart import COLUMNS, Apart, Numbering, Records, Together, apart_of, read_together
from fluxcap.cluster.gathering import Gathered, Summary, gathered
from fluxcap.cluster.part import Work, open_table
from fluxcap.cluster.ranges import (
    Behind,
    Range,
    Read,
    Seam,
    as_input,
    beginning_of,
    is_described,
    range_of,
    seam_of,
    whole,
)
from fluxcap.cluster.sharing import Joining, Sharing, Workers, is_tried_again
from fluxcap.plan.flow_plan import FlowPlan, spec_of
from fluxcap.tables.flows import FlowTable, about_unseen, add_rows, table_of
from fluxcap.tables.merging import added_up
from fluxcap.values.arrays import Array, arrays

if TYPE_CHECKING:
    from distributed import Future  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.capture.index.beginning import Way
    from fluxcap.capture.inputs import Opened
    from fluxcap.values.metadata import Metadata


# The counts of so many rows are made wide at once: memory that is used again costs less than new memory for all.
ROWS_AT_ONCE: Final = 8192


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
    seam: Seam

    @property
    def summary(self) -> Summary:
        """What is to be known of it to join it to others."""
        return Summary(
            self.table.metadata, self.account, len(self.apart.rows["packet"]) > 0, False, self.read, self.seam
        )


class _Adding(Accounting):
    """A reading of a part."""

    def _scanner(self, **told: Any) -> Scanner:
        return Scanner(fragments_apart=True, **told)

    def __init__(self, *arguments: Any, **told: Any) -> None:
        super().__init__(*arguments, **told)
        self.kept: dict[int, Records] = {}  # of inputs

    def note(self, item: Input) -> None:
        """Keep the records of an input that stand apart, if all that describes them is what the input begins with."""
        super().note(item)
        octets = self.scanner.take_apart()
        headers = beginning_of(item) if octets else b""
        if is_described(self.scanner, headers):
            self.kept[len(self.begun) - 1] = Records(headers, octets)

    def _way(self, item: Input, octets: Opened) -> Way | None:
        found = range_of([item])
        return Behind(self.scanner, octets, found) if found is not None and found.packets else None


def read_sum(inputs: Sequence[Input], work: Work) -> Sum:
    """Read a group of inputs, or a range."""
    found, seam, collect = range_of(inputs), seam_of(inputs), work.collect
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
    account, apart = reading.account(warnings), apart_of(rows, reading.kept, reading.begun)
    return Sum(table, apart, account, found and _read(found, reading, account), seam)


def _read(found: Range, reading: _Adding, account: Account) -> Read:
    scanner = reading.scanner
    fine = bool(reading.begun) and scanner.damage is None and not (account.failed or account.damaged)
    return Read(found.begin, found.end, scanner.totals()["packets"], fine and is_described(scanner, found.headers))


def read_whole(inputs: Sequence[Input], work: Work) -> FlowTable:
    """Read all inputs as one process does."""
    reading = Accounting(work.options._replace(threads=1), True, key=work.plan.spec())
    with keeping_warnings():
        for _ in reading.read(inputs):
            pass
        return open_table(reading, work)


class Early(NamedTuple):
    """What is begun with the reading of parts, so that no worker waits for this process then."""

    joining: Joining
    fragments: Future
    said: Future


def begin_early(sharers: Workers, parts: list[Future], told: list[Future], work: Work) -> Early:
    """Begin what needs no more than the parts and what is told of them."""
    together = sharers.do(read_together, sharers.each(_apart, parts, first=True), told, work)
    return Early(
        sharers.joining(in_order, parts, partial(leaf, numbering=Numbering(len(parts)))),
        sharers.do(leaf_of_fragments, together),
        sharers.do(_said, together),
    )


def collect_sums(src: Captures, work: Work, sharing: Sharing) -> FlowTable:
    """Read captures into a table of flows that add up."""
    with gathered(
        src, work.options, sharing, read_sum, work, ranges=True, early=partial(begin_early, work=work)
    ) as found:
        table = _table(found, work)
        table.metadata = found.told(table.metadata)
    return table


def _table(found: Gathered, work: Work) -> FlowTable:
    sharers, metadata = found.sharers, added_up(found.metadata)
    early: Early = found.early
    fragments = any(one.fragments for one in found.summaries)
    joined: Leaf = early.joining.end([early.fragments] if fragments else [])
    if fragments:
        exact, corrections = sharers.result(early.said)
        if not exact:
            everything: FlowTable = sharers.result(sharers.do(read_whole, whole(found.groups), work))
            return everything
        metadata = metadata | {"ledger": _corrected(metadata["ledger"], corrections)}
    if joined.unkept:
        warn(UserWarning(about_errors(joined.unkept)))
    table = joined.whole()
    table.metadata = metadata
    return table


def _apart(part: Sum) -> Apart:
    return part.apart


def _said(together: Together | None) -> tuple[bool, Any] | None:
    return together and (together.exact, together.ledger)


def _corrected(ledger: Metadata, corrections: Metadata) -> Metadata:
    return {name: tuple(map(int, np.array(counted) + corrections[name])) for name, counted in ledger.items()}


class Leaf(NamedTuple):
    """Flows of some records. They are sent with their counts in as few bytes as the greatest one takes, which is half
    of all bytes."""

    table: FlowTable
    numbers: Array  # of the record that each row began with: Numbering
    unkept: int = 0  # ICMP errors about flows not seen that found no room where leaves were joined
    narrow: Sequence[str] = ()  # the columns that were uint64 before

    def __reduce__(self) -> tuple[Any, ...]:
        return Leaf, tuple(self if self.narrow else _narrow(self))

    def whole(self) -> FlowTable:
        """The flows as they were."""
        if not self.narrow:
            return self.table
        return FlowTable(_wide(self, slice(None)), self.table.metadata, self.table._unseen)

    def pieces(self) -> Iterator[tuple[FlowTable, Array]]:
        """Some rows at a time as they were, and their numbers."""
        step = ROWS_AT_ONCE if self.narrow else max(len(self.numbers), 1)
        for begin in range(0, len(self.numbers), step):
            rows = slice(begin, begin + step)
            yield FlowTable(_wide(self, rows), self.table.metadata), self.numbers[rows]


def _narrow(wide: Leaf) -> Leaf:
    columns = wide.table._arrays()
    counts = {name: column for name, column in columns.items() if column.dtype == np.uint64}
    least = {name: count.astype(np.min_scalar_type(count.max(initial=0))) for name, count in counts.items()}
    return Leaf(
        FlowTable({**columns, **least}, wide.table.metadata, wide.table._unseen),
        wide.numbers,
        wide.unkept,
        tuple(counts),
    )


def _wide(sent: Leaf, rows: slice) -> dict[str, Array]:
    some = {name: column[rows] for name, column in sent.table._arrays().items()}
    return {**some, **{name: some[name].astype(np.uint64) for name in sent.narrow}}


def leaf(part: Sum, place: int, numbering: Numbering) -> Leaf:
    """The flows of the part at this place."""
    return Leaf(part.table, numbering.of_flows(place, len(part.table)))


def leaf_of_fragments(together: Together | None) -> Leaf | None:
    """The flows of the fragments of all parts; None if there are none."""
    return together and Leaf(together.table, together.numbers)


def in_order(leaves: Iterable[Leaf]) -> Leaf:
    """One row for each flow, in the order of records, whatever the times of these."""
    scanner: Scanner | None = None
    unkept = 0
    for one in leaves:
        if scanner is None:
            metadata = one.table.metadata
            scanner = Scanner(key=spec_of(metadata | {"max_flows": 0}))
        for table, numbers in one.pieces():
            add_rows(scanner, table, numbers)
        for unseen in about_unseen(one.table):
            add_rows(scanner, unseen, np.zeros(len(unseen), np.uint64))
        unkept += one.unkept
    assert scanner is not None
    unkept += errors_not_kept(scanner.totals())
    numbers = np.frombuffer(scanner.numbers(), np.uint64)
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    return Leaf(table_of(FlowTable, scanner, metadata, True, order=order), numbers, unkept)
