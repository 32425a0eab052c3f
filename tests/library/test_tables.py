"""Methods of every table, and merging flow tables."""

import copy
import os
import pickle
from ipaddress import ip_address
from itertools import permutations
from threading import Thread

import numpy as np
import pandas as pd
import pytest

import builders as b
import command_line
import fluxcap
from capture_files import pcap, records
from fluxcap import _core
from fluxcap.tables.packets import PacketTable
from fluxcap.tables.table import Table
from four_flows import CAPTURE, PACKETS, SECOND


def columns_made_three_ways() -> list[fluxcap.FlowTable | PacketTable]:
    everything = (*_core.PACKET_COLUMNS, *_core.EXTRA_COLUMNS)
    return [
        fluxcap.read_flows(CAPTURE, by=_core.KEY_FIELDS, interval="1s", features=True, splt=3),
        fluxcap.read_packets(CAPTURE, columns=everything),
        fluxcap.read_packets(pcap(b""), columns=everything),
    ]


def test_any_reader_of_buffers_takes_a_column_of_the_core_for_the_array_that_it_becomes():
    for table in columns_made_three_ways():
        for name in table.columns:
            column = table.raw(name)
            view, array = memoryview(column), table[name]
            assert isinstance(column, _core.Column) or name.startswith("splt"), name
            assert (view.shape, view.strides, view.itemsize) == (array.shape, array.strides, array.itemsize), name
            assert view.tolist() == array.tolist(), name
            assert view.tobytes() == array.tobytes() == bytes(column), name
            assert view.readonly, name


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".ndjson", ".json", ".npz"])
def test_a_table_is_written_the_same_before_its_arrays_are_made_and_after(suffix, tmp_path):
    for place, table in enumerate(columns_made_three_ways()):
        before, after = tmp_path / f"before{place}{suffix}", tmp_path / f"after{place}{suffix}"
        table.write(before)
        assert table.to_dict()
        table.write(after)
        assert before.read_bytes() == after.read_bytes()


def texts(addresses) -> list[str]:
    found = [ip_address(bytes(octets)) for octets in addresses]
    return [str(one.ipv4_mapped or one) for one in found]


def test_the_columns_of_flows_are_those_of_the_contract_in_its_order(flows):
    assert flows.columns == (
        "protocol", "src_ip", "src_port", "dst_ip", "dst_port",
        "packets", "bytes", "payload_bytes", "reverse_packets", "reverse_bytes", "reverse_payload_bytes",
        "first", "last", "tcp_flags", "reverse_tcp_flags",
        "good", "bad", "partial", "absent", "illegal", "truncated", "fragment", "bad_length", "ip_bad", "end_reason",
        "icmp_errors", "icmp_type", "icmp_code",
    )  # fmt: skip


def test_the_columns_of_packets_are_those_of_the_contract_in_its_order(packets):
    assert packets.columns == (
        "packet", "time", "captured_length", "wire_length", "interface", "link_type", "vlan", "ip_version",
        "src_ip", "dst_ip", "protocol", "src_port", "dst_port", "payload_length", "checksum", "verdict", "ip_verdict",
        "tcp_flags", "tcp_seq", "tcp_ack", "tcp_window", "ttl", "ip_id", "fragment_offset", "depth",
        "disposition", "offset",
    )  # fmt: skip


def test_a_column_is_one_aligned_read_only_array_without_a_copy(flows, packets):
    for table in (flows, packets):
        for name in table.columns:
            array = table[name]
            assert len(array) == len(table)
            assert array.shape[1:] == ((16,) if name in ("src_ip", "dst_ip") else ())
            assert array.flags.aligned
            assert not array.flags.writeable
            assert not array.flags.owndata
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
    assert (flows["src_port"].dtype, flows["packets"].dtype, flows["first"].dtype) == (np.uint16, np.uint64, np.int64)


def test_an_empty_capture_gives_no_rows_of_the_same_columns_and_types(flows, packets):
    header = CAPTURE[:24]
    for full, empty in ((flows, fluxcap.read_flows(header)), (packets, fluxcap.read_packets(header))):
        assert len(empty) == 0
        assert empty.columns == full.columns
        for name in full.columns:
            assert (empty[name].dtype, empty[name].shape[1:]) == (full[name].dtype, full[name].shape[1:])
        assert len(empty.sort("src_ip").head(3).to_pandas()) == 0


def test_a_column_that_is_not_there_is_named_with_the_nearest_one(flows):
    with pytest.raises(KeyError, match="did you mean 'src_port'"):
        flows["srcport"]


def test_nbytes_is_what_the_columns_take(packets):
    octets = {"src_ip": 16, "dst_ip": 16}
    assert packets["src_port"].nbytes == 2 * 5
    assert packets["src_ip"].nbytes == 16 * 5
    named = sum(packets[name].dtype.itemsize * octets.get(name, 1) * 5 for name in packets.columns)
    assert packets.nbytes == named + 2 * 5  # and a hidden column: types of ICMP


def test_to_dict_gives_the_arrays_themselves(flows):
    columns = flows.to_dict()
    assert list(columns) == list(flows.columns)
    assert all(columns[name] is flows[name] for name in columns)


@pytest.mark.parametrize(("n", "rows"), [(0, 0), (2, 2), (5, 5), (9, 5), (-1, 0)])
def test_head_gives_the_first_rows(packets, n, rows):
    assert packets.head(n)["packet"].tolist() == [1, 2, 3, 4, 5][:rows]


def test_filter_keeps_the_rows_that_a_mask_of_bools_says(packets):
    kept = packets.filter(packets["dst_port"] == 53)
    assert kept["packet"].tolist() == [1, 5]
    assert kept.metadata is packets.metadata
    for wrong in ([True], [0, 1, 2], np.array([1, 0, 1, 0, 1])):
        with pytest.raises(ValueError, match="5 bools"):
            packets.filter(wrong)


@pytest.mark.parametrize(
    ("by", "descending", "order"),
    [
        ("payload_length", True, [2, 3, 4, 5, 1]),
        ("payload_length", False, [1, 5, 3, 4, 2]),
        ("dst_port", True, [2, 1, 5, 4, 3]),
        (["dst_port", "src_port"], True, [2, 5, 1, 4, 3]),
        (["dst_port", "src_port"], False, [3, 4, 1, 5, 2]),
        # IPv4 is ::ffff:a.b.c.d, so before 2001:db8::; 10.0.0.0 ends in a zero byte, 2001:db8:: in twelve.
        ("src_ip", False, [4, 2, 1, 5, 3]),
        ("src_ip", True, [3, 1, 5, 2, 4]),
    ],
)
def test_sort_is_stable_both_ways_and_compares_addresses_by_their_octets(packets, by, descending, order):
    assert packets.sort(by, descending)["packet"].tolist() == order


def test_sort_by_an_unknown_column_is_refused(packets):
    with pytest.raises(KeyError, match="unknown column 'size'"):
        packets.sort("size")


def test_tables_are_equal_by_their_columns(packets, flows):
    assert packets == fluxcap.read_packets(CAPTURE)
    assert packets != packets.head(4)
    assert packets != packets.sort("packet")
    assert packets != flows
    assert packets != "packets"
    with pytest.raises(TypeError, match="unhashable"):
        hash(packets)


def test_columns_of_unequal_length_make_no_table():
    with pytest.raises(ValueError, match="equal length"):
        Table({"a": np.zeros(1), "b": np.zeros(2)})


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_class_columns_metadata_and_that_arrays_are_read_only(flows, protocol):
    again = pickle.loads(pickle.dumps(flows, protocol))
    assert type(again) is type(flows)
    assert again == flows
    assert again.metadata == flows.metadata
    assert not any(again[name].flags.writeable for name in again.columns)
    assert copy.deepcopy(flows) == flows


def test_pickle_protocol_5_moves_the_columns_out_of_band(flows):
    buffers = []
    data = pickle.dumps(flows, 5, buffer_callback=buffers.append)
    assert len(buffers) == len(flows.columns) + 2  # hidden columns: times of ICMP errors, types of ICMP
    assert pickle.loads(data, buffers=buffers) == flows


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".ndjson", ".JSON"])
def test_a_table_writes_the_file_that_the_command_writes(flows, tmp_path, suffix):
    mine, theirs, capture = tmp_path / f"mine{suffix}", tmp_path / f"theirs{suffix}", tmp_path / "capture.pcap"
    capture.write_bytes(CAPTURE)
    fluxcap.read_flows(capture).write(mine)
    done = command_line.fluxcap("flows", capture, "-o", theirs, "-n", "0", "-s", "+first")
    assert done.returncode == 0
    assert mine.read_text() == theirs.read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_report_writes_the_file_that_the_command_writes(tmp_path, suffix):
    mine, theirs, capture = tmp_path / f"mine{suffix}", tmp_path / f"theirs{suffix}", tmp_path / "capture.pcap"
    capture.write_bytes(CAPTURE)
    fluxcap.read_checksums(capture).write(mine)
    assert command_line.fluxcap("check", capture, "-o", theirs).returncode == 0
    assert mine.read_text() == theirs.read_text()


def test_a_suffix_that_names_no_format_is_refused(flows, tmp_path):
    with pytest.raises(ValueError, match=r"docx: its suffix names no format; use one of \.arrow"):
        flows.write(tmp_path / "flows.docx")


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "old.csv"
    path.write_text("old")
    broken = Table({"a": np.zeros(2, np.complex128)})
    with pytest.raises(TypeError):
        broken.write(path)
    assert [one.name for one in tmp_path.iterdir()] == ["old.csv"]
    assert path.read_text() == "old"


def test_pandas_gets_texts_of_addresses_and_codes_and_times_in_utc(packets):
    frame = packets.to_pandas()
    assert list(frame.columns) == list(packets.columns)
    assert frame["src_ip"].dtype == "category"
    assert frame["src_ip"].tolist() == ["10.0.0.2", "10.0.0.1", "2001:db8::", "10.0.0.0", "10.0.0.2"]
    assert frame["verdict"].tolist() == ["good"] * 5
    assert frame["disposition"].tolist() == ["counted"] * 5
    assert frame["time"].dtype == "datetime64[ns, UTC]"
    assert frame["time"][1] == pd.Timestamp("2023-11-14T22:13:21Z")
    assert frame["src_port"].dtype == np.uint16
    flow_frame = fluxcap.read_flows(CAPTURE, by="src_mac,src_ip").to_pandas()
    assert flow_frame["src_mac"].tolist() == [b.MAC_A.hex(":")] * 4
    assert flow_frame["first"].dtype == "datetime64[ns, UTC]"


# Merging --------------------------------------------------------------------------------------------------------------

HALVES = [
    pcap(records(part, start=(1_700_000_000 + at) * SECOND, step=SECOND), ns=True)
    for at, part in ((0, PACKETS[:2]), (2, PACKETS[2:]))
]


@pytest.mark.parametrize("by", ["5tuple", "ports", "hosts", "sockets", "src_ip/24,dst_port", "protocol"])
@pytest.mark.parametrize("options", [{}, {"interval": 2}, {"idle_timeout": "1500ms"}, {"biflow": False}], ids=str)
def test_merging_the_tables_of_parts_is_reading_them_together(by, options):
    first, second = (fluxcap.read_flows(half, by, **options) for half in HALVES)
    whole = fluxcap.read_flows(HALVES, by, **options)
    assert fluxcap.merge([first, second]) == whole
    assert first | second == whole
    assert (first | second).metadata == whole.metadata
    assert fluxcap.merge([first]) == first


@pytest.mark.parametrize("by", ["5tuple", "hosts", "sockets"])
@pytest.mark.parametrize("idle_timeout", [None, 1.5])
def test_merging_is_associative_and_commutative_up_to_the_order_of_rows(by, idle_timeout):
    singles = [
        fluxcap.read_flows(pcap(records([packet], start=at * SECOND), ns=True), by, idle_timeout=idle_timeout)
        for at, packet in enumerate(PACKETS[:4])
    ]
    expected = fluxcap.merge(singles)
    first, second, third, fourth = singles
    assert first | (second | (third | fourth)) == (first | second) | (third | fourth) == expected
    for order in permutations(singles):
        try:
            merged = fluxcap.merge(order)
        except ValueError as refusal:
            if "time goes back" not in str(refusal):
                raise
            assert order != tuple(singles)
        else:
            assert merged.sort(expected.columns) == expected.sort(expected.columns)


FORTH, BACK = (
    b.ethernet(b.ipv4(b.udp(b"", 1001, 1002))),
    b.ethernet(b.ipv4(b.udp(b"", 1002, 1001), "192.0.2.2", "192.0.2.1")),
)
LATER, EARLIER = (pcap(records([packet], start=at * SECOND), ns=True) for packet, at in ((FORTH, 100), (BACK, 50)))


@pytest.mark.parametrize("options", [{}, {"idle_timeout": "1s"}], ids=str)
def test_time_that_goes_back_between_tables_is_refused_where_a_flow_depends_on_it(options):
    later, earlier = (fluxcap.read_flows(part, **options) for part in (LATER, EARLIER))
    with pytest.raises(ValueError, match=r"time goes back between these tables.*order of time"):
        fluxcap.merge([later, earlier])
    assert fluxcap.merge([earlier, later]) == fluxcap.read_flows([EARLIER, LATER], **options)
    together = fluxcap.read_flows([LATER, EARLIER], biflow=False)
    assert fluxcap.merge([fluxcap.read_flows(part, biflow=False) for part in (LATER, EARLIER)]) == together


def test_merged_files_are_counted_through():
    parts = [HALVES[0], [EARLIER, HALVES[1]], LATER]
    merged = fluxcap.merge(fluxcap.read_flows(part, by="file,protocol") for part in parts)
    whole = fluxcap.read_flows([HALVES[0], EARLIER, HALVES[1], LATER], by="file,protocol")
    assert merged == whole
    assert set(merged["file"].tolist()) == {0, 1, 2, 3}
    assert len(merged.metadata["inputs"]) == 4


def test_tables_of_another_kind_are_refused_in_a_sentence(flows):
    with pytest.raises(ValueError, match="a PacketTable does not merge: only tables of flows do"):
        fluxcap.merge([flows, fluxcap.read_packets(CAPTURE)])


def test_merged_metadata_adds_up():
    first, second = (fluxcap.read_flows(half) for half in HALVES)
    made = (first | second).metadata
    assert made["packets"] == 5
    assert made["inputs"] == ["<bytes>", "<bytes>"]
    assert made["ledger"]["counted"] == (5, sum(map(len, PACKETS)))
    assert (made["first"], made["last"]) == (1_700_000_000 * SECOND, 1_700_000_004 * SECOND)


def test_an_empty_table_is_neutral(flows):
    nothing = fluxcap.read_flows(CAPTURE[:24])
    for merged in (flows | nothing, nothing | flows):
        assert merged == flows
        assert merged.metadata["first"] == flows.metadata["first"]


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ({"by": "ports"}, {}, "different by"),
        ({"by": "src_ip/24,dst_ip/24"}, {"by": "src_ip/16,dst_ip/16"}, "different by"),
        ({"biflow": False}, {}, "different biflow"),
        ({"interval": 1}, {}, "different interval"),
        ({"idle_timeout": 1}, {"idle_timeout": 2}, "different idle_timeout"),
        ({"active_timeout": 1}, {"active_timeout": 1}, "read the captures together"),
    ],
)
def test_tables_that_cannot_be_merged_exactly_are_refused(left, right, message):
    tables = [fluxcap.read_flows(CAPTURE, **options) for options in (left, right)]
    with pytest.raises(ValueError, match=message):
        fluxcap.merge(tables)


def test_nothing_merges_to_an_error_and_a_table_only_with_a_table(flows):
    with pytest.raises(ValueError, match="empty"):
        fluxcap.merge([])
    with pytest.raises(TypeError):
        flows | 1
    assert isinstance(flows.head(1), fluxcap.FlowTable)
    assert not isinstance(flows, PacketTable)


def test_a_fifo_is_written_to_and_not_replaced(flows, tmp_path):
    fifo = tmp_path / "flows.csv"
    os.mkfifo(fifo)
    octets: list[bytes] = []
    reader = Thread(target=lambda: octets.append(fifo.read_bytes()))
    reader.start()
    flows.write(fifo)
    reader.join()
    assert octets[0].count(b"\n") == 1 + len(flows)
    assert fifo.is_fifo()
