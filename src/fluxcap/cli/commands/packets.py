"""`fluxcap packets`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from fluxcap._core import EXTRA_COLUMNS, KEPT_COLUMNS, PACKET_COLUMNS
from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Order, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.rows import community_ids, payloads, streamed
from fluxcap.cli.rows.flow_rows import besides, how_it_ended
from fluxcap.formats import Rows
from fluxcap.values import derived, human
from fluxcap.values.names import IP_VERSION

if TYPE_CHECKING:
    from fluxcap.cli.inputs import Sources
    from fluxcap.plan.places import Place
    from fluxcap.plan.read_options import ReadOptions
    from fluxcap.tables.packets import PacketTable

HELP: Final = "one row a packet, as they are read"
DESCRIPTION: Final = """\
One row a packet, written as it is read, in bounded memory. With -n reading ends
at the last row that is shown; with --sort everything is read first, and
--max-memory bounds what that takes. `fluxcap index` makes --at fast.
"""
BATCH_ROWS: Final = 8192  # few, so that the first rows come soon; enough that a batch costs next to nothing
PROTOCOL: Final = "protocol"
AT_ALONE: Final = "Leave out either."
COLUMNAR_ROWS: Final = 65536  # for formats that buffer rows anyway: each batch has a dictionary of its own


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser)
    options.add_rows(parser)
    at = "begin at the packet of this number, or at the first of this time, as in 2026-11-29T21:05Z, or later"
    parser.add_argument("--at", type=_place, metavar="NUMBER|TIME", help=at)
    options.add_follow(parser)
    options.add_resolve(parser)
    community_ids.add(parser)
    payloads.add(parser, "each packet")
    options.add_max_memory(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Write the packets as they are read."""
    from fluxcap.tables.packets import choose as choose_columns
    from fluxcap.tables.packets import collect_packets, without_rows
    from fluxcap.tables.scan import PacketScan

    output = choose(given.format, given.output, given.color, whole=given.strict, wide=given.wide)
    sources = inputs.find(given.inputs, output, given.follow)
    kept = KEPT_COLUMNS if given.payload.octets else ()
    known = (*PACKET_COLUMNS, *EXTRA_COLUMNS, *kept, derived.ICMP)
    options.check_columns(given, known)
    more = (*kept, *besides(PACKET_COLUMNS, given, output), *community_ids.column(given, PACKET_COLUMNS))
    columns = given.columns or (*PACKET_COLUMNS, *more)
    names = options.names(given, output)
    order = Order.of(given)
    unshown = [order.column] if order else []
    if output.for_people:
        unshown += [IP_VERSION, PROTOCOL]  # rows without IP are blank where others have addresses; names of services
    needed = derived.sources_of((*columns, *unshown), known)
    limit = options.row_limit(given, output)
    reading = _from_place(given, sources)._replace(payload=given.payload)
    chosen, plan = choose_columns(needed, by=None, payload=given.payload)
    plan = plan and plan._replace(max_memory=given.max_memory)
    most = COLUMNAR_ROWS if output.binary else BATCH_ROWS
    batch = min(limit + 1, most) if limit else most  # one row past the limit tells whether there are more
    scan = PacketScan(sources.inputs, chosen, plan, batch, reading)
    whole = partial(collect_packets, sources.inputs, chosen, plan, reading, given.max_memory)
    named = partial(community_ids.named, given=given)
    rows = Rows(
        (),
        columns,
        chosen=given.columns is not None,
        noun="packets",
        like=named(without_rows(needed, given.payload)),
        names=names,
        services=options.resolves(given),
    )
    tables = None if order is None else _sorted(whole, order)
    metadata, written = streamed.write(rows, scan, limit, sources, output, messages, tables, named)
    return how_it_ended(metadata, human.counted(written, "row"), messages)


def _place(text: str) -> Place:
    from fluxcap.plan.places import place_of

    try:
        place = place_of(text, "--at")
    except ValueError as error:
        raise UsageError.of(error) from error
    assert place is not None
    return place


def _from_place(given: Options, sources: Sources) -> ReadOptions:
    """How to read, from --at on. UsageError where that means nothing."""
    if given.at is None:
        return given.reading
    from fluxcap.capture.index.beginning import check_place

    for option in ("order", "follow"):
        if vars(given)[option]:
            raise UsageError(f"--at is a place in each input as it stands; it does not go with --{option}", AT_ALONE)
    try:
        check_place(sources.inputs, given.at)
    except ValueError as error:
        raise UsageError.of(error) from error
    return given.reading._replace(at=given.at)


def _sorted(whole: Callable[[], PacketTable], order: Order) -> Iterator[PacketTable]:
    """One table of all packets, read when it is asked for."""
    yield whole().sort(order.column, order.descending)
