"""Handing tables to data frame libraries, each of which is imported when it is asked for and not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcap import text
from fluxcap.arrow import OFFSET, IpForm, Stream, View, dictionary_of, ipv4, named

if TYPE_CHECKING:
    import duckdb
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.tables import Array


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
        return self._stream(View()).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._stream(View()).__arrow_c_stream__(requested_schema)

    def to_arrow(self, *, ip: IpForm = "text", labels: bool | None = None) -> pa.Table:
        """A pyarrow Table. The key `fluxcap` of its schema's metadata says in JSON what was read, and how."""
        return wanted("pyarrow").table(self._stream(View(ip, labels)))

    def to_polars(self, *, ip: IpForm = "text", labels: bool | None = None) -> pl.DataFrame:
        """A polars DataFrame; texts are Categoricals."""
        frame: pl.DataFrame = wanted("polars").DataFrame(self._stream(View(ip, labels)))
        return frame

    def to_duckdb(
        self, connection: duckdb.DuckDBPyConnection | None = None, *, ip: IpForm = "text", labels: bool | None = None
    ) -> duckdb.DuckDBPyRelation:
        """A DuckDB relation, of a connection or of the default one; it reads whenever it is executed."""
        relation: duckdb.DuckDBPyRelation = (connection or wanted("duckdb")).from_arrow(self._stream(View(ip, labels)))
        return relation


def wanted(package: str) -> Any:
    """The package. ImportError with what to do where it is missing."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ModuleNotFoundError(f"this needs {package}: pip install {package}", name=package) from None


def pandas_frame(columns: Mapping[str, Array], view: View) -> pd.DataFrame:
    """The columns as a DataFrame over the same memory; texts are categories."""
    pd = wanted("pandas")
    return pd.DataFrame({name: _series(pd, name, values, view) for name, values in columns.items()}, copy=False)


def _series(pd: Any, name: str, values: Array, view: View) -> Any:
    if view.is_text(name):
        codes, offsets, octets = dictionary_of(np.ascontiguousarray(values))
        known, ends = octets.decode(), np.frombuffer(offsets, OFFSET).tolist()
        texts = [known[start:end] for start, end in pairwise(ends)]
        return _category(pd, np.frombuffer(codes, np.int32), texts)  # codes are below 2^31
    if (known_names := view.names(name)) is not None:
        seen = np.flatnonzero(np.bincount(values))
        names = named(values, known_names)
        return _category(pd, np.searchsorted(seen, values).astype(np.int16), [names[code] for code in seen.tolist()])
    if text.KINDS.get(name) == "time":
        return pd.DatetimeIndex(values, tz="UTC", copy=False)
    if values.ndim == 1:
        return values
    if text.is_sequences(values):
        return pd.Series(list(values), dtype=object)
    if view.ip == "uint32" and text.KINDS.get(name) == "address":
        return ipv4(name, values)
    width, octets = values.shape[1], values.tobytes()
    return pd.Series([octets[at : at + width] for at in range(0, len(octets), width)], dtype=object)


def _category(pd: Any, codes: Array, categories: list[str]) -> Any:
    return pd.Categorical.from_codes(codes, categories=categories, validate=False)
