"""The pictures: a function for each, which takes a table and gives a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcap.plot import charts, numbers

if TYPE_CHECKING:
    from fluxcap.plot.charts import Chart
    from fluxcap.sockets.hosts import HostTable
    from fluxcap.tables.connections import ConnectionTable
    from fluxcap.tables.packets import PacketTable
    from fluxcap.tables.timeline.table import TimelineTable


def throughput(timeline: TimelineTable) -> Chart:
    """Bits per second over time by protocol, of `read_timeline(src, "1s", by="protocol")`."""
    return charts.throughput(numbers.throughput(timeline), timeline.metadata["interval"])


def verdicts(timeline: TimelineTable) -> Chart:
    """Checksums over time by verdict, bad ones on an axis of their own, of `read_timeline(src, "1s", by="verdict")`."""
    return charts.verdicts(numbers.verdicts(timeline), timeline.metadata["interval"])


def hosts(table: HostTable) -> Chart:
    """The hosts of most bytes, sent and received."""
    return charts.hosts(numbers.hosts(table))


def conversations(connections: ConnectionTable) -> Chart:
    """The pairs of addresses that exchanged most bytes."""
    return charts.conversations(numbers.conversations(connections))


def ports(connections: ConnectionTable) -> Chart:
    """Which client talked to which port, and how much."""
    return charts.ports(numbers.ports(connections))


def outcomes(connections: ConnectionTable) -> Chart:
    """What became of the connections."""
    return charts.outcomes(numbers.outcomes(connections))


def handshakes(connections: ConnectionTable) -> Chart:
    """How long the handshakes of TCP took."""
    return charts.handshakes(numbers.handshakes(connections))


def responses(connections: ConnectionTable) -> Chart:
    """How long the answers to the first requests took."""
    return charts.responses(numbers.responses(connections))


def waits(connections: ConnectionTable) -> Chart:
    """The sockets whose clients waited longest, for the handshake and for the response."""
    return charts.waits(numbers.waits(connections))


def losses(connections: ConnectionTable) -> Chart:
    """Retransmissions, packets out of order and closed windows, by connection."""
    return charts.losses(numbers.losses(connections))


def lengths(packets: PacketTable) -> Chart:
    """How many packets are of which length, of `read_packets(src, columns=["wire_length"])`."""
    return charts.lengths(numbers.lengths(packets))


def flow_sizes(connections: ConnectionTable) -> Chart:
    """The share of connections that have at least so many bytes."""
    return charts.flow_sizes(numbers.flow_sizes(connections))


def servers(connections: ConnectionTable) -> Chart:
    """The sockets that answered, refused, or never answered."""
    return charts.servers(numbers.servers(connections))
