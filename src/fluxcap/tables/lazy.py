"""A scan as a polars LazyFrame: each collect() reads anew, and only the columns and rows that the query needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from fluxcap.tables.packets import PacketTable
from fluxcap.tables.requirements import wanted
from fluxcap.values.arrow import Stream, View

if TYPE_CHECKING:
    import polars as pl


class Scan(Protocol):
    """A scan that can be read repeatedly, each time with other columns and batches."""

    columns: tuple[str, ...]
    batch_size: int

    def read(self, columns: Sequence[str], batch_size: int) -> Iterator[PacketTable]:
        """Read everything as tables of these columns and `batch_size` rows."""


def lazy_frame(scan: Scan, like: PacketTable, view: View) -> pl.LazyFrame:
    """The LazyFrame of a scan, whose tables have the types of `like`. (polars' scan_arrow_c_stream() has no rows when
    it is collected a second time.)"""
    polars = wanted("polars")
    from polars.io.plugins import register_io_source

    def frames(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        # A query that counts rows needs no column, but a table without columns has no rows.
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

    schema = polars.DataFrame(Stream(like.to_dict(), [like], {}, view)).schema
    return register_io_source(frames, schema=schema, validate_schema=True, is_pure=True)
