"""One JSON object: "schema", "version", "columns", "rows" (an object each), then metadata about the inputs."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from fluxcap.formats import PLAIN, Rows, Screen, raw_columns_of, there_in
from fluxcap.values import text
from fluxcap.values.metadata import header, members

HELP: Final = "one object: the rows and what is known of the inputs"
SUFFIXES: Final = (".json",)


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    head = json.dumps({**header(), "columns": list(map(rows.shown, rows.columns))})
    out.write(f'{head[:-1]}, "rows": ['.encode())
    surplus = len(",")  # before the first row
    for octets in objects(rows, ",\n", ""):
        out.write(octets[surplus:])
        surplus = 0
    tail = json.dumps(members(rows.metadata()))
    out.write(f"\n]{', ' if len(tail) > len('{}') else ''}{tail[1:]}\n".encode())


def write_object(out: BinaryIO, about: Mapping[str, Any]) -> None:
    """Readable lines."""
    out.write((json.dumps({**header(), **about}, indent=2) + "\n").encode())


def objects(rows: Rows, before: str, behind: str) -> Iterator[bytes]:
    """The rows as JSON objects, with the same text before each of them and behind it, in pieces of some ten KiB."""
    for table in rows.tables:
        columns = raw_columns_of(table, rows)
        yield from text.rows(columns, _around(rows, columns, before, behind), _dumped, True, there_in(table, rows))


def _dumped(values: list[Any]) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def _around(rows: Rows, columns: Mapping[str, Any], before: str, behind: str) -> list[bytes]:
    """Braces, names and quotes; json.dumps() quotes the values of a list itself, and the core times."""
    around, opening, closing = [], f"{before}{{", ""
    for name, values in columns.items():
        # The core's texts of addresses and names contain nothing that has to be escaped.
        quote = "" if text.is_bare(name, values) else '"'
        around.append(f"{closing}{opening}{json.dumps(rows.shown(name))}: {quote}".encode())
        opening, closing = ", ", quote
    return [*around, f"{closing}}}{behind}".encode()]
