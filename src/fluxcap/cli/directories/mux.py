"""`fluxcap mux`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fluxcap.cli import options
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import for_capture
from fluxcap.values import human

HELP: Final = "UDP messages as segments again, in a capture"
DESCRIPTION: Final = """\
A capture of the UDP messages in a directory that `fluxcap demux` made: each in
a segment of its own, at its time, between its sockets, with every checksum
right. TCP streams are left out: nothing says where their segments began.
"""


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    parser.add_argument("directory", metavar="DIR", help="what `fluxcap demux` wrote")
    parser.add_argument("-o", "--output", metavar="FILE", help="the pcap to write; - is standard output")
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Write the capture, and say how much is in it."""
    WATCH.nothing_to_keep()
    from fluxcap.rewrite.mux import write_segments

    output = for_capture(given.output, "mux")
    folder = Path(given.directory)
    output.refuse(str(path) for path in folder.glob("*"))
    with output.stream() as out:
        try:
            done = write_segments(folder, out)
        except ValueError as error:
            raise UsageError.of(error) from error
    parts = [human.counted(done.messages, "message"), human.octets(done.octets)]
    if done.streams:
        parts.append(f"without {human.counted(done.streams, 'TCP stream')}")
    messages.hint(", ".join(parts))
    return Exit.DONE
