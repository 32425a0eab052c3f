"""The packets that prove what the page says: the first ones of each kind, found while packets are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from fluxcap._core import DISPOSITIONS, NO_TIME, RESENT, VERDICTS
from fluxcap.plot.numbers import lengths_in_bits
from fluxcap.reports.places import FEW, Firsts, Place

if TYPE_CHECKING:
    from fluxcap.tables.packets import PacketTable

COLUMNS: Final = ("packet", "file", "flow", "disposition")  # needed besides those of a timeline


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
