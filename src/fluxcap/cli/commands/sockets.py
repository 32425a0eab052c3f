"""`fluxcap sockets`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxcap._core import SERVER_NAME_COLUMNS
from fluxcap.cli import inputs, options, sharing
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Order, Parser
from fluxcap.cli.output import choose, choose_of
from fluxcap.cli.progress import Progress
from fluxcap.cli.rows import copies, flow_rows
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.values import human
from fluxcap.values.names import LIFE_COLUMNS, SOCKET_COLUMNS

if TYPE_CHECKING:
    from fluxcap.cli.inputs import Sources
    from fluxcap.sockets.life import LifeTable
    from fluxcap.sockets.table import SocketTable

HELP: Final = "the sockets at the ends of a capture's connections"
DESCRIPTION: Final = """\
The sockets that took part: who listened, who connected, who was refused or got
no answer, and what came of it. Rows stand in the order of their first records;
a table for people begins with the listeners of most connections.

With --life, one socket's calls of the sockets interface as far as the records
show them, or let them be inferred; as svg or mermaid, a ladder of the calls at
both ends with the segments between them.
"""
SUFFIXES: Final = {".svg": "svg", ".mmd": "mermaid"}
DRAWINGS: Final = {
    "svg": "with --life: a ladder of the calls at both ends, drawn",
    "mermaid": "the same in the language of Mermaid",
}


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser, DRAWINGS)
    sharing.add(parser)
    options.add_rows(parser, SOCKET_COLUMNS)
    options.add_resolve(parser)
    options.add_ignore_checksums(parser)
    flow_rows.add_server_names(parser)
    options.add_max_memory(parser)
    what = "the life of one socket: bind, listen, accept, connect, read, write, close"
    parser.add_argument("--life", type=options.checked_by(_check), metavar="ADDRESS:PORT", help=what)


def _check(socket: str) -> None:
    from fluxcap.sockets.life import parse

    parse(socket)


def run(given: Options, messages: Messages) -> Exit:
    """Read the sockets, or the life of one; sort and cut the rows as asked for, write them."""
    sharing.check(given)
    if given.format in DRAWINGS or (given.format == options.AUTO and (given.output or "").endswith(tuple(SUFFIXES))):
        return _draw(given, messages)
    output = choose(given.format, given.output, given.color, wide=given.wide)
    sources = inputs.find(given.inputs, output)
    if given.life and given.server_names:
        raise UsageError("--server-names is about sockets, and --life about one", "Leave out one of them.")
    more = SERVER_NAME_COLUMNS if given.server_names else ()
    options.check_columns(given, LIFE_COLUMNS if given.life else [*SOCKET_COLUMNS, *more])
    names = options.names(given, output)
    table = _read(given, sources, messages)
    total = len(table)
    order = Order.of(given)
    if order is not None:
        table = table.sort(order.column, order.descending)
    elif output.for_people and not given.life:
        table = table.sort("connections").sort("role", descending=False)
    rows = flow_rows.limited(table, given, output, table.columns, "calls" if given.life else "sockets")
    output.write(rows._replace(names=names))
    messages.hints(table.metadata)
    copies.hint(given, sources, table.metadata, messages)
    if given.life and not total:
        messages.hint(f"no record is from or to {given.life}: `fluxcap sockets` lists the sockets there are")
    if given.life:
        return Exit.INTERRUPTED if table.metadata["interrupted"] else Exit.DONE
    return flow_rows.how_it_ended(table.metadata, human.counted(total, "socket"), messages)


def _read(given: Options, sources: Sources, messages: Messages) -> SocketTable | LifeTable:
    from fluxcap.sockets.life import collect_life
    from fluxcap.sockets.table import collect_sockets, socket_table

    if given.scheduler is not None:
        from fluxcap.tables.connections import ConnectionTable

        plan = FlowPlan(connections=True, ignore_checksums=given.ignore_checksums)
        return socket_table(sharing.read_flows(given, sources, plan, ConnectionTable, messages))
    with Progress(sources, messages):
        if given.life:
            return collect_life(sources.inputs, given.life, given.reading, given.ignore_checksums)
        return collect_sockets(
            sources.inputs, given.reading, given.ignore_checksums, given.max_memory, given.server_names
        )


def _draw(given: Options, messages: Messages) -> Exit:
    """Draw the ladder of one socket and its first peer."""
    from fluxcap.sockets import ladder

    if not given.life:
        raise UsageError("a ladder is drawn of the life of one socket", "Say which with --life ADDRESS:PORT.")
    output = choose_of(SUFFIXES, given.format, given.output, given.color)
    sources = inputs.find(given.inputs, output)
    try:
        with Progress(sources, messages):
            found = ladder.collect_ladder(sources.inputs, given.life, given.reading, given.ignore_checksums)
    except ValueError as error:
        raise UsageError.of(error) from error
    with output.stream() as out:
        out.write((ladder.svg if output.format == "svg" else ladder.mermaid)(found).encode())
    if not found.rungs:
        messages.hint(f"no record is from or to {given.life}: `fluxcap sockets` lists the sockets there are")
    elif found.other_peers:
        peers = human.counted(found.other_peers, "other peer")
        messages.hint(f"{peers} of {given.life} not drawn: with --life of a peer its own ladder is")
    return Exit.INTERRUPTED if found.metadata["interrupted"] else Exit.DONE
