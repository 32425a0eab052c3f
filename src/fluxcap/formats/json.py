"""One JSON object: "schema", "version", "columns", "rows" (an object each), then what is known of the inputs."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Any, BinaryIO, Final

from fluxcap import text
from fluxcap.formats import PLAIN, Rows, Screen, chunks

HELP: Final = "one object: the rows and what is known of the inputs"
SUFFIXES: Final = (".json",)

SCHEMA: Final = 1  # changes when a name or a meaning does; new names alone leave it


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    head = json.dumps({**header(), "columns": list(rows.columns)})
    out.write(f'{head[:-1]}, "rows": ['.encode())
    separator = "\n"
    for lines in object_chunks(rows):
        out.write((separator + ",\n".join(lines)).encode())
        separator = ",\n"
    tail = json.dumps(rows.metadata())
    out.write(f"\n]{', ' if len(tail) > len('{}') else ''}{tail[1:]}\n".encode())


def write_object(out: BinaryIO, members: Mapping[str, Any]) -> None:
    """Readable lines."""
    out.write((json.dumps({**header(), **members}, indent=2) + "\n").encode())


def header() -> dict[str, Any]:
    """The members that every object begins with."""
    return {"schema": SCHEMA, "version": _version()}


def _version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("fluxcap")
    except PackageNotFoundError:  # it runs from a source tree
        return None


def object_chunks(rows: Rows) -> Iterator[list[str]]:
    """The rows as JSON objects, some thousands at a time."""
    begins = [f"{', ' if place else '{'}{json.dumps(name)}: " for place, name in enumerate(rows.columns)]
    for columns in chunks(rows, _tokens):
        # Joined from pieces: a template to fill in takes 1.7 times as long.
        pieces = chain.from_iterable((repeat(begin), tokens) for begin, tokens in zip(begins, columns, strict=True))
        yield list(map("".join, zip(*pieces, repeat("}"), strict=False)))


def _tokens(name: str, values: Any) -> list[str]:
    if text.is_free(values):
        return list(map(json.dumps, values))
    cells = text.cells(name, values)
    # What the formatters make, addresses, times and names, has nothing to be escaped.
    return cells if text.is_number(name, values) else [f'"{cell}"' for cell in cells]
