"""What TSV and CSV have in common: a header, then one row a line, cells with a delimiter between them."""

from collections.abc import Callable
from itertools import repeat
from typing import Any, BinaryIO

from fluxcap.formats import Rows, raw_columns_of
from fluxcap.values import text


def write_delimited(out: BinaryIO, rows: Rows, delimiter: bytes, free: Callable[[Any], str]) -> None:
    """Write the rows as they come; `free` writes the values of a list."""
    out.write(delimiter.join(rows.shown(name).encode() for name in rows.columns) + b"\n")
    around = (b"", *repeat(delimiter, len(rows.columns) - 1), b"\n")
    for table in rows.tables:
        for octets in text.rows(raw_columns_of(table, rows), around, free):
            out.write(octets)
