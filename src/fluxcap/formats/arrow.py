"""The Arrow IPC file format (Feather version 2), for random access; for a pipe, arrows is better."""

from typing import BinaryIO, Final

from fluxcap.formats import PLAIN, Rows, Screen
from fluxcap.formats._arrow import package, pour

HELP: Final = "Arrow IPC file (Feather)"
SUFFIXES: Final = (".arrow", ".feather")
BINARY: Final = True


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    # A column of such a file has one dictionary, which is not known before the last table.
    pour(out, rows, package().write_ipc, encoded=isinstance(rows.tables, list))
