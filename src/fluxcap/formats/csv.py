"""Comma-separated values (RFC 4180, lines ending in a newline), safe to open in a spreadsheet."""

from typing import Any, BinaryIO, Final

from fluxcap.errors import printable
from fluxcap.formats import PLAIN, Rows, Screen, word
from fluxcap.formats._delimited import write_delimited

HELP: Final = "comma-separated, with a header"
SUFFIXES: Final = (".csv",)

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run such a cell (CWE-1236)


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    write_delimited(out, rows, b",", _cell)


def _cell(value: Any) -> str:
    formula = isinstance(value, str) and value.startswith(FORMULA_STARTS)
    cell = printable(f"'{value}" if formula else str(word(value)))  # with no line break left that would need quotes
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell
