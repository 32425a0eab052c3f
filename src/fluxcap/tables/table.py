"""What every table is: one aligned, read-only numpy array a column, and metadata that says where it came from.

A column that came from the core becomes an array when it is asked for: numpy takes longer to import than a million
packets to read, and who only writes a table needs none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from fluxcap import formats
from fluxcap._core import Column
from fluxcap.errors import unknown
from fluxcap.tables import export
from fluxcap.values import human, other_names
from fluxcap.values.metadata import Metadata, facts, notes

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed

    from fluxcap.values.arrays import Array
    from fluxcap.values.arrow import IpForm, Stream, View


class Table(export.Exportable):
    """Columns of equal length, in order.

    `table["name"]` is the column's array: shape (n,), or (n, 16) and (n, 6) octets for IP and MAC addresses. Times are
    int64 nanoseconds since the epoch, UTC. Tables are equal if their columns are; metadata is not compared.

    A column whose name begins with an underscore travels along with the rows and is not shown: what merging needs.
    """

    __slots__ = ("_columns", "metadata")
    metadata: Metadata

    def __init__(self, columns: Mapping[str, Array | Column], metadata: Metadata | None = None) -> None:
        self._columns = dict(columns)
        self.metadata = {} if metadata is None else metadata
        if len(set(map(len, self._columns.values()))) > 1:
            raise ValueError("the columns of a table are of equal length")
        for values in self._columns.values():
            if not isinstance(values, Column):
                values.flags.writeable = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(name for name in self._columns if not name.startswith("_"))

    @property
    def nbytes(self) -> int:
        """Octets of memory that the columns take."""
        return sum(memoryview(self.raw(name)).nbytes for name in self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __getitem__(self, name: str) -> Array:
        values: Array | Column = self.raw(name)
        if isinstance(values, Column):
            from fluxcap.values.arrays import array

            values = self._columns[name] = array(values)
        return values

    def raw(self, name: str) -> Any:
        """The column for whoever takes any buffer: an array only if it is one already, else as the core made it."""
        try:
            return self._columns[name]
        except KeyError:
            raise KeyError(str(unknown("column", name, self._columns))) from None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, Table)
        from fluxcap.values.arrays import equal

        return self.columns == other.columns and all(equal(self[name], other[name]) for name in self.columns)

    __hash__ = None  # type: ignore[assignment]
    __iter__ = None  # a table has columns; its rows are no objects

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._arrays(), self.metadata)

    def _arrays(self) -> dict[str, Array]:
        """The columns, hidden ones too."""
        return {name: self[name] for name in self._columns}

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
        from fluxcap.tables.card import PREVIEW_ROWS, card

        shown = self.head(PREVIEW_ROWS).to_dict()
        title = self._title() if self.metadata else Table._title(self)
        return card(f"{type(self).__name__}: {title}", facts(self.metadata).items(), shown, len(self))

    def head(self, n: int = 5) -> Self:
        """The first n rows."""
        return self._rows(slice(max(n, 0)))

    def filter(self, mask: Any) -> Self:
        """The rows where `mask`, one bool a row, is true."""
        from fluxcap.values.arrays import checked

        return self._rows(checked(mask, len(self)))

    def sort(self, by: str | Sequence[str], descending: bool = True) -> Self:
        """The rows in the order of one or several columns, the first counting most; addresses by their octets.

        Rows that are equal there keep their order.
        """
        from fluxcap.values.arrays import order

        names = [by] if isinstance(by, str) else list(by)
        return self._rows(order([self[name] for name in names], descending))

    def _rows(self, which: Any) -> Self:
        return type(self)({name: array[which] for name, array in self._arrays().items()}, self.metadata)

    def to_dict(self) -> dict[str, Array]:
        """The columns as a new dict of the same arrays."""
        return {name: self[name] for name in self.columns}

    def to_pandas(self, *, ip: IpForm = "text", labels: bool | None = None) -> pd.DataFrame:
        """A pandas DataFrame: addresses and names as categories, times as datetime64[ns, UTC].

        Numbers share the memory of the table, which is read-only: copy() the frame to assign to single cells.
        """
        from fluxcap.tables.pandas import pandas_frame

        return pandas_frame(self.to_dict(), export.as_asked(ip, labels))

    def write(self, path: str | os.PathLike[str], *, names: str | None = None) -> None:
        """Write a file whose suffix decides its format.

        .csv .tsv .ndjson .json, .txt for people, .npz, and with the extra `parquet` .parquet, .arrow (a file) and
        .arrows (a stream). `names`: call the columns what "ipfix", "zeek" or "nfstream" call them. The file appears
        under its name only when it is whole. ValueError if no format has this suffix, or there are no such names.
        """
        called = other_names.names(names, self.metadata.get("bytes", "frame"))
        rows = formats.Rows([self], self.columns, metadata=lambda: self.metadata, names=called)
        formats.save(path, rows)

    def _stream(self, view: View) -> Stream:
        from fluxcap.values.arrow import Stream

        return Stream(self.to_dict(), [self], self.metadata, view)
