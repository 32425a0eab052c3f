"""Cells that can do with less room: each kind says how, and how little is enough.

Endpoints, the widest of them, have a module of their own.
"""

import textwrap
from collections.abc import Sequence
from typing import Final, Protocol

DATE: Final = len("2026-11-02")
FOLDED: Final = 12  # characters that free text keeps in a line, however many columns stand beside it


class Narrower(Protocol):
    """The cells of a column, in less room."""

    @property
    def least_width(self) -> int:
        """Characters that the longest line needs at least."""

    def lines(self, width: int, /) -> list[str]:
        """The title, then a text for each row, of lines up to `width` long where that is enough."""


class Times:
    """Times in full, which have two lines for lack of room: the digits of a date or a time are never parted.

    A date that all of them share stands above the title instead.
    """

    def __init__(self, title: str, cells: Sequence[str]) -> None:
        self._title = title
        self._cells = [(one[:DATE], one[DATE + len("T") :].removesuffix("Z")) for one in cells]

    @property
    def least_width(self) -> int:
        """Characters of the date or the time, whichever is longer."""
        return max(len(part) for row in ((self._title,), *self._cells) for part in row)

    def lines(self, width: int, /) -> list[str]:
        """The title, then a text for each row."""
        dates = {date for date, _ in self._cells if date}
        if len(dates) == 1:
            return ["\n".join((*dates, self._title)), *(time for _, time in self._cells)]
        return [self._title, *("\n".join(row).strip() for row in self._cells)]


class Words:
    """Free text, folded where a line has no more room."""

    def __init__(self, title: str, cells: Sequence[str]) -> None:
        self._texts = (title, *cells)

    @property
    def least_width(self) -> int:
        """FOLDED, or less where no line is so long."""
        return min(FOLDED, max(len(line) for text in self._texts for line in text.split("\n")))

    def lines(self, width: int, /) -> list[str]:
        """The title, then a text for each row."""
        return ["\n".join(part for line in one.split("\n") for part in _folded(line, width)) for one in self._texts]


def _folded(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    return textwrap.wrap(line, width, break_on_hyphens=False)
