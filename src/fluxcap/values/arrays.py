"""Columns as numpy arrays, and operations on them: imported when the first array of a table is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fluxcap._core import Column
from fluxcap.values import text

Array = np.ndarray[Any, np.dtype[Any]]


def arrays(columns: Mapping[str, Column | Array]) -> dict[str, Array]:
    """Columns of the core as arrays over the same memory: (n,), or (n, width) where a value has several items."""
    return {name: array(column) for name, column in columns.items()}


def array(column: Column | Array) -> Array:
    """One column of the core as an array over the same memory; an array is one already."""
    if isinstance(column, np.ndarray):
        return column
    values: Array = np.frombuffer(memoryview(column), dtype=np.dtype(column.dtype))
    return values if column.width == 1 else values.reshape(-1, column.width)


def wide(column: Column | Array, width: int) -> Array:
    """One column as an array of (n, width), even if the width is one."""
    return array(column).reshape(-1, width)


def numbers(n: int) -> Array:
    """The numbers from 0 to n - 1."""
    return np.arange(n)


def equal(left: Array, right: Array) -> bool:
    """Whether two arrays have the same shape and values; what is no number equals itself."""
    return np.array_equal(left, right, equal_nan=left.dtype.kind == "f")


def checked(mask: Any, n: int) -> Array:
    """The mask as an array. ValueError if it is not n bools."""
    given: Array = np.asarray(mask)
    if given.dtype != np.bool_ or given.shape != (n,):
        raise ValueError(f"the mask must be {n} bools, not {given.shape} of {given.dtype}")
    return given


def places(which: Any, n: int) -> Array:
    """The rows that a mask or numbers of rows choose. TypeError for anything else, IndexError for a row that is not."""
    given: Array = np.asarray(which)
    if given.dtype == np.bool_ and given.ndim == 1:
        return checked(given, n)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise TypeError("a table takes the name of a column, a list of names, a slice, a mask, or numbers of rows")
    if given.size and not -n <= given.min() <= given.max() < n:
        raise IndexError(f"rows from {given.min()} to {given.max()} of a table that has {n}")
    return given.astype(np.intp)


def order(columns: Mapping[str, Array], descending: bool) -> Array:
    """Row numbers in the order of the columns, the first column counting most; equal rows stay in their order, and
    missing times, lengths of time and rates come last."""
    keys = [_sortable(name, column, descending) for name, column in reversed([*columns.items()])]
    if not descending:
        return np.lexsort(keys)
    # Sorting the rows backwards and reversing the result gives a descending order that is stable.
    turned = np.lexsort([key[::-1] for key in keys])[::-1]
    return len(turned) - 1 - turned


def row_bytes(octets: Array) -> Array:
    """Rows of bytes as one value each, to compare them whole."""
    rows: Array = np.ascontiguousarray(octets).view(np.dtype((np.void, octets.shape[1] or 1))).reshape(-1)
    return rows


def kinds(columns: Sequence[Array]) -> tuple[Array, Array]:
    """Rows that are equal in all of these columns are of one kind. Gives the first row of each kind, in order, and the
    kind of each row, from 0."""
    n = len(columns[0])
    octets = [np.ascontiguousarray(column).reshape(n, column.size // max(n, 1)).view(np.uint8) for column in columns]
    _, first, kind = np.unique(row_bytes(np.concatenate(octets, axis=1)), return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[kind]


def medians(values: Array, groups: Array, n: int) -> Array:
    """The median of the values of each of n groups; -1 of a group without any."""
    order = np.lexsort((values, groups))
    values, groups = values[order], groups[order]
    starts = np.flatnonzero(np.diff(groups.astype(np.int64), prepend=-1))
    ends = np.append(starts[1:], len(groups))
    middle = np.full(n, -1, np.int64)
    if len(starts):
        middle[groups[starts]] = (values[(starts + ends - 1) // 2] + values[(starts + ends) // 2]) // 2
    return middle


def grown(values: Array, n: int, fill: int) -> Array:
    """At least n values: these, and `fill` behind them. Where there are too few, twice as many are made."""
    if n <= len(values):
        return values
    return np.concatenate((values, np.full(max(n, 2 * len(values)) - len(values), fill, values.dtype)))


def missing_last(times: Array) -> Array:
    """Each time less one nanosecond, so that NO_TIME, the least number, wraps round to the greatest."""
    shifted: Array = times - times.dtype.type(1)
    return shifted


def _sortable(name: str, column: Array, descending: bool) -> Array:
    if column.dtype == np.float64:
        return np.where(np.isnan(column), -np.inf, column) if descending else column  # numpy has these last
    if text.may_be_unknown(name):
        return column if descending else column.view(np.uint64)  # negative where it is not known
    if column.ndim == 1:
        # A time that is missing comes last either way. The order of other numbers stays as it is.
        return missing_last(column) if column.dtype == np.int64 and not descending else column
    # Compared as bytes; numpy strips trailing zeros of an "S", which makes no difference between equal lengths.
    return np.ascontiguousarray(column).view(f"S{column.shape[1]}").reshape(-1)
