"""Connections: what became of each, as Zeek tells it from the handshake, the sequence numbers and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcap.capture.inputs import Captures, expand
from fluxcap.capture.reading import OnDamage, OnInterrupt, Reading, threads_for
from fluxcap.plan import keys
from fluxcap.plan.spec import key_spec
from fluxcap.tables.flows import FlowTable, flow_table
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration

KEY = keys.parse("5tuple")


class ConnectionTable(FlowTable):
    """One row a connection, in the order of their first records: a flow table by five-tuple with columns behind it.

    Forward is the direction of who began the connection; `direction_basis` says what tells so. docs/connections.md says
    what the columns mean. Codes are indices into `fluxcap.STATES` and `fluxcap.DIRECTION_BASES`; `history` has
    texts of at most 28 letters, in numpy as octets. Tables of connections do not merge.
    """

    __slots__ = ()

    def _title(self) -> str:
        return human.counted(len(self), "connection")


def read_connections(
    src: Captures,
    *,
    where: str | None = None,
    decap: bool = True,
    semantics: str | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    ignore_checksums: bool = False,
    threads: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> ConnectionTable:
    """Read captures into one table of connections: of TCP, of UDP and ICMP what Zeek takes for one, and of the others.

    A SYN with another initial sequence number than the connection's begins a new row, and so does what comes after a
    timeout, if there is one. Columns: those of read_flows() by five-tuple, then `state` and `history` as in Zeek's
    conn.log, `direction_basis`, `synack_rtt` and `ack_rtt` (ns, -1 unknown), and of each direction `retransmitted`,
    `out_of_order` and `zero_window` (segments), `gap_bytes` (octets of sequence space never seen) and `unreachable`
    (ICMP errors "port unreachable" that quote what it sent).
    `ignore_checksums`: what has a bad checksum takes part in its connection too, as in `zeek -C`; else it is counted,
    leaves a "C" in the history and nothing else. Other parameters and errors as in read_flows().
    """
    spec = key_spec(
        KEY,
        semantics=semantics,
        idle_timeout=idle_timeout,
        active_timeout=active_timeout,
        connections=True,
        ignore_checksums=ignore_checksums,
    )
    reading = Reading(
        key=spec,
        where=where,
        decap=decap,
        threads=threads_for(threads),
        on_damage=on_damage,
        on_interrupt=on_interrupt,
    )
    inputs = expand(src)
    return reading.collect(
        inputs,
        lambda: flow_table(ConnectionTable, reading, KEY, spec, semantics, last=True, inputs=inputs),
    )
