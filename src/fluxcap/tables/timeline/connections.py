"""What the records of an interval are to connections: which come, which begin, which complete their handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from fluxcap._core import round_trips
from fluxcap.tables.timeline.intervals import UNTIMED
from fluxcap.values.arrays import Array

if TYPE_CHECKING:
    from fluxcap._core import Scanner

UNKNOWN: Final = -1  # a round trip
# Places of the last record of a connection, below those of all intervals.
NONE_YET: Final = -(2**62)
ONLY_UNTIMED: Final = NONE_YET + 1
# Intervals in a batch that are told apart. A record that is so late can only begin a connection.
FARTHEST: Final = 1 << 24


class Trips(NamedTuple):
    """Round trips of handshakes, in the interval and group of the record that completes each."""

    places: Array
    groups: Array
    values: Array

    def of(self, chosen: Array) -> Trips:
        """Those that are chosen."""
        return Trips(*(column[chosen] for column in self))


class Connections:
    """The connections of the records that were read, told from the numbers of their rows."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._last = np.zeros(0, np.int64)  # the latest place of each connection's records up to now
        self._trips: list[Trips] = []

    def follow(self, flows: Array, places: Array) -> tuple[Array, Array]:
        """Which records, of connections with these numbers in the intervals at these places, are the first of their
        connection, and which are the first in an interval later than those of the records before them."""
        begin, come = np.zeros(len(flows), bool), np.zeros(len(flows), bool)
        at = np.flatnonzero(flows >= 0)
        if not len(at):
            return begin, come
        at = at[np.argsort(flows[at], kind="stable")]
        numbers, places = flows[at], places[at]
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        ends = np.append(starts[1:], len(numbers))
        self._grow(int(numbers[-1]) + 1)
        before = self._last[numbers[starts]]
        timed = places != UNTIMED
        high = int(places[timed].max()) if timed.any() else 0
        low = max(int(places[timed].min()), high - FARTHEST) if timed.any() else 0
        # Ranks from 0: no record before, none in these intervals (or in none at all), then the intervals.
        ranks = np.where(timed, np.maximum(places, low) - low + 2, 1)
        ranks_before = np.where(before == NONE_YET, 0, np.clip(before, low - 1, high) - low + 2)
        # One running maximum over all connections: each begins above all of those before it.
        width = high - low + 3
        floor = np.arange(len(starts)) * width
        of = np.repeat(np.arange(len(starts)), ends - starts)
        raised = np.maximum.accumulate(np.maximum(ranks, ranks_before[of]) + floor[of])
        highest = np.empty_like(raised)  # of the records before each
        highest[1:] = raised[:-1]
        highest[starts] = ranks_before + floor
        come[at] = ranks + floor[of] > highest
        begin[at[starts]] = before == NONE_YET
        reached = raised[ends - 1] - floor
        reached = np.where(reached > 1, reached - 2 + low, ONLY_UNTIMED)
        self._last[numbers[starts]] = np.maximum(before, reached)
        return begin, come

    def shake(self, flows: Array, places: Array, groups: Array) -> None:
        """Note the handshakes that records of these connections complete."""
        if len(flows):
            values = np.full(len(flows), UNKNOWN, np.int64)
            round_trips(self._scanner, np.ascontiguousarray(flows), values)
            self._trips.append(Trips(places, groups, values))

    def add_trips(self, trips: Trips) -> None:
        """Note handshakes that others have seen."""
        self._trips.append(trips)

    def trips(self, below: int) -> Trips:
        """Take the round trips of the intervals below a place."""
        if not self._trips:
            return Trips(*(np.zeros(0, np.int64) for _ in Trips._fields))
        whole = Trips(*map(np.concatenate, zip(*self._trips, strict=True)))
        taken = whole.places < below
        self._trips = [whole.of(~taken)]
        return whole.of(taken)

    def _grow(self, n: int) -> None:
        if n > len(self._last):
            more = np.full(max(n, 2 * len(self._last)) - len(self._last), NONE_YET, np.int64)
            self._last = np.concatenate((self._last, more))
