"""A box that grows: rows are added below the others as they come."""

from collections.abc import Sequence
from dataclasses import replace

from fluxcap.formats.table import columns
from fluxcap.formats.table.columns import Shown
from fluxcap.formats.table.frame import Canvas


class Roll:
    """Rows in one box. Where a cell needs more room than its column has, the box is closed and a wider one begins."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._widths: dict[str, int] = {}  # of the open box, by title
        self._bottom = b""  # the last line of that box; none is open without it

    def add(self, wanted: Sequence[Shown]) -> int:
        """Put rows below those there are; gives how many columns there was no room for."""
        known = [replace(column, least=self._widths.get(column.title, 0)) for column in wanted]
        shown = columns.fit(known, self._canvas.width)
        widths = {column.title: column.width for column in shown}
        lines = self._canvas.boxed(shown)
        if not self._bottom or widths != self._widths:
            self.close()
            self._canvas.put(lines[:-1])
        else:
            titles = max(column.title.count("\n") + 1 for column in shown)
            self._canvas.put(lines[titles + len(("top", "rule")) : -1])
        self._widths, self._bottom = widths, lines[-1]
        return len(wanted) - len(shown)

    def close(self) -> None:
        """Draw the end of the box, if one is open."""
        if self._bottom:
            self._canvas.put([self._bottom])
        self._bottom = b""
