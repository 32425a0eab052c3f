"""A scan as a polars LazyFrame: only the columns and rows that a query needs are read, anew for every collect()."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from fluxcap.tables.export import wanted
from fluxcap.tables.packets import PacketTable, without_rows
from fluxcap.values.arrow import Stream, View

if TYPE_CHECKING:
    import polars as pl


class Scan(Protocol):
    """What can be read again and again, each time with other columns and batches."""

    columns: tuple[str, ...]
    batch_size: int

    def read(self, columns: Sequence[str], batch_size: int) -> Iterator[PacketTable]:
        """Read everything as tables of some of the columns and so many rows."""


def lazy_frame(scan: Scan, view: View) -> pl.LazyFrame:
    """Not by way of scan_arrow_c_stream(), which has no rows when it is collected for the second time."""
    polars = wanted("polars")
    from polars.io.plugins import register_io_source

    def frames(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        # To count rows no column is needed, but a table without columns has no rows.
        columns = tuple(with_columns or scan.columns[:1]) if with_columns is not None else scan.columns
        rows = batch_size or scan.batch_size
        room = n_rows
        for table in scan.read(columns, rows if room is None else max(min(rows, room), 1)):
            frame = polars.DataFrame(Stream(table.to_dict(), [table], {}, view))
            if room is not None:
                frame = frame.head(room)
                room -= frame.height
            yield frame if predicate is None else frame.filter(predicate)
            if room == 0:
                break

    empty = without_rows(scan.columns)
    schema = polars.DataFrame(Stream(empty.to_dict(), [empty], {}, view)).schema
    return register_io_source(frames, schema=schema, validate_schema=True, is_pure=True)
