"""A reading that begins in the middle of an input: it goes where an index leads, and passes the records behind that.

What lies before is not examined. So the first fragment of a datagram may not be there, and its other fragments then
have no ports; all else that is said of a record depends on its own bytes, and on the headers of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from fluxcap._core import DISPOSITIONS, Window
from fluxcap.capture.index.file import Checkpoint, load
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap._core import Totals
    from fluxcap.capture.inputs import Input, Opened
    from fluxcap.plan.places import Place

ORPHANS: Final = DISPOSITIONS.index("orphan_fragment")


class Way(Protocol):
    """The way to the first record of a reading."""

    passed: int  # records before it, once it is reached

    def pass_on(self) -> bool:
        """Take a step. True: the record is reached, or the end."""


class WayByIndex:
    """The way to a place, along the index of an input if it has one."""

    def __init__(self, window: Window, place: Place, item: Input, octets: Opened) -> None:
        self.passed = 0  # records before it, once it is reached
        self._window = window
        self._place = place
        self._octets = octets
        if (index := load(item)) is not None and (checkpoint := index.before(place)) is not None:
            self._go_to(checkpoint, index.headers[: checkpoint.headers])

    def _go_to(self, checkpoint: Checkpoint, headers: bytes) -> None:
        """Go to a place before that record: what was told up to there is read, the records are not."""
        if not self._octets.seek(checkpoint.offset):
            return
        while headers:
            space = self._window.space()
            n = min(len(space), len(headers))
            space[:n] = headers[:n]
            self._window.advance(n)
            self._window.pass_to()
            headers = headers[n:]
        self._window.go_on(checkpoint.offset, checkpoint.packet - 1)

    def pass_on(self) -> bool:
        """Pass what has come, and have more come. True: the record is reached, or the end."""
        passed = self._window.pass_to(*self._place)
        if passed is not None:
            self.passed = passed
        elif n := self._octets.readinto(self._window.space()):
            self._window.advance(n)
        else:
            self._window.finish()
        return passed is not None


def check_place(inputs: Sequence[Input], place: Place | None) -> None:
    """ValueError for the number of a packet where there are several inputs, each of which counts from 1."""
    if place is not None and place.packet is not None and len(inputs) != 1:
        raise ValueError(
            f"packets are numbered in each of the {len(inputs)} inputs; name one of them, or a time to begin at"
        )


def about_passed(passed: int, totals: Totals) -> list[str]:
    """What it means that so many records were passed, in sentences."""
    if not totals["packets"]:
        return [f"nothing is left to read behind {human.counted(passed, 'packet')}"]
    orphans, _ = totals["dispositions"][ORPHANS]
    if not orphans:
        return []
    these = "one fragment has" if orphans == 1 else f"{human.count(orphans)} fragments have"
    return [f"{these} no ports: the first fragment of the datagram may lie before the packet where reading began"]
