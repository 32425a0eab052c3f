"""The records of flows as captures of their own, octet for octet, held against captures taken apart in tests/pieces."""

import gzip
import io
import os
import pickle
import struct
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import builders as b
import fluxcap
from captures import (
    COMMENT,
    Record,
    block,
    enhanced_packet,
    interface,
    old_packet,
    option,
    pcap,
    pcapng,
    records,
    simple_packet,
)
from corpus import CORPUS, SAMPLES, index, needs_corpus
from fluxcap._core import Copier
from fluxcap.magic import is_capture
from pieces import picked
from tshark import fields, needs_tshark, tshark

NAME_RESOLUTION, STATISTICS, SECRETS, CUSTOM = 4, 5, 10, 0xBAD
CAPTURES = sorted(SAMPLES.glob("*.pcap*"))
# What a flow alone cannot know: errors that quote it are records of other flows.
OF_OTHERS = ("icmp_errors", "icmp_type", "icmp_code")


def frame(port: int, size: int = 20) -> bytes:
    return b.ethernet(b.ipv4(b.udp(bytes(size), port, 53), "192.0.2.1", "192.0.2.2"))


PORTS = (1000, 2000, 1000, 3000, 2000, 1000)  # of six packets in three flows
FRAMES = [frame(port, size) for size, port in enumerate(PORTS)]
RECORDS = records(FRAMES)
OF_FLOW = [{1, 3, 6}, {2, 5}, {4}]  # numbers of the packets


def mixed(byteorder):
    """A pcapng with every kind of block, and of packets with options behind them."""
    comment = option(COMMENT, b"why this one?")

    def commented(order):
        head = struct.pack(order + "5I", 0, 0, 7, len(FRAMES[2]), len(FRAMES[2]))
        body = head + FRAMES[2] + bytes(-len(FRAMES[2]) % 4) + comment(order) + bytes(4)
        return block(6, body)(order)

    return pcapng(
        interface(snaplen=0, name="eth0"),
        block(SECRETS, b"CLIENT_RANDOM"),
        enhanced_packet(FRAMES[0]),
        simple_packet(FRAMES[1]),
        block(NAME_RESOLUTION, bytes(4)),
        commented,
        interface(name="eth1", tsresol=9),
        old_packet(FRAMES[3]),
        block(CUSTOM, b"x" * 300_000),  # longer than the window is at first
        enhanced_packet(FRAMES[4], 9, 1),
        *[interface() for _ in range(9)],
        enhanced_packet(FRAMES[5]),
        block(STATISTICS, bytes(12)),
        byteorder=byteorder,
    )


SHAPES = {
    "us": pcap(RECORDS),
    "ns": pcap(RECORDS, ns=True),
    "big-endian": pcap(RECORDS, byteorder="big"),
    "modified": pcap(RECORDS, modified=True),
    "pcapng": mixed("little"),
    "pcapng big-endian": mixed("big"),
    "two sections": mixed("little") + pcapng(interface(), block(CUSTOM, b"last words"), byteorder="big"),
}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def path(tmp_path):
    """A capture in a file."""
    path = tmp_path / "in.pcap"
    path.write_bytes(SHAPES["us"])
    return path


# Packets beside their flows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
def test_flows_and_packets_of_one_pass_are_those_of_two(capture):
    flows, packets = fluxcap.read_flows(capture, packets=True)
    assert flows == fluxcap.read_flows(capture)
    assert packets == fluxcap.read_packets(capture, by="5tuple")
    in_flows = packets["flow"][packets["flow"] >= 0]
    assert np.array_equal(np.bincount(in_flows, minlength=len(flows)), flows["packets"] + flows["reverse_packets"])


@pytest.mark.parametrize("named", [["time", "verdict"], "time,verdict", ["time", "verdict", "flow"]])
def test_the_columns_of_the_packets_are_those_named_and_flow(named):
    _, packets = fluxcap.read_flows(SHAPES["us"], packets=named)
    assert packets.columns == ("time", "verdict", "flow")
    assert packets["flow"].tolist() == [0, 1, 0, 2, 1, 0]


@pytest.mark.parametrize("named", [[], ["tme"], ["time", "time"]])
def test_packet_columns_that_are_none_are_refused(named):
    with pytest.raises(ValueError, match="column"):
        fluxcap.read_flows(SHAPES["us"], packets=named)


def test_flows_by_another_key_number_the_packets_accordingly_and_those_in_none_are_minus_one():
    capture = pcap(records([FRAMES[0], b.ethernet(b"arp?", ethertype=0x0806), FRAMES[1]]))
    flows, packets = fluxcap.read_flows(capture, by="dst_port", packets=True)
    assert (len(flows), packets["flow"].tolist()) == (1, [0, -1, 0])


def test_what_was_read_before_damage_is_both_tables():
    with pytest.raises(fluxcap.TruncatedError) as caught:
        fluxcap.read_flows(SHAPES["us"][:-1], packets=True, on_damage="raise")
    flows, packets = caught.value.partial
    assert (len(flows), len(packets)) == (3, 5)


# Octets ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_a_flow_is_its_records_as_they_stand_and_all_that_is_no_record(shape, out):
    table = fluxcap.read_flows(SHAPES[shape])
    for flow, numbers in enumerate(OF_FLOW):
        table.extract(flow, out)
        assert out.read_bytes() == picked(SHAPES[shape], numbers)


@pytest.mark.parametrize("shape", SHAPES)
def test_all_flows_together_are_the_capture(shape, out):
    fluxcap.read_flows(SHAPES[shape]).extract(slice(None), out)
    assert out.read_bytes() == SHAPES[shape]


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_copy_does_not_depend_on_the_pieces_that_the_input_comes_in(shape, size):
    capture, copier, copy = SHAPES[shape], Copier(), b""
    copier.begin(np.array(sorted(OF_FLOW[0]), np.uint64))
    source = io.BytesIO(capture)
    while n := source.readinto(copier.space()[:size]):
        copier.advance(n)
        copier.run()
        copy += copier.kept()
    copier.finish()
    copier.run()
    assert copy + copier.kept() == picked(capture, OF_FLOW[0])
    assert (copier.missing, copier.damage) == (0, None)


def test_the_length_of_a_section_is_no_longer_stated(out):
    blocks = pcapng(interface(), *map(enhanced_packet, FRAMES))
    stated = blocks[:16] + struct.pack("<q", len(blocks) - 28) + blocks[24:]
    fluxcap.read_flows(stated).extract(slice(None), out)
    assert out.read_bytes() == blocks


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
def test_of_a_sample_each_record_in_a_flow_is_extracted_once_and_reads_as_that_flow(capture, out):
    check_every_flow(capture, out)


@needs_corpus
def test_of_200_captures_each_record_in_a_flow_is_extracted_once_and_reads_as_that_flow(out):
    rows = [row for row in index() if int(row["size"]) < 300_000]
    done = 0
    for row in rows[:: max(len(rows) // 400, 1)]:
        with warnings.catch_warnings(action="ignore"):
            try:
                flows = check_every_flow(CORPUS / row["path"], out)
            except fluxcap.CaptureError:
                continue  # nothing of it can be read
        done += flows > 0
    assert done >= 200


def check_every_flow(capture, out, most=60):
    """Extract the flows one by one; how many there are. Of many, only so many of the first."""
    table, packets = fluxcap.read_flows(capture, packets=["packet", "depth", "fragment_offset"])
    octets = capture.read_bytes()
    sound = is_capture(octets) and not table.metadata["damage"]
    # Of a tunnel packet in fragments, the first is in a flow inside the tunnel: the others know no ports without it.
    alone = not (packets["fragment_offset"].any() and packets["depth"].any())
    extracted = Counter()
    for flow in range(min(len(table), most)):
        numbers = set(packets["packet"][packets["flow"] == flow].tolist())
        table.extract(flow, out)
        if sound:
            assert out.read_bytes() == picked(octets, numbers), capture
        again = fluxcap.read_flows(out)
        assert again.metadata["packets"] == len(numbers)
        if alone:
            assert len(again) == 1, (capture, flow)
            for name in set(table.columns).difference(OF_OTHERS):
                assert np.array_equal(again[name][0], table[name][flow]), (capture, flow, name)
        extracted.update(numbers)
    assert set(extracted.values()) <= {1}
    if len(table) <= most:
        assert set(extracted) == set(packets["packet"][packets["flow"] >= 0].tolist())
    return len(table)


@needs_tshark
@pytest.mark.parametrize(
    ("name", "proto"), [("sockets.pcapng", "udp"), ("sockets.pcapng", "tcp"), ("veth-checksums-computed.pcap", "tcp")]
)
def test_the_records_of_a_flow_are_those_of_tsharks_stream(name, proto, out, tmp_path):
    names = ("frame.number", f"{proto}.stream", "ip.reassembled_in", "ipv6.reassembled.in")
    frames = [line.split("\t") for line in tshark(SAMPLES / name, "-2", "-Y", "!icmp && !icmpv6", *fields(names))]
    stream_of = {number: stream for number, stream, *_ in frames if stream}
    streams = {}
    for number, stream, *whole in frames:  # a fragment is in the stream of its datagram
        if stream := stream or stream_of.get("".join(whole)):
            streams.setdefault(stream, []).append(number)
    table, packets = fluxcap.read_flows(SAMPLES / name, packets=["packet"])
    shown = fields(("frame.time_epoch", "frame.len", "frame.interface_id", "frame.comment", "_ws.col.Info"))
    assert streams
    for numbers in streams.values():
        table.extract(packets["flow"][int(numbers[0]) - 1], out)
        expected = tmp_path / "expected"
        form = Path(name).suffix[1:]
        subprocess.run(["editcap", "-F", form, "-r", SAMPLES / name, expected, *numbers], check=True)
        assert tshark(out, *shown) == tshark(expected, *shown)
        assert form == "pcapng" or out.read_bytes() == expected.read_bytes()


# Which rows -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "numbers"),
    [
        (1, {2, 5}),
        (np.int64(2), {4}),
        (-1, {4}),
        ([0, 2], {1, 3, 4, 6}),
        ([2, 0, 2], {1, 3, 4, 6}),
        ((1, 2), {2, 4, 5}),
        (range(2), {1, 2, 3, 5, 6}),
        (np.array([1], np.uint8), {2, 5}),
        (np.array([True, False, True]), {1, 3, 4, 6}),
        ([False, False, False], set()),
        ([], set()),
        (slice(1, None), {2, 4, 5}),
    ],
    ids=str,
)
def test_rows_are_given_as_numpy_takes_them(rows, numbers, out):
    fluxcap.read_flows(SHAPES["us"]).extract(rows, out)
    assert out.read_bytes() == picked(SHAPES["us"], numbers)


@pytest.mark.parametrize("rows", [3, [0, 3], [True], [0.5], np.zeros(3), np.zeros(2, bool)], ids=str)
def test_rows_that_there_are_not_are_an_index_error_and_leave_no_file(rows, tmp_path):
    with pytest.raises(IndexError):
        fluxcap.read_flows(SHAPES["us"]).extract(rows, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_was_sorted_filtered_or_cut_knows_the_numbers_of_its_rows(out):
    table = fluxcap.read_flows(SHAPES["us"])
    by_port = table.sort("src_port")
    assert (table["flow"].tolist(), by_port["flow"].tolist()) == ([0, 1, 2], [2, 1, 0])
    for rows, numbers in (
        (by_port, OF_FLOW[2]),
        (by_port.filter(by_port["src_port"] < 3000), OF_FLOW[1]),
        (by_port.sort("src_port", descending=False).head(1), OF_FLOW[0]),
    ):
        rows.extract(0, out)
        assert out.read_bytes() == picked(SHAPES["us"], numbers)
    assert by_port.columns == table.columns


HALF_SECOND = 500_000_000


@pytest.mark.parametrize(
    ("options", "row", "numbers"),
    [
        ({"by": "dst_port"}, 0, {1, 2, 3, 4, 5, 6}),
        ({"by": "hosts", "interval": "1s"}, 1, {3, 4}),
        ({"idle_timeout": 0.9}, 2, {3}),
        ({"active_timeout": 2}, 2, {4}),
        ({"active_timeout": 2}, 3, {6}),
        ({"max_flows": 2}, 0, {1, 3}),
        ({"where": "udp src port 2000"}, 0, {2, 5}),
        ({"by": "src_ip/16,dst_ip", "biflow": False}, 0, {1, 2, 3, 4, 5, 6}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*max_flows")
def test_flows_are_found_again_however_they_were_made(options, row, numbers, out):
    if "where" in options:
        pytest.importorskip("cypcap")
    capture = pcap(records(FRAMES, start=0, step=HALF_SECOND))
    fluxcap.read_flows(capture, **options).extract(row, out)
    assert out.read_bytes() == picked(capture, numbers)


@pytest.mark.parametrize("decap", [True, False])
def test_flows_around_tunnels_are_found_as_those_within(decap, out):
    inner = [b.ipv4(b.udp(b"", port, 53)) for port in PORTS]
    capture = pcap(records([b.ethernet(b.ipv4(b.gre(one))) for one in inner]))
    fluxcap.read_flows(capture, decap=decap).extract(0, out)
    assert out.read_bytes() == picked(capture, OF_FLOW[0] if decap else {1, 2, 3, 4, 5, 6})


def test_all_fragments_of_a_datagram_come_with_its_flow_whatever_their_order(out):
    capture = SAMPLES / "fragments-out-of-order.pcap"
    table = fluxcap.read_flows(capture)
    for flow, numbers in enumerate(({1, 2, 3}, {4, 5, 6}, {7, 8})):  # in order, in reverse order, without the first one
        table.extract(flow, out)
        assert out.read_bytes() == picked(capture.read_bytes(), numbers)


# Several inputs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["us", "modified", "pcapng"])
def test_inputs_of_one_kind_follow_one_another(shape, out, tmp_path):
    one, other = tmp_path / "1", tmp_path / "2.gz"
    one.write_bytes(SHAPES[shape])
    other.write_bytes(gzip.compress(SHAPES[shape]))
    fluxcap.read_flows([one, other, SHAPES[shape]]).extract(1, out)
    part = picked(SHAPES[shape], OF_FLOW[1])
    assert out.read_bytes() == part + 2 * (part if shape == "pcapng" else part[24:])


@pytest.mark.parametrize("other", ["ns", "big-endian", "pcapng"])
def test_inputs_that_fit_into_no_one_file_are_named_and_nothing_is_left(other, path, out):
    second = path.with_name("second.pcap")
    second.write_bytes(SHAPES[other])
    table = fluxcap.read_flows([path, second])
    with pytest.raises(ValueError, match=rf"{path} and {second} do not fit"):
        table.extract(0, out)
    assert sorted(path.parent.iterdir()) == [path, second]


def test_inputs_without_a_record_of_the_flow_are_left_out(path, out):
    other = pcap(records([frame(4000)]), snaplen=100)
    table = fluxcap.read_flows([path, other])
    for flow, expected in ((0, picked(path.read_bytes(), OF_FLOW[0])), (3, other)):
        table.extract(flow, out)
        assert out.read_bytes() == expected


@pytest.mark.filterwarnings("ignore:files that are no captures")
def test_of_a_directory_what_is_no_capture_is_passed_over(path, tmp_path_factory):
    (path.parent / "a.txt").write_text("a note")
    out = tmp_path_factory.mktemp("elsewhere") / "out"
    fluxcap.read_flows(path.parent).extract(0, out)
    assert out.read_bytes() == picked(SHAPES["us"], OF_FLOW[0])


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damaged",
    [
        SHAPES["us"][:-1],
        SHAPES["us"][: -len(FRAMES[-1]) - 8],
        SHAPES["pcapng"][:-3],
        gzip.compress(SHAPES["ns"])[:-9],
        SHAPES["us"] + struct.pack("<4I", 0, 0, 2**31, 2**31) + bytes(99),
    ],
    ids=["record", "record header", "block", "gzip", "length"],
)
def test_of_a_damaged_input_there_is_what_was_read_before_with_a_warning(damaged, out):
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        table, packets = fluxcap.read_flows(damaged, packets=["packet"])
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        table.extract(slice(None), out)
    with warnings.catch_warnings(action="error"):
        assert fluxcap.read_packets(out, columns=["packet"]) == fluxcap.read_packets(out, columns=["packet"])
        assert fluxcap.read_info(out).packets == len(packets) > 0


# Inputs that cannot be read again -------------------------------------------------------------------------------------


@pytest.fixture
def table(path):
    return fluxcap.read_flows(path)


def replaced(path, octets):
    path.write_bytes(octets)


CHANGES = {
    "a record more": lambda path: replaced(path, pcap(records([*FRAMES, frame(9)]))),
    "a record less": lambda path: replaced(path, picked(SHAPES["us"], {1, 2, 3, 4, 5})),
    "as many others": lambda path: replaced(path, pcap(records([frame(9)] * 6))),
    "as many of other flows": lambda path: replaced(path, pcap(records(FRAMES[::-1]))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_inputs_that_changed_meanwhile_are_told(change, path, table, out):
    CHANGES[change](path)
    with pytest.raises(ValueError, match="changed since"):
        table.extract(2, out)
    assert list(path.parent.iterdir()) == [path]


def test_an_input_that_is_gone_is_a_file_not_found(path, table, out):
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"in\.pcap"):
        table.extract(0, out)


def test_what_can_be_read_once_cannot_be_extracted_from(path, out):
    with path.open("rb") as file:
        of_a_file = fluxcap.read_flows(file)
    for table in (of_a_file, fluxcap.read_flows(io.BytesIO(SHAPES["us"]))):
        with pytest.raises(ValueError, match="only once"):
            table.extract(0, out)


def test_standard_input_cannot_be_extracted_from():
    program = "import fluxcap\ntry: fluxcap.read_flows('-').extract(0, 'x')\nexcept ValueError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", program], input=SHAPES["us"], capture_output=True, check=True)
    assert done.stdout.startswith(b"<stdin> can be read only once")


def aggregated():
    with fluxcap.FlowAggregator() as flows:
        flows.feed(SHAPES["us"])
    return flows.result()


WITHOUT_INPUTS = {
    "merged": lambda table: table | table,
    "unpickled": lambda table: pickle.loads(pickle.dumps(table)),
    "made by a FlowAggregator": lambda table: aggregated(),
}


@pytest.mark.parametrize("how", WITHOUT_INPUTS)
def test_a_table_that_does_not_know_its_inputs_says_why(how, table, out):
    with pytest.raises(ValueError, match=how):
        WITHOUT_INPUTS[how](table).extract(0, out)


def test_the_numbers_of_rows_survive_pickling(table):
    assert pickle.loads(pickle.dumps(table.sort("src_port")))["flow"].tolist() == [2, 1, 0]


def test_merged_tables_keep_of_how_they_were_read_only_what_they_share(table):
    by = {"by": "dst_port"}
    assert (table | table).metadata["decap"] is True
    mixed = fluxcap.merge([fluxcap.read_flows(SHAPES["us"], **by), fluxcap.read_flows(SHAPES["us"], decap=False, **by)])
    assert "decap" not in mixed.metadata
    assert mixed.metadata["by"] == "dst_port"


def test_an_interrupted_reading_cannot_be_repeated(table, out):
    table.metadata["interrupted"] = True
    with pytest.raises(ValueError, match="interrupted"):
        table.extract(0, out)


# Where it is written --------------------------------------------------------------------------------------------------


def test_no_input_is_overwritten_under_whatever_name(path, table):
    link = path.with_name("link")
    link.symlink_to(path)
    for target in (path, link, os.path.relpath(path)):
        with pytest.raises(ValueError, match="one of the inputs"):
            table.extract(0, target)
    assert path.read_bytes() == SHAPES["us"]


def test_what_is_no_regular_file_is_not_replaced(table, out):
    os.mkfifo(out)
    with pytest.raises(ValueError, match="not a regular file"):
        table.extract(0, out)
    assert out.is_fifo()


def test_a_file_that_is_there_is_replaced_only_by_a_whole_one(path, table, out):
    out.write_bytes(b"before")
    with pytest.raises(IndexError):
        table.extract(9, out)
    assert out.read_bytes() == b"before"
    table.extract(0, out)
    assert out.read_bytes() == picked(SHAPES["us"], OF_FLOW[0])
    assert sorted(path.parent.iterdir()) == [path, out]


def test_a_folder_that_is_not_there_is_an_error_of_the_system(table, tmp_path):
    with pytest.raises(FileNotFoundError):
        table.extract(0, tmp_path / "nowhere" / "out")


def test_records_longer_than_the_window_come_whole(out):
    long = [Record(data + bytes(200_000)) for data in FRAMES]
    capture = pcap(long)
    fluxcap.read_flows(capture).extract(1, out)
    assert out.read_bytes() == picked(capture, OF_FLOW[1])
