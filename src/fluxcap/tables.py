"""What every table is: one aligned, read-only numpy array a column, and metadata that says where it came from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fluxcap import _core, formats, frames, naming
from fluxcap.arrow import IpForm, Stream, View
from fluxcap.card import PREVIEW_ROWS, card
from fluxcap.formats.table import human
from fluxcap.metadata import facts, notes
from fluxcap.reading import Metadata
from fluxcap.suggest import unknown

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed

Array = np.ndarray[Any, np.dtype[Any]]


def arrays(columns: Mapping[str, _core.Column]) -> dict[str, Array]:
    """The core's columns as arrays over the same memory: (n,), or (n, width) where a value has several items."""
    return {name: _array(column) for name, column in columns.items()}


def _array(column: _core.Column) -> Array:
    array: Array = np.frombuffer(memoryview(column), dtype=np.dtype(column.dtype))
    return array if column.width == 1 else array.reshape(-1, column.width)


def kinds(columns: Sequence[Array]) -> tuple[Array, Array]:
    """Rows that are alike in all of these columns are of one kind: the first row of each, in order, and the kind of
    each row, from 0."""
    n = len(columns[0])
    octets = [np.ascontiguousarray(column).reshape(n, column.size // max(n, 1)).view(np.uint8) for column in columns]
    joined = np.concatenate(octets, axis=1)
    whole = joined.view(np.dtype((np.void, joined.shape[1] or 1))).reshape(-1)
    _, first, kind = np.unique(whole, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[kind]


class Table(frames.Exportable):
    """Columns of equal length, in order.

    `table["name"]` is the column's array: shape (n,), or (n, 16) and (n, 6) octets for IP and MAC addresses. Times are
    int64 nanoseconds since the epoch, UTC. Tables are equal if their columns are; metadata is not compared.

    A column whose name begins with an underscore travels along with the rows and is not shown: what merging needs.
    """

    __slots__ = ("_columns", "metadata")
    metadata: Metadata

    def __init__(self, columns: Mapping[str, Array], metadata: Metadata | None = None) -> None:
        self._columns = dict(columns)
        self.metadata = {} if metadata is None else metadata
        if len(set(map(len, self._columns.values()))) > 1:
            raise ValueError("the columns of a table are of equal length")
        for array in self._columns.values():
            array.flags.writeable = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(name for name in self._columns if not name.startswith("_"))

    @property
    def nbytes(self) -> int:
        """Octets of memory that the columns take."""
        return sum(array.nbytes for array in self._columns.values())

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __getitem__(self, name: str) -> Array:
        try:
            return self._columns[name]
        except KeyError:
            raise KeyError(str(unknown("column", name, self._columns))) from None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, Table)
        return self.columns == other.columns and all(
            np.array_equal(self._columns[name], other._columns[name]) for name in self.columns
        )

    __hash__ = None  # type: ignore[assignment]
    __iter__ = None  # a table has columns; its rows are no objects

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._columns, self.metadata)

    def __repr__(self) -> str:
        kind = type(self).__name__
        if not self.metadata:  # made from columns
            return f"<{kind}: {len(self):,} rows, {len(self.columns)} columns>"
        made = self.metadata
        read = f"{human.counted(made['packets'], 'record')} in {human.counted(len(made['inputs']), 'input')}"
        return f"<{kind}: {'; '.join((f'{self._title()}, of {read}', *notes(made)))}>"

    def _title(self) -> str:
        return f"{len(self):,} rows"

    def _repr_html_(self) -> str:
        shown = self.head(PREVIEW_ROWS).to_dict()
        title = self._title() if self.metadata else Table._title(self)
        return card(f"{type(self).__name__}: {title}", facts(self.metadata).items(), shown, len(self))

    def head(self, n: int = 5) -> Self:
        """The first n rows."""
        return self._rows(slice(max(n, 0)))

    def filter(self, mask: Any) -> Self:
        """The rows where `mask`, one bool a row, is true."""
        mask = np.asarray(mask)
        if mask.dtype != np.bool_ or mask.shape != (len(self),):
            raise ValueError(f"the mask must be {len(self)} bools, not {mask.shape} of {mask.dtype}")
        return self._rows(mask)

    def sort(self, by: str | Sequence[str], descending: bool = True) -> Self:
        """The rows in the order of one or several columns, the first counting most; addresses by their octets.

        Rows that are equal there keep their order.
        """
        names = [by] if isinstance(by, str) else list(by)
        keys = [_sortable(self[name]) for name in reversed(names)]
        if not descending:
            return self._rows(np.lexsort(keys))
        # Sorting the rows backwards and turning the result round is descending, and stable.
        return self._rows(len(self) - 1 - np.lexsort([key[::-1] for key in keys])[::-1])

    def _rows(self, which: Any) -> Self:
        return type(self)({name: array[which] for name, array in self._columns.items()}, self.metadata)

    def to_dict(self) -> dict[str, Array]:
        """The columns as a new dict of the same arrays."""
        return {name: self._columns[name] for name in self.columns}

    def to_pandas(self, *, ip: IpForm = "text", labels: bool | None = None) -> pd.DataFrame:
        """A pandas DataFrame: addresses and names as categories, times as datetime64[ns, UTC].

        Numbers share the memory of the table, which is read-only: copy() the frame to assign to single cells.
        """
        return frames.pandas_frame(self.to_dict(), View(ip, labels))

    def write(self, path: str | os.PathLike[str], *, names: str | None = None) -> None:
        """Write a file whose suffix decides its format.

        .csv .tsv .ndjson .json, .txt for people, .npz, and with the extra `parquet` .parquet, .arrow (a file) and
        .arrows (a stream). `names`: call the columns what "ipfix", "zeek" or "nfstream" call them. The file appears
        under its name only when it is whole. ValueError if no format has this suffix, or there are no such names.
        """
        called = naming.names(names, self.metadata.get("bytes", "frame"))
        rows = formats.Rows([self], self.columns, metadata=lambda: self.metadata, names=called)
        formats.save(path, rows)

    def _stream(self, view: View) -> Stream:
        columns = self.to_dict()
        return Stream(columns, [self], self.metadata, view)


def _sortable(array: Array) -> Array:
    if array.ndim == 1:
        return array
    # Compared as octets; the trailing zeros that numpy strips of an "S" make no difference between equal lengths.
    return np.ascontiguousarray(array).view(f"S{array.shape[1]}").reshape(-1)
