"""The packets that prove what the page says: the first ones of each kind, found while packets are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from fluxcap._core import DISPOSITIONS, NO_TIME, RESENT, VERDICTS
from fluxcap.plot.numbers import lengths_in_bits

if TYPE_CHECKING:
    from fluxcap.tables.packets import PacketTable
    from fluxcap.values.arrays import Array

FEW: Final = 5  # packets named as proof
COLUMNS: Final = ("packet", "file", "flow", "disposition")  # needed besides those of a timeline


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

    def of(self, kind: int) -> tuple[Place, ...]:
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


class Evidence:
    """The first packets by what the page counts them by."""

    def __init__(self) -> None:
        self.protocols, self.dispositions = Firsts(FEW), Firsts(FEW)
        self.verdicts, self.headers = Firsts(FEW), Firsts(FEW)  # of the transport, of IPv4
        self.bits = Firsts(1)  # of the length
        self.flows = Firsts(1)
        self.again = Firsts(FEW)  # those sent again of each flow
        self.untimed = Firsts(FEW)

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        files, numbers = packets["file"], packets["packet"]
        every = np.ones(len(packets), bool)
        flows, times = packets["flow"], packets["time"]
        for firsts, kinds, which in (
            (self.protocols, packets["protocol"], every),
            (self.verdicts, packets["verdict"], every),
            (self.headers, packets["ip_verdict"], every),
            (self.dispositions, packets["disposition"], every),
            (self.bits, lengths_in_bits(packets), every),
            (self.flows, flows, flows >= 0),
            (self.again, flows, (packets["_mark"] & RESENT != 0) & (flows >= 0)),
            (self.untimed, np.zeros(len(packets), np.int64), times == NO_TIME),
        ):
            if which is every:
                firsts.add(kinds, files, numbers)
            elif which.any():
                firsts.add(kinds[which], files[which], numbers[which])

    def of_verdict(self, name: str) -> tuple[Place, ...]:
        """The first packets whose transport checksum has this verdict."""
        return self.verdicts.of(VERDICTS.index(name))

    def uncounted(self) -> tuple[Place, ...]:
        """The first packets that are in no flow, or in one without ports."""
        some = [place for kind in range(1, len(DISPOSITIONS)) for place in self.dispositions.of(kind)]
        return tuple(sorted(some)[:FEW])
