"""Sums by interval of time and group: sparse while records are read, a row for each in the end."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from fluxcap._core import NO_TIME
from fluxcap.errors import TooManyRowsError
from fluxcap.plan.durations import nanoseconds
from fluxcap.values.arrays import Array

MOST_ROWS: Final = 1_000_000  # of a timeline: 100 MB, and more than anybody looks at
UNTIMED: Final = 1 << 40  # the interval of records without a time, counted from the first; none is that far away
EVERY: Final = UNTIMED + 1  # all intervals are before it, and the records without a time
GROWN: Final = 1 << 20  # cells that wait to be added up
# Lengths that people use: the next that makes few enough rows is advised.
ROUND: Final = (
    *("1us", "10us", "100us", "1ms", "10ms", "100ms", "1s", "10s", "1m", "10m", "30m", "1h", "6h"),
    *("1d", "10d", "100d", "1000d"),
)


class Span:
    """The intervals from the first to the last one that holds a record; those that have passed need not be there."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.first: int | None = None  # its number, counted from 1970
        self.last = self.origin = 0
        self._passed: int | None = None  # intervals before this one have passed

    @property
    def intervals(self) -> int:
        """How many there are."""
        return 0 if self.first is None else self.last - self.first + 1

    def place(self, times: Array) -> Array:
        """The interval of each time, counted from the first; UNTIMED without a time. The first one stays the origin,
        also when earlier intervals are found. TooManyRowsError if the times are too far apart."""
        timed = times != NO_TIME
        numbers = times[timed] // self.interval
        if len(numbers):
            first, last = self._widened(np.array((numbers.min(), numbers.max())))
            _check(int(last[-1] - first[-1]) + 1, self.interval, 1)
            if self.first is None:
                self.origin = int(first[-1])
            self.first, self.last = int(first[-1]), int(last[-1])
            numbers -= self.origin
        places = np.full(len(times), UNTIMED, np.int64)
        places[timed] = numbers
        return places

    def room(self, times: Array) -> int:
        """How many of these records, from the first on, are not too far apart."""
        timed = np.flatnonzero(times != NO_TIME)
        first, last = self._widened(times[timed] // self.interval)
        apart = timed[last - first >= MOST_ROWS]
        return int(apart[0]) if len(apart) else len(times)

    def _widened(self, numbers: Array) -> tuple[Array, Array]:
        """The first and the last interval after each of these; what has passed moves the first one back no more."""
        first = numbers if self._passed is None else np.maximum(numbers, self._passed)
        least, most = np.minimum.accumulate(first), np.maximum.accumulate(numbers)
        return (least, most) if self.first is None else (np.minimum(least, self.first), np.maximum(most, self.last))

    def places(self) -> Array:
        """The places of all intervals."""
        first = self.origin if self.first is None else self.first
        return np.arange(first, first + self.intervals) - self.origin

    def leave(self, place: int) -> None:
        """Forget the intervals before a place: they have passed."""
        self.first = self._passed = place + self.origin
        self.last = max(self.last, self.first - 1)

    def check(self, groups: int) -> None:
        """TooManyRowsError if a row for each interval and group would be too many."""
        _check(self.intervals, self.interval, groups)

    def times(self, places: Array) -> Array:
        """When the intervals at some places begin."""
        timed = places != UNTIMED
        return np.where(timed, self._begins(np.where(timed, places, 0) + self.origin), NO_TIME)

    def _begins(self, numbers: Array) -> Array:
        least = (NO_TIME + 1) // self.interval  # it begins before the earliest time that there is
        begins: Array = np.where(numbers > least, numbers * self.interval, NO_TIME + 1)
        return begins


def _check(intervals: int, interval: int, groups: int) -> None:
    """TooManyRowsError if a row for each interval and group would be too many."""
    if (rows := intervals * groups) <= MOST_ROWS:
        return
    by = f" by {groups:,} groups are {rows:,} rows" if groups > 1 else ""
    spanned = intervals * interval
    # The first and the last interval may reach beyond the time spanned.
    fits = (text for text in ROUND if (spanned // nanoseconds(text, "interval") + 2) * groups <= MOST_ROWS)
    longer = next(fits, None)
    advice = f"take an interval of {longer} or more" if longer else "take a key of fewer values"
    raise TooManyRowsError(f"{intervals:,} intervals{by}, and a timeline has {MOST_ROWS:,} rows at most; {advice}")


class Cells(NamedTuple):
    """Sums of several counts, a row a cell of interval and group."""

    places: Array
    groups: Array
    sums: Array  # (counts, cells)

    def of(self, chosen: slice) -> Cells:
        """Those that are chosen."""
        return Cells(self.places[chosen], self.groups[chosen], self.sums[:, chosen])


class Tally:
    """Cells that grow batch by batch; the same cell may wait several times to be added up."""

    def __init__(self, counts: int) -> None:
        self._parts = [Cells(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((counts, 0), np.uint64))]
        self._waiting, self._most = 0, GROWN

    def add(self, places: Array, groups: Array, counts: list[Array]) -> None:
        """Add records: the interval, group and counts of each."""
        self._parts.append(added(Cells(places, groups, np.array(counts, np.uint64).reshape(len(counts), -1))))
        self._waiting += len(self._parts[-1].places)
        if self._waiting > self._most:
            self.cells()

    def take(self, below: int) -> Cells:
        """Take the cells of the intervals below a place."""
        whole = self.cells()
        n = int(np.searchsorted(whole.places, below))
        self._parts = [whole.of(slice(n, None))]
        self._waiting = len(self._parts[0].places)
        return whole.of(slice(n))

    def cells(self) -> Cells:
        """What was added up to now, each cell once."""
        places, groups, sums = zip(*self._parts, strict=True)
        whole = added(Cells(np.concatenate(places), np.concatenate(groups), np.concatenate(sums, axis=1)))
        self._parts = [whole]
        self._waiting = len(whole.places)
        self._most = max(GROWN, 2 * self._waiting)
        return whole


def added(cells: Cells) -> Cells:
    """Equal cells as one, in the order of interval and group."""
    order = np.lexsort((cells.groups, cells.places))
    places, groups = cells.places[order], cells.groups[order]
    new = np.ones(len(places), bool)
    new[1:] = (np.diff(places) != 0) | (np.diff(groups) != 0)
    starts = np.flatnonzero(new)
    sums = np.add.reduceat(cells.sums[:, order], starts, axis=1) if len(starts) else cells.sums
    return Cells(places[starts], groups[starts], sums)


def filled(times: Array, files: Array, before: tuple[int, int]) -> Array:
    """The times, with that of the record before it for a record without a time, as flows with an interval take it.

    `before` is the time and the file of the record before these. A record before the first time of its file has none.
    Where files are merged, records without a time follow the one before them in their file.
    """
    if (timed := times != NO_TIME).all():
        return times
    whole = np.concatenate((np.array(before[:1], np.int64), times))
    names = np.concatenate((np.array(before[1:], files.dtype), files))
    there = np.concatenate(([before[0] != NO_TIME], timed))
    at = np.arange(len(whole))
    last = np.maximum.accumulate(np.where(there, at, 0))
    found: Array = whole[last]
    begins = np.maximum.accumulate(np.where(np.concatenate(([True], names[1:] != names[:-1])), at, 0))
    return np.where(last >= begins, found, NO_TIME)[1:]
