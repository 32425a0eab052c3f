"""The two ends of each row of a table, such as a connection, gathered by what they have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from fluxcap._core import distinct
from fluxcap.capture.inputs import Captures
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.flows import collect_from_flows
from fluxcap.values.arrays import missing_last

if TYPE_CHECKING:
    from fluxcap.values.arrays import Array

T = TypeVar("T")


class Ends:
    """The distinct ends of some rows, in the order of the first row of each.

    `keys` has the two ends of each row one after the other, as bytes; `firsts` are the places there where each end
    stands first.
    """

    def __init__(self, keys: Array) -> None:
        codes, self.firsts = distinct_rows(keys)
        self._n = len(self.firsts)
        self._sides = codes[0::2].astype(np.intp), codes[1::2].astype(np.intp)

    def sum(self, ours: Array | None, theirs: Array | None) -> Array:
        """For each end, the sum of the values of its rows; of bools, the number of true ones. `ours` are the values of
        rows where it is the first end, `theirs` of those where it is the second."""
        total = np.zeros(self._n, np.uint64)
        for codes, values in zip(self._sides, (ours, theirs), strict=True):
            if values is not None and values.any():
                np.add.at(total, codes, values.astype(np.uint64, copy=False))
        return total

    def reduce(self, how: np.ufunc, values: Array) -> Array:
        """The least or the greatest value, for each end, among its rows."""
        reduced = np.empty(self._n, values.dtype)
        for codes in self._sides:  # start with a value of the end itself
            reduced[codes] = values
        for codes in self._sides:
            how.at(reduced, codes, values)
        return reduced

    def times(self, first: Array, last: Array) -> dict[str, Array]:
        """The first and the last time of each end. Where a time is missing, others count."""
        return {"first": self.reduce(np.minimum, missing_last(first)) + 1, "last": self.reduce(np.maximum, last)}

    def peers(self) -> Array:
        """How many different ends each end had at the other side."""
        ours, theirs = self._sides
        least, most = np.minimum(ours, theirs), np.maximum(ours, theirs)
        together = np.sort(least * self._n + most)
        together = together[np.diff(together, prepend=-1) > 0]
        least, most = np.divmod(together, max(self._n, 1))
        counted = np.bincount(least, minlength=self._n) + np.bincount(most[most != least], minlength=self._n)
        return counted.astype(np.uint64)

    def second(self, rows: Array) -> Array:
        """The number of the second end of each of these rows."""
        return self._sides[1][rows]


def collect_ends(
    src: Captures,
    options: ReadOptions,
    ignore_checksums: bool,
    max_memory: int | str | None,
    build: Callable[[ConnectionTable], T],
    server_names: bool = False,
) -> T:
    """Read captures into what is made of their connections; a CaptureError has that of what was read before."""
    plan = FlowPlan(
        connections=True, ignore_checksums=ignore_checksums, max_memory=max_memory, server_names=server_names
    )
    return collect_from_flows(src, plan, options, ConnectionTable, build)


def pairs(sides: tuple[Array, Array]) -> Array:
    """Two columns of addresses as one, the two addresses of a row one after the other."""
    n, width = sides[0].shape
    both = np.empty((n, 2, width), np.uint8)
    both[:, 0], both[:, 1] = sides
    return both.reshape(-1, width)


def distinct_rows(values: Array) -> tuple[Array, Array]:
    """The code of each row, and the first row of each code."""
    codes, firsts = distinct(values)
    return np.frombuffer(codes, np.uint32), np.frombuffer(firsts, np.uint32)
