"""A lake as other libraries read it: the files that the manifest names, and no others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fluxcap.lake import manifest
from fluxcap.lake.manifest import File, Manifest
from fluxcap.lake.place import Place
from fluxcap.tables.requirements import wanted

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

# The types of the columns that folders stand for.
IN_SQL: Final = {"day": "DATE", "hour": "INTEGER"}
IN_ARROW: Final = {"day": "date32", "hour": "int32"}
PATTERN: Final = "*?["  # what a library would read as a pattern


class Lake:
    """One state of a lake, which stays as it is until the export after the next one.

    Each library gets the columns of the files and `day` and `hour` of the folders, null for rows without a time, and
    reads only the files, columns and row groups that a query needs.

    Attributes
    ----------
    table : str
        What a row is: "flows", "packets" or "connections".
    columns : tuple of str
        Names of the columns.
    files : tuple of str
        The files, in no order.
    inputs : dict of str to tuple of str
        The inputs of each export, by the value of the column `export`.

    See Also
    --------
    scan_lake : opens a lake.

    Examples
    --------
    >>> import fluxcap, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> done = fluxcap.export("samples/office.pcap", folder, partition="day")
    >>> lake = fluxcap.scan_lake(folder)
    >>> len(lake) == done.rows, lake.columns[-2:]
    (True, ('export', 'day'))
    """

    def __init__(self, place: Place, state: Manifest) -> None:
        self._place = place
        self._state = state
        self.table = state.layout.table
        self.columns = (*(name for name, _ in state.layout.columns), *state.layout.levels)
        self.files = tuple(place.at(file.path) for file in state.files)
        self.inputs = {name: one.inputs for name, one in state.exports.items()}

    def __len__(self) -> int:
        return sum(file.rows for file in self._state.files)

    def __repr__(self) -> str:
        return f"<Lake {self._place.shown}: {len(self):,} {self.table} in {len(self.files):,} files>"

    def to_arrow(self) -> pa.dataset.Dataset:
        """Give a pyarrow Dataset.

        Returns
        -------
        pyarrow.dataset.Dataset
            A fragment a file.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> done = fluxcap.export("samples/office.pcap", folder)
        >>> fluxcap.scan_lake(folder).to_arrow().count_rows() == done.rows
        True
        """
        wanted("pyarrow")
        import pyarrow.dataset as ds  # type: ignore[import-untyped,unused-ignore]

        system, root = self._place.arrow()
        form = ds.ParquetFileFormat()
        parts = [form.make_fragment(f"{root}/{file.path}", system, self._where(file)) for file in self._state.files]
        return ds.FileSystemDataset(parts, self.schema(), form, system)

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """Give a DuckDB relation.

        Parameters
        ----------
        connection : duckdb.DuckDBPyConnection, optional
            None: the default connection. Of a lake in a store it learns to read that store, by fsspec.

        Returns
        -------
        duckdb.DuckDBPyRelation
            A relation over the files.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> done = fluxcap.export("samples/office.pcap", folder)
        >>> lake = fluxcap.scan_lake(folder).to_duckdb()
        >>> lake.aggregate("count(*)").fetchall() == [(done.rows,)]
        True
        """
        library = wanted("duckdb")
        session = connection or library.default_connection()
        if not self.files:
            empty: duckdb.DuckDBPyRelation = session.from_arrow(self.schema().empty_table())
            return empty
        if self._place.in_store:
            from fluxcap.stores.objects import store_of

            store, _ = store_of(self._place.root)
            schemes = {store.protocol} if isinstance(store.protocol, str) else set(store.protocol)
            if schemes.isdisjoint(session.list_filesystems()):
                session.register_filesystem(store)
        types = ", ".join(f"'{level}': {IN_SQL[level]}" for level in self._state.layout.levels)
        query = f"FROM read_parquet($files, hive_partitioning = true, hive_types = {{{types}}})"
        relation = session.sql(query, params={"files": list(map(_literal, self.files))})
        # The path of the lake may have a folder that looks like one of its own.
        return relation.project(", ".join(f'"{name}"' for name in self.columns))

    def lazy(self) -> pl.LazyFrame:
        """Give a polars LazyFrame.

        Returns
        -------
        polars.LazyFrame
            Of a lake in a store it reads by pyarrow (extra `arrow`).

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> done = fluxcap.export("samples/office.pcap", folder)
        >>> fluxcap.scan_lake(folder).lazy().select("bytes").collect().height == done.rows
        True
        """
        polars = wanted("polars")
        if self._place.in_store or not self.files:
            scanned: pl.LazyFrame = polars.scan_pyarrow_dataset(self.to_arrow())
            return scanned
        # The path of the lake may have folders that look like its own.
        others = {part.partition("=")[0]: polars.String for part in Path(self._place.root).parts if "=" in part}
        types = {"day": polars.Date, "hour": polars.Int32}
        known = {**others, **{level: types[level] for level in self._state.layout.levels}}
        frame: pl.LazyFrame = polars.scan_parquet(
            list(self.files), hive_partitioning=True, hive_schema=known, glob=False
        )
        return frame.select(self.columns)

    def schema(self) -> pa.Schema:
        """Give the schema of the rows, as pyarrow has it.

        Returns
        -------
        pyarrow.Schema
            Also the columns of the folders.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> done = fluxcap.export("samples/office.pcap", folder)
        >>> fluxcap.scan_lake(folder).schema().field("first").type
        TimestampType(timestamp[ns, tz=UTC])
        """
        import pyarrow as pa

        schema = self._state.layout.schema()
        for level in self._state.layout.levels:
            schema = schema.append(pa.field(level, pa.type_for_alias(IN_ARROW[level])))
        return schema

    def _where(self, file: File) -> Any:
        """What pyarrow knows of all rows of a file by its folder."""
        import pyarrow as pa
        import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

        known = None
        for level, value in file.values.items():
            of = pc.field(level)
            equal = of.is_null() if value is None else of == pa.scalar(value).cast(pa.type_for_alias(IN_ARROW[level]))
            known = equal if known is None else known & equal
        return known


def _literal(path: str) -> str:
    """A path as DuckDB takes it, which has patterns."""
    return "".join(f"[{letter}]" if letter in PATTERN else letter for letter in path)


def scan_lake(path: str | os.PathLike[str]) -> Lake:
    """Open a lake that export() wrote: its state now.

    Parameters
    ----------
    path : path or URL
        The lake.

    Returns
    -------
    Lake
        Of which DuckDB, polars and pyarrow read what a query needs.

    Raises
    ------
    FileNotFoundError
        No export was written there.
    ValueError
        It is a lake of another version, or its manifest is damaged.

    Examples
    --------
    >>> import fluxcap, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> done = fluxcap.export("samples/office.pcap", folder)
    >>> fluxcap.scan_lake(folder).table
    'flows'
    """
    place = Place(path)
    state, _ = manifest.load(place)
    if state is None:
        raise FileNotFoundError(2, "no export was written there", place.shown)
    return Lake(place, state)
