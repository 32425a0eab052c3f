"""Tab-separated values: a header, then one row a line; a tab, newline or backslash inside a cell is escaped."""

from typing import Any, BinaryIO, Final

from fluxcap import text
from fluxcap.errors import printable
from fluxcap.formats import PLAIN, Rows, Screen, chunks

HELP: Final = "tab-separated, with a header (what a pipe gets)"
SUFFIXES: Final = (".tsv",)

ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    out.write(("\t".join(rows.columns) + "\n").encode())
    for columns in chunks(rows, _cells):
        lines = map("\t".join, zip(*columns, strict=True))
        out.write(("\n".join(lines) + "\n").encode())


def _cells(name: str, values: Any) -> list[str]:
    cells = text.cells(name, values)
    return [printable(cell.translate(ESCAPES)) for cell in cells] if text.is_free(values) else cells
