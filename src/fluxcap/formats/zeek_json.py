"""conn.log of Zeek with LogAscii::use_json: an object a row, without the fields that are unset."""

import json
from collections.abc import Callable
from typing import BinaryIO, Final

from fluxcap.formats import PLAIN, Rows, Screen
from fluxcap.formats._conn_log import batches, fields_of

HELP: Final = "the same as JSON, an object a line"
SUFFIXES: Final = ()
SEMANTICS: Final = "zeek"

QUOTED: Final = ("string", "addr", "enum")
BOOLS: Final = {"T": "true", "F": "false"}


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    fields = fields_of(rows)
    names = [json.dumps(name) for name in fields]
    literals = [_literal(kind) for kind in fields.values()]
    for cells in batches(rows.tables, fields):
        for row in zip(*cells, strict=True):
            members = zip(names, literals, row, strict=True)
            object = ",".join(f"{name}:{literal(cell)}" for name, literal, cell in members if cell is not None)
            out.write(f"{{{object}}}\n".encode())


def _literal(kind: str) -> Callable[[str], str]:
    """How a text of a type is written in JSON."""
    if kind == "bool":
        return BOOLS.__getitem__
    return json.dumps if kind in QUOTED else str
