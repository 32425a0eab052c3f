"""Newline-delimited JSON: one row a line, an object without a wrapper."""

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from fluxcap.formats import PLAIN, Rows, Screen
from fluxcap.formats.json import objects
from fluxcap.values.metadata import header

HELP: Final = "one JSON object a row, one row a line"
SUFFIXES: Final = (".ndjson", ".jsonl")


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    for octets in objects(rows, "", "\n"):
        out.write(octets)


def write_object(out: BinaryIO, members: Mapping[str, Any]) -> None:
    """One line."""
    out.write((json.dumps({**header(), **members}) + "\n").encode())
