"""Intervals that have passed leave while packets of later ones are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fluxcap._core import NO_TIME
from fluxcap.errors import TooManyRowsError
from fluxcap.tables.timeline.intervals import EVERY
from fluxcap.values.arrays import Array

if TYPE_CHECKING:
    from fluxcap.tables.packets import PacketTable
    from fluxcap.tables.timeline.counts import Counting


class Passing:
    """The rows of a timeline as the time of the capture passes them.

    An interval has passed when a packet is later than its end by the grace. What comes to it after that leaves in
    another row of the same interval, which adds to the first.
    """

    def __init__(self, counting: Counting, grace: int) -> None:
        self.late = self.late_by = 0  # packets of intervals that had passed, and how much grace they needed (ns)
        self._counting, self._grace = counting, grace
        self._newest = self._newest_late = NO_TIME
        self._next: int | None = None  # place of the first interval that has not passed, once one has
        self._begins: dict[int, int] = {}  # place of the interval in which each group was first seen

    def add(self, packets: PacketTable) -> None:
        """Count the packets of a batch. TooManyRowsError if a clock jumps too far: those before it are counted."""
        try:
            times = self._counting.add(packets)
        except TooManyRowsError:
            self.add(packets.head(self._counting.span.room(self._counting.times(packets))))
            raise
        times = times[times != NO_TIME]
        if not len(times):
            return
        if self._next is not None:
            late = times[self._counting.span.place(times) < self._next]
            if len(late):
                self.late += len(late)
                self.late_by = max(self.late_by, self._newest - int(late.min()))
                self._newest_late = max(self._newest_late, int(late.max()))
        self._newest = max(self._newest, int(times.max()))

    def passed(self) -> dict[str, Array]:
        """The columns of the intervals that have passed since the last call, and of packets that came late."""
        until = self._before(self._newest)
        if until > self._first():
            return self._rows(until, until)
        # Late packets pass by their own time, so that one wrong clock which runs ahead does not keep back the others.
        return self._rows(self._first(), min(self._first(), self._before(self._newest_late)))

    def rest(self) -> dict[str, Array]:
        """The columns of everything else: the capture has ended."""
        return self._rows(self._first() + self._counting.span.intervals, EVERY)

    def _first(self) -> int:
        """The place of the first interval that has not passed."""
        span = self._counting.span
        return (0 if span.first is None else span.first - span.origin) if self._next is None else self._next

    def _before(self, newest: int) -> int:
        """The place before which intervals have passed, by the time of a packet."""
        span = self._counting.span
        return (max(newest - self._grace, NO_TIME + 1)) // span.interval - span.origin

    def _rows(self, until: int, below: int) -> dict[str, Array]:
        """The columns of every interval that has not passed, up to the one at `until`, and of the packets of others
        below a place: they came late, or have no time."""
        first, span = self._first(), self._counting.span
        cells = self._counting.tally.take(below)
        for group, cell in zip(*np.unique(cells.groups, return_index=True), strict=True):
            self._begins.setdefault(int(group), int(cells.places[cell]))
        if until > first:
            span.check(max(len(self._begins), 1))
            span.leave(until)
            self._next = until
        groups = np.array(sorted(self._begins), np.int64)
        begins = np.array([self._begins[group] for group in groups.tolist()], np.int64)
        spanned = np.repeat(np.arange(first, until), len(groups))
        seen = spanned >= np.tile(begins, max(until - first, 0))
        apart = (cells.places < first) | (cells.places >= until)
        places = np.concatenate((spanned[seen], cells.places[apart]))
        numbers = np.concatenate((np.tile(groups, max(until - first, 0))[seen], cells.groups[apart]))
        order = np.lexsort((numbers, places))
        return self._counting.laid(places[order], numbers[order], cells)
