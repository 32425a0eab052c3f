"""Tables as pandas DataFrames: texts as categories, times with their zone, numbers over the same memory."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcap._core import NO_TIME
from fluxcap.tables.requirements import wanted
from fluxcap.values import text
from fluxcap.values.arrow import OFFSET, View, dictionary_of, ipv4, named

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed

    from fluxcap.values.arrays import Array


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
    if text.is_time(name):
        return pd.DatetimeIndex(values, tz="UTC", copy=False)
    if text.is_duration(name):
        return pd.TimedeltaIndex(np.where(values < 0, NO_TIME, values).view("m8[ns]"))
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
