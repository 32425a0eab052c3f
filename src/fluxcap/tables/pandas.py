"""Tables as pandas DataFrames: texts as categories, times with their zone, numbers over the same memory."""

from __future__ import annotations

from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fluxcap._core import NO_TIME
from fluxcap.tables.requirements import wanted
from fluxcap.values import text
from fluxcap.values.arrow import OFFSET, View, dictionary_of, ipv4, named

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed

    from fluxcap.formats import Table
    from fluxcap.values.arrays import Array

MISSING: Final = -1  # the code of no category


def pandas_frame(table: Table, view: View) -> pd.DataFrame:
    """The columns of a table as a DataFrame over the same memory; texts are categories."""
    pd = wanted("pandas")
    columns = {name: _series(pd, name, table[name], table.there(name), view) for name in table.columns}
    return pd.DataFrame(columns, copy=False)


def narwhals_frame(table: Table) -> Any:
    """The DataFrame as narwhals wraps it; durations are nanoseconds, because altair draws no lengths of time."""
    import narwhals

    frame = pandas_frame(table, View())
    numbers = {name: frame[name] / wanted("pandas").Timedelta(1) for name in frame if text.is_duration(name)}
    return narwhals.from_native(frame.assign(**numbers), eager_only=True)._compliant_frame


def _series(pd: Any, name: str, values: Array, there: Any, view: View) -> Any:
    if text.is_name(name):
        there = values != b""
    if view.is_text(name):
        codes, offsets, octets = dictionary_of(np.ascontiguousarray(values))
        known, ends = octets.decode(), np.frombuffer(offsets, OFFSET).tolist()
        texts = [known[start:end] for start, end in pairwise(ends)]
        numbers = np.frombuffer(codes, np.int32)  # codes are below 2^31
        if there is None:
            return _category(pd, numbers, texts)
        return _category(pd, np.where(there, numbers, MISSING), texts).remove_unused_categories()
    if (known_names := view.names(name)) is not None:
        seen = np.flatnonzero(np.bincount(values))
        names = named(values, known_names)
        return _category(pd, np.searchsorted(seen, values).astype(np.int16), [names[code] for code in seen.tolist()])
    if text.is_time(name):
        return pd.DatetimeIndex(values, tz="UTC", copy=False)
    if text.is_duration(name):
        return pd.TimedeltaIndex(np.where(values < 0, NO_TIME, values).view("m8[ns]"))
    if text.may_be_unknown(name):  # masked, as Series of Int64 are: with NaN it would be a column of floats
        return pd.arrays.IntegerArray(values, values < 0)
    if values.ndim == 1:
        return values
    if text.is_sequences(values):
        return pd.Series(list(values), dtype=object)
    if view.ip == "uint32" and text.KINDS.get(name) == "address":
        return ipv4(name, values)
    width, octets = values.shape[1], values.tobytes()
    items = (octets[at : at + width] for at in range(0, len(octets), width))
    each = repeat(True) if there is None else np.asarray(there).tolist()
    return pd.Series([item if is_there else None for item, is_there in zip(items, each, strict=False)], dtype=object)


def _category(pd: Any, codes: Array, categories: list[str]) -> Any:
    return pd.Categorical.from_codes(codes, categories=categories, validate=False)
