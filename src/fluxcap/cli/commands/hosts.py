"""`fluxcap hosts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit
from fluxcap.cli.inputs import Sources
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Order, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.progress import Progress
from fluxcap.cli.rows import flow_rows
from fluxcap.values import human
from fluxcap.values.names import HOST_COLUMNS

if TYPE_CHECKING:
    from fluxcap.sockets.hosts import By, HostTable

HELP: Final = "the hosts of a capture: what each sent, received and listened on"
DESCRIPTION: Final = """\
The addresses that took part: packets and bytes that each sent and received,
how many others it had to do with, and the ports it answered on. Rows stand in
the order of their first records; a table for people begins with the hosts of
most bytes.

With --by address/24 a row is a network, with --by mac a MAC address; frames
without IP count there too.
"""
MOST_BYTES_FIRST: Final = Order("bytes", descending=True)


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser)
    options.add_rows(parser, HOST_COLUMNS)
    options.add_resolve(parser)
    what = "what a host is: address (default), a network as in address/24 or address/24/64, or mac"
    parser.add_argument("--by", type=options.checked_by(_check), default="address", metavar="HOST", help=what)
    options.add_ignore_checksums(parser)
    options.add_max_memory(parser)


def _check(by: str) -> None:
    from fluxcap.sockets.hosts import parse

    parse(by)


def run(given: Options, messages: Messages) -> Exit:
    """Read the hosts, sort and cut the rows as asked for, write them."""
    from fluxcap.sockets.hosts import parse

    output = choose(given.format, given.output, given.color, wide=given.wide)
    sources = inputs.find(given.inputs, output)
    by = parse(given.by)
    options.check_columns(given, by.columns)
    names = options.names(given, output)
    table = _read(by, given, sources, messages)
    total = len(table)
    order = Order.of(given) or (MOST_BYTES_FIRST if output.for_people else None)
    if order is not None:
        table = table.sort(order.column, order.descending)
    rows = flow_rows.limited(table, given, output, table.columns, "hosts")
    output.write(rows._replace(prefixes=by.prefixes, names=names))
    messages.hints(table.metadata)
    return flow_rows.how_it_ended(table.metadata, human.counted(total, "host"), messages)


def _read(by: By, given: Options, sources: Sources, messages: Messages) -> HostTable:
    from fluxcap.sockets.hosts import collect_hosts

    with Progress(sources, messages):
        return collect_hosts(sources.inputs, by, given.reading, given.ignore_checksums, given.max_memory)
