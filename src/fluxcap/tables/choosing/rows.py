"""The rows of a table as objects, for loops over few of them; columns are faster."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fluxcap._core import NO_TIME
from fluxcap.values import text

if TYPE_CHECKING:
    from fluxcap.formats import Table

ROWS_AT_ONCE: Final = 4096  # as Python objects in memory


def rows_of(table: Table) -> Iterator[Any]:
    """Each row as a named tuple of what its cells say."""
    kind = namedtuple("Row", table.columns)  # type: ignore[misc]  # the columns are known when there is a table
    for start in range(0, len(table), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        yield from map(kind._make, zip(*(_cells(table, name, part) for name in table.columns), strict=True))


def _cells(table: Table, name: str, part: slice) -> list[Any]:
    values, kind, there = table[name][part], text.KINDS.get(name), table.there(name)
    there = there if there is None else np.asarray(there)[part]
    if text.is_time(name):
        there = values != NO_TIME
    elif text.may_be_unknown(name):
        there = values >= 0
    elif values.dtype.kind == "f":
        there = ~np.isnan(values)
    plain = kind is None or text.is_time(name) or text.may_be_unknown(name)
    cells = values.tolist() if plain else text.cells(name, values, there)
    if there is None:
        return cells
    return [cell if is_there else None for cell, is_there in zip(cells, there.tolist(), strict=True)]
