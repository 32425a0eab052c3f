"""Where packets are that prove what is said: the first ones of each kind, found while packets are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from fluxcap.values.arrays import Array

FEW: Final = 5  # packets named as proof


class Place(NamedTuple):
    """Where a packet is: the number of its file, from 0, and its number in that file, from 1."""

    file: int
    packet: int


class Firsts:
    """The first `few` packets of each kind; kinds are small whole numbers."""

    def __init__(self, few: int) -> None:
        self._few = few
        self._seen = np.zeros(1, np.uint8)  # of each kind
        self._found: list[tuple[Array, Array, Array]] = []  # kinds, files, packets

    def add(self, kinds: Array, files: Array, packets: Array) -> None:
        """Look at some packets, each of a kind."""
        if not len(kinds):
            return
        if (most := int(kinds.max())) >= len(self._seen):
            self._seen = np.concatenate((self._seen, np.zeros(most + 1, np.uint8)))  # at least twice as many
        rows = np.flatnonzero(self._seen[kinds] < self._few)
        while len(rows):
            there, first = np.unique(kinds[rows], return_index=True)
            found = rows[first]
            self._seen[there] += 1
            self._found.append((there.astype(np.int64), files[found], packets[found]))
            rows = np.delete(rows, first)
            rows = rows[self._seen[kinds[rows]] < self._few]

    def add_alike(self, files: Array, packets: Array) -> None:
        """Look at some packets of one kind, where there is no other."""
        self.add(np.zeros(len(packets), np.int64), files, packets)

    def of(self, kind: int = 0) -> tuple[Place, ...]:
        """The first packets of a kind, in the order of reading."""
        kinds, files, packets = self._joined()
        mine = np.flatnonzero(kinds == kind)
        return tuple(map(Place, files[mine].tolist(), packets[mine].tolist()))

    def first(self, kinds: list[int]) -> tuple[Place, ...]:
        """The first packet of each of some kinds that packets are of."""
        there, files, packets = self._joined()
        order = np.argsort(there, kind="stable")
        rows = order[np.searchsorted(there, kinds, sorter=order)]
        return tuple(map(Place, files[rows].tolist(), packets[rows].tolist()))

    def _joined(self) -> tuple[Array, Array, Array]:
        if len(self._found) != 1:
            none = (np.zeros(0, np.int64),) * 3
            kinds, files, packets = map(np.concatenate, zip(*(self._found or [none]), strict=True))
            self._found = [(kinds, files, packets)]
        return self._found[0]
