"""`fluxcap report`."""

from __future__ import annotations

from typing import Final

from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import for_page
from fluxcap.cli.progress import Progress
from fluxcap.cli.rows import flow_rows

HELP: Final = "a page for a colleague: the verdict in words, then pictures"
DESCRIPTION: Final = """\
One HTML file about captures: whether they are sound, what can be believed, what
is wrong and who sent it; then pictures, each with its numbers and the command
that gives them again. It loads nothing, and is small whatever the capture.
"""


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_inputs(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="the page to write; - is standard output")
    options.add_selection(parser)
    options.add_order(parser)
    flow_rows.add_server_names(parser)
    options.add_threads(parser)
    options.add_strict(parser)
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Read, and write the page."""
    WATCH.nothing_to_keep()
    output = for_page(given.output)
    from fluxcap.page.findings import collect
    from fluxcap.page.report import page

    sources = inputs.find(given.inputs, output)
    reading = given.reading._replace(on_interrupt="raise")
    with Progress(sources, messages):
        found = collect(sources.inputs, reading, given.server_names)
        whole = page(found, reading)
    with output.stream() as out:
        out.write(whole)
    return Exit.DONE
