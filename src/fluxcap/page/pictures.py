"""The pictures of the page, in order: a row for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from fluxcap.plot import charts
from fluxcap.plot.numbers import Numbers

INTERVAL: Final = "INTERVAL"  # in a command: the length that the page has chosen


class Picture(NamedTuple):
    """A picture: its name in Findings.numbers and in the page, its title, what it shows, how it is drawn."""

    name: str
    title: str
    shows: str
    nothing: str  # what is said where there is nothing to draw
    command: tuple[str, ...]  # words of the command line that gives the numbers again
    chart: Callable[..., Any]
    columns: tuple[str, ...] = ()  # those of which one must not be zero; none: one row is enough
    over_time: bool = False  # the chart takes the length of an interval too


def _sql(group: str, counts: str, order: str) -> tuple[str, ...]:
    return ("sql", f"SELECT {group}, {counts} FROM connections GROUP BY ALL ORDER BY {order} DESC")


def _of_packets(group: str, counts: str) -> tuple[str, ...]:
    return ("sql", f"SELECT {group}, {counts} FROM packets GROUP BY ALL ORDER BY 1")


UNREACHABLE: Final = "reverse_packets = 0 AND unreachable > 0 AS unreachable"
VOLUME: Final = (
    "count(*) AS connections, sum(packets + reverse_packets) AS packets, sum(bytes + reverse_bytes) AS bytes"
)
LOSSES: Final = ("retransmitted", "out_of_order", "zero_window")
SUMS: Final = ", ".join(f"{name} + reverse_{name} AS {name}" for name in ("packets", *LOSSES))
ENDS: Final = "protocol, src_ip, src_port, dst_ip, dst_port"
TIMES: Final = "synack_rtt, ack_rtt"
MEDIANS: Final = (
    "count(*) AS connections, median(synack_rtt) AS handshake,"
    " median(response_time) AS response, max(response_time) AS longest"
)
SLOWEST: Final = "GROUP BY ALL ORDER BY coalesce(handshake, 0) + response DESC"

PICTURES: Final = (
    Picture(
        "throughput",
        "Throughput",
        "Bits per second of frames over time, by protocol.",
        "No packet with a time.",
        ("timeline", "--interval", INTERVAL, "--by", "protocol", "--columns", "time,protocol,packets,bytes"),
        charts.throughput,
        over_time=True,
    ),
    Picture(
        "verdicts",
        "Checksums over time",
        "Transport checksums by verdict; bad ones, where there are any, have an axis of their own below.",
        "No checksum with a time.",
        ("timeline", "--interval", INTERVAL, "--by", "verdict", "--columns", "time,verdict,packets,ip_bad"),
        charts.verdicts,
        ("good", "partial", "bad", "bad IPv4 header", "other"),
        over_time=True,
    ),
    Picture(
        "hosts",
        "Hosts",
        "The hosts of most bytes, sent and received.",
        "No host.",
        ("hosts", "-s", "bytes"),
        charts.hosts,
    ),
    Picture(
        "conversations",
        "Conversations",
        "The pairs of hosts that exchanged most bytes.",
        "No conversation.",
        _sql("least(src_ip, dst_ip) AS address, greatest(src_ip, dst_ip) AS peer", VOLUME, "bytes"),
        charts.conversations,
    ),
    Picture(
        "ports",
        "Who talks to which port",
        "Clients by the port of the server that they talked to; the brighter, the more bytes, on a logarithmic scale.",
        "No connection of a protocol with ports.",
        _sql("src_ip, protocol, dst_port", VOLUME, "bytes"),
        charts.ports,
    ),
    Picture(
        "outcomes",
        "How connections ended",
        "What became of each connection.",
        "No connection.",
        _sql(f"protocol, state, {UNREACHABLE}", "count(*) AS connections", "connections"),
        charts.outcomes,
    ),
    Picture(
        "servers",
        "Sockets that were asked",
        "How many connections a socket answered, refused, or never answered; those that failed come first.",
        "No socket.",
        _sql(f"dst_ip, protocol, dst_port, state, {UNREACHABLE}", "count(*) AS connections", "connections"),
        charts.servers,
    ),
    Picture(
        "handshakes",
        "Handshakes",
        "How long servers and clients took to answer in the handshake of TCP, seen from where it was captured.",
        "No handshake of TCP.",
        ("connections", "--columns", f"{ENDS}, {TIMES}".replace(" ", ""), "-s", "synack_rtt"),
        charts.handshakes,
    ),
    Picture(
        "responses",
        "Responses",
        "How long the first request of a connection waited for the first data of its answer, seen from where it was"
        " captured: the way to the server and back is in it.",
        "No request with an answer.",
        ("connections", "--columns", f"{ENDS},response_time".replace(" ", ""), "-s", "response_time"),
        charts.responses,
    ),
    Picture(
        "waits",
        "Who keeps clients waiting",
        "The sockets of the longest medians: the answer in the handshake of TCP, and after it the response.",
        "No request with an answer.",
        ("sql", f"SELECT protocol, dst_ip, dst_port, {MEDIANS} FROM connections WHERE response_time >= 0 {SLOWEST}"),
        charts.waits,
    ),
    Picture(
        "losses",
        "Sent again, out of order, window closed",
        "The connections with most such packets, both directions together.",
        "No packet was sent again or came out of order, and no window was closed.",
        ("sql", f"SELECT {ENDS}, {SUMS} FROM connections ORDER BY {' + '.join(LOSSES)} DESC"),
        charts.losses,
    ),
    Picture(
        "flow_sizes",
        "Sizes of connections",
        "The share of connections that have at least so many bytes.",
        "No connection.",
        ("connections", "--columns", f"{ENDS},bytes,reverse_bytes".replace(" ", ""), "-s", "bytes"),
        charts.flow_sizes,
    ),
    Picture(
        "lengths",
        "Lengths of packets",
        "How many packets are of which length on the wire, with the link header, in bytes.",
        "No packet.",
        _of_packets("CAST(floor(log2(greatest(wire_length, 1))) AS INT) AS power_of_two", "count(*) AS packets"),
        charts.lengths,
    ),
)


def is_empty(picture: Picture, numbers: Numbers) -> bool:
    """Whether there is nothing to draw."""
    some = picture.columns or tuple(numbers)[:1]
    return not numbers[some[0]] or (bool(picture.columns) and not any(any(numbers[name]) for name in some))
