"""Captures that `cat` joined: every reader takes them for what they are one after the other, and says so once."""

import warnings

import numpy as np
import pytest

import fluxcap
from byte_ways import WAYS
from capture_files import Record, pcap, rewrapped
from command_line import fluxcap as command
from fluxcap.capture.inputs import expand
from fluxcap.errors import OutOfOrderWarning
from real_captures import SAMPLES

SECOND = 1_000_000_000
PACKETS = [
    Record(fluxcap.segment(bytes(at), ("192.0.2.1", 4000 + at % 7), ("192.0.2.2", 53)), (1_700_000_000 + at) * SECOND)
    for at in range(30)
]
LATER = [one._replace(time=one.time + 60 * SECOND) for one in PACKETS]
PARTS = [
    pcap(PACKETS),
    pcap([one._replace(data=one.data[14:]) for one in PACKETS], 101, byteorder="big", ns=True),
    rewrapped(PACKETS),
    pcap(PACKETS),
]
JOINED = b"".join(PARTS)
OF_ONE_KIND = pcap(PACKETS) + pcap(LATER)
WHERE = (4, len(PACKETS), len(PARTS[0]))  # captures, packets before the second, its offset
COLUMNS = "time,captured_length,wire_length,link_type,src_ip,src_port,dst_ip,dst_port,verdict"


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", OutOfOrderWarning)
        yield


def hint(path: object, captures: int = 4) -> str:
    return (
        f"{path}: {captures} captures joined, read as one;"
        f" the second begins at byte {len(PARTS[0])}, after packet {len(PACKETS)}"
    )


@pytest.mark.parametrize("options", [{}, {"threads": 4}, {"on_damage": "resync"}, {"on_damage": "raise"}], ids=str)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_flows_and_packets_are_those_of_the_captures_in_turn(way, options, tmp_path):
    with way(JOINED, tmp_path) as src:
        flows = fluxcap.read_flows(src, **options)
    assert flows == fluxcap.read_flows(PARTS)
    path = flows.metadata["inputs"][0]
    assert (flows.metadata["damage"], flows.metadata["strays"]) == ([], [])
    assert flows.metadata["joined"] == [(path, *WHERE)]
    assert flows.metadata["hints"] == [hint(path)]
    options.pop("threads", None)
    with way(JOINED, tmp_path) as src:
        packets = fluxcap.read_packets(src, columns=f"packet,{COLUMNS}", **options)
    assert packets["packet"].tolist() == list(range(1, 1 + len(PACKETS) * len(PARTS)))
    assert packets.select(COLUMNS.split(",")) == fluxcap.read_packets(PARTS, columns=COLUMNS)


def test_the_report_of_checksums_and_the_survey_count_all_parts():
    report, info = fluxcap.read_checksums(JOINED), fluxcap.read_info(JOINED)
    assert (report.packets, report.verdicts) == (120, fluxcap.read_checksums(PARTS).verdicts)
    assert info.link_types == {1: 90, 101: 30}
    assert [one.link_type for one in info.inputs[0].interfaces] == [1, 101, 1, 1]
    assert sum(one.packets for one in info.inputs[0].interfaces) == info.packets == 120


def test_an_aggregator_may_be_fed_the_bytes_in_any_pieces():
    flows = fluxcap.FlowAggregator()
    for at in range(0, len(JOINED), 7):
        flows.feed(JOINED[at : at + 7])
    assert flows.result() == fluxcap.read_flows(PARTS)


def test_records_of_all_parts_are_put_in_the_order_of_time():
    merged = fluxcap.read_packets([JOINED, pcap(LATER)], columns="time", order="time", reorder="1h")
    assert merged["time"].tolist() == sorted([one.time for one in PACKETS] * 4 + [one.time for one in LATER])
    assert [one.captures for one in merged.metadata["joined"]] == [4]


def test_several_joined_inputs_are_said_in_one_hint():
    metadata = fluxcap.read_flows([JOINED, JOINED, PARTS[0], OF_ONE_KIND]).metadata
    assert [one.captures for one in metadata["joined"]] == [4, 4, 2]
    (said,) = metadata["hints"]
    assert said == f"{hint('<bytes>')}; so are 2 more inputs"
    assert len((fluxcap.read_flows(JOINED) | fluxcap.read_flows(OF_ONE_KIND)).metadata["joined"]) == 2


def test_of_captures_of_one_kind_flows_are_extracted_into_one_capture(tmp_path):
    source, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(OF_ONE_KIND)
    flows = fluxcap.read_flows(source)
    flows.extract(2, out)
    chosen = [one for one in (*PACKETS, *LATER) if one.data[34:36] == (4002).to_bytes(2, "big")]
    assert out.read_bytes() == pcap(chosen)


def test_from_captures_of_several_kinds_no_flow_is_extracted_into_one(tmp_path):
    source = tmp_path / "in.pcap"
    source.write_bytes(JOINED)
    with pytest.raises(ValueError, match=r"captures joined in .*in\.pcap do not fit into one file"):
        fluxcap.read_flows(source).extract(2, tmp_path / "out.pcap")
    assert not (tmp_path / "out.pcap").exists()


def test_a_repair_completes_the_checksums_of_all_parts(tmp_path):
    offloaded = (SAMPLES / "veth-checksums-offloaded.pcap").read_bytes()
    done = fluxcap.repair(offloaded * 3, tmp_path / "all.pcap")
    alone = fluxcap.repair(offloaded, tmp_path / "one.pcap")
    assert done == tuple(3 * count for count in alone)
    assert (tmp_path / "all.pcap").read_bytes() == (tmp_path / "one.pcap").read_bytes() * 3


def test_a_packet_of_a_later_part_is_explained_as_in_that_part_alone():
    there, alone = fluxcap.explain(JOINED, packet=35), fluxcap.explain(PARTS[1], packet=5)
    assert there.to_dict()["headers"] == alone.to_dict()["headers"]
    assert there.link_type == alone.link_type == 101


def test_machines_read_what_one_process_does(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    from fluxcap import cluster

    monkeypatch.setattr(cluster.gathering, "groups_of", lambda src, size, ranges: [[one] for one in expand(src)])
    for name, octets in (("a", JOINED), ("b", OF_ONE_KIND)):
        (tmp_path / f"{name}.pcap").write_bytes(octets)
    flows = cluster.read_flows(str(tmp_path / "*.pcap"))
    alone = fluxcap.read_flows(str(tmp_path / "*.pcap"))
    assert flows == alone
    assert (flows.metadata["joined"], flows.metadata["hints"]) == (alone.metadata["joined"], alone.metadata["hints"])


@pytest.mark.parametrize("resync", [(), ("--resync",)], ids=["", "resync"])
@pytest.mark.parametrize("name", ["info", "flows", "packets", "check", "connections", "timeline", "audit"])
def test_every_command_says_it_once_and_ends_with_0(name, resync, tmp_path):
    path = tmp_path / "day.pcap"
    path.write_bytes(OF_ONE_KIND)
    done = command(name, *resync, path)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "joined" in line] == [f"hint: {hint(path, 2)}"]
    assert "error" not in done.stderr


@pytest.mark.parametrize("resync", [(), ("--resync",)], ids=["", "resync"])
def test_zeros_behind_the_last_record_are_said_once(resync, tmp_path):
    path = tmp_path / "padded.pcap"
    path.write_bytes(PARTS[0] + bytes(4096))
    done = command("flows", *resync, path)
    assert done.returncode == 3
    assert done.stderr.count("zeros where a record should begin") == done.stderr.count("error:") == 1
    assert np.array_equal(
        fluxcap.read_flows(PARTS[0])["packets"], [int(line.split("\t")[5]) for line in done.stdout.splitlines()[1:]]
    )
