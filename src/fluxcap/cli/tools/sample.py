"""`fluxcap sample`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from fluxcap.cli import options
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.messages import Messages, is_terminal
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import STANDARD, for_capture

HELP: Final = "a small capture to try the other commands on"
DESCRIPTION: Final = """\
A small capture to try the other commands on: a client and a server over IPv4
and IPv6, TCP requests, UDP messages, some of them in fragments, refused ports,
a reset, and checksums that the client left to its network card.

  fluxcap sample | fluxcap flows -
"""
PACKED: Final = "sample.pcapng.gz"  # beside this module; samples/sockets.pcapng
NAME: Final = "sample.pcapng"  # of the file that a terminal gets


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    where = f"the file to write, - is standard output (default: {NAME} at a terminal, else standard output)"
    parser.add_argument("-o", "--output", metavar="FILE", help=where)
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Write it, and say what to do with it."""
    import gzip
    from importlib.resources import files

    path = given.output or (NAME if is_terminal(sys.stdout) else STANDARD)
    if given.output is None and path == NAME and Path(NAME).exists():
        raise UsageError(f"{NAME} is there already", "Name another file with -o.")
    with for_capture(path, "sample").stream() as out:
        out.write(gzip.decompress(files("fluxcap.cli.tools").joinpath(PACKED).read_bytes()))
    if path != STANDARD:
        messages.hint(f"{path} is written: try `fluxcap flows {path}`")
    return Exit.DONE
