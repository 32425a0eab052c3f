"""Packets over time in as many intervals as a picture shows: how long one is turns out while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from fluxcap._core import NO_TIME
from fluxcap.tables.timeline.counts import SUMMED, Counting
from fluxcap.tables.timeline.intervals import Span, Tally
from fluxcap.tables.timeline.table import PROTOCOL, VERDICT, TimelineTable
from fluxcap.values.arrays import Array
from fluxcap.values.units import NS_PER_SECOND

if TYPE_CHECKING:
    from fluxcap.tables.packets import PacketTable
    from fluxcap.values.metadata import Metadata

SLICES: Final = 100  # intervals at most
LEAST: Final = 1_000  # ns
DAY: Final = 86_400 * NS_PER_SECOND
OF_TIME: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)  # seconds
# Lengths to count by while packets are read. Of so many intervals each length that a picture has is a multiple.
POWERS: Final = 6  # of ten: of a microsecond up to a second, and of a day up to longer than any time
FINE: Final = (
    *(LEAST * 10**power for power in range(POWERS)),
    *(length * NS_PER_SECOND for length in (1, 10, 60, 600, 3600)),
    *(DAY * 10**power for power in range(POWERS)),
)
FINE_SLICES: Final = 4096
BITS: Final = 8  # of a verdict, in a group


def _decades(unit: int) -> Iterator[int]:
    for power in range(POWERS):
        yield from (unit * 10**power, 2 * unit * 10**power, 5 * unit * 10**power)


ROUND: Final = (*_decades(LEAST), *(length * NS_PER_SECOND for length in OF_TIME), *_decades(DAY))


def interval(duration: int) -> int:
    """The round length that cuts this time, in nanoseconds, into at most SLICES at its multiples."""
    return next(length for length in ROUND if duration // length + 2 <= SLICES)


class Slices(Counting):
    """Packets by interval, protocol and verdict, as they are read."""

    def __init__(self) -> None:
        super().__init__(LEAST, None)
        self._times: tuple[int, int] | None = None  # the earliest and the latest

    def add(self, packets: PacketTable) -> Array:
        """Count the packets of a batch; gives the time of each."""
        times = packets["time"]
        timed = times[times != NO_TIME]
        if len(timed):
            ends = [int(timed.min()), int(timed.max()), *(self._times or ())]
            self._times = min(ends), max(ends)
            self._coarsen()
        return super().add(packets)

    def groups(self, packets: PacketTable) -> Array:
        """The protocol and the verdict of each packet as one number."""
        return packets[PROTOCOL].astype(np.int64) << BITS | packets[VERDICT]

    @property
    def duration(self) -> int:
        """From the earliest to the latest time."""
        return 0 if self._times is None else self._times[1] - self._times[0]

    def timeline(self, by: str, metadata: Metadata) -> TimelineTable:
        """The packets by protocol or by verdict, in intervals of a round length."""
        cells = self.tally.cells()
        counted = Counting(interval(self.duration), by)
        groups = cells.groups >> BITS if by == PROTOCOL else cells.groups & ((1 << BITS) - 1)
        counted.tally.add(counted.span.place(self.span.times(cells.places)), groups, list(cells.sums))
        found = counted.columns()
        columns = {name: found[name] for name in ("time", by, *SUMMED)}
        return TimelineTable(columns, {**metadata, "interval": counted.span.interval, "group": by})

    def _coarsen(self) -> None:
        """Count by a longer interval if there would be too many."""
        needed = next(length for length in FINE if self.duration // length < FINE_SLICES)
        if needed <= self.span.interval:
            return
        cells, before = self.tally.cells(), self.span
        self.span, self.tally = Span(needed), Tally(len(SUMMED))
        self.tally.add(self.span.place(before.times(cells.places)), cells.groups, list(cells.sums))
