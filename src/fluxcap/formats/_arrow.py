"""What Parquet and the two Arrow formats have in common: rows as an Arrow stream, which arro3 takes batch by batch."""

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

from fluxcap.formats import Rows, Table, at_least_one, columns_of


def pour(out: BinaryIO, rows: Rows, put: Callable[[Any, Any], None], *, encoded: bool = True) -> None:
    """Let `put(stream, file)` write the rows as they come; `encoded`: with a dictionary of addresses for each table."""
    kept: list[BaseException] = []
    stream = _stream(rows, encoded, kept) if rows.stream is None else rows.stream
    try:
        put(stream, _Keeper(out, kept))
    except BaseException:
        if kept:
            raise kept[0] from None
        raise


def _stream(rows: Rows, encoded: bool, kept: list[BaseException]) -> Any:
    from fluxcap.values.arrow import Stream, View

    tables = at_least_one(rows)
    first = next(tables, None)
    like = {} if first is None else columns_of(first, rows)
    whole = _keeping(chain(() if first is None else (first,), tables), kept)
    return Stream(like, whole, rows.metadata(), View(encoded=encoded), rows.names)


def package() -> Any:
    """arro3.io, which writes these formats."""
    try:
        import arro3.io
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("arro3"):
            raise
        help = "writing Parquet and Arrow files needs one more package: pip install 'fluxcap[parquet]'"
        raise ModuleNotFoundError(help, name=error.name) from None
    return arro3.io


# A foreign library makes an error of its own of whatever happens in what it calls; these two keep what it was.


def _keeping(tables: Iterable[Table], kept: list[BaseException]) -> Iterator[Table]:
    try:
        yield from tables
    except BaseException as error:
        kept.append(error)
        raise


class _Keeper(io.RawIOBase):
    """A file that can only be written to; whoever opened the other one closes it."""

    def __init__(self, out: BinaryIO, kept: list[BaseException]) -> None:
        self._out = out
        self._kept = kept

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, octets: Any) -> int:
        """Write them all."""
        try:
            return self._out.write(octets)
        except BaseException as error:
            self._kept.append(error)
            raise
