"""Handing tables to data frame libraries, each of which is imported when it is asked for and not before."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.values.arrow import IpForm, Stream, View


class Exportable:
    """What readers of Arrow take as it is: `pl.DataFrame(table)`, `pa.table(table)`, `duckdb.sql("FROM table")`.

    Arrow gets numbers, times and binary addresses without a copy. Addresses are dictionary-encoded texts, or with
    `ip="binary"` 16 octets each (MAC addresses 6), or with `ip="uint32"` numbers (ValueError if one is IPv6). Verdicts,
    dispositions and reasons go by their names and protocols by number; with `labels=True` protocols too by their names,
    with `labels=False` all by number. Times are timestamp[ns, UTC].
    """

    __slots__ = ()

    def _stream(self, view: View) -> Stream:
        raise NotImplementedError

    def __arrow_c_schema__(self) -> object:
        return self._stream(as_asked()).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._stream(as_asked()).__arrow_c_stream__(requested_schema)

    def to_arrow(self, *, ip: IpForm = "text", labels: bool | None = None) -> pa.Table:
        """A pyarrow Table. The key `fluxcap` of its schema's metadata says in JSON what was read, and how."""
        return wanted("pyarrow").table(self._stream(as_asked(ip, labels)))

    def to_polars(self, *, ip: IpForm = "text", labels: bool | None = None) -> pl.DataFrame:
        """A polars DataFrame; texts are Categoricals."""
        frame: pl.DataFrame = wanted("polars").DataFrame(self._stream(as_asked(ip, labels)))
        return frame

    def to_duckdb(
        self, connection: duckdb.DuckDBPyConnection | None = None, *, ip: IpForm = "text", labels: bool | None = None
    ) -> duckdb.DuckDBPyRelation:
        """A DuckDB relation, of a connection or of the default one; it reads whenever it is executed."""
        relation: duckdb.DuckDBPyRelation = (connection or wanted("duckdb")).from_arrow(
            self._stream(as_asked(ip, labels))
        )
        return relation


def as_asked(ip: IpForm = "text", labels: bool | None = None) -> View:
    """The form in which values are handed out. ValueError if there is none of this name."""
    from fluxcap.values.arrow import View

    return View(ip, labels)


def wanted(package: str) -> Any:
    """The package. ImportError with what to do where it is missing."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ModuleNotFoundError(f"this needs {package}: pip install {package}", name=package) from None
