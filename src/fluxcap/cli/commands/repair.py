"""`fluxcap repair`."""

from __future__ import annotations

from typing import Final

from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import for_capture
from fluxcap.cli.progress import Progress

HELP: Final = "complete the checksums that were left to the network card"
DESCRIPTION: Final = """\
A copy of a capture in which the checksums are complete that its sender left to
the network card: transport checksums that are `partial`, and IPv4 header
checksums of zero. Bad ones stay as they are, and so does every other byte.
"""


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    parser.add_argument("input", metavar="INPUT", help="one capture; - is standard input")
    parser.add_argument("-o", "--output", metavar="FILE", help="the copy to write; - is standard output")
    options.add_tunnels(parser)
    options.add_strict(parser)
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Copy, and say what was changed."""
    WATCH.nothing_to_keep()
    from fluxcap.rewrite.repair import copy_repaired, single

    output = for_capture(given.output, "repair", whole=True)
    sources = inputs.find([given.input], output)
    try:
        item = single(sources.inputs)
    except ValueError as error:
        raise UsageError.of(error) from error
    with Progress(sources, messages), output.stream() as out:
        done = copy_repaired(item, out, given.reading._replace(on_interrupt="raise"))
    checksums = f"{done.checksums:,} transport and {done.ip_checksums:,} IPv4 header checksums"
    messages.hint(f"{checksums} completed, in {done.repaired:,} of {done.packets:,} records")
    return Exit.DONE
