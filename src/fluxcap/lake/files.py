"""The Parquet files of a lake: none larger than asked for, and none in a folder under half of that but one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

from fluxcap.lake.layout import EXPORT, Layout
from fluxcap.lake.manifest import File
from fluxcap.lake.place import Place
from fluxcap.lake.sorting import BATCH_ROWS, times
from fluxcap.whole_files import replacing

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

FULL: Final = 0.5  # of the largest size: a file of so much is left as it is, and a smaller one grows with what comes
# A row group is at most this part of the largest size, so that a file ends within it and yet is full; and in memory at
# most so many bytes.
GROUP: Final = 0.25
GROUP_OCTETS: Final = 32 << 20
CHUNK_OCTETS: Final = 256  # what the end of a file says of a column in a row group, at most: its statistics, its place
COMPRESSION: Final = "zstd"


def write(place: Place, layout: Layout, tables: Iterable[pa.Table], most: int) -> Iterator[File]:
    """Write rows that are sorted by time into the folders of their times, in files of at most so many bytes."""
    pieces = _by_folder(tables, layout)
    for folder, several in groupby(pieces, lambda piece: piece[0]):
        place.prepare(folder)
        yield from _write_folder(place, layout, folder, (table for _, table in several), most)


def read(place: Place, file: File, without: frozenset[str]) -> Iterator[pa.Table]:
    """The rows of a file, without those of some exports."""
    import pyarrow as pa
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

    system, root = place.arrow()
    with system.open_input_file(f"{root}/{file.path}") as source, pq.ParquetFile(source) as whole:
        for batch in whole.iter_batches(BATCH_ROWS):
            table = pa.Table.from_batches([batch])
            gone = pc.is_in(table[EXPORT], pa.array(sorted(without), pa.string()))
            yield table.filter(pc.invert(gone)) if without else table


def _by_folder(tables: Iterable[pa.Table], layout: Layout) -> Iterator[tuple[str, pa.Table]]:
    import numpy as np

    for table in tables:
        periods = layout.periods(times(table, layout.by_time))
        starts = [0, *(np.flatnonzero(np.diff(periods)) + 1), len(table)]
        for start, end in pairwise(starts):
            yield layout.folder(int(periods[start])), table.slice(start, end - start)


def _write_folder(place: Place, layout: Layout, folder: str, tables: Iterable[pa.Table], most: int) -> Iterator[File]:
    import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

    schema = layout.schema()
    texts = [field.name for field in schema if str(field.type) == "string"]
    order = pq.SortingColumn(schema.get_field_index(layout.by_time), nulls_first=True)
    groups = _groups(tables, min(int(GROUP * most), GROUP_OCTETS))
    group = next(groups, None)
    while group is not None:
        path = f"{folder}/part-{os.urandom(8).hex()}.parquet"
        exports: Counter[str] = Counter()
        with replacing(place.at(path)) as out:
            with pq.ParquetWriter(
                out, schema, compression=COMPRESSION, use_dictionary=texts, sorting_columns=[order]
            ) as writer:
                end = 0  # bytes that the end of the file takes
                # What a group takes in the file is no more than what it takes in memory.
                while group is not None and (not end or out.tell() + group.nbytes + end <= most):
                    writer.write_table(group, len(group))
                    end += 2 * CHUNK_OCTETS * len(schema) if not end else CHUNK_OCTETS * len(schema)
                    exports.update(_rows_by_export(group))
                    group = next(groups, None)
            octets = out.tell()
        yield File(path, octets, dict(exports))


def _rows_by_export(table: pa.Table) -> dict[str, int]:
    counts = table[EXPORT].value_counts()
    return {count["values"]: count["counts"] for count in counts.to_pylist()}


def _groups(tables: Iterable[pa.Table], octets: int) -> Iterator[pa.Table]:
    """The rows in tables of about so many bytes."""
    import pyarrow as pa

    held: list[pa.Table] = []
    there = 0
    for table in tables:
        rows = max(len(table) * octets // max(table.nbytes, 1), 1)
        for start in range(0, len(table), rows):
            piece = table.slice(start, rows)
            if held and there + piece.nbytes > octets:
                yield pa.concat_tables(held)
                held, there = [], 0
            held.append(piece)
            there += piece.nbytes
    if held:
        yield pa.concat_tables(held)
