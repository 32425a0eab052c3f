"""`fluxcap compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxcap.cli import inputs, options, summary
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.inputs import Sources
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.progress import Progress
from fluxcap.cli.rows import flow_rows
from fluxcap.errors import unknown
from fluxcap.plan.read_options import IN_FLIGHT
from fluxcap.values.names import COMPARED_FLOW_COLUMNS, COMPARED_PACKET_COLUMNS

if TYPE_CHECKING:
    from fluxcap.comparison.comparison import Comparison

HELP: Final = "two captures of the same traffic: what arrived, how late, what was changed"
DESCRIPTION: Final = """\
Two captures of the same traffic, recorded at two points A and B: what was lost,
came twice, out of order or changed on the way, and how late, each way. Clocks
that are apart are set right first, and it is said by how much.

A and B are a file, a glob or a directory each; several files of one point are
named with --a and --b instead. Each is read twice, so a pipe cannot be compared.
A row is a direction of a flow or, with --packets, a packet of which there is
something to say.
"""
ANY: Final = "any"
PASSES: Final = 2
OPTIONS: Final = {"a": "--a", "b": "--b"}


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    parser.add_argument("inputs", nargs="*", metavar="A B", help="what each point recorded: a file, glob or directory")
    for side, option in OPTIONS.items():
        what = f"a capture of point {side.upper()}; again for another, read in this order"
        parser.add_argument(option, action="append", default=[], metavar="FILE", help=what)
    options.add_results(parser)
    options.add_selection(parser)
    options.add_order(parser)
    options.add_strict(parser)
    options.add_rows(parser)
    options.add_resolve(parser)
    parser.add_argument("--packets", action="store_true", help="a row a packet, not a direction of a flow")
    parser.add_argument(
        "--every", action="store_true", help="with --packets: every packet, also those that just arrived"
    )
    longest = f"how long a packet may be on its way, and how far clocks may be apart (default: {IN_FLIGHT})"
    flow_rows.add_time(parser, "--in-flight", longest)
    what = "exit with 1 if there is one of these, as in loss,changes; any: whatever is found"
    parser.add_argument("--fail-on", type=_codes, default=frozenset(), metavar="LIST", help=what)


def run(given: Options, messages: Messages) -> Exit:
    """Compare, write the rows, say what was found."""
    output = choose(given.format, given.output, given.color, wide=given.wide)
    options.check_columns(given, COMPARED_PACKET_COLUMNS if given.packets else COMPARED_FLOW_COLUMNS)
    names = options.names(given, output)
    a, b = (inputs.find(paths, output) for paths in _sides(given))
    comparison = _compare(given, a, b, messages)
    table = comparison.packets if given.packets else comparison.flows
    order = options.Order.of(given)
    if order is not None:
        table = table.sort(order.column, order.descending)
    noun = "packets" if given.packets else "directions of flows"
    rows = flow_rows.limited(table, given, output, table.columns, noun)
    heading = "\n".join((*comparison.sentences, summary.heading(comparison.metadata)))
    output.write(rows._replace(names=names, heading=heading, metadata=lambda: comparison.metadata | comparison.summary))
    if not output.for_people:
        for sentence in comparison.sentences:
            messages.hint(sentence)
    messages.hints(comparison.metadata)
    if comparison.metadata["interrupted"]:
        return Exit.INTERRUPTED
    found = comparison.findings.keys()
    return Exit.TOO_MANY_BAD if found & (found if ANY in given.fail_on else given.fail_on) else Exit.DONE


def _sides(given: Options) -> tuple[list[str], list[str]]:
    """The paths of each point. UsageError unless both are named in one of the two ways."""
    if given.inputs and (given.a or given.b):
        raise UsageError("inputs are named with --a and --b, and without", "Put --a or --b before each of them.")
    if given.a and given.b:
        return given.a, given.b
    if given.a or given.b or len(given.inputs) != len(OPTIONS):
        raise UsageError(
            f"compare needs two points, not {len(given.inputs) or 1}",
            "Name two captures, as in `fluxcap compare a.pcap b.pcap`, or several of each with --a and --b.",
        )
    return given.inputs[:1], given.inputs[1:]


def _compare(given: Options, a: Sources, b: Sources, messages: Messages) -> Comparison:
    from fluxcap.comparison.reading import collect_comparison
    from fluxcap.plan.durations import nanoseconds

    longest = nanoseconds(given.in_flight or IN_FLIGHT, "--in-flight")
    with Progress(Sources([*a.inputs, *b.inputs]), messages, PASSES):
        try:
            return collect_comparison(a.inputs, b.inputs, given.reading, longest, given.every)
        except ValueError as error:
            raise UsageError.of(error) from error


def _codes(text: str) -> frozenset[str]:
    """The names of --fail-on. UsageError for one that there is not."""
    from fluxcap.comparison.comparison import FINDINGS

    asked = [word.strip() for word in text.split(",")]
    for word in asked:
        if word not in (*FINDINGS, ANY):
            raise UsageError.of(unknown("finding", word, (*FINDINGS, ANY)))
    return frozenset(asked)
