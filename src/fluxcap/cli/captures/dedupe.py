"""`fluxcap dedupe`."""

from __future__ import annotations

from typing import Final

from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import for_capture
from fluxcap.cli.progress import Progress

HELP: Final = "a capture without copies of packets, which mirrors and hops show again"
DESCRIPTION: Final = """\
A copy of a capture without the packets that are in it already: shown by a mirror
port in two VLANs, on both sides of a router, in a tunnel and outside it, or
twice the same. What a sender sent again stays, and so does every byte of the
others.
"""
PASSES: Final = 2  # over the input: the first finds the copies, the second leaves them out


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    parser.add_argument("input", metavar="INPUT", help="one capture, a file")
    parser.add_argument("-o", "--output", metavar="FILE", help="the capture to write; - is standard output")
    options.add_window(parser)
    parser.set_defaults(dedupe=True)
    options.add_tunnels(parser)
    options.add_strict(parser)
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Copy, and say what was left out."""
    WATCH.nothing_to_keep()
    from fluxcap.reports.copies import Copies
    from fluxcap.rewrite.dedupe import DONE, copy_deduped
    from fluxcap.rewrite.repair import single

    output = for_capture(given.output, "dedupe", whole=True)
    sources = inputs.find([given.input], output)
    try:
        item = single(sources.inputs, DONE)
        with Progress(sources, messages, PASSES), output.stream() as out:
            done = copy_deduped(item, out, given.reading._replace(on_interrupt="raise"))
    except ValueError as error:
        raise UsageError.of(error) from error
    messages.hint(f"{Copies(done.packets, done.kinds).text}; the rest is written")
    return Exit.DONE
