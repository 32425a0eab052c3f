"""Captures become tables that equal the oracle's, with timeouts and limits, in batches."""

import datetime
import io
import subprocess
import sys
from ipaddress import ip_address
from typing import Any

import numpy as np
import pytest

import builders as b
import fluxcap
import oracle
from capture_files import enhanced_packet, interface, pcap, pcapng, records, rewrapped
from fluxcap.capture.reading import Reading
from fluxcap.plan.durations import nanoseconds

SECOND = 1_000_000_000
HEADER = 24  # bytes of a pcap file header


def udp(src: str, dst: str, src_port: int, dst_port: int, size: int = 10, checksum=None) -> bytes:
    network = b.ipv6 if ":" in src else b.ipv4
    return b.ethernet(network(b.udp(bytes(size), src_port, dst_port, checksum=checksum), src, dst))


A, B = "10.0.0.1", "10.0.0.2"
REQUEST, REPLY = udp(A, B, 4000, 53, 5), udp(B, A, 53, 4000, 100)
MIXED = [
    REQUEST,
    REPLY,
    udp(A, B, 4000, 53, 7, "partial"),
    udp("2001:db8::1", "2001:db8::2", 4000, 53),
    udp("2001:db8::2", "2001:db8::1", 53, 4000, 20, 0x1234),
    udp("2001:db8::1", "2001:db8::2", 4000, 53, 3, 0),
    b.ethernet(b.ipv4(b.tcp(b"GET", 4001, 80, flags=b.SYN), A, B)),
    b.ethernet(b.ipv4(b.tcp(b"", 80, 4001, flags=b.SYN | b.ACK), B, A)),
    b.ethernet(b.ipv4(b.icmp(b"\0\x4d\0\1ping", 8), A, B)),
    b.ethernet(b.ipv4(b.icmp(b"\0\x4d\0\1ping", 0), B, A)),
    b.ethernet(b.ipv4(b.udp(b"x", 1, 2, checksum=0), A, "10.0.1.1", checksum=0xBEEF)),
    b.ethernet(b"\0\1\x08\0\6\4\0\1" + bytes(20), 0x0806),
]
CAPTURE = pcap(records(MIXED), ns=True)


# Against the oracle ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "by", [*oracle.NAMED_KEYS, "src_ip/24,dst_ip/24", "src_ip,dst_port", "protocol", "src_ip/8/33"]
)
@pytest.mark.parametrize("biflow", [True, False])
def test_a_flow_table_is_a_group_by_of_the_packets(by, biflow):
    table = fluxcap.read_flows(CAPTURE, by, biflow=biflow)
    expected = oracle.flow_table([seen for seen in oracle.observe(CAPTURE) if seen is not None], by, biflow)
    assert len(table) == len(expected)
    names = [name for name in table.columns if name in oracle.Observation._fields and name not in ("tcp_flags",)]
    assert table.metadata["biflow"] is (biflow and oracle.is_symmetric(oracle.key_fields(by)))
    for row, (key, flow) in enumerate(expected.items()):
        fields = dict(zip([name for name, *_ in oracle.key_fields(by)], key, strict=True))
        for name in names:
            value = table[name][row]
            assert (value.tobytes() if value.ndim else int(value)) == fields[name]
        directions = [("", flow.forward)] + ([("reverse_", flow.reverse)] if table.metadata["biflow"] else [])
        for prefix, direction in directions:
            for name in ("packets", "bytes", "payload_bytes", "tcp_flags"):
                assert int(table[prefix + name][row]) == getattr(direction, name)
        for verdict in fluxcap.VERDICTS[1:]:
            assert int(table[verdict][row]) == flow.verdicts[verdict]
        assert [int(table[name][row]) for name in ("first", "last", "ip_bad")] == [flow.first, flow.last, flow.ip_bad]


@pytest.mark.parametrize("wrap", [lambda made: pcap(made, ns=True), rewrapped], ids=["pcap", "pcapng"])
def test_a_packet_table_has_what_the_oracle_observes(wrap):
    capture = wrap(records(MIXED))
    table = fluxcap.read_packets(capture)
    observed = oracle.observe(capture)
    assert len(table) == len(observed) == len(MIXED)
    for row, seen in enumerate(observed):
        assert seen is not None
        expected = seen._asdict()
        for name in ("src_ip", "dst_ip"):
            assert table[name][row].tobytes() == (expected.pop(name) or bytes(16))
        for name in ("verdict", "ip_verdict"):
            assert fluxcap.VERDICTS[table[name][row]] == expected.pop(name)
        assert {name: int(table[name][row]) for name in expected} == expected
        start = int(table["offset"][row])
        assert capture[start : start + len(MIXED[row])] == MIXED[row]


def test_the_metadata_of_every_table_accounts_for_every_record_and_octet():
    octets = sum(map(len, MIXED))
    arp = len(MIXED[-1])
    for table in (fluxcap.read_flows(CAPTURE), fluxcap.read_packets(CAPTURE)):
        made = table.metadata
        assert made["inputs"] == ["<bytes>"]
        assert (made["skipped"], made["damage"]) == ([], [])
        assert (made["packets"], made["captured_octets"], made["wire_octets"]) == (len(MIXED), octets, octets)
        assert made["ledger"]["counted"] == (len(MIXED) - 1, octets - arp)
        assert made["ledger"]["non_ip"] == (1, arp)
        assert tuple(made["ledger"]) == fluxcap.DISPOSITIONS
        assert made["last"] - made["first"] == (len(MIXED) - 1) * 1_000_000


def test_a_ledger_that_does_not_add_up_is_a_bug_and_says_so():
    reading: Any = Reading()
    totals = reading.scanner.totals()

    class Miscounting:
        def totals(self):
            return totals | {"packets": 1}

    reading.scanner = Miscounting()
    with pytest.raises(RuntimeError, match="bug in fluxcap"):
        reading.metadata()


def test_several_inputs_are_one_capture_in_the_order_given():
    parts = [pcap(records([packet])) for packet in (REQUEST, REPLY, REQUEST)]
    flows = fluxcap.read_flows(parts)
    assert (flows["packets"].tolist(), flows["reverse_packets"].tolist()) == ([2], [1])
    packets = fluxcap.read_packets(parts, columns="file,packet,src_port")
    assert packets.columns == ("file", "packet", "src_port")
    assert packets["file"].tolist() == [0, 1, 2]
    assert packets["packet"].tolist() == [1, 1, 1]
    assert packets["src_port"].tolist() == [4000, 53, 4000]


def test_without_decap_the_outer_packet_is_seen():
    inner = b.ipv4(b.udp(b"x", 7, 8), "10.1.0.1", "10.1.0.2")
    capture = pcap(records([b.ethernet(b.ipv4(b.gre(inner), A, B))]))
    assert [fluxcap.read_flows(capture, decap=decap)["src_port"].tolist() for decap in (True, False)] == [[7], [0]]
    assert fluxcap.read_packets(capture, decap=False)["protocol"].tolist() == [b.GRE]
    (batch,) = fluxcap.scan_packets(capture, decap=False)
    assert batch["depth"].tolist() == [0]


# Columns and flows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["5tuple", "ports", "sockets", "src_ip/24,dst_port"])
def test_the_column_flow_is_the_row_in_the_flow_table_of_the_same_key(by):
    packets = fluxcap.read_packets(CAPTURE, by=by)
    assert packets.columns[-1] == "flow"
    flows = fluxcap.read_flows(CAPTURE, by, biflow=True)
    counted = packets["flow"][packets["flow"] >= 0]
    total = flows["packets"] + (flows["reverse_packets"] if flows.metadata["biflow"] else 0)
    assert np.bincount(counted, minlength=len(flows)).tolist() == total.tolist()
    assert packets["flow"][-1] == -1  # ARP is in no flow


def test_the_column_flow_alone_is_by_five_tuple():
    packets = fluxcap.read_packets(CAPTURE, columns=["flow"])
    assert packets == fluxcap.read_packets(CAPTURE, columns=["flow"], by="5tuple")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["src_prt"]}, "unknown column 'src_prt'; did you mean 'src_port'"),
        ({"columns": []}, "at least one column"),
        ({"columns": "time,time"}, "none twice"),
        ({"columns": ["time"], "by": "ports"}, "not among the columns"),
        ({"columns": ["flow"], "by": "port"}, "unknown key field"),
        ({"on_damage": "ignore"}, "'warn', 'raise' or 'resync'"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_read(options, message):
    with pytest.raises(ValueError, match=message):
        fluxcap.read_packets(io.BytesIO(b"never read"), **options)


# Timeouts, intervals, limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, 0),
        (30, 30 * SECOND),
        (0.1, 100_000_000),
        (1e-9, 1),
        (86400.000000001, 86400 * SECOND + 1),
        ("30", 30 * SECOND),
        ("30s", 30 * SECOND),
        (" 1.5 m ", 90 * SECOND),
        ("500ms", 500_000_000),
        ("7us", 7000),
        ("7µs", 7000),
        ("0.3ns", None),
        ("1h", 3600 * SECOND),
        ("2d", 2 * 86400 * SECOND),
        (".5s", SECOND // 2),
        (datetime.timedelta(days=1, microseconds=1), 86_400_000_001_000),
        (np.timedelta64(3, "ms"), 3_000_000),
        (np.float64(0.25), SECOND // 4),
        (0, None),
        (-1, None),
        ("-1s", None),
        ("1 week", None),
        ("", None),
        (float("nan"), None),
        (float("inf"), None),
        ("300000d", None),
    ],
)
def test_a_length_of_time_is_whole_nanoseconds_without_rounding_errors(given, expected):
    if expected is None:
        with pytest.raises(ValueError, match="idle_timeout"):
            nanoseconds(given, "idle_timeout")
    else:
        assert nanoseconds(given, "idle_timeout") == expected


@pytest.mark.parametrize("wrong", [True, [1], object()])
def test_what_is_no_length_of_time_is_refused(wrong):
    with pytest.raises(TypeError, match="no length of time"):
        fluxcap.read_flows(CAPTURE, idle_timeout=wrong)


def test_an_idle_timeout_ends_a_flow_and_an_interval_splits_it():
    capture = pcap(records([REQUEST] * 4, start=100 * SECOND, step=2 * SECOND))
    assert fluxcap.read_flows(capture, idle_timeout="2001ms")["packets"].tolist() == [4]
    assert fluxcap.read_flows(capture, idle_timeout="1999ms")["packets"].tolist() == [1, 1, 1, 1]
    active = fluxcap.read_flows(capture, active_timeout=3)
    assert active["packets"].tolist() == [2, 2]
    assert active.metadata["active_timeout"] == 3 * SECOND
    split = fluxcap.read_flows(capture, interval=datetime.timedelta(seconds=4))
    assert split["packets"].tolist() == [2, 2]
    assert split["interval"].tolist() == [100 * SECOND, 104 * SECOND]
    assert split.columns[5] == "interval"


def test_max_flows_stops_before_the_flow_too_many_and_says_so():
    capture = pcap(records([udp(A, B, port, 53) for port in (1, 2, 1, 3, 1)]))
    with pytest.warns(UserWarning, match="stopped at max_flows"):
        table = fluxcap.read_flows([capture, capture], max_flows=2)
    assert table["packets"].tolist() == [2, 1]
    assert table.metadata["packets"] == 3
    assert table.metadata["flows_full"] is True
    assert fluxcap.read_flows(capture, max_flows=3).metadata["flows_full"] is False
    with pytest.raises(ValueError, match="at least 1"):
        fluxcap.read_flows(capture, max_flows=0)


def test_the_number_of_threads_changes_nothing():
    capture = pcap(records([udp(A, B, port, 53) for port in range(100)]))
    assert fluxcap.read_flows(capture, threads=2) == fluxcap.read_flows(capture)
    with pytest.raises(ValueError, match="at least 1"):
        fluxcap.read_flows(capture, threads=0)


class Interrupted(io.BytesIO):
    """Ctrl-C while a read waits for bytes."""

    def readinto1(self, buffer) -> int:
        n = super().readinto1(buffer)
        if n == 0:
            raise KeyboardInterrupt
        return n


def test_ctrl_c_raises_or_on_request_gives_what_was_read():
    unfinished = pcap(records([REQUEST] * 20))[:-1]
    with pytest.raises(KeyboardInterrupt):
        fluxcap.read_flows(Interrupted(unfinished))
    table = fluxcap.read_flows(Interrupted(unfinished), on_interrupt="return")
    assert table.metadata["interrupted"] is True
    assert table["packets"].tolist() == [19]
    assert table.metadata["damage"] == []
    assert fluxcap.read_info(Interrupted(unfinished), on_interrupt="return").packets == 19
    assert fluxcap.read_checksums(Interrupted(unfinished), on_interrupt="return").packets == 19
    scan = fluxcap.scan_packets(Interrupted(unfinished), batch_size=8, on_interrupt="return")
    assert [len(batch) for batch in scan] == [8, 8, 3]
    assert scan.metadata["interrupted"] is True


# Batches --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 5, 255, 256, 257, 999, 1000, 1001])
def test_batches_are_of_the_size_asked_for_and_together_the_whole_table(batch_size):
    packets = [udp(A, B, port, 53) for port in range(1000)]
    capture = pcap(records(packets))
    scan = fluxcap.scan_packets(capture, batch_size=batch_size)
    whole = fluxcap.read_packets(capture)
    for _ in range(2):  # it can be iterated again
        batches = list(scan)
        sizes = [len(batch) for batch in batches]
        assert sizes == [batch_size] * (1000 // batch_size) + [1000 % batch_size] * (1000 % batch_size > 0)
        for name in whole.columns:
            assert np.array_equal(np.concatenate([batch[name] for batch in batches]), whole[name])
        assert scan.metadata == whole.metadata


def test_a_scan_has_columns_at_once_and_metadata_at_the_end():
    scan = fluxcap.scan_packets(CAPTURE, columns=["time", "flow"], batch_size=5)
    assert scan.columns == ("time", "flow")
    assert scan.metadata == {}
    batches = iter(scan)
    assert next(batches).columns == ("time", "flow")
    assert scan.metadata == {}
    assert [len(batch) for batch in batches] == [5, 2]
    assert scan.metadata["packets"] == len(MIXED)
    assert repr(scan) == "<PacketScan of <bytes>: 2 columns, 5 packets a batch>"


def test_a_capture_without_packets_gives_no_batch():
    scan = fluxcap.scan_packets(CAPTURE[:HEADER])
    assert list(scan) == []
    assert scan.metadata["packets"] == 0


def test_a_batch_has_at_least_one_row():
    with pytest.raises(ValueError, match="at least 1"):
        fluxcap.scan_packets(CAPTURE, batch_size=0)


def test_an_open_file_is_scanned_once_and_the_second_time_says_so():
    scan = fluxcap.scan_packets(io.BytesIO(CAPTURE))
    assert sum(map(len, scan)) == len(MIXED)
    with pytest.raises(ValueError, match="only once"):
        iter(scan)


# The package ----------------------------------------------------------------------------------------------------------


def test_nothing_imports_numpy_that_needs_no_table(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(CAPTURE)
    program = (
        "import sys, fluxcap\n"
        "assert fluxcap.__name__ and fluxcap.VERDICTS and fluxcap.CaptureError and 'merge' in dir(fluxcap)\n"
        f"assert fluxcap.read_info(sys.argv[1]).packets == {len(MIXED)}\n"
        "assert 'numpy' not in sys.modules and 'rich' not in sys.modules\n"
        "assert fluxcap.FlowTable is fluxcap.read_flows(sys.argv[1]).__class__"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)


def test_every_public_name_is_there_and_no_other():
    for name in set(fluxcap.__all__) - {"__version__"}:
        assert getattr(fluxcap, name).__class__
        assert name in dir(fluxcap)
    with pytest.raises(AttributeError, match="no attribute 'read_nothing'"):
        fluxcap.read_nothing  # noqa: B018


def test_columns_that_outgrow_the_heap_keep_every_row():
    rows = 1_100_000  # one column needs pages of its own from 8 MiB on, the other stays below
    headers = np.zeros((rows, 4), "<u4")  # empty records, a second apart
    headers[:, 0] = np.arange(rows)
    table = fluxcap.read_packets(pcap([]) + headers.tobytes(), columns="packet,time,link_type")
    assert np.array_equal(table["packet"], np.arange(1, rows + 1))
    assert np.array_equal(table["time"], np.arange(rows) * SECOND)
    assert np.array_equal(table["link_type"], np.ones(rows))


def test_addresses_are_sixteen_octets_with_ipv4_mapped():
    table = fluxcap.read_packets(CAPTURE)
    assert table["src_ip"][0].tobytes() == ip_address("::ffff:10.0.0.1").packed
    assert table["src_ip"][3].tobytes() == ip_address("2001:db8::1").packed


def test_link_types_that_are_not_read_are_said_once_and_counted():
    bluetooth, usb = 187, 220
    blocks = [interface(link_type) for link_type in (bluetooth, usb, 1)]
    packets = [enhanced_packet(bytes(20), 0, which) for which in (0, 1, 0, 0, 2)]
    with pytest.warns(UserWarning, match="not read: 3 of BLUETOOTH_HCI_H4, 1 of USB_LINUX") as caught:
        table = fluxcap.read_flows([pcapng(*blocks, *packets[:3]), pcapng(*blocks, *packets[3:])])
    assert len(caught) == 1
    assert table.metadata["ledger"]["unknown_link"] == (4, 80)
