"""The five-tuple flow table equals tshark's conversations, packets and bytes each way.

tshark cuts bytes from 10,000 on to thousands ("22 kB"), so that its table has exact packets and approximate bytes. The
lengths of tshark's frames, added up by address and port, must agree with both tables. Two rules say what tshark's table
leaves out: frame() knows the packets that it gives up, check() how it counts fragments.
"""

import re
from collections import defaultdict
from ipaddress import IPv6Address, ip_address
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

import fluxcap
from real_captures import CORPUS, SAMPLES, index, needs_corpus, spread
from tshark import fields, needs_tshark, tshark

SAMPLED = [
    "sockets.pcapng",
    "port-refused.pcap",  # ICMP errors quote datagrams, which do not belong to the conversation
    "datagram-in-fragments.pcap",
    "cut-at-60-octets.pcap",
    "any-interface-sll2.pcap",
    "link-types.pcapng",
    "veth-checksums-offloaded.pcap",
    "two-sections-two-byte-orders.pcapng",
]
WANTED = 100  # captures of the corpus

TCP, UDP = 6, 17
UNITS = {"bytes": 1, "kB": 1000, "MB": 1_000_000, "GB": 1_000_000_000}
NAMES = (
    "frame.number", "frame.len", "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport",
    "udp.dstport", "tcp.srcport", "tcp.dstport", "ip.reassembled_in", "ipv6.reassembled.in", "_ws.short",
    "_ws.malformed", "tcp.bogus_header_length",
)  # fmt: skip
SIDE = r"(\S+):(\d+) +"
COUNT = r"(\d+) (\d+) (bytes|kB|MB|GB) +"
CONVERSATION = re.compile(f"{SIDE}<-> {SIDE}{COUNT}{COUNT}")

Way = tuple[int, bytes, int, bytes, int]  # protocol, source, its port, destination, its port
Counters = dict[Way, list[int]]  # packets and bytes


class Frame(NamedTuple):
    """A frame by tshark: its bytes, sender and receiver, and whether tshark's table counts it."""

    octets: int
    way: Way | None
    reassembled_in: str  # the number of the frame that completes its datagram
    counted: bool


def address(text: str) -> bytes:
    found = ip_address(text)
    return found.packed if isinstance(found, IPv6Address) else IPv6Address(f"::ffff:{text}").packed


def frame(cells: dict[str, str]) -> Frame:
    protocols = cells["frame.protocols"].split(":")
    transport = next((name for name in protocols if name in ("udp", "tcp", "icmp", "icmpv6")), "")
    way = None
    if transport in ("udp", "tcp"):  # before any ICMP: not the packet that an error quotes
        ends = [first(cells["ip." + end] or cells["ipv6." + end]) for end in ("src", "dst")]
        ports = [int(first(cells[f"{transport}.{end}port"])) for end in ("src", "dst")]
        way = (TCP if transport == "tcp" else UDP, address(ends[0]), ports[0], address(ends[1]), ports[1])
    # A header that ends early, or states too short a length, has readable ports, but tshark gives up on it before it
    # counts the packet.
    name = transport.upper()
    given_up = re.search(f"{name} truncated|Malformed Packet: {name}", cells["_ws.short"] + cells["_ws.malformed"])
    return Frame(
        int(cells["frame.len"]),
        way,
        cells["ip.reassembled_in"] or cells["ipv6.reassembled.in"],
        counted=not given_up and not cells["tcp.bogus_header_length"],
    )


def first(values: str) -> str:
    return values.partition(",")[0]


def conversations(lines: list[str]) -> dict[Way, list[tuple[int, int, int]]]:
    """Packets, the least bytes and the most bytes of each row of tshark's two tables, by way."""
    found = defaultdict(list)
    protocol = 0
    for line in lines:
        if line.endswith(" Conversations"):
            protocol = {"UDP Conversations": UDP, "TCP Conversations": TCP}[line]
        elif row := CONVERSATION.match(line):
            a, a_port, b, b_port, *counts = row.groups()
            ends = (address(a), int(a_port)), (address(b), int(b_port))
            for (src, dst), (packets, octets, unit) in zip((ends[::-1], ends), (counts[:3], counts[3:]), strict=True):
                least = int(octets) * UNITS[unit]
                found[(protocol, *src, *dst)].append((int(packets), least, least + UNITS[unit] - 1))
    return {way: rows for way, rows in found.items() if any(packets for packets, *_ in rows)}


def added(frames: list[tuple[Way, int]]) -> Counters:
    """Packets and bytes by way."""
    in_order = sorted(frames)
    groups = ((way, [octets for _, octets in group]) for way, group in groupby(in_order, key=lambda one: one[0]))
    return {way: [len(octets), sum(octets)] for way, octets in groups}


def flows(capture: Path) -> Counters:
    """The directions of the flow table one by one; a socket that talks to itself has only one."""
    table = fluxcap.read_flows(capture, semantics="wireshark")
    found: Counters = {}
    for row in range(len(table)):
        ends = [(table[f"{end}_ip"][row].tobytes(), int(table[f"{end}_port"][row])) for end in ("src", "dst")]
        protocol = int(table["protocol"][row])
        for src, dst, way in ((*ends, ""), (*ends[::-1], "reverse_")):
            counted = [int(table[way + name][row]) for name in ("packets", "bytes")]
            if protocol in (TCP, UDP) and counted[0]:
                before = found.get((protocol, *src, *dst), [0, 0])
                found[(protocol, *src, *dst)] = [a + b for a, b in zip(before, counted, strict=True)]
    return found


def check(capture: Path) -> None:
    # tshark needs a second pass (-2) to know which frame completes a datagram in fragments.
    lines = tshark(capture, "-2", *fields(NAMES), "-z", "conv,udp", "-z", "conv,tcp")
    start = next(n for n, line in enumerate(lines) if line.startswith("====="))
    cells = [dict(zip(NAMES, line.split("\t"), strict=True)) for line in lines[:start]]
    frames = {one["frame.number"]: frame(one) for one in cells}

    table = conversations(lines[start:])
    counted = added([(one.way, one.octets) for one in frames.values() if one.way and one.counted])
    assert {way: sum(packets for packets, *_ in rows) for way, rows in table.items()} == {
        way: packets for way, (packets, _) in counted.items()
    }
    for way, rows in table.items():
        assert sum(least for _, least, _ in rows) <= counted[way][1] <= sum(most for *_, most in rows)

    # tshark counts only the frame that completes a datagram in fragments; the flow counts all fragments.
    ways = [(frames.get(one.reassembled_in, one).way, one.octets) for one in frames.values()]
    assert flows(capture) == added([(way, octets) for way, octets in ways if way])


def chosen() -> list[str]:
    """Captures without a tunnel in which tshark finds UDP or TCP."""
    without = (row for row in index() if row["tunnel"] == "0" and row["tshark_rc"] == "0")
    return spread((row for row in without if int(row["udp"]) + int(row["tcp"])), WANTED)


@needs_tshark
@pytest.mark.parametrize("name", SAMPLED)
def test_the_flows_of_a_sample_are_its_conversations(name):
    check(SAMPLES / name)


@needs_tshark
@needs_corpus
@pytest.mark.parametrize("path", chosen())
@pytest.mark.filterwarnings("ignore:the fraction of a second")
def test_the_flows_of_a_real_capture_are_its_conversations(path):
    check(CORPUS / path)


@needs_corpus
def test_a_hundred_captures_of_many_repositories_are_compared():
    assert len(set(chosen())) == WANTED
    assert len({path.partition("/")[0] for path in chosen()}) > 10
