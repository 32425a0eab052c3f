"""Flows as other programs make them: presets on hand-made packets, and agreement with NFStream and Zeek."""

from __future__ import annotations

import json
import re
from collections import Counter
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

import builders as b
import command_line
import fluxcap
from by_nfstream import TCP, UDP, comparable, needs_nfstream, nflows, plain
from capture_files import Record, pcap, records
from fluxcap.values.text import addresses
from real_captures import CORPUS, SAMPLES, needs_corpus
from tshark import fields, needs_tshark, tshark

CAPTURE = SAMPLES / "sockets.pcapng"
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
SYN, ACK = 0x02, 0x10
CLIENT, SERVER = "192.0.2.1", "198.51.100.1"
PROMISES = {
    "wireshark": (0, 0, 0, "frame", "first packet"),
    "zeek": (MINUTE, 5 * MINUTE, 0, "ip", "server ports"),
    "nfstream": (2 * MINUTE, 2 * MINUTE, 30 * MINUTE, "frame", "first packet"),
    "yaf": (5 * MINUTE, 5 * MINUTE, 30 * MINUTE, "ip", "first packet"),
}
SAID = ("idle_timeout", "tcp_idle_timeout", "active_timeout", "bytes", "direction")


def said(table: fluxcap.FlowTable) -> tuple[Any, ...]:
    return tuple(table.metadata[name] for name in SAID)


@pytest.mark.parametrize("name", PROMISES)
def test_the_metadata_says_what_the_semantics_are(name):
    table = fluxcap.read_flows(CAPTURE, semantics=name)
    assert table.metadata["semantics"] == name
    assert said(table) == PROMISES[name]


def test_without_semantics_flows_are_those_of_wireshark():
    table, wireshark = fluxcap.read_flows(CAPTURE), fluxcap.read_flows(CAPTURE, semantics="wireshark")
    assert table.metadata["semantics"] is None
    assert said(table) == PROMISES["wireshark"]
    assert table.columns == wireshark.columns
    assert all((table[name] == wireshark[name]).all() for name in table.columns)


def test_timeouts_that_are_given_go_before_those_of_the_semantics():
    given = fluxcap.read_flows(CAPTURE, semantics="zeek", idle_timeout=7, active_timeout="1h")
    assert said(given)[:3] == (7 * SECOND, 7 * SECOND, 60 * MINUTE)
    assert said(fluxcap.read_flows(CAPTURE, semantics="yaf", active_timeout=9))[:3] == (
        5 * MINUTE,
        5 * MINUTE,
        9 * SECOND,
    )


def test_unknown_semantics_are_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"unknown semantics 'yafe'; did you mean 'yaf'\? known are: wireshark, zeek"):
        fluxcap.read_flows(CAPTURE, semantics="yafe")
    done = command_line.fluxcap("flows", str(CAPTURE), "--semantics", "yafe")
    assert (done.returncode, "did you mean 'yaf'" in done.stderr.lower()) == (2, True)


def test_a_timeout_of_tcp_alone_needs_the_protocol_in_the_key():
    with pytest.raises(ValueError, match="this key has no protocol"):
        fluxcap.read_flows(CAPTURE, "hosts", semantics="zeek")
    assert len(fluxcap.read_flows(CAPTURE, "hosts", semantics="zeek", idle_timeout=60))
    assert len(fluxcap.read_flows(CAPTURE, "hosts", semantics="yaf"))


def test_the_semantics_are_shown_where_the_timeouts_are():
    table = fluxcap.read_flows(CAPTURE, semantics="zeek")
    assert "zeek semantics; idle timeout 1m 00s, TCP idle timeout 5m 00s" in repr(table)
    assert "zeek: bytes of ip, direction by server ports" in table._repr_html_()
    assert "semantics" not in repr(fluxcap.read_flows(CAPTURE))


def test_the_command_takes_semantics():
    asked = ("flows", str(CAPTURE), "--columns", "bytes,reverse_bytes", "-f")
    rows = [
        json.loads(line) for line in command_line.fluxcap(*asked, "ndjson", "--semantics", "yaf").stdout.splitlines()
    ]
    table = fluxcap.read_flows(CAPTURE, semantics="yaf")
    assert [row["bytes"] for row in rows] == table["bytes"].tolist()
    about = json.loads(command_line.fluxcap(*asked, "json", "--semantics", "zeek").stdout)
    assert [about[name] for name in ("semantics", *SAID)] == ["zeek", *PROMISES["zeek"]]


@pytest.mark.parametrize(
    ("scheme", "semantics", "expected"),
    [
        ("ipfix", None, "layer2OctetDeltaCount,reverseLayer2OctetDeltaCount"),
        ("ipfix", "yaf", "octetDeltaCount,reverseOctetDeltaCount"),
        ("zeek", "nfstream", "bytes,reverse_bytes"),
        ("zeek", "zeek", "orig_ip_bytes,resp_ip_bytes"),
        ("nfstream", "nfstream", "src2dst_bytes,dst2src_bytes"),
    ],
)
def test_bytes_are_called_what_others_call_what_they_are(scheme, semantics, expected, tmp_path):
    asked = ["flows", str(CAPTURE), "--columns", "bytes,reverse_bytes", "-f", "csv", "--names", scheme]
    chosen = ["--semantics", semantics] if semantics else []
    assert command_line.fluxcap(*asked, *chosen).stdout.splitlines()[0] == expected
    path = tmp_path / "flows.csv"
    fluxcap.read_flows(CAPTURE, semantics=semantics).write(path, names=scheme)
    assert set(expected.split(",")) <= set(path.read_text().splitlines()[0].split(","))


def test_an_aggregator_takes_semantics():
    octets = pcap(records([frame(40000, 53)]))
    with fluxcap.FlowAggregator(semantics="yaf") as flows:
        flows.feed(octets)
    assert flows.result()["bytes"].tolist() == fluxcap.read_flows(octets, semantics="yaf")["bytes"].tolist()
    assert flows.result().metadata["semantics"] == "yaf"


# Bytes --------------------------------------------------------------------------------------------------------------


def frame(src_port: int, dst_port: int, flags: int | None = None, src: str = CLIENT, dst: str = SERVER) -> bytes:
    """UDP, or TCP with these flags."""
    segment = b.udp(b"?", src_port, dst_port) if flags is None else b.tcp(b"", src_port, dst_port, flags=flags)
    return bytes(b.ethernet((b.ipv6 if ":" in src else b.ipv4)(segment, src, dst)))


V4, V6 = b.ipv4(b.udp(bytes(33))), b.ipv6(b.udp(bytes(33)))
OPTIONS = b.ipv4(b.udp(bytes(33)), options=bytes([1, 1, 1, 0]))
SUPER_V4, SUPER_V6 = b.ipv4(b.udp(bytes(33)), total_length=0), b.ipv6(b.udp(bytes(33)), payload_length=0)
LONGER = b.ipv4(b.udp(bytes(33)), total_length=900)
OCTETS = {
    "IPv4": (b.ethernet(V4), len(V4)),
    "IPv6": (b.ethernet(V6), len(V6)),
    "IPv4 options": (b.ethernet(OPTIONS), len(OPTIONS)),
    "padding": (b.ethernet(V4) + bytes(9), len(V4)),
    "a tag": (b.ethernet(b.vlan(V4, 7)), len(V4)),
    "no link header": (V4, len(V4)),
    "a tunnel": (b.ethernet(b.ipv4(b.udp(b.vxlan(b.ethernet(V6)), 40000, 4789))), len(V6)),
    "a tunnel with padding": (b.ethernet(b.ipv4(b.udp(b.vxlan(b.ethernet(V4) + bytes(5)), 40000, 4789))), len(V4)),
    "no total length": (b.ethernet(SUPER_V4), len(SUPER_V4)),
    "no payload length": (b.ethernet(SUPER_V6), len(SUPER_V6)),
    "a length past the record": (b.ethernet(LONGER), 900),
}


@pytest.mark.parametrize("name", OCTETS)
@pytest.mark.parametrize("semantics", ["yaf", "zeek"])
def test_octets_are_those_of_the_innermost_ip_packet(name, semantics):
    octets, expected = OCTETS[name]
    link_type = 101 if name == "no link header" else 1
    capture = pcap(records([bytes(octets)] * 3), link_type=link_type)
    table = fluxcap.read_flows(capture, semantics=semantics, features=True, splt=2)
    assert table["bytes"].tolist() == [3 * expected]
    # The counted bytes are also the size of a packet; the ledger and packet tables keep the lengths of frames.
    assert [table[f"size_{what}"].tolist() for what in ("min", "mean", "max")] == [[expected]] * 3
    assert table["splt_size"].tolist() == [[expected] * 2]
    assert table.metadata["wire_octets"] == 3 * len(octets)
    assert fluxcap.read_flows(capture, semantics="nfstream")["bytes"].tolist() == [3 * len(octets)]


def test_a_jumbogram_is_as_long_as_its_option_says():
    datagram = b.udp(bytes(70_000), length=0)
    option = b"\xc2\x04" + (8 + len(datagram)).to_bytes(4, "big")  # RFC 2675 section 2
    jumbo = b.ipv6(b.hop_by_hop(datagram, option), payload_length=0)
    capture = pcap(records([bytes(b.ethernet(jumbo)) + bytes(6)]))
    assert fluxcap.read_flows(capture, semantics="yaf")["bytes"].tolist() == [40 + 8 + len(datagram)]


def test_each_piece_of_a_datagram_counts_with_its_own_header():
    pieces = [
        b.ethernet(b.ipv4(piece, CLIENT, SERVER, b.UDP, offset=at, more=more))
        for at, more, piece in b.pieces(bytes(b.udp(bytes(92), 40000, 53)), 40)
    ]
    table = fluxcap.read_flows(pcap(records([bytes(piece) for piece in pieces])), semantics="yaf")
    assert (table["packets"].tolist(), table["bytes"].tolist()) == ([3], [100 + 3 * 20])


@needs_tshark
@pytest.mark.parametrize(
    "name", ["sockets.pcapng", "datagram-in-fragments.pcap", "link-types.pcapng", "cut-at-60-octets.pcap"]
)
def test_octets_of_a_sample_add_up_to_what_tshark_reads_in_its_ip_headers(name):
    lines = tshark(SAMPLES / name, *fields(("frame.protocols", "ip.len", "ipv6.plen")))
    lengths = [line.split("\t")[1:] for line in lines if re.match(r"[^\t]*\bip", line) and "icmp" not in line]
    expected = sum(int(v4.split(",")[-1]) if v4 else 40 + int(v6.split(",")[-1]) for v4, v6 in lengths)
    table = fluxcap.read_flows(SAMPLES / name, semantics="yaf")
    table = table.filter((table["protocol"] == TCP) | (table["protocol"] == UDP))
    assert expected
    assert int(table["bytes"].sum() + table["reverse_bytes"].sum()) == expected


# Timeouts ------------------------------------------------------------------------------------------------------------

TIMES = [  # semantics, TCP or not, seconds of the packets, packets of each row
    ("wireshark", False, [0, 90_000], [2]),
    ("nfstream", False, [0, 119, 239, 358], [2, 2]),
    ("nfstream", True, [0, 119, 239, 358], [2, 2]),
    ("nfstream", False, [*range(0, 1900, 100)], [18, 1]),
    ("yaf", False, [0, 299, 599, 898], [2, 2]),
    ("yaf", False, [*range(0, 2000, 200)], [9, 1]),
    ("zeek", False, [0, 59, 119, 178], [2, 2]),
    ("zeek", True, [0, 299, 599, 898], [2, 2]),
    ("zeek", True, [*range(0, 9000, 250)], [36]),
]


@pytest.mark.parametrize(("semantics", "tcp", "seconds", "packets"), TIMES)
def test_silence_and_age_cut_flows_where_the_program_cuts_them(semantics, tcp, seconds, packets):
    octets = frame(40000, 9, ACK if tcp else None)
    capture = pcap([Record(octets, at * SECOND) for at in seconds])
    assert fluxcap.read_flows(capture, semantics=semantics)["packets"].tolist() == packets


# Direction -----------------------------------------------------------------------------------------------------------

BROADCAST = "255.255.255.255"
FIRST = [  # the first packet; does its sender answer?
    (frame(53, 40000), True),
    (frame(40000, 53), False),
    (frame(53, 123), False),
    (frame(40000, 40001), False),
    (frame(67, 68), True),
    (frame(67, 68, dst=BROADCAST), False),
    (frame(80, 40000), False),  # a port of TCP, in UDP
    (frame(80, 40000, ACK), True),
    (frame(80, 40000, SYN | ACK), True),
    (frame(80, 40000, SYN), False),
    (frame(40000, 80, ACK), False),
    (frame(80, 8080, ACK), True),
    (frame(8080, 80, ACK), False),
    (frame(80, 8080, SYN | ACK), False),
    (frame(53, 40000, src=SERVER, dst=CLIENT), True),
    (frame(53, 40000, src="2001:db8::2", dst="2001:db8::1"), True),
]


def packed(address: str) -> bytes:
    return ip_address(address).packed


@pytest.mark.parametrize("again", [False, True], ids=["", "the other way round"])
@pytest.mark.parametrize(("octets", "answers"), FIRST)
def test_in_zeeks_semantics_the_first_packet_from_a_likely_server_answers(octets, answers, again):
    if again:  # addresses in the other order: a key has one canonical direction
        octets = octets.replace(packed(CLIENT), b"\xff\xff\xff\xfe")
    capture = pcap(records([octets, octets]))
    plain, turned = fluxcap.read_flows(capture), fluxcap.read_flows(capture, semantics="zeek")
    assert (turned["packets"].tolist(), turned["reverse_packets"].tolist()) == (([0], [2]) if answers else ([2], [0]))
    ends = ("dst", "src") if answers else ("src", "dst")
    for end, other in zip(("src", "dst"), ends, strict=True):
        assert turned[f"{end}_port"].tolist() == plain[f"{other}_port"].tolist()
        assert turned[f"{end}_ip"].tolist() == plain[f"{other}_ip"].tolist()
    assert fluxcap.read_flows(capture, semantics="zeek", biflow=False)["packets"].tolist() == [2]


# Merging -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ({}, {"semantics": "wireshark"}, "different semantics"),
        ({"semantics": "zeek"}, {"semantics": "zeek", "idle_timeout": 9}, "different idle_timeout"),
        ({"semantics": "yaf"}, {"semantics": "yaf"}, "active timeout"),
        ({"semantics": "zeek", "interval": "1m"}, {"semantics": "zeek", "interval": "1m"}, "with intervals"),
    ],
)
def test_tables_of_different_semantics_or_with_an_active_timeout_do_not_merge(left, right, message):
    with pytest.raises(ValueError, match=message):
        fluxcap.merge([fluxcap.read_flows(CAPTURE, **options) for options in (left, right)])


def test_merging_tables_in_zeeks_semantics_gives_the_whole():
    packets = [
        Record(octets, at * SECOND)
        for at, octets in enumerate(
            [frame(53, 40000), frame(80, 40000, ACK), frame(40000, 80, ACK, SERVER, CLIENT)] * 3
        )
    ]
    later = [Record(one.data, one.time + 100 * SECOND) for one in packets]  # too late for UDP, not for TCP
    whole = fluxcap.read_flows(pcap(packets + later), semantics="zeek")
    assert Counter(whole["protocol"].tolist()) == {UDP: 2, TCP: 1}
    parts = [fluxcap.read_flows(pcap(part), semantics="zeek") for part in (packets[:4], packets[4:], later)]
    assert fluxcap.merge(parts) == whole


# NFStream ------------------------------------------------------------------------------------------------------------

Flow = tuple[Any, ...]


def counted(path: Path, semantics: str, **options: Any) -> Counter[Flow]:
    """Flows of TCP and UDP: ends, packets and bytes each way."""
    table = fluxcap.read_flows(path, semantics=semantics, on_damage="warn", **options)
    table = table.filter((table["protocol"] == TCP) | (table["protocol"] == UDP))
    sides = [
        zip(map(plain, addresses(table[f"{end}_ip"])), table[f"{end}_port"].tolist(), strict=True)
        for end in ("src", "dst")
    ]
    counts = (table[name].tolist() for name in ("packets", "bytes", "reverse_packets", "reverse_bytes"))
    rows = zip(table["protocol"].tolist(), *sides, *counts, strict=True)
    return Counter((protocol, *src, *dst, *more) for protocol, src, dst, *more in rows)


def by_nfstream(path: Path) -> Counter[Flow]:
    names = ("src2dst_packets", "src2dst_bytes", "dst2src_packets", "dst2src_bytes")
    return Counter((*key, *(flow[name] for name in names)) for key, flow in nflows(path, 0, "default"))


@needs_nfstream
def test_flows_are_those_of_nfstream_where_its_timeouts_cut(tmp_path):
    path = tmp_path / "cut.pcap"
    gaps = [0, 100, 119, 121, 120, *[110] * 40]
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    path.write_bytes(pcap([Record(frame(40000, 53), at * SECOND) for at in times]))
    assert len(by_nfstream(path)) > 3
    assert counted(path, "nfstream", decap=False) == by_nfstream(path)


@pytest.mark.slow
@needs_nfstream
@needs_corpus
def test_flows_of_real_captures_are_those_of_nfstream_by_its_own_timeouts():
    assert [path.name for path in comparable() if counted(path, "nfstream", decap=False) != by_nfstream(path)] == []


# Zeek ----------------------------------------------------------------------------------------------------------------

TRACES = "zeek+zeek/testing/btest/Traces"
# Connections in the tests of Zeek that we do not have, by capture, and why.
SYN_ACK = "the second packet shows that the first, a SYN-ACK, was an answer"
NEW = "what comes after a close, a reset or an attempt that was not answered in time is a connection of its own"
NOT_IMITATED = {
    "http/zeek-image-post-1080-8000-x.pcap": (1, SYN_ACK),
    "tcp/http-on-irc-port-missing-syn.pcapng": (1, SYN_ACK),
    "modbus/modbus-and-non-modbus-p502.pcap": (2, NEW),
    "pop3/pop3.pcap": (4, NEW),
    "ssh/ssh.client-side-half-duplex.pcap": (10, NEW),
    "tunnels/Teredo.pcap": (10, f"{NEW}; requests of DNS end sooner than others of UDP; Teredo on any port"),
    "tunnels/teredo_bubble_with_payload.pcap": (1, "Teredo on any port"),
    "tunnels/gtp/gtp1_gn_normal_incl_fragmentation.pcap": (2, "datagrams are counted, not their pieces"),
    "tunnels/gtp/gtp2_different_udp_port.pcap": (
        1,
        "the connection around a tunnel has but the packets with one in them",
    ),
    "tunnels/vxlan-encapsulated-igmp-v2.pcap": (3, "packets of a bad checksum are not counted"),
    "vntag_vlan_sandwich_clean.pcap": (
        1,
        "its one packet, cut by the snap length, is not counted, nor its ports looked at",
    ),
    "globus-url-copy.pcap": (1, "the bulk of GridFTP is skipped"),
    "ldap/missing_krbtgt_ldap_request.pcapng": (1, "where the IP header says 0, 0 bytes are counted"),
}


def connections() -> list[tuple[str, Flow]]:
    """The UDP and TCP connections of Zeek: the capture, and the values of counted()."""
    counts = ("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes")
    found = []
    for line in (CORPUS / "zeek_conn.ndjson").read_text().splitlines():
        test = json.loads(line)
        for row in test["rows"]:
            if row["proto"] in ("tcp", "udp") and "id.orig_h" in row:
                ends = [(plain(row[f"id.{end}_h"]), int(row[f"id.{end}_p"])) for end in ("orig", "resp")]
                protocol = TCP if row["proto"] == "tcp" else UDP
                found.append((test["path"], (protocol, *ends[0], *ends[1], *(int(row[name]) for name in counts))))
    return found


@needs_corpus
def test_flows_are_zeeks_connections_but_for_what_is_not_imitated():
    # Zeek has the connections in a tunnel and the one around it; we have the latter without decapsulation.
    ours = {
        path: counted(CORPUS / path, "zeek") | counted(CORPUS / path, "zeek", decap=False) for path, _ in connections()
    }
    found = set(connections())  # several tests use one capture
    others = Counter(path.removeprefix(f"{TRACES}/") for path, flow in found if flow not in ours[path])
    assert others == {path: n for path, (n, _) in NOT_IMITATED.items()}
    assert len(found) - others.total() > 3 * others.total()
