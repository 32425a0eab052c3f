"""The base of every table: one aligned, read-only numpy array a column, and metadata about its making.

A column from the core becomes an array when it is asked for: importing numpy takes longer than reading a million
packets, and writing a table does not need numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from fluxcap import formats
from fluxcap._core import Column
from fluxcap.errors import unknown
from fluxcap.tables import export
from fluxcap.tables.choosing.selecting import Selectable
from fluxcap.values import derived, human, other_names
from fluxcap.values.metadata import Metadata, facts, notes

if TYPE_CHECKING:
    import os

    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed

    from fluxcap.values.arrays import Array
    from fluxcap.values.arrow import IpForm, Stream, View
    from fluxcap.values.other_names import Scheme


class Table(export.Exportable, Selectable):
    """Columns of equal length, in order: the base of every table.

    `table["name"]` is the array of a column: shape (n,), (n, 16) for IP addresses, (n, 6) for MAC addresses;
    aligned and read-only. Times are int64 nanoseconds since the epoch, UTC. Tables are equal if their columns
    are equal; metadata is not compared. A column whose name begins with an underscore travels with the rows and
    is not shown: merging needs it. Columns on request (docs/columns.md) are made when `table["duration"]` asks for one;
    with_columns() gives a table that has them.

    Attributes
    ----------
    metadata : dict
        Where the table came from: inputs, packets, ledger, damage, and how it was made.

    Examples
    --------
    >>> import fluxcap
    >>> table = fluxcap.read_flows("samples/verdicts.pcap")
    >>> table["first"].dtype, table["src_ip"].shape[1]
    (dtype('int64'), 16)
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
        """tuple of str: the names of the columns, in order."""
        return tuple(name for name in self._columns if not name.startswith("_"))

    @property
    def on_request(self) -> tuple[str, ...]:
        """tuple of str: the names of the columns that are made when they are asked for, as by with_columns()."""
        return derived.names(self._columns)

    @property
    def nbytes(self) -> int:
        """int: bytes of memory that the columns take."""
        return sum(memoryview(self.raw(name)).nbytes for name in self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def _array(self, name: str) -> Array:
        values: Array | Column = self.raw(name)
        if isinstance(values, Column):
            from fluxcap.values.arrays import array

            values = self._columns[name] = array(values)
        return values

    def raw(self, name: str) -> Any:
        """Give a column as any buffer, without importing numpy.

        Parameters
        ----------
        name : str
            Name of the column.

        Returns
        -------
        numpy.ndarray or Column
            The array if it was asked for before, else the buffer that the core made.

        Raises
        ------
        KeyError
            There is no such column; the message suggests the nearest name.

        Examples
        --------
        >>> import fluxcap
        >>> flows = fluxcap.read_flows("samples/verdicts.pcap")
        >>> memoryview(flows.raw("packets")).format
        'Q'
        """
        if name in self._columns:
            return self._columns[name]
        if name in self.on_request:
            return derived.make(name, self, self._columns)
        from fluxcap.values.meanings import unknown_column  # only for a wrong name

        raise KeyError(str(unknown_column(name, (*self.columns, *self.on_request))))

    def there(self, name: str) -> Any:
        """Say which rows have a value in a column, where zeros can stand for one that is missing.

        Parameters
        ----------
        name : str
            Name of the column.

        Returns
        -------
        buffer or None
            A byte for each row, zero where there is no value; None if all rows have one.

        Examples
        --------
        >>> import fluxcap
        >>> packets = fluxcap.read_packets("samples/verdicts.pcap")
        >>> [bool(there) for there in memoryview(packets.there("src_ip"))[:2]]  # ARP has no IP address; then UDP
        [False, True]
        """
        return self._witness(name)

    def _witness(self, name: str) -> Any:
        return None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, Table)
        from fluxcap.values.arrays import equal

        return self.columns == other.columns and all(equal(self[name], other[name]) for name in self.columns)

    __hash__ = None  # type: ignore[assignment]

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

        shown = self.head(PREVIEW_ROWS)
        title = self._title() if self.metadata else Table._title(self)
        return card(f"{type(self).__name__}: {title}", facts(self.metadata).items(), shown, len(self))

    def sort(self, by: str | Sequence[str], descending: bool = True) -> Self:
        """Sort the rows by one or several columns, the first column first.

        Parameters
        ----------
        by : str or sequence of str
            Names of columns.
        descending : bool, default True
            Largest first. Rows that are equal stay in their order.

        Returns
        -------
        Table
            Of the same kind.

        Raises
        ------
        KeyError
            There is no such column.

        Examples
        --------
        >>> import fluxcap
        >>> flows = fluxcap.read_flows("samples/sockets.pcapng").sort("bytes")
        >>> bool(flows["bytes"][0] >= flows["bytes"][1])
        True
        """
        from fluxcap.values.arrays import order

        names = [by] if isinstance(by, str) else list(by)
        return self._rows(order({name: self[name] for name in names}, descending))

    def with_columns(self, columns: str | Sequence[str]) -> Self:
        """Add columns that are made on request, for export and for other libraries.

        Parameters
        ----------
        columns : str or sequence of str
            Their names, comma-separated or a sequence: docs/columns.md lists them. Columns that are there stay.

        Returns
        -------
        Table
            Of the same kind, with these columns behind the others.

        Raises
        ------
        KeyError
            There is no such column.
        OverflowError
            A sum takes more than 64 bits.

        Examples
        --------
        >>> import fluxcap
        >>> flows = fluxcap.read_flows("samples/session.pcap").with_columns("duration,total_bytes")
        >>> flows.columns[-2:]
        ('duration', 'total_bytes')
        """
        names = columns.split(",") if isinstance(columns, str) else columns
        return self._widened({name: self[name] for name in map(str.strip, names)})

    def with_community_id(self, seed: int = 0, encoding: derived.Encoding = "base64") -> Self:
        """Add the column `community_id` for another seed, or in hexadecimal digits.

        Parameters
        ----------
        seed : int, default 0
            0 to 65535, as the other programs have it. With seed 0 and base64 with_columns("community_id") is the same.
        encoding : {"base64", "hex"}, default "base64"
            How the hash is written.

        Returns
        -------
        Table
            Of the same kind, with this column behind the others, or in the place of one of that name.

        Raises
        ------
        KeyError
            The rows of the table have no protocol, whole addresses and ports.
        ValueError
            The seed or the encoding is none of these.

        Examples
        --------
        >>> import fluxcap
        >>> flows = fluxcap.read_flows("samples/session.pcap").with_community_id(seed=1, encoding="hex")
        >>> flows["community_id"].dtype
        dtype('S42')
        """
        if not 0 <= seed <= derived.MOST_SEED:
            raise ValueError(f"the seed of a Community ID is 0 to {derived.MOST_SEED}, not {seed}")
        if encoding not in derived.ENCODINGS:
            raise unknown("encoding of a Community ID", encoding, derived.ENCODINGS)
        if not set(derived.ENDS).issubset(self._columns):
            raise KeyError("no Community ID: the rows do not have the protocol, whole addresses and ports")
        made = derived.community_id(*(self[name] for name in derived.ENDS), seed=seed, encoding=encoding)
        return self._widened({derived.COMMUNITY_ID: made})

    def _widened(self, more: Mapping[str, Array]) -> Self:
        return type(self)({**self._arrays(), **more}, self.metadata)

    def _selected(self, names: Sequence[str]) -> Self:
        hidden = {name: self[name] for name in self._columns if name.startswith("_")}
        return type(self)({**{name: self[name] for name in names}, **hidden}, self.metadata)

    def _rows(self, which: Any) -> Self:
        return type(self)({name: array[which] for name, array in self._arrays().items()}, self.metadata)

    def to_dict(self) -> dict[str, Array]:
        """Give the columns as a dict.

        Returns
        -------
        dict of str to numpy.ndarray
            A new dict of the same arrays.

        Examples
        --------
        >>> import fluxcap
        >>> list(fluxcap.read_packets("samples/verdicts.pcap", columns="ttl").to_dict())
        ['ttl']
        """
        return {name: self[name] for name in self.columns}

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> object:
        """The frame as the interchange protocol of data frames, by pandas: seaborn takes a table by it."""
        return self.to_pandas().__dataframe__(nan_as_null, allow_copy)

    def __narwhals_dataframe__(self) -> object:
        """The frame for altair, which from version 6 on takes no table by the interchange protocol."""
        from fluxcap.tables.pandas import narwhals_frame

        return narwhals_frame(self)

    def to_pandas(self, *, ip: IpForm = "text", labels: bool | None = None) -> pd.DataFrame:
        """Give a pandas DataFrame.

        Parameters
        ----------
        ip : {"text", "binary", "uint32"}, default "text"
            Addresses as dictionary-encoded texts, as 16 bytes each (MAC addresses 6), or as IPv4 numbers.
        labels : bool, optional
            None: verdicts, dispositions and reasons by name, protocols by number. True: protocols by name too.
            False: everything by number.

        Returns
        -------
        pandas.DataFrame
            Addresses and names as categories, times as datetime64[ns, UTC]. Numbers share the memory of the table,
            which is read-only: copy() the frame to assign to single cells.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.
        ValueError
            `ip="uint32"` and an address is IPv6.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.read_flows("samples/verdicts.pcap").to_pandas()["first"].dtype
        datetime64[ns, UTC]
        """
        from fluxcap.tables.pandas import pandas_frame

        return pandas_frame(self, export.as_asked(ip, labels))

    def write(self, path: str | os.PathLike[str], *, names: Scheme | None = None) -> None:
        """Write a file whose suffix decides the format.

        Parameters
        ----------
        path : path
            .csv, .tsv, .ndjson, .json, .npz, .txt (for people); with the extra `parquet` .parquet, .arrow (file) and
            .arrows (stream). A text format with .gz or .zst behind it is compressed. The file appears under its name
            only when it is whole.
        names : {"cicflowmeter", "ecs", "ipfix", "nfstream", "ocsf", "zeek"}, optional
            Give the columns the names that these programs use. "cicflowmeter": write the table of
            fluxcap.cicflowmeter().

        Raises
        ------
        ValueError
            The suffix or `names` is unknown.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> fluxcap.read_flows("samples/verdicts.pcap").write(tempfile.mkdtemp() + "/flows.csv")
        """
        from fluxcap.tables.arrow.apart import said

        if names == other_names.CICFLOWMETER:
            from fluxcap.tables.naming.cicflowmeter_columns import columns_of

            return Table(columns_of(self), self.metadata).write(path)
        called = other_names.names(names, self.metadata.get("bytes", "frame"))
        rows = formats.Rows(
            [self], self.columns, metadata=lambda: self.metadata, apart=partial(said, self), names=called
        )
        formats.save(path, rows)

    def _stream(self, view: View) -> Stream:
        from fluxcap.values.arrow import Stream

        return Stream(self.to_dict(), [self], self.metadata, view)
