"""The terminal form: a box that fits the screen, numbers for people, and a footer that says what is not shown."""

from typing import BinaryIO, Final

from fluxcap.formats import PLAIN, Rows, Screen

HELP: Final = "a box for people (what a terminal gets)"
SUFFIXES: Final = (".txt",)


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    # rich is imported only to draw.
    from fluxcap.formats.table.draw import draw

    draw(out, rows, screen)
