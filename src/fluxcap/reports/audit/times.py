"""The times of records: steps back, silences, and how fine the clock really was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fluxcap._core import NO_TIME
from fluxcap.reports.audit.findings import Finding
from fluxcap.reports.places import FEW, Firsts, Place
from fluxcap.values import human
from fluxcap.values.units import NS_PER_SECOND

if TYPE_CHECKING:
    from fluxcap.reports.info import InputInfo
    from fluxcap.tables.packets import PacketTable
    from fluxcap.values.arrays import Array

# A silence is at least a second and a hundred times as long as the longest of the 32 spacings on either side: people
# and programs pause too, but seldom between two stretches of packets that are all a hundred times closer.
AROUND: Final = 32
SHORTEST_GAP: Final = NS_PER_SECOND
FAR_LONGER: Final = 100
# Steps of a clock from which its resolution is believed: that all of them are multiples of ten by chance happens once
# in 10^16 captures.
STEPS_BELIEVED: Final = 16
COARSER: Final = 10  # times the resolution of the file


class Times:
    """Steps back in time and silences, in the order of the records."""

    COLUMNS = ("time", "file", "packet")

    def __init__(self, merged: bool) -> None:
        self._merged = merged  # records of several inputs alternate
        self._rows: tuple[Array, Array, Array] | None = None  # the last ones: times, files, packets
        self._judged = 0  # of these, spacings that were looked at for silences already
        self.back, self.back_by, self.backs = 0, 0, Firsts(FEW)
        self.gaps, self.longest, self.silences = 0, 0, Firsts(FEW)

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        timed = packets["time"] != NO_TIME
        rows = tuple(packets[name][timed] for name in self.COLUMNS)
        known = 0 if self._rows is None else len(self._rows[0])
        if self._rows is not None:
            rows = tuple(np.concatenate(pair) for pair in zip(self._rows, rows, strict=True))
        times, files, numbers = rows
        spacings = np.diff(times)  # of row i + 1 to row i
        late = np.flatnonzero(spacings[max(known - 1, 0) :] < 0) + max(known - 1, 0)
        if len(late):
            self.back += len(late)
            self.back_by = max(self.back_by, -int(spacings[late].min()))
            self.backs.add_alike(files[late + 1], numbers[late + 1])
        self._find_gaps(spacings, files, numbers)
        kept = 2 * AROUND + 1
        self._judged = max(self._judged - max(len(times) - kept, 0), 0)
        self._rows = (times[-kept:], files[-kept:], numbers[-kept:])

    def _find_gaps(self, spacings: Array, files: Array, numbers: Array) -> None:
        """Look at each spacing that has enough others on either side."""
        first, end = max(self._judged, AROUND), len(spacings) - AROUND
        if end <= first:
            return
        self._judged = end
        at = np.flatnonzero(spacings[first:end] >= SHORTEST_GAP) + first
        if not self._merged:
            at = at[files[at - AROUND] == files[at + 1 + AROUND]]
        if not len(at):
            return
        steps = np.arange(1, AROUND + 1)
        around = np.abs(spacings[at[:, None] + np.concatenate((-steps, steps))]).max(axis=1)
        at = at[spacings[at] // FAR_LONGER >= around]
        if len(at):
            self.gaps += len(at)
            self.longest = max(self.longest, int(spacings[at].max()))
            self.silences.add_alike(files[at + 1], numbers[at + 1])

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        if self.gaps:
            what = "1 silence is" if self.gaps == 1 else f"{human.count(self.gaps)} silences are"
            yield Finding(
                "gaps",
                self.gaps,
                f"{what} far longer than the spacing around: up to {human.duration(self.longest)}.",
                "The capture paused, or its clock was set forward: rates and durations across it are too low.",
                self.silences.of(),
                {"longest_ns": self.longest},
            )
        if self.back:
            times = "once" if self.back == 1 else f"{human.count(self.back)} times"
            yield Finding(
                "time_back",
                self.back,
                f"Time goes back {times}, by up to {human.duration(self.back_by)}.",
                "Timeouts, round trips and who began a flow may be wrong; --order time sorts what is late by a second.",
                self.backs.of(),
                {"by_ns": self.back_by},
            )


class Clocks:
    """How fine the times of each interface are."""

    COLUMNS = ("time", "file", "interface", "packet")

    def __init__(self) -> None:
        self._clocks: dict[tuple[int, int], _Clock] = {}

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        timed = np.flatnonzero(packets["time"] != NO_TIME)
        files, interfaces = packets["file"][timed], packets["interface"][timed]
        kinds = files.astype(np.uint64) << np.uint64(32) | interfaces
        changes = np.flatnonzero(np.diff(kinds)) if len(kinds) else kinds
        alike = [timed] if not len(changes) else [timed[kinds == kind] for kind in np.unique(kinds)]
        for rows in alike:
            if len(rows):
                file, interface = (int(packets[name][rows[0]]) for name in ("file", "interface"))
                clock = self._clocks.setdefault((file, interface), _Clock(file, packets, rows[0]))
                clock.add(packets["time"][rows])

    def findings(self, inputs: Sequence[InputInfo]) -> Iterator[Finding]:
        """What was found; the descriptions of the inputs say how fine the times of a file could be."""
        coarse = []
        for (file, interface), clock in self._clocks.items():
            if clock.steps >= STEPS_BELIEVED and file < len(inputs):
                finest = resolution(inputs[file], interface)
                if clock.common >= COARSER * finest:
                    coarse.append((clock, finest))
        if not coarse:
            return
        worst, finest = max(coarse, key=lambda one: one[0].common)
        count = sum(clock.records for clock, _ in coarse)
        step = human.duration(worst.common)
        yield Finding(
            "clock",
            count,
            f"{human.counted(count, 'time')} lie multiples of {step} apart; the file could say"
            f" {human.duration(finest)}.",
            f"Gaps, round trips and the order of packets within {step} are not known.",
            tuple(clock.first for clock, _ in coarse[:FEW]),
            {"resolution_ns": worst.common, "of_file_ns": finest},
        )


class _Clock:
    """The times of one interface: what all their distances are a multiple of."""

    def __init__(self, file: int, packets: Any, row: int) -> None:
        self.first = Place(file, int(packets["packet"][row]))
        self.common = 0  # ns; 0: all times are the same
        self.steps = 0  # times that differ from the one before them
        self.records = 0
        self._before = self._begin = int(packets["time"][row])

    def add(self, times: Array) -> None:
        """Look at some more times."""
        self.records += len(times)
        self.steps += int(np.count_nonzero(np.diff(times, prepend=self._before)))
        self._before = int(times[-1])
        distances = times - self._begin
        if self.common == 0 or (distances % self.common).any():
            self.common = int(np.gcd.reduce(np.append(distances, self.common)))


def resolution(source: InputInfo, interface: int) -> int:
    """How fine a time of an interface of this input can be: ns, at least 1."""
    if interface >= len(source.interfaces):
        return NS_PER_SECOND
    return max(round(NS_PER_SECOND / source.interfaces[interface].ticks_per_second), 1)
