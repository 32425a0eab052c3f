"""Comma-separated values (RFC 4180, lines ending in a newline), safe to open in a spreadsheet."""

from typing import Any, BinaryIO, Final

from fluxcap.errors import printable
from fluxcap.formats import PLAIN, Rows, Screen
from fluxcap.formats._delimited import inert, write_delimited

HELP: Final = "comma-separated, with a header"
SUFFIXES: Final = (".csv",)


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    write_delimited(out, rows, b",", _cell, b'"')


def _cell(value: Any) -> str:
    cell = printable(inert(value))  # line breaks, which would need quotes, are escaped
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell
