"""The common part of commands that show flows: options, order, and which rows and columns are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from fluxcap import formats
from fluxcap.cli import options, summary
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Order, Parser
from fluxcap.cli.output import Output
from fluxcap.formats import Rows
from fluxcap.plan import keys, semantics
from fluxcap.plan.flow_plan import FIVE_TUPLE, FlowPlan
from fluxcap.plan.keys import Key
from fluxcap.values import derived, human
from fluxcap.values.metadata import Metadata
from fluxcap.values.other_names import CICFLOWMETER

if TYPE_CHECKING:
    from fluxcap.tables.flows import FlowTable
    from fluxcap.tables.table import Table

BIGGEST_FIRST: Final = Order("packets", descending=True)
IN_TIME: Final = Order("interval", descending=False)


def add_semantics(parser: Parser) -> None:
    """--semantics, and the two timeouts that override those of the semantics."""
    parser.add_argument(
        "--semantics",
        type=options.checked_by(semantics.find),
        metavar="NAME",
        help=f"timeouts, direction and bytes as others have them: {', '.join(semantics.PRESETS)}",
    )
    add_time(parser, "--idle-timeout", "a new row after a silence of this length, as in 30s or 500ms")
    add_time(parser, "--active-timeout", "a new row when one has lasted this long")


def add_server_names(parser: Parser) -> None:
    """--server-names."""
    what = "the name of the server: of DNS answers before the flow, a TLS ClientHello, an HTTP Host"
    parser.add_argument("--server-names", action="store_true", help=what)


def settle_semantics(given: Options, output: Output, key: Key = FIVE_TUPLE) -> None:
    """Without --semantics, take those that the format is made for, if flows have both ends."""
    if key.tells_ends:
        given.semantics = given.semantics or getattr(formats.find(output.format), "SEMANTICS", None)


def checked(plan: FlowPlan) -> FlowPlan:
    """A plan whose options go together. UsageError for others, before anything is read."""
    try:
        plan.spec()
    except ValueError as error:
        raise UsageError.of(error) from error
    return plan


def settle_names(given: Options) -> None:
    """Read what the columns of CICFLOWMETER are made of, if they are asked for."""
    if given.names == CICFLOWMETER:
        if given.columns is not None:
            raise UsageError("--names cicflowmeter has columns of its own", "Leave out --columns, or --names.")
        given.features = given.activity = True


def add_time(parser: Parser, name: str, what: str) -> None:
    """An option that is a length of time."""
    parser.add_argument(name, type=options.duration(name), metavar="TIME", help=what)


def how_it_ended(metadata: Metadata, made: str, messages: Messages) -> Exit:
    """The exit code of a command whose table has this metadata, with a warning where a limit stopped it."""
    if metadata["interrupted"]:
        return Exit.INTERRUPTED
    if metadata.get("limit"):  # no limit stops the reading of frames
        octets, packets = human.octets(metadata["wire_octets"]), human.counted(metadata["packets"], "packet")
        messages.warning(f"--{metadata['limit'].replace('_', '-')}: {packets} were read ({octets}), in {made}")
        return Exit.LIMITED
    return Exit.DONE


def orders(given: Options, output: Output, columns: Sequence[str]) -> list[Order]:
    """By what rows are sorted, one after the other: by --sort; for people else by packets, and by interval if there are
    intervals."""
    if (typed := Order.of(given)) is not None:
        return [typed]
    return [order for order in (BIGGEST_FIRST, IN_TIME) if output.for_people and order.column in columns]


def chosen(table: FlowTable, given: Options, output: Output, shown: Sequence[str], noun: str) -> Rows:
    """The rows to write, sorted and limited as asked for, with the columns of --columns or else `shown`."""
    for order in orders(given, output, table.columns):
        table = table.sort(order.column, order.descending)
    if given.names == CICFLOWMETER:
        from fluxcap.tables.naming.cicflowmeter import cicflowmeter

        theirs = cicflowmeter(table)
        return limited(theirs, given, output, theirs.columns, noun)
    return limited(table, given, output, shown, noun)._replace(
        prefixes=keys.parse(table.metadata["by"]).prefixes,
        names=names(given, output),
    )


def names(given: Options, output: Output) -> Mapping[str, str]:
    """The column names of --names, in the semantics of --semantics; none where it means columns of its own."""
    options.check_names(given, output)
    own = given.names == CICFLOWMETER
    return {} if own else options.names(given, output, semantics.find(given.semantics).octets)


def besides(columns: Sequence[str], given: Options, output: Output) -> list[str]:
    """The columns on request that options ask for: the one that rows are sorted by, so that people see why a row is
    where it is, and for programs the names of --resolve."""
    on_request = derived.names(columns)
    if output.for_people:
        order = Order.of(given)
        return [order.column] if order is not None and order.column in on_request else []
    return [name for name in on_request if derived.is_name(name)] if options.resolves(given) else []


def limited(table: Table, given: Options, output: Output, shown: Sequence[str], noun: str) -> Rows:
    """The first rows of a table, as many as asked for, with the columns of --columns or else `shown`."""
    from fluxcap.tables.arrow.apart import said

    limit = options.row_limit(given, output)
    first = table.head(limit) if limit else table
    return Rows(
        [first],
        given.columns or [*shown, *besides(table.columns, given, output)],
        chosen=given.columns is not None,
        noun=noun,
        heading=summary.heading(table.metadata),
        metadata=lambda: table.metadata,
        apart=lambda: said(first),
        left_out=lambda: len(table) - len(first),
        services=options.resolves(given),
    )
