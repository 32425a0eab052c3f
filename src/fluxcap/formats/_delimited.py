"""The common part of TSV and CSV: a header, then one row a line, cells with a delimiter between them."""

from collections.abc import Callable
from itertools import repeat
from typing import Any, BinaryIO, Final

from fluxcap.formats import Rows, raw_columns_of, there_in, word
from fluxcap.values import text

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run such a cell (CWE-1236)


def write_delimited(out: BinaryIO, rows: Rows, delimiter: bytes, free: Callable[[Any], str]) -> None:
    """Write the rows as they come; `free` writes the values of a list."""
    out.write(delimiter.join(rows.shown(name).encode() for name in rows.columns) + b"\n")
    around = (b"", *repeat(delimiter, len(rows.columns) - 1), b"\n")
    for table in rows.tables:
        for octets in text.rows(raw_columns_of(table, rows), around, free, there=there_in(table, rows)):
            out.write(octets)


def inert(value: Any) -> str:
    """The value of a cell as text; with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else str(word(value))
