"""Comma-separated values (RFC 4180, lines ending in a newline), safe to open in a spreadsheet."""

import csv
from types import SimpleNamespace
from typing import Any, BinaryIO, Final

from fluxcap import text
from fluxcap.errors import printable
from fluxcap.formats import PLAIN, Rows, Screen, chunks

HELP: Final = "comma-separated, with a header"
SUFFIXES: Final = (".csv",)

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run such a cell (CWE-1236)


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    writer = csv.writer(SimpleNamespace(write=lambda line: out.write(line.encode())), lineterminator="\n")
    writer.writerow(rows.columns)
    for columns in chunks(rows, _cells):
        writer.writerows(zip(*columns, strict=True))


def _cells(name: str, values: Any) -> list[str]:
    if not text.is_free(values):
        return text.cells(name, values)
    return [_guarded(value) if isinstance(value, str) else str(value) for value in values]


def _guarded(cell: str) -> str:
    return printable("'" + cell if cell.startswith(FORMULA_STARTS) else cell)
