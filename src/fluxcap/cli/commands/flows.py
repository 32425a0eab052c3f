"""`fluxcap flows`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from fluxcap._core import FLOW_COLUMNS, feature_columns
from fluxcap.cli import inputs, options, sharing
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.inputs import Sources
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.rows import community_ids, copies, extract, flow_rows, payloads, streamed
from fluxcap.formats import Rows
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FLOW, FlowPlan
from fluxcap.plan.read_options import REORDER
from fluxcap.values import derived, human
from fluxcap.values.other_names import CICFLOWMETER, SCHEMES

if TYPE_CHECKING:
    from fluxcap.tables.flows import FlowTable
    from fluxcap.tables.table import Table

HELP: Final = "the flows of a capture, with the verdicts on their checksums"
DESCRIPTION: Final = """\
The flows of one or several captures, read as one. A row counts both directions
of a flow, forward being that of its first packet. Rows stand in the order in
which the flows began; a table for people begins with those of most packets.
"""
REVERSE: Final = "reverse_"


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser)
    sharing.add(parser)
    options.add_rows(parser, FLOW_COLUMNS, (*SCHEMES, CICFLOWMETER))
    options.add_resolve(parser)
    community_ids.add(parser)
    parser.add_argument(
        "--by",
        type=options.checked_by(keys.parse),
        default="5tuple",
        metavar="KEY",
        help=f"what makes a flow: {', '.join(keys.SETS)} (default 5tuple), or fields as in src_ip/24,dst_port",
    )
    parser.add_argument("--uniflow", action="store_true", help="each direction in a row of its own")
    flow_rows.add_semantics(parser)
    flow_rows.add_time(parser, "--interval", "new rows at every multiple of this time")
    ends = "a new row at a SYN that comes after a RST, or after a FIN of both sides"
    parser.add_argument("--end", choices=("tcp",), help=ends)
    parser.add_argument("--features", action="store_true", help="statistics of packet sizes and gaps, and TCP flags")
    activity = "payloads, headers, windows, active and idle times, bulks, subflows"
    parser.add_argument("--activity", action="store_true", help=activity)
    parser.add_argument(
        "--splt", type=options.natural, default=0, metavar="N", help="direction, size and gap of the first N packets"
    )
    payloads.add(parser, "each flow")
    flow_rows.add_server_names(parser)
    parser.add_argument("--max-flows", type=options.positive, metavar="N", help="stop at so many flows: exit code 4")
    options.add_max_memory(parser)
    what = "a row when its flow has ended, in bounded memory, not when the capture has"
    parser.add_argument("--as-they-end", action="store_true", help=what)
    flow_rows.add_time(parser, "--grace", f"how late a packet may come to a flow that leaves (default: {REORDER})")
    options.add_follow(parser)
    what = "write the packets of these flows, numbered as in the column `flow`, to the capture -o FILE"
    parser.add_argument("--extract", type=extract.numbers, metavar="N,...", help=what)


def run(given: Options, messages: Messages) -> Exit:
    """Read the flows, sort and limit them as asked for, write them; or extract the packets of some."""
    sharing.check(given)
    flow_rows.settle_names(given)
    if given.as_they_end:
        return _write_as_they_end(given, messages)
    if given.grace is not None:
        raise UsageError("--grace is about flows that leave, and none does", "Say --as-they-end as well.")
    if given.follow:
        raise UsageError("--follow has no end, and flows are written at the end", "Say --as-they-end as well.")
    extracting = given.extract is not None
    output = extract.output(given) if extracting else choose(given.format, given.output, given.color, wide=given.wide)
    if not extracting:
        flow_rows.settle_semantics(given, output, _key(given))
    sources = inputs.find(given.inputs, output)
    if extracting:
        extract.check(sources)
    options.check_columns(given, _columns(given))
    options.check_names(given, output)
    table = community_ids.named(_read(given, sources, messages), given)
    metadata = table.metadata
    if not extracting:
        shown = (FLOW, *table.columns) if output.for_people else table.columns
        output.write(flow_rows.chosen(table, given, output, shown, "flows"))
    elif not metadata["interrupted"]:
        extract.write(table, given.extract, output, sources, messages)
    messages.hints(metadata)
    copies.hint(given, sources, metadata, messages)
    if output.for_people:
        _hint(table, messages)
    return flow_rows.how_it_ended(metadata, human.counted(len(table), "flow"), messages)


def _write_as_they_end(given: Options, messages: Messages) -> Exit:
    """Write each flow when it has ended, in bounded memory."""
    from fluxcap.tables.flow_scan import FlowScan

    for name in ("extract", "sort", "max_flows", "max_memory"):
        if getattr(given, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is about all flows, and --as-they-end keeps none", f"Leave out {option}.")
    output = choose(given.format, given.output, given.color, wide=given.wide)
    flow_rows.settle_semantics(given, output, _key(given))
    sources = inputs.find(given.inputs, output, given.follow)
    known = [name for name in _columns(given) if name != FLOW]
    options.check_columns(given, known)
    columns = [name for name in known if name != derived.ICMP]
    try:
        scan = FlowScan(sources.inputs, _plan(given), given.grace or REORDER, given.reading)
    except ValueError as error:
        raise UsageError(str(error), "Name --idle-timeout TIME, --active-timeout TIME or --interval TIME.") from error
    more = (*flow_rows.besides(columns, given, output), *community_ids.column(given, columns))
    shown = given.columns or [*columns, *more]
    services = options.resolves(given)
    names = flow_rows.names(given, output)
    rows = Rows((), shown, chosen=given.columns is not None, noun="flows", names=names, services=services)
    limit = options.row_limit(given, output)
    each: Callable[[Table], Table] = partial(community_ids.named, given=given)
    if given.names == CICFLOWMETER:
        from fluxcap.tables.naming.cicflowmeter import cicflowmeter
        from fluxcap.tables.naming.cicflowmeter_columns import COLUMNS

        rows, each = rows._replace(columns=[*COLUMNS]), cicflowmeter
    metadata, written = streamed.write(rows, scan, limit, sources, output, messages, each=each)
    return flow_rows.how_it_ended(metadata, human.counted(written, "flow"), messages)


def _columns(given: Options) -> list[str]:
    """The columns that the table will have, so that a wrong name is refused before hours of reading."""
    key = _key(given)
    values = [name for name in FLOW_COLUMNS if key.biflow or not name.startswith(REVERSE)]
    return [
        FLOW,
        *(field for field, *_ in key.fields),
        *(["interval"] if given.interval else []),
        *values,
        *feature_columns(
            key.biflow, given.features, given.activity, given.splt, given.payload.octets, given.server_names
        ),
        *([derived.ICMP] if key.tells_ends else []),
    ]


def _key(given: Options) -> keys.Key:
    return keys.parse(given.by, not given.uniflow)


def _plan(given: Options) -> FlowPlan:
    plan = FlowPlan(
        _key(given),
        semantics=given.semantics,
        idle_timeout=given.idle_timeout,
        active_timeout=given.active_timeout,
        end=given.end,
        interval=given.interval,
        max_flows=given.max_flows,
        max_memory=given.max_memory,
        features=given.features,
        activity=given.activity,
        splt=given.splt,
        payload=given.payload,
        server_names=given.server_names,
    )
    return flow_rows.checked(plan)


def _read(given: Options, sources: Sources, messages: Messages) -> FlowTable:
    from fluxcap.tables.flows import FlowTable

    return sharing.read_flows(given, sources, _plan(given), FlowTable, messages)


def _hint(table: FlowTable, messages: Messages) -> None:
    partial = int(table["partial"].sum())
    bad = int(table["bad"].sum() + table["ip_bad"].sum())
    if bad:
        messages.hint(f"{human.count(bad)} bad: `fluxcap check` lists them")
    elif partial:
        from fluxcap.reports.origins import OFFLOAD

        messages.hint(f"{human.count(partial)} checksums are partial: {OFFLOAD}")
