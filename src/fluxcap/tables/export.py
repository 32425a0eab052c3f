"""Handing tables to data frame libraries; each library is imported only when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcap.tables.requirements import wanted

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.values.arrow import IpForm, Stream, View


class Exportable:
    """Readers of Arrow take this object directly: `pl.DataFrame(table)`, `pa.table(table)`, `duckdb.sql("FROM table")`.

    Arrow readers get numbers, times and binary addresses without a copy. Times are timestamp[ns, UTC].
    """

    __slots__ = ()

    def _stream(self, view: View) -> Stream:
        raise NotImplementedError

    def __arrow_c_schema__(self) -> object:
        return self._stream(as_asked()).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._stream(as_asked()).__arrow_c_stream__(requested_schema)

    def to_arrow(self, *, ip: IpForm = "text", labels: bool | None = None) -> pa.Table:
        """Give a pyarrow Table.

        Parameters
        ----------
        ip : {"text", "binary", "uint32"}, default "text"
            Addresses as dictionary-encoded texts, as 16 bytes each (MAC addresses 6), or as IPv4 numbers.
        labels : bool, optional
            None: verdicts, dispositions and reasons by name, protocols by number. True: protocols by name too.
            False: everything by number.

        Returns
        -------
        pyarrow.Table
            The schema has metadata: its key `fluxcap` says in JSON what was read, and how.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.
        ValueError
            `ip="uint32"` and an address is IPv6.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.read_flows("samples/verdicts.pcap").to_arrow().column("first").type
        TimestampType(timestamp[ns, tz=UTC])
        """
        return wanted("pyarrow").table(self._stream(as_asked(ip, labels)))

    def to_polars(self, *, ip: IpForm = "text", labels: bool | None = None) -> pl.DataFrame:
        """Give a polars DataFrame.

        Parameters
        ----------
        ip : {"text", "binary", "uint32"}, default "text"
            Addresses as dictionary-encoded texts, as 16 bytes each (MAC addresses 6), or as IPv4 numbers.
        labels : bool, optional
            None: verdicts, dispositions and reasons by name, protocols by number. True: protocols by name too.
            False: everything by number.

        Returns
        -------
        polars.DataFrame
            Addresses and names as Categoricals.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.
        ValueError
            `ip="uint32"` and an address is IPv6.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.read_flows("samples/verdicts.pcap").to_polars().columns[:2]
        ['protocol', 'src_ip']
        """
        frame: pl.DataFrame = wanted("polars").DataFrame(self._stream(as_asked(ip, labels)))
        return frame

    def to_duckdb(
        self, connection: duckdb.DuckDBPyConnection | None = None, *, ip: IpForm = "text", labels: bool | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Give a DuckDB relation, which reads whenever it is executed.

        Parameters
        ----------
        connection : duckdb.DuckDBPyConnection, optional
            None: the default connection.
        ip : {"text", "binary", "uint32"}, default "text"
            Addresses as dictionary-encoded texts, as 16 bytes each (MAC addresses 6), or as IPv4 numbers.
        labels : bool, optional
            None: verdicts, dispositions and reasons by name, protocols by number. True: protocols by name too.
            False: everything by number.

        Returns
        -------
        duckdb.DuckDBPyRelation
            A relation over this table.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.
        ValueError
            `ip="uint32"` and an address is IPv6.

        Examples
        --------
        >>> import fluxcap
        >>> relation = fluxcap.read_flows("samples/verdicts.pcap").to_duckdb()
        >>> relation.columns[0]
        'protocol'
        """
        library = wanted("duckdb")  # refuses an older one, which would cut times, whoever made the connection
        relation: duckdb.DuckDBPyRelation = (connection or library).from_arrow(self._stream(as_asked(ip, labels)))
        return relation


def as_asked(ip: IpForm = "text", labels: bool | None = None) -> View:
    """The form in which values are handed out. ValueError for an unknown form."""
    from fluxcap.values.arrow import View

    return View(ip, labels)
