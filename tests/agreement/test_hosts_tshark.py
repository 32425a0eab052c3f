"""The table of hosts equals tshark's endpoints, packets and bytes each way: IPv4, IPv6, and Ethernet's addresses.

Three rules say where tshark's tables and ours differ, and the packets of each are counted: tshark counts one whose IP
header is read and whose next header is cut or malformed, which is in no flow; of an IPv6 datagram in fragments it
counts the packet that completes it, of IPv4 all; its Ethernet table has no frames of other links.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import fluxcap
from fluxcap.values import text
from real_captures import CORPUS, SAMPLES, index, needs_corpus, spread
from tshark import needs_tshark, tshark

SAMPLED = [
    "session.pcap",
    "sockets.pcapng",
    "port-refused.pcap",
    "datagram-in-fragments.pcap",
    "cut-at-60-octets.pcap",
    "any-interface-sll2.pcap",
    "two-sections-two-byte-orders.pcapng",
]
WANTED = 100  # captures of the corpus
TITLES = {"IPv4": "address", "IPv6": "address", "Ethernet": "mac"}
ENDPOINT = re.compile(r"(\S+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) *")
COUNTS = ("packets", "bytes", "sent_packets", "sent_bytes", "received_packets", "received_bytes")
ETHERNET = 1
FRAGMENT = fluxcap.VERDICTS.index("fragment")
IN_NO_FLOW = [fluxcap.DISPOSITIONS.index(name) for name in ("truncated_header", "malformed")]

Counts = dict[str, Counter[str]]


def theirs(capture: Path) -> dict[str, Counts]:
    """tshark's tables by the column that names the host."""
    tables: dict[str, Counts] = {"address": {}, "mac": {}}
    column = ""
    for line in tshark(capture, "-q", "-z", "endpoints,ip", "-z", "endpoints,ipv6", "-z", "endpoints,eth"):
        if line.endswith(" Endpoints"):
            column = TITLES[line.split()[0]]
        elif row := ENDPOINT.fullmatch(line):
            tables[column][row[1]] = +Counter(dict(zip(COUNTS, map(int, row.groups()[1:]), strict=True)))
    return tables


def ours(capture: Path, by: str) -> Counts:
    table = fluxcap.read_hosts(capture, by)
    rows = zip(*(table[name].tolist() for name in COUNTS), strict=True)
    return {
        host: +Counter(dict(zip(COUNTS, row, strict=True)))
        for host, row in zip(text.cells(by, table[by]), rows, strict=True)
    }


def of_packets(packets: fluxcap.PacketTable) -> Counts:
    """The counts of some packets."""
    found: Counts = {}
    ends = [text.cells(name, packets[name]) for name in ("src_ip", "dst_ip")]
    for src, dst, octets in zip(*ends, packets["wire_length"].tolist(), strict=True):
        for host, way in ((src, "sent"), (dst, "received")):
            counts = {"packets": 1, "bytes": octets, f"{way}_packets": 1, f"{way}_bytes": octets}
            found[host] = found.get(host, Counter()) + Counter(counts)
    return found


def together(one: Counts, other: Counts) -> Counts:
    return {host: one.get(host, Counter()) + other.get(host, Counter()) for host in one.keys() | other.keys()}


def check(capture: Path) -> None:
    tables = theirs(capture)
    columns = "src_ip,dst_ip,ip_version,link_type,disposition,verdict,wire_length"
    packets = fluxcap.read_packets(capture, columns=columns)
    lost = packets.filter((packets["ip_version"] > 0) & np.isin(packets["disposition"], IN_NO_FLOW))
    pieces = packets.filter((packets["ip_version"] == 6) & (packets["verdict"] == FRAGMENT))
    assert together(ours(capture, "address"), of_packets(lost)) == together(tables["address"], of_packets(pieces))
    if (packets["link_type"] == ETHERNET).all():
        assert ours(capture, "mac") == tables["mac"]


def chosen() -> list[str]:
    """Captures without a tunnel, in which tshark counts both the packet and the one inside, and in which tshark finds
    IP."""
    without = (row for row in index() if row["tunnel"] == "0" and row["tshark_rc"] == "0")
    return spread((row for row in without if int(row["ip4"]) + int(row["ip6"])), WANTED)


@needs_tshark
@pytest.mark.parametrize("name", SAMPLED)
def test_the_hosts_of_a_sample_are_its_endpoints(name):
    check(SAMPLES / name)


@needs_tshark
@needs_corpus
@pytest.mark.parametrize("path", chosen())
@pytest.mark.filterwarnings("ignore:the fraction of a second")
def test_the_hosts_of_a_real_capture_are_its_endpoints(path):
    check(CORPUS / path)


@needs_corpus
def test_a_hundred_captures_of_many_repositories_have_hosts_to_compare():
    assert len(set(chosen())) == WANTED
    assert len({path.partition("/")[0] for path in chosen()}) > 10
