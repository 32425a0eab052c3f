"""Filters see the outermost headers, as tcpdump's do: what they overlook there is counted, or they are put inside."""

from pathlib import Path

import pytest

import builders as b
import fluxcap
from capture_files import enhanced_packet, interface, pcap, pcapng, records
from command_line import fluxcap as run
from real_captures import CORPUS, needs_corpus

pytest.importorskip("cypcap")

ETHERNET, RAW = 1, 101
DNS = b.ipv4(b.udp(b"hello", 4000, 53))
WEB = b.ipv4(b.tcp(b"hello", 4000, 80))
TAGGED = b.ethernet(b.vlan(DNS, 7))
TWICE = b.ethernet(b.vlan(b.vlan(DNS, 7), 8))
TUNNELLED = b.ethernet(b.ipv4(b.gre(DNS)))
PLAIN = b.ethernet(DNS)
OTHER = b.ethernet(WEB)


def hints(*frames, where="udp port 53", **options):
    return fluxcap.read_flows(pcap(records(frames)), where=where, **options).metadata["hints"]


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ([PLAIN, OTHER], []),
        (
            [PLAIN, TAGGED],
            ["refused 1 record ", "'udp port 53 or (vlan and udp port 53)' takes the 1 tagged", "--inner"],
        ),
        ([PLAIN, TWICE, TUNNELLED], ["refused 2 records ", "--inner", "inner=True"]),
        ([OTHER], ["no record passed the filter 'udp port 53'"]),
        ([PLAIN, b.ethernet(b.vlan(WEB, 7))], []),
    ],
    ids=["plain", "tagged", "deeper", "none", "refused inside too"],
)
def test_records_that_the_filter_would_accept_inside_are_told(frames, told):
    found = hints(*frames)
    assert len(found) == (1 if told else 0)
    assert all(words in found[0] for words in told)


def test_what_is_refused_for_its_own_length_is_not_hidden():
    assert hints(PLAIN, OTHER, where="udp and less 40") == ["no record passed the filter 'udp and less 40'"]


def test_without_decapsulation_a_tunnel_hides_nothing():
    assert hints(PLAIN, TUNNELLED, decap=False) == []


def test_the_filter_can_be_put_to_the_innermost_packet():
    frames = [PLAIN, OTHER, TAGGED, TWICE, TUNNELLED, b.ethernet(b"", 0x0806)]
    capture = pcap(records(frames))
    packets = fluxcap.read_packets(capture, where="udp port 53", inner=True)
    assert packets["packet"].tolist() == [1, 3, 4, 5]
    flows = fluxcap.read_flows(capture, where="udp port 53", inner=True)
    assert (flows["packets"].tolist(), flows.metadata["ledger"]["filtered"][0], flows.metadata["hints"]) == ([4], 2, [])


def test_many_threads_count_the_same_hidden_records():
    capture = pcap(records([PLAIN, OTHER, TAGGED, TUNNELLED] * 20_000))
    by_threads = [fluxcap.read_flows(capture, where="port 53", threads=n).metadata for n in (1, 3)]
    assert by_threads[0]["hints"] == by_threads[1]["hints"] != []
    inside = [fluxcap.read_flows(capture, where="port 53", inner=True, threads=n) for n in (1, 3)]
    assert inside[0] == inside[1]
    assert inside[0]["packets"].tolist() == [60_000]


def test_an_innermost_filter_names_nothing_around_the_packet():
    with pytest.raises(fluxcap.FilterError, match="no VLAN support for Raw IP"):
        fluxcap.read_flows(pcap(records([TAGGED])), where="vlan and udp", inner=True)
    with pytest.raises(ValueError, match="inner is about a filter"):
        fluxcap.read_flows(pcap(records([TAGGED])), inner=True)


def test_a_link_type_that_cannot_have_the_filter_loses_its_records_and_not_the_file():
    blocks = [interface(ETHERNET), interface(RAW), enhanced_packet(TAGGED, 0, 0), enhanced_packet(DNS, 0, 1)]
    with pytest.warns(UserWarning, match=r"link type RAW: no VLAN support for Raw IP; 1 record of it refused"):
        table = fluxcap.read_packets(pcapng(*blocks), where="vlan and udp")
    assert table["packet"].tolist() == [1]
    assert table.metadata["ledger"]["filtered"][0] == 1


def test_a_filter_that_no_link_type_of_the_capture_can_have_is_an_error():
    with pytest.raises(fluxcap.FilterError, match="link type RAW"):
        fluxcap.read_flows(pcap(records([DNS]), RAW), where="vlan and udp")
    flows = fluxcap.FlowAggregator(where="vlan")
    flows.feed(pcap(records([DNS]), RAW))
    with pytest.raises(fluxcap.FilterError, match="link type RAW"):
        flows.close()


def written(tmp_path: Path, *frames: bytes) -> Path:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(records(frames)))
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["flows"],
        ["check"],
        ["packets"],
        ["sockets"],
        ["hosts"],
        ["timeline"],
        ["connections"],
        ["sql", "SELECT 1 FROM flows"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_hints_once(tmp_path, command):
    path = written(tmp_path, PLAIN, TAGGED)
    done = run(*command, path, "--where", "udp")
    assert (done.returncode, done.stderr.count("udp or (vlan and udp)")) == (0, 1)
    assert "refused" not in run(*command, path, "--where", "udp", "--inner").stderr


def test_a_check_of_nothing_proves_nothing(tmp_path):
    done = run("check", written(tmp_path, OTHER, TUNNELLED), "--where", "udp", "-f", "table", "--max-bad", "9")
    assert done.returncode == 1
    assert "No record passed the filter, of 2" in done.stdout
    assert "No bad checksum" not in done.stdout
    assert run("check", written(tmp_path, OTHER), "--where", "tcp").returncode == 0
    report = fluxcap.read_checksums(written(tmp_path, OTHER), where="udp")
    assert "no record passed the filter" in repr(report)


@needs_corpus
def test_the_reported_captures_are_told_of():
    one_way = CORPUS / "reported" / "n02_vlan_one_way.pcap"
    assert "vlan and port 53" in fluxcap.read_flows(one_way, where="port 53").metadata["hints"][0]
    assert len(fluxcap.read_flows(one_way, where="port 53", inner=True)) == 1
    with pytest.warns(UserWarning, match="link type (RAW|LINUX_SLL2): no VLAN support"):
        fluxcap.read_info(CORPUS / "reported" / "f01_multi_if.pcapng", where="vlan or udp port 53")
