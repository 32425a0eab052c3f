"""Rows that are written as they are read, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Any, Protocol

from fluxcap.cli import summary
from fluxcap.cli.inputs import Sources
from fluxcap.cli.interrupts import Interruptible
from fluxcap.cli.messages import Messages
from fluxcap.cli.output import Output
from fluxcap.cli.progress import Progress
from fluxcap.errors import CaptureError
from fluxcap.formats import Rows
from fluxcap.tables.table import Table
from fluxcap.values.metadata import Metadata


class Scan(Protocol):
    """Tables that are read when they are asked for."""

    metadata: Metadata

    def __iter__(self) -> Iterator[Table]: ...


class Selection:
    """The first `limit` rows of some tables, 0 = all; no table is taken after the one with the last row."""

    def __init__(self, tables: Iterable[Table], limit: int) -> None:
        self.metadata: dict[str, Any] = {}  # of the last table that was taken
        self.rows = 0  # taken so far
        self.left_out: int | None = 0  # rows after the limit; None: there are some, not counted
        self._tables = tables
        self._limit = limit

    def __iter__(self) -> Iterator[Table]:
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


def _to_the_error(tables: Iterable[Table]) -> Iterator[Table]:
    """The tables; where an input cannot be read, also the rows before it that were not handed out, then the error."""
    try:
        yield from tables
    except CaptureError as error:
        if isinstance(error.partial, Table) and len(error.partial):
            yield error.partial
        raise


def write(
    rows: Rows,
    scan: Scan,
    limit: int,
    sources: Sources,
    output: Output,
    messages: Messages,
    tables: Iterable[Table] | None = None,
    each: Callable[[Table], Table] = lambda table: table,
) -> tuple[Metadata, int]:
    """Write the rows of a scan, up to a limit, as `rows` says; gives the metadata of all, and the number of rows.

    `tables`: those to write instead of the scan's own. `each`: what is made of a table before it is written.
    """
    messages.live = sources.live
    # Rows that appear on the terminal show the progress themselves.
    waiting = nullcontext() if output.on_terminal else Progress(sources, messages)
    with waiting, Interruptible() as interruptible:
        selection = Selection(_to_the_error(interruptible.until_interrupted(scan if tables is None else tables)), limit)
        selection.metadata = {"inputs": [item.name for item in sources.inputs]}
        output.write(
            rows._replace(
                tables=map(each, selection),
                heading=summary.named(item.name for item in sources.inputs),
                metadata=lambda: {**(scan.metadata or selection.metadata), "interrupted": interruptible.interrupted},
                left_out=lambda: selection.left_out,
                live=sources.live,
            )
        )
    metadata = scan.metadata or selection.metadata
    messages.hints(metadata)
    interrupted = interruptible.interrupted or metadata.get("interrupted", False)
    return {**metadata, "interrupted": interrupted}, selection.rows
