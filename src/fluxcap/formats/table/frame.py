"""Drawing tables in boxes, with rich."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Final

from rich.box import Box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from fluxcap.formats import Screen
from fluxcap.formats.table import columns
from fluxcap.formats.table.columns import GAP
from fluxcap.values import human

OUTLINE: Final = Box("╭──╮\n│  │\n├──┤\n│  │\n├──┤\n├──┤\n│  │\n╰──╯\n")  # no lines inside: blanks part the columns


class Canvas:
    """A binary stream that is drawn on."""

    def __init__(self, out: BinaryIO, screen: Screen) -> None:
        self._out = out
        self._drawn = io.BytesIO()
        # A character that the terminal cannot show becomes "?"; rich has other boxes once it knows the encoding.
        text = io.TextIOWrapper(self._drawn, screen.encoding, "replace", write_through=True)
        self._console = Console(
            file=text,
            width=screen.width,
            force_terminal=screen.color,
            no_color=not screen.color,
            color_system="standard" if screen.color else None,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self.width = self._console.width

    def line(self, text: str, style: str = "") -> None:
        """A line, wrapped between words where it is too long."""
        self.text(Text(text, style))

    def text(self, text: Text) -> None:
        """A line in several styles, wrapped between words where it is too long."""
        self._console.print(text)
        self._flush()

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """A label and a text in each line."""
        grid = RichTable.grid(padding=(0, GAP, 0, 0))
        grid.add_column(style="bold")
        grid.add_column(overflow="fold")
        for label, fact in facts:
            grid.add_row(Text(label), Text(fact))
        self._console.print(grid)
        self._flush()

    def table(self, wanted: Sequence[columns.Shown]) -> int:
        """As many of the columns as there is room for; gives how many there was none for."""
        shown = columns.fit(wanted, self.width)
        self.box(shown)
        return len(wanted) - len(shown)

    def box(self, shown: Sequence[columns.Shown]) -> None:
        """Columns side by side, below their titles."""
        self.put(self.boxed(shown))

    def boxed(self, shown: Sequence[columns.Shown]) -> list[bytes]:
        """The lines of such a box."""
        table = RichTable(box=OUTLINE, collapse_padding=True, border_style="dim", header_style="bold")
        for place, column in enumerate(shown):
            table.add_column(
                Text(column.title, justify="right" if column.right else "left"),
                justify="right" if column.right else "left",
                vertical="top",
                overflow="fold",
                min_width=column.width + (not place),  # rich forgets that the first column has a blank at its left too
            )
        for row in zip(*(column.cells for column in shown), strict=True):
            table.add_row(*(Text(cell, column.style(cell)) for cell, column in zip(row, shown, strict=True)))
        self._console.print(table)
        return self._lines()

    def put(self, lines: Iterable[bytes]) -> None:
        """Write lines that are drawn already."""
        self._out.writelines(lines)

    def footer(self, left_out: int | None, noun: str, advice: str) -> None:
        """A line on the rows that are not in the box (None: some, not counted), if there are any."""
        if left_out or left_out is None:
            more = f"more {noun}" if left_out is None else human.counted(left_out, f"more {noun.removesuffix('s')}")
            self.line(f"… {more} ({advice})", "dim")

    def hidden(self, columns: int, advice: str) -> None:
        """A line on the columns that there was no room for, if there are any."""
        if columns:
            self.line(f"+{human.counted(columns, 'column')}: {advice}", "dim")

    def interrupted(self, metadata: Mapping[str, Any]) -> None:
        """A line that says so if Ctrl-C ended the reading."""
        if metadata.get("interrupted"):
            self.line("… interrupted: what was read before is shown", "yellow")

    def _flush(self) -> None:
        self.put(self._lines())

    def _lines(self) -> list[bytes]:
        """Take the lines drawn since the last time."""
        # rich fills up the last column of a grid with blanks.
        lines = [line.rstrip() + b"\n" for line in self._drawn.getvalue().splitlines()]
        self._drawn.seek(0)
        self._drawn.truncate()
        return lines
