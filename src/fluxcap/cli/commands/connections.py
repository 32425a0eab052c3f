"""`fluxcap connections`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxcap._core import CONNECTION_COLUMNS, FLOW_COLUMNS, SERVER_NAME_COLUMNS
from fluxcap.cli import inputs, options, sharing
from fluxcap.cli.exits import Exit
from fluxcap.cli.inputs import Sources
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.rows import community_ids, copies, flow_rows
from fluxcap.plan.flow_plan import FLOW, FlowPlan
from fluxcap.values import derived, human

if TYPE_CHECKING:
    from fluxcap.tables.connections import ConnectionTable

HELP: Final = "connections: how each began, went on and ended"
DESCRIPTION: Final = """\
The connections of one or several captures, read as one: of TCP, and flows of
UDP and the rest. Forward is the direction of who began one. State and history
are those of Zeek's conn.log; docs/connections.md explains them.

  S0 no answer   S1 open       SF closed       REJ refused      OTH no SYN
  S2 S3 closed by one side     RSTO RSTR aborted by one side
"""
# The columns that people see: the others describe packets rather than the connection.
SHOWN: Final = (
    *("protocol", "src_ip", "src_port", "dst_ip", "dst_port"),
    *("packets", "bytes", "reverse_packets", "reverse_bytes", "first", "last"),
    *CONNECTION_COLUMNS,
)


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser)
    sharing.add(parser)
    options.add_rows(parser, FLOW_COLUMNS)
    options.add_resolve(parser)
    community_ids.add(parser)
    flow_rows.add_semantics(parser)
    options.add_ignore_checksums(parser)
    flow_rows.add_server_names(parser)
    options.add_max_memory(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Read the connections, sort and cut them as asked for, write them."""
    sharing.check(given)
    output = choose(given.format, given.output, given.color, wide=given.wide)
    flow_rows.settle_semantics(given, output)
    sources = inputs.find(given.inputs, output)
    more = SERVER_NAME_COLUMNS if given.server_names else ()
    options.check_columns(given, [FLOW, *derived.ENDS, *FLOW_COLUMNS, *CONNECTION_COLUMNS, *more])
    options.check_names(given, output)
    table = community_ids.named(_read(given, sources, messages), given)
    shown = (*SHOWN, *more, *community_ids.column(given, SHOWN)) if output.for_people else table.columns
    output.write(flow_rows.chosen(table, given, output, shown, "connections"))
    messages.hints(table.metadata)
    copies.hint(given, sources, table.metadata, messages)
    if output.for_people and not given.ignore_checksums and (bad := int(table["bad"].sum())):
        counted = human.counted(bad, "packet")
        messages.hint(f"{counted} with a bad checksum took no part in a connection: --ignore-checksums lets them")
    return flow_rows.how_it_ended(table.metadata, human.counted(len(table), "connection"), messages)


def _read(given: Options, sources: Sources, messages: Messages) -> ConnectionTable:
    from fluxcap.tables.connections import ConnectionTable

    plan = FlowPlan(
        semantics=given.semantics,
        idle_timeout=given.idle_timeout,
        active_timeout=given.active_timeout,
        connections=True,
        ignore_checksums=given.ignore_checksums,
        server_names=given.server_names,
        max_memory=given.max_memory,
    )
    return sharing.read_flows(given, sources, plan, ConnectionTable, messages)
