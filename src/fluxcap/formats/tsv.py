"""Tab-separated values: a header, then one row a line; a tab, newline or backslash inside a cell is escaped."""

from typing import Any, BinaryIO, Final

from fluxcap.errors import printable
from fluxcap.formats import PLAIN, Rows, Screen
from fluxcap.formats._delimited import inert, write_delimited

HELP: Final = "tab-separated, with a header (what a pipe gets)"
SUFFIXES: Final = (".tsv",)

ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    write_delimited(out, rows, b"\t", _cell)


def _cell(value: Any) -> str:
    return printable(inert(value).translate(ESCAPES))
