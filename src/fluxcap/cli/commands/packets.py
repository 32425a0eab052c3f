"""`fluxcap packets`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fluxcap._core import EXTRA_COLUMNS, PACKET_COLUMNS
from fluxcap.cli import inputs, options, summary
from fluxcap.cli.commands.flow_rows import how_it_ended
from fluxcap.cli.exits import Exit
from fluxcap.cli.interrupts import Interruptible
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Order, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.progress import Progress
from fluxcap.formats import Rows
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap.tables.packets import PacketTable

HELP: Final = "one row a packet, as they are read"
DESCRIPTION: Final = """\
One row a packet, written as it is read, in bounded memory. With -n reading ends
at the last row that is shown; with --sort everything is read first, and
--max-memory bounds what that takes.
"""
BATCH_ROWS: Final = 8192  # few, so that the first rows come soon; enough that a batch costs next to nothing
COLUMNAR_ROWS: Final = 65536  # for formats that buffer rows anyway: each batch has a dictionary of its own


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser)
    options.add_rows(parser)
    options.add_max_memory(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Write the packets as they are read."""
    from fluxcap.tables.packets import choose as choose_columns
    from fluxcap.tables.packets import collect_packets, without_rows
    from fluxcap.tables.scan import PacketScan

    output = choose(given.format, given.output, given.color, whole=given.strict, wide=given.wide)
    sources = inputs.find(given.inputs, output)
    columns = given.columns or PACKET_COLUMNS
    options.check_columns(given, (*PACKET_COLUMNS, *EXTRA_COLUMNS))
    names = options.names(given, output)
    order = Order.of(given)
    needed = columns if order is None or order.column in columns else (*columns, order.column)
    limit = options.row_limit(given, output)
    chosen, plan = choose_columns(needed, by=None)
    plan = plan and plan._replace(max_memory=given.max_memory)
    rows = COLUMNAR_ROWS if output.binary else BATCH_ROWS
    batch = min(limit + 1, rows) if limit else rows  # one row past the limit tells whether there are more
    scan = PacketScan(sources.inputs, chosen, plan, batch, given.reading)
    whole = partial(collect_packets, sources.captures, chosen, plan, given.reading, given.max_memory)
    # Rows that appear on the terminal show the progress themselves.
    waiting = nullcontext() if output.on_terminal else Progress(sources, messages)
    with waiting, Interruptible() as interruptible:
        tables = interruptible.until_interrupted(scan if order is None else _sorted(whole, order))
        selection = Selection(tables, limit)
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
                live=sources.live,
            )
        )
    metadata = scan.metadata or selection.metadata
    messages.hints(metadata)
    if interruptible.interrupted:
        return Exit.INTERRUPTED
    return how_it_ended(metadata, human.counted(selection.rows, "row"), messages)


class Selection:
    """The first `limit` rows of some tables, 0 = all; no table is taken after the one with the last row."""

    def __init__(self, tables: Iterable[PacketTable], limit: int) -> None:
        self.metadata: dict[str, Any] = {}  # of the last table that was taken
        self.rows = 0  # taken so far
        self.left_out: int | None = 0  # rows after the limit; None: there are some, not counted
        self._tables = tables
        self._limit = limit

    def __iter__(self) -> Iterator[PacketTable]:
        room = self._limit
        for table in self._tables:
            self.metadata = table.metadata
            self.rows += len(table)
            if self._limit and len(table) > room:
                self.left_out = None
                yield table.head(room)
                return
            yield table
            room -= len(table)


def _sorted(whole: Callable[[], PacketTable], order: Order) -> Iterator[PacketTable]:
    """One table of all packets, read when it is asked for."""
    yield whole().sort(order.column, order.descending)
