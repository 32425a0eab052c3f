"""Tunnels on ports that the user names: as on the registered ones, in everything that reads."""

import re
from pathlib import Path
from typing import Any

import pytest

import builders as b
import fluxcap
from capture_files import Record, pcap, records
from command_line import error_lines
from command_line import fluxcap as run
from core_driver import Row, of, rows
from fluxcap._core import TUNNELS as KINDS
from packet_cases import FRAME, IN4, REGISTERED, TUNNELS
from tunnel_lookalikes import NOT_A_TUNNEL

OWN = 7777
KIND_OF = {port: kind for kind, ports in REGISTERED.items() for port in ports}
IN_UDP = {name: case for name, case in TUNNELS.items() if case.port}
UDP_DATA = 14 + 20 + 8  # where the data of a datagram begin


def decoded(frame: bytes, **tunnels: int) -> Row:
    """The row of the one record that holds this frame; `tunnels`: ports by kind."""
    (row,) = rows(pcap([Record(frame)]), tunnels=[(port, KINDS.index(kind)) for kind, port in tunnels.items()])
    return row


def in_udp(data: bytes, port: int = OWN) -> bytes:
    return b.ethernet(b.ipv4(b.udp(data, 40000, port)))


def test_every_kind_has_a_case_and_every_case_a_kind():
    assert {*REGISTERED, "none"} == set(KINDS)
    assert {case.port for case in IN_UDP.values()} == set(KIND_OF)


@pytest.mark.parametrize("case", IN_UDP.values(), ids=IN_UDP)
def test_a_tunnel_on_a_port_of_its_own_is_that_of_the_registered_port(case):
    data = case.octets[UDP_DATA:]
    assert decoded(in_udp(data))["depth"] == 0
    named, registered = decoded(in_udp(data), **{KIND_OF[case.port]: OWN}), decoded(case.octets)
    assert named["depth"] == 1
    assert named == registered


@pytest.mark.parametrize(("port", "data"), [row[1:] for row in NOT_A_TUNNEL], ids=[row[0] for row in NOT_A_TUNNEL])
def test_a_port_that_is_named_does_not_make_a_tunnel_of_what_is_none(port, data):
    row = decoded(in_udp(data), **{KIND_OF[port]: OWN})
    assert of(row, {"depth": 0, "dst_port": OWN}) == {"depth": 0, "dst_port": OWN}


@pytest.mark.parametrize(("trailer", "depth"), [(b"", 1), (b"x", 0)], ids=["filled", "not filled"])
def test_an_answer_from_a_port_that_is_named_is_one_if_a_packet_fills_it(trailer, depth):
    frame = b.ethernet(b.ipv4(b.udp(b.vxlan(FRAME) + trailer, OWN, 40000)))
    assert decoded(frame, vxlan=OWN)["depth"] == depth


def test_a_port_can_be_given_another_kind_or_none():
    vxlan, geneve = in_udp(b.vxlan(FRAME), b.VXLAN_PORT), in_udp(b.geneve(FRAME), b.VXLAN_PORT)
    assert [decoded(frame)["depth"] for frame in (vxlan, geneve)] == [1, 0]
    assert [decoded(frame, geneve=b.VXLAN_PORT)["depth"] for frame in (vxlan, geneve)] == [0, 1]
    assert [decoded(frame, none=b.VXLAN_PORT)["depth"] for frame in (vxlan, geneve)] == [0, 0]


@pytest.mark.parametrize(("kind", "verdict"), [("vxlan", "absent"), ("gtp", "absent"), ("teredo", "illegal")])
def test_a_checksum_of_zero_over_ipv6_is_judged_as_on_the_registered_port(kind, verdict):  # RFC 6935, RFC 6936
    frame = b.ethernet(b.ipv6(b.udp(b"x", 40000, OWN, checksum=0)))
    assert decoded(frame)["verdict"] == "illegal"
    assert decoded(frame, **{kind: OWN})["verdict"] == verdict


# Everything that reads ------------------------------------------------------------------------------------------------

PARTIAL = b.udp(b"hello", 1111, 53, checksum="partial")
INNER = b.ethernet(b.ipv4(PARTIAL, "10.0.0.1", "10.0.0.2"))
CARRYING = b.udp(b.vxlan(INNER), 40000, OWN)
CAPTURE = pcap(records([b.ethernet(b.ipv4(CARRYING))]))


def repaired(src: bytes, tmp_path: Path, **options: Any) -> int:
    return fluxcap.repair(src, tmp_path / "repaired.pcap", **options).checksums


def aggregated(src: bytes, **options: Any) -> list[int]:
    aggregator = fluxcap.FlowAggregator(**options)
    aggregator.feed(src)
    return aggregator.result()["dst_port"].tolist()


READERS = {
    "flows": (lambda src, _, **how: fluxcap.read_flows(src, **how)["dst_port"].tolist(), [53]),
    "packets": (lambda src, _, **how: fluxcap.read_packets(src, **how)["dst_port"].tolist(), [53]),
    "scan": (lambda src, _, **how: next(iter(fluxcap.scan_packets(src, **how)))["dst_port"].tolist(), [53]),
    "connections": (lambda src, _, **how: fluxcap.read_connections(src, **how)["dst_port"].tolist(), [53]),
    "sockets": (lambda src, _, **how: sorted(fluxcap.read_sockets(src, **how)["port"].tolist()), [53, 1111]),
    "life": (lambda src, _, **how: fluxcap.read_life(src, "10.0.0.2:53", **how)["peer_port"].tolist(), [1111]),
    "checksums": (lambda src, _, **how: fluxcap.read_checksums(src, **how).verdicts[17]["partial"], 1),
    "info": (lambda src, _, **how: fluxcap.read_info(src, **how).verdicts[17]["partial"], 1),
    "demux": (lambda src, path, **how: fluxcap.demux(src, path / "out", **how).octets, 5),
    "repair": (repaired, 2),  # inside, and the sum of the datagram around it
    "aggregator": (lambda src, _, **how: aggregated(src, **how), [53]),
}  # fmt: skip


@pytest.mark.parametrize(("read", "expected"), READERS.values(), ids=READERS)
def test_every_reading_function_takes_tunnels(read, expected, tmp_path):
    assert read(CAPTURE, tmp_path, tunnels={OWN: "vxlan"}) == expected
    (tmp_path / "again").mkdir()
    assert read(CAPTURE, tmp_path / "again") != expected


def test_a_tunnel_in_fragments_is_put_together_by_demux(tmp_path):
    fragments = [
        b.ethernet(b.ipv4(piece, protocol=b.UDP, identification=7, offset=at, more=more))
        for at, more, piece in b.pieces(b.udp(b.vxlan(b.ethernet(IN4)), 40000, OWN), 24)
    ]
    done = fluxcap.demux(pcap(records(fragments)), tmp_path / "out", tunnels={OWN: "vxlan"})
    assert (done.messages, done.octets) == (1, 7)


def test_an_icmp_error_is_joined_to_the_flow_inside_a_tunnel_that_is_named():
    quoted = b.ipv4(CARRYING)
    error = b.ethernet(b.ipv4(b.icmp(quoted, 3, 3, bytes(4)), "192.0.2.2", "192.0.2.1"))
    capture = pcap(records([b.ethernet(quoted), error]))
    table = fluxcap.read_packets(capture, columns="flow,quoted_flow", by="5tuple", tunnels={OWN: "vxlan"})
    assert table["quoted_flow"].tolist() == [-1, table["flow"][0]]


def test_the_filter_can_see_the_packet_inside_a_tunnel_that_is_named():
    pytest.importorskip("cypcap")
    found = fluxcap.read_packets(CAPTURE, where="udp port 53", inner=True, tunnels={OWN: "vxlan"})
    assert found["disposition"].tolist() == [fluxcap.DISPOSITIONS.index("counted")]


def test_a_flow_inside_a_tunnel_that_is_named_is_found_again(tmp_path):
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap(records([b.ethernet(b.ipv4(b.udp(b"x", 1, 2))), b.ethernet(b.ipv4(CARRYING))])))
    flows = fluxcap.read_flows(path, tunnels={OWN: "vxlan"})
    assert flows.metadata["tunnels"] == {OWN: "vxlan"}
    flows.extract(1, tmp_path / "one.pcap")
    assert fluxcap.read_packets(tmp_path / "one.pcap")["dst_port"].tolist() == [OWN]


@pytest.mark.parametrize(
    ("tunnels", "error", "words"),
    [
        ({OWN: "vxlam"}, ValueError, "unknown tunnel 'vxlam'; did you mean 'vxlan'"),
        ({OWN: None}, ValueError, "unknown tunnel 'None'"),
        ({0: "vxlan"}, ValueError, "1 to 65535, not 0"),
        ({65536: "vxlan"}, ValueError, "1 to 65535, not 65536"),
        ({-1: "vxlan"}, ValueError, "1 to 65535, not -1"),
        ({"7777": "vxlan"}, TypeError, "a str is no UDP port"),
        ({True: "vxlan"}, TypeError, "a bool is no UDP port"),
        ([(OWN, "vxlan")], TypeError, "not a list"),
    ],
)
def test_what_is_no_tunnel_is_refused(tunnels, error, words):
    with pytest.raises(error, match=re.escape(words)):
        fluxcap.read_flows(CAPTURE, tunnels=tunnels)


# The command line -----------------------------------------------------------------------------------------------------


def test_the_command_line_names_ports_again_and_again(tmp_path):
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap(records([b.ethernet(b.ipv4(CARRYING)), in_udp(b.geneve(INNER), 7778)])))
    named = ("--tunnel", f"{OWN}=vxlan", "--tunnel", "7778=geneve")
    for command in ("flows", "packets", "connections"):
        done = run(command, path, "--columns", "dst_port", *named)
        assert (done.returncode, set(done.stdout.split()[1:])) == (0, {"53"})
    assert run("repair", path, "-o", tmp_path / "new.pcap", *named).stderr.startswith("hint: 4 transport")


@pytest.mark.parametrize(
    ("tunnels", "words", "help"),
    [
        (["8472"], "'8472' is not PORT=KIND", "8472=vxlan"),
        (["x=vxlan"], "'x=vxlan' is not PORT=KIND", "8472=vxlan"),
        (["8472=vxlam"], "unknown tunnel 'vxlam'", "Did you mean 'vxlan'?"),
        (["0=vxlan"], "1 to 65535, not 0", ""),
        (["99999=vxlan"], "1 to 65535, not 99999", ""),
        (["8472=vxlan", "8472=gtp"], "port 8472 vxlan and gtp", "one kind"),
    ],
)
def test_a_mistake_in_a_tunnel_is_a_usage_error(tunnels, words, help, tmp_path):
    path = tmp_path / "capture.pcap"
    path.write_bytes(CAPTURE)
    done = run("flows", path, *(part for tunnel in tunnels for part in ("--tunnel", tunnel)))
    error, advice = error_lines(done.stderr)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in error
    assert help in advice
