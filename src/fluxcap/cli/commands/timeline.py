"""`fluxcap timeline`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxcap.cli import inputs, options, sharing, summary
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.inputs import Sources
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Order, Parser
from fluxcap.cli.output import Output, choose
from fluxcap.cli.progress import Progress
from fluxcap.cli.rows import flow_rows, streamed
from fluxcap.formats import Rows
from fluxcap.plan.read_options import REORDER
from fluxcap.values import bars, human

if TYPE_CHECKING:
    from fluxcap.cluster.sharing import Sharing
    from fluxcap.tables.timeline.table import TimelineTable

HELP: Final = "what was sent in each interval of time, empty ones too"
DESCRIPTION: Final = """\
A row an interval, in the order of time: packets, bytes, rates, checksums, flows
that send and that begin, retransmissions, the median round trip. With --by a row an
interval and protocol, verdict, or value of a key of flows.

Intervals begin at multiples of their length since 1970, UTC. Those of a pipe, and
with --follow, are written when the time of the capture has passed them.
"""
LINE_WIDTH: Final = 60  # characters of the line of heights, beside its title, in 80


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser)
    options.add_rows(parser)
    what = "length of an interval, as in 100ms, 1s (default) or 5m"
    parser.add_argument("--interval", type=options.duration("--interval"), default="1s", metavar="TIME", help=what)
    what = "a row for each protocol, verdict, or value of a key as in `flows --by`"
    parser.add_argument("--by", type=options.checked_by(_check), metavar="KEY", help=what)
    options.add_ignore_checksums(parser)
    options.add_max_memory(parser)
    options.add_follow(parser)
    sharing.add(parser)
    what = f"how late a packet may come to an interval of a pipe that leaves (default: {REORDER})"
    flow_rows.add_time(parser, "--grace", what)


def _check(by: str) -> None:
    from fluxcap.tables.timeline.table import columns_of

    columns_of(by)


def run(given: Options, messages: Messages) -> Exit:
    """Read the timeline, sort and cut the rows as asked for, write them; or write them as their intervals pass."""
    sharing.check(given)
    from fluxcap.tables.timeline.table import OF_PACKETS, columns_of

    output = choose(given.format, given.output, given.color, wide=given.wide)
    sources = inputs.find(given.inputs, output, given.follow)
    options.check_columns(given, columns_of(given.by))
    names = options.names(given, output)
    alone = given.by in OF_PACKETS  # an interval is complete when it has passed
    if given.follow and not alone:
        raise UsageError(
            f"--follow has no end, and rows by {given.by} are written at the end",
            "Leave out --by, or say --by protocol or --by verdict.",
        )
    if alone and given.scheduler is None and (given.follow or (sources.live and not given.sort and not output.binary)):
        return _write_as_they_pass(given, sources, output, messages)
    if given.grace is not None:
        raise UsageError(
            "--grace is about intervals that leave before the input ends, and these do not", "Leave out --grace."
        )
    table = _read(given, sources, messages)
    total = len(table)
    heading = "\n".join((summary.heading(table.metadata), *_line(table, given.by))) if output.for_people else ""
    if order := Order.of(given):
        table = table.sort(order.column, order.descending)
    rows = flow_rows.limited(table, given, output, table.columns, "rows" if given.by else "intervals")
    output.write(rows._replace(heading=heading, names=names))
    messages.hints(table.metadata)
    return flow_rows.how_it_ended(table.metadata, human.counted(total, "row"), messages)


def _write_as_they_pass(given: Options, sources: Sources, output: Output, messages: Messages) -> Exit:
    """Write each interval when the time of the capture has passed it."""
    from fluxcap.tables.timeline.scan import TimelineScan
    from fluxcap.tables.timeline.table import columns_of

    scan = TimelineScan(
        sources.inputs,
        given.interval,
        given.by,
        given.grace or REORDER,
        given.reading,
        given.ignore_checksums,
        given.max_memory,
    )
    rows = Rows(
        (),
        given.columns or columns_of(given.by),
        chosen=given.columns is not None,
        noun="rows" if given.by else "intervals",
        names=options.names(given, output),
    )
    metadata, written = streamed.write(rows, scan, given.rows or 0, sources, output, messages)
    return flow_rows.how_it_ended(metadata, human.counted(written, "row"), messages)


def _line(table: TimelineTable, by: str | None) -> list[str]:
    """A line with the heights of all intervals, however few rows are shown."""
    if by is not None or len(table) < 2:
        return []
    rates = table["bits_per_second"].tolist()
    return [f"bits/s  {bars.line(rates, LINE_WIDTH)}  {human.bits(max(rates))}"]


def _read(given: Options, sources: Sources, messages: Messages) -> TimelineTable:
    if given.scheduler is not None:
        from fluxcap.cluster import timelines

        def collect(sharers: Sharing) -> TimelineTable:
            return timelines.collect_timeline(
                sources.inputs, given.interval, given.by, given.reading, sharers, given.ignore_checksums
            )

        return sharing.share(given, sources, messages, collect)
    from fluxcap.tables.timeline.table import collect_timeline

    with Progress(sources, messages):
        return collect_timeline(
            sources.inputs, given.interval, given.by, given.reading, given.ignore_checksums, given.max_memory
        )
