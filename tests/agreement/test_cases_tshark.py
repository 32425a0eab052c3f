"""tshark reads the crafted packets to the same innermost addresses and ports; exceptions have a reason."""

from pathlib import Path
from typing import Any

import pytest

import builders as b
from capture_files import enhanced_packet, interface, pcapng
from packet_cases import PLAIN, TUNNELS
from tshark import fields, needs_tshark, tshark

pytestmark = needs_tshark

CASES: dict[str, Any] = {**PLAIN, **TUNNELS}
FIELDS = ["ip.src", "ipv6.src", "udp.srcport", "udp.dstport"]
LABELS = "it takes what lies under a label for what the first four bits say, unless it is told"
SESSION = "what a session carries is not in its data: it has to have seen the set-up"
UNREAD_BY_TSHARK = {
    "SLIP": "it leaves what the link type holds unread",
    "MPLS pseudo-wire with a control word": LABELS,
    "MPLS of a frame that begins with 0x00": LABELS,
    "MPLS of a frame that begins with 0x02": LABELS,
    "MPLS pseudo-wire under a tag": LABELS,
    "NULL of Windows, IPv6": "it takes 23 for the IPX of BSD",
    "LOOP with an ethertype": "it takes LOOP's families alone",
    "IPv6 with a HIP header": "it shows HIP, and stops there",
    "IPv6 with a Shim6 header": "it shows Shim6, and stops there",
    "L2TPv3 (RFC 3931)": SESSION,
    "L2TPv3 with a cookie and a sublayer": SESSION,
    "L2TPv3 in UDP": SESSION,
    "VXLAN on the port of Linux": "8472 is registered to OTV",
    "CAPWAP of 802.11 (RFC 5416)": "it expects the bytes of frame control swapped unless it is told",
}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The fields of each case, from one capture of them all."""
    link_types = sorted({getattr(case, "link_type", b.LINK_ETHERNET) for case in CASES.values()})
    packets = [
        enhanced_packet(case.octets, 0, link_types.index(getattr(case, "link_type", b.LINK_ETHERNET)))
        for case in CASES.values()
    ]
    path: Path = tmp_path_factory.mktemp("tshark") / "cases.pcapng"
    path.write_bytes(pcapng(*map(interface, link_types), *packets))
    lines = tshark(path, *fields(FIELDS))
    return dict(zip(CASES, (line.split("\t") for line in lines), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_tshark_reads_each_crafted_packet_to_the_same_addresses_and_ports(name, read):
    sources = {"10.0.0.1", "fd00::1"} if name in TUNNELS else {"192.0.2.1", "2001:db8::1"}
    ports = ["1111", "2222"] if name in TUNNELS else ["40000", "50000"]
    v4, v6, *found = (cell.split(",")[-1] for cell in read[name])
    agrees = bool({v4, v6} & sources) and found == ports
    assert agrees == (name not in UNREAD_BY_TSHARK), read[name]


# What `-d udp.port==PORT,NAME` calls our kinds, by registered port; each of them gets another port, that many higher.
HIGHER = 10_000
NAME_OF = {
    4789: "vxlan", 8472: "vxlan", 4790: "vxlan_gpe", 6081: "geneve", 2152: "gtp", 3386: "gtp", 3544: "teredo",
    5247: "capwap.data", 4754: "gre", 6635: "mpls", 1701: "l2tp", 37008: "tzsp", 4341: "lisp-data", 5072: "ayiya",
}  # fmt: skip
NAMED = {name: case for name, case in TUNNELS.items() if case.port}
UNREAD_WITH_A_NAME = {name for name in UNREAD_BY_TSHARK if name != "VXLAN on the port of Linux"}


@pytest.fixture(scope="module")
def read_when_told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The fields of each case in UDP, moved to a port that tshark is told of."""
    moved = [b.udp(case.octets[14 + 20 + 8 :], 40000, case.port + HIGHER) for case in NAMED.values()]
    path: Path = tmp_path_factory.mktemp("tshark") / "told.pcapng"
    packets = [enhanced_packet(b.ethernet(b.ipv4(datagram))) for datagram in moved]
    path.write_bytes(pcapng(interface(b.LINK_ETHERNET), *packets))
    told = [part for port, name in NAME_OF.items() for part in ("-d", f"udp.port=={port + HIGHER},{name}")]
    lines = tshark(path, *told, *fields(FIELDS))
    return dict(zip(NAMED, (line.split("\t") for line in lines), strict=True))


@pytest.mark.parametrize("name", NAMED)
def test_tshark_reads_a_tunnel_on_a_port_that_it_is_told_of(name, read_when_told):
    v4, v6, *ports = (cell.split(",")[-1] for cell in read_when_told[name])
    agrees = bool({v4, v6} & {"10.0.0.1", "fd00::1"}) and ports == ["1111", "2222"]
    assert agrees == (name not in UNREAD_WITH_A_NAME), read_when_told[name]
