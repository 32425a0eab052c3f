"""The records of flows as captures, byte for byte, compared with captures that Python took apart."""

import gzip
import io
import struct
import warnings
from collections import Counter

import numpy as np
import pytest

import builders as b
import fluxcap
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, records
from capture_pieces import picked
from fluxcap._core import Copier
from fluxcap.capture.magic import is_capture
from real_captures import CORPUS, SAMPLES, index, needs_corpus
from three_flows import FRAMES, OF_FLOW, PORTS, SHAPES, frame

CAPTURES = sorted(SAMPLES.glob("*.pcap*"))
# Columns that an extracted flow cannot have: errors that quote it are records of other flows.
OF_OTHERS = ("icmp_errors", "icmp_type", "icmp_code")


# Bytes ---------------------------------------------------------------------------------------------------------------


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


def test_records_longer_than_the_window_come_whole(out):
    long = [Record(data + bytes(200_000)) for data in FRAMES]
    capture = pcap(long)
    fluxcap.read_flows(capture).extract(1, out)
    assert out.read_bytes() == picked(capture, OF_FLOW[1])


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
                continue  # unreadable
        done += flows > 0
    assert done >= 200


def check_every_flow(capture, out, most=60):
    """Extract the flows one by one, at most the first so many; gives the number of flows."""
    table, packets = fluxcap.read_flows(capture, packets=["packet", "depth", "fragment_offset"])
    octets = capture.read_bytes()
    sound = is_capture(octets) and not table.metadata["damage"]
    # The first fragment of a tunnel packet is in a flow inside the tunnel; without it the others have no ports.
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


@pytest.mark.filterwarnings("ignore:skipped files that are not captures")
def test_of_a_directory_what_is_no_capture_is_passed_over(path, tmp_path_factory):
    (path.parent / "a.txt").write_text("a note")
    out = tmp_path_factory.mktemp("elsewhere") / "out"
    fluxcap.read_flows(path.parent).extract(0, out)
    assert out.read_bytes() == picked(SHAPES["us"], OF_FLOW[0])


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damaged", "sound"),
    [
        (SHAPES["us"][:-1], SHAPES["us"]),
        (SHAPES["us"][: -len(FRAMES[-1]) - 8], SHAPES["us"]),
        (SHAPES["pcapng"][:-3], SHAPES["pcapng"][:-24]),  # in a block of statistics
        (gzip.compress(SHAPES["ns"])[:-9], SHAPES["ns"]),
        (SHAPES["us"] + struct.pack("<4I", 0, 0, 2**31, 2**31) + bytes(99), SHAPES["us"]),
    ],
    ids=["record", "record header", "block", "gzip", "length"],
)
def test_of_a_damaged_input_there_is_what_was_read_before_with_a_warning(damaged, sound, out):
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        table = fluxcap.read_flows(damaged)
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        table.extract(slice(None), out)
    packets = table.metadata["packets"]
    assert packets >= 4
    assert out.read_bytes() == picked(sound, range(1, packets + 1))


@pytest.mark.parametrize("semantics", ["zeek", "yaf", "nfstream"])
def test_flows_as_other_programs_make_them_are_found_again(path, out, semantics):
    fluxcap.read_flows(path, semantics=semantics).extract(0, out)
    assert fluxcap.read_info(out).packets == len(OF_FLOW[0])
