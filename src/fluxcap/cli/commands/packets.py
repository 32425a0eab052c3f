"""`fluxcap packets`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from fluxcap._core import EXTRA_COLUMNS, PACKET_COLUMNS
from fluxcap.cli import inputs, options, summary
from fluxcap.cli.exits import Exit
from fluxcap.cli.interrupts import Interruptible
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Order, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.progress import Progress
from fluxcap.formats import Rows

if TYPE_CHECKING:
    from fluxcap.tables.packets import PacketTable

HELP: Final = "one row a packet, as they are read"
DESCRIPTION: Final = """\
One row a packet, written as it is read, in bounded memory. With -n reading ends
at the last row that is shown; with --sort everything is read first.
"""
BATCH_ROWS: Final = 8192  # few, so that the first rows come soon; enough that a batch costs next to nothing
COLUMNAR_ROWS: Final = 65536  # for formats that buffer rows anyway: each batch has a dictionary of its own


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser)
    options.add_rows(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Write the packets as they are read."""
    from fluxcap.tables.packets import choose as choose_columns
    from fluxcap.tables.packets import without_rows
    from fluxcap.tables.scan import PacketScan

    output = choose(given.format, given.output, given.color, whole=given.strict, wide=given.wide)
    sources = inputs.find(given.inputs, output)
    columns = given.columns or PACKET_COLUMNS
    options.check_columns(given, (*PACKET_COLUMNS, *EXTRA_COLUMNS))
    names = options.names(given, output)
    order = Order.of(given)
    needed = columns if order is None or order.column in columns else (*columns, order.column)
    limit = options.row_limit(given, output)
    rows = COLUMNAR_ROWS if output.binary else BATCH_ROWS
    # One row past the limit tells whether there are more; sorting needs all rows anyway.
    batch = min(limit + 1, rows) if limit and not order else rows
    scan = PacketScan(sources.inputs, *choose_columns(needed, by=None), batch, given.reading)
    # Rows that appear on the terminal show the progress themselves.
    waiting = nullcontext() if output.on_terminal else Progress(sources, messages)
    with waiting, Interruptible() as interruptible:
        batches = interruptible.until_interrupted(scan)
        selection = Selection(batches if order is None else _sorted(batches, order), limit)
        selection.metadata = {"inputs": [item.name for item in sources.inputs]}
        output.write(
            Rows(
                selection,
                columns,
                chosen=given.columns is not None,
                noun="packets",
                heading=summary.named(item.name for item in sources.inputs),
                metadata=lambda: scan.metadata or selection.metadata,
                left_out=lambda: selection.left_out,
                like=without_rows(columns),
                names=names,
            )
        )
    messages.hints(scan.metadata or selection.metadata)
    return Exit.INTERRUPTED if interruptible.interrupted else Exit.DONE


class Selection:
    """The first `limit` rows of some tables, 0 = all; no table is taken after the one with the last row."""

    def __init__(self, tables: Iterable[PacketTable], limit: int) -> None:
        self.metadata: dict[str, Any] = {}  # of the last table that was taken
        self.left_out: int | None = 0  # rows after the limit; None: there are some, not counted
        self._tables = tables
        self._limit = limit

    def __iter__(self) -> Iterator[PacketTable]:
        room = self._limit
        for table in self._tables:
            self.metadata = table.metadata
            if self._limit and len(table) > room:
                self.left_out = None
                yield table.head(room)
                return
            yield table
            room -= len(table)


def _sorted(tables: Iterable[PacketTable], order: Order) -> Iterator[PacketTable]:
    """All the tables as one, sorted."""
    import numpy as np

    from fluxcap.tables.packets import PacketTable

    parts = list(tables)
    if parts:
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0].columns}
        yield PacketTable(columns, parts[-1].metadata).sort(order.column, order.descending)
