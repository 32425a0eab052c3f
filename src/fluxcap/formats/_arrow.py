"""The common part of Parquet and the two Arrow formats: rows as an Arrow stream, which arro3 takes batch by batch."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, BinaryIO

from fluxcap.errors import missing
from fluxcap.formats import Rows, Table, at_least_one, columns_of
from fluxcap.held_signals import HeldSignals


def pour(out: BinaryIO, rows: Rows, put: Callable[[Any, Any], None], *, encoded: bool = True) -> None:
    """Let `put(stream, file)` write the rows as they come; `encoded`: with a dictionary of addresses for each table."""
    kept: list[BaseException] = []
    with HeldSignals() as signals:
        stream = _stream(rows, encoded, kept, signals) if rows.stream is None else rows.stream
        try:
            put(stream, _Keeper(out, kept, signals))
        except BaseException:
            if not kept:
                raise
    if kept:
        raise kept[0]


def _stream(rows: Rows, encoded: bool, kept: list[BaseException], signals: HeldSignals) -> Any:
    from fluxcap.values.arrow import Stream, View

    with signals.let_through():
        tables = at_least_one(rows)
        first = next(tables, None)
    like = {} if first is None else columns_of(first, rows)
    whole = _keeping(chain(() if first is None else (first,), tables), kept, signals)
    return Stream(like, whole, {**rows.metadata(), **rows.apart()}, View(encoded=encoded), rows.names)


def package() -> Any:
    """arro3.io, which writes these formats."""
    try:
        import arro3.io
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("arro3"):
            raise
        raise missing("writing Parquet and Arrow files", "arro3-io", "parquet") from None
    return arro3.io


# arro3 turns an exception of a function that it calls into an error of its own, or a panic. So signals, whose handlers
# raise, wait until a table is read or bytes are written, and exceptions of reading and writing are kept.


def _keeping(tables: Iterator[Table], kept: list[BaseException], signals: HeldSignals) -> Iterator[Table]:
    while not kept:
        try:
            with signals.let_through():
                table = next(tables)
        except StopIteration:
            return
        except BaseException as error:
            kept.append(error)
            raise
        yield table
    raise kept[0]  # the output failed: reading on would be of no use


class _Keeper(io.RawIOBase):
    """A file that can only be written to, over another that stays open."""

    def __init__(self, out: BinaryIO, kept: list[BaseException], signals: HeldSignals) -> None:
        self._out = out
        self._kept = kept
        self._signals = signals

    def writable(self) -> bool:
        """Always true."""
        return True

    def write(self, octets: Any) -> int:
        """Write all bytes; after the first failure nothing more."""
        if not self._kept:
            try:
                with self._signals.let_through():
                    self._out.write(octets)
            except BaseException as error:
                self._kept.append(error)
        return len(octets)
