"""The common part of TSV and CSV: a header, then one row a line, cells with a delimiter between them."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, BinaryIO, Final

from fluxcap.formats import Rows, raw_columns_of, there_in, word
from fluxcap.values import text

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run such a cell (CWE-1236)
CHANGED: Final = ("\\", '"', ",", *(f"\n{start}" for start in FORMULA_STARTS))  # a format escapes or quotes such cells


def write_delimited(
    out: BinaryIO, rows: Rows, delimiter: bytes, free: Callable[[Any], str], quote: bytes = b""
) -> None:
    """Write the rows as they come; `free` writes the values of a list, `quote` stands around several integers a row."""
    out.write(delimiter.join(rows.shown(name).encode() for name in rows.columns) + b"\n")
    for table in rows.tables:
        columns = raw_columns_of(table, rows)
        around = _around(columns.values(), delimiter, quote)
        for octets in text.rows(columns, around, partial(_cells, free), there=there_in(table, rows)):
            out.write(octets)


def _around(columns: Iterable[Any], delimiter: bytes, quote: bytes) -> list[bytes]:
    """The bytes before each cell of a row, and those behind the last one."""
    around, before = [], b""
    for values in columns:
        quoted = quote if text.is_sequences(values) else b""
        around.append(before + quoted)
        before = quoted + delimiter
    return [*around, before.removesuffix(delimiter) + b"\n"]


def _cells(free: Callable[[Any], str], values: list[Any]) -> list[bytes]:
    """The cells of a list: all at once where no format changes one, as a capture may have 100,000 interfaces."""
    if {*map(type, values)} <= {str, int, float}:
        lines = "".join(f"\n{value}" for value in values)
        one_a_line = lines.count("\n") == len(values) and lines.replace("\n", "").isprintable()
        if one_a_line and not any(odd in lines for odd in CHANGED):
            return lines.encode().split(b"\n")[1:]
    return [free(value).encode() for value in values]


def inert(value: Any) -> str:
    """The value of a cell as text; with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else str(word(value))
