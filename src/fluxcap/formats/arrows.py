"""The Arrow IPC stream format, which is read as it comes."""

from typing import BinaryIO, Final

from fluxcap.formats import PLAIN, Rows, Screen
from fluxcap.formats._arrow import package, pour

HELP: Final = "Arrow IPC stream, for pipes"
SUFFIXES: Final = (".arrows",)
BINARY: Final = True


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    pour(out, rows, package().write_ipc_stream)
