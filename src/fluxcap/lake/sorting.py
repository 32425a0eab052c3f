"""Rows sorted by time, however many there are: parts that fit in memory are sorted, kept on disk, and merged.

Memory holds one part and, while they are merged, one small batch of each of FAN_IN parts; more are merged in rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fluxcap._core import NO_TIME

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.values.arrays import Array

PART_OCTETS: Final = 64 << 20  # bytes of rows that are sorted in memory, which takes twice as much besides
FAN_IN: Final = 64  # parts that are merged at a time
BATCH_ROWS: Final = 8192  # rows of a part in memory while it is merged: some MiB


class Sorted:
    """Rows that come in any order and leave in the order of a column of times, those without a time first.

    Rows of equal time stay in their order within a part.
    """

    def __init__(self, by: str, scratch: Path, part_octets: int = PART_OCTETS, fan_in: int = FAN_IN) -> None:
        self._by = by
        self._scratch = scratch
        self._part_octets = part_octets
        self._fan_in = fan_in
        self._names = count()
        self._parts: list[Path] = []
        self._held: list[pa.Table] = []
        self._octets = 0

    def add(self, table: pa.Table) -> None:
        """Take rows."""
        self._held.append(table)
        self._octets += table.nbytes
        if self._octets >= self._part_octets:
            self._parts.append(self._keep([self._sorted()]))

    def merged(self, besides: Sequence[Iterable[pa.Table]] = ()) -> Iterator[pa.Table]:
        """All rows, and those of sorted tables from elsewhere."""
        while len(self._parts) > self._fan_in:
            first, self._parts = self._parts[: self._fan_in], self._parts[self._fan_in :]
            self._parts.append(self._keep(merged(map(_read, first), self._by)))
            for part in first:
                part.unlink()
        rest = [[self._sorted()]] if self._held else []
        return merged([*map(_read, self._parts), *rest, *besides], self._by)

    def _sorted(self) -> pa.Table:
        import pyarrow as pa

        table = pa.concat_tables(self._held).combine_chunks()
        self._held, self._octets = [], 0
        return sort(table, self._by)

    def _keep(self, tables: Iterable[pa.Table]) -> Path:
        import pyarrow as pa

        path = self._scratch / str(next(self._names))
        writer = None
        with pa.OSFile(str(path), "wb") as file:
            for table in tables:
                writer = writer or pa.ipc.new_stream(
                    file, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
                )
                writer.write_table(table, BATCH_ROWS)
            assert writer is not None
            writer.close()
        return path


def _read(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa

    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def times(table: pa.Table, by: str) -> Array:
    """The times of rows as int64 nanoseconds; NO_TIME where there is none."""
    import pyarrow as pa

    times: Array = table[by].cast(pa.int64()).fill_null(NO_TIME).to_numpy()
    return times


def sort(table: pa.Table, by: str) -> pa.Table:
    """The rows in order."""
    import numpy as np

    keys = times(table, by)
    if (keys[:-1] <= keys[1:]).all():
        return table
    return table.take(np.argsort(keys, kind="stable"))


def merged(parts: Iterable[Iterable[pa.Table]], by: str) -> Iterator[pa.Table]:
    """The rows of sorted parts in order, in tables of about as many rows as those of the parts together."""
    import pyarrow as pa

    rests = [iter(part) for part in parts]
    heads = [_next(rest) for rest in rests]
    while any(head is not None for head in heads):
        there = [(place, head, times(head, by)) for place, head in enumerate(heads) if head is not None]
        # No row that is still to come is earlier than the last one of the head before it.
        until = min(keys[-1] for _, _, keys in there)
        ready = []
        for place, head, keys in there:
            rows = int(keys.searchsorted(until, "right"))
            ready.append(head.slice(0, rows))
            heads[place] = head.slice(rows) if rows < len(head) else _next(rests[place])
        yield sort(pa.concat_tables(ready).combine_chunks(), by)


def _next(tables: Iterator[pa.Table]) -> pa.Table | None:
    return next((table for table in tables if len(table)), None)
