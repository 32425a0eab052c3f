"""A limit on the memory of packets: rows end exactly before it, and every record is counted."""

import os
import subprocess
import sys

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from command_line import fluxcap as run

PACKETS = 30_000
FRAMES = [b.ethernet(b.ipv4(b.udp(b"", 1 + at, 9, checksum=None))) for at in range(PACKETS)]
CAPTURE = pcap(records(FRAMES))
BOUND = 1 << 20
STOPPED = "stopped at max_memory"


def test_rows_that_fit_are_made_and_the_others_are_counted():
    with pytest.warns(UserWarning, match=STOPPED) as warned:
        table = fluxcap.read_packets(CAPTURE, max_memory=BOUND)
    whole = fluxcap.read_packets(CAPTURE)
    a_row = whole.nbytes // PACKETS
    assert len(table) == BOUND // a_row  # columns of less than 2 MiB take their rows, and nothing else
    assert table.metadata["rows_left_out"] == PACKETS - len(table)
    assert f"{PACKETS - len(table):,} packets" in str(warned[0].message)
    assert (table.metadata["packets"], table.metadata["limit"]) == (PACKETS, "max_memory")
    assert table.metadata["ledger"] == whole.metadata["ledger"]
    assert table == whole.head(len(table))


def test_a_bound_that_is_not_reached_changes_nothing():
    table = fluxcap.read_packets(CAPTURE, max_memory="1G")
    assert table == fluxcap.read_packets(CAPTURE)
    assert (table.metadata["rows_left_out"], table.metadata["limit"]) == (0, "")


def test_columns_that_are_not_asked_for_take_no_memory():
    assert len(fluxcap.read_packets(CAPTURE, columns="src_port", max_memory=BOUND)) == PACKETS


@pytest.mark.parametrize("packets", ["src_port,verdict", True])
def test_flows_and_their_packets_share_one_bound(packets):
    with pytest.warns(UserWarning, match=STOPPED):
        flows, rows = fluxcap.read_flows(CAPTURE, packets=packets, max_memory="4M")
    with pytest.warns(UserWarning, match=STOPPED):
        assert len(flows) < len(fluxcap.read_flows(CAPTURE, max_memory="4M"))
    assert flows.nbytes + rows.nbytes < 4 << 20
    assert len(flows) == flows.metadata["packets"]  # each flow has one packet
    assert 0 <= len(flows) - len(rows) == rows.metadata["rows_left_out"] < 32  # less than a batch
    assert flows.metadata["limit"] == rows.metadata["limit"] == "max_memory"


def test_packets_of_known_flows_are_counted_after_their_rows_end():
    few = pcap(records([FRAMES[at % 50] for at in range(PACKETS)]))
    with pytest.warns(UserWarning, match=STOPPED):
        flows, rows = fluxcap.read_flows(few, packets=True, max_memory=BOUND)
    assert int(flows["packets"].sum()) == PACKETS == len(rows) + rows.metadata["rows_left_out"]
    assert 0 < len(rows) < PACKETS


def test_a_scan_stops_where_its_flows_take_more():
    scan = fluxcap.scan_packets(CAPTURE, columns="flow", batch_size=1000, max_memory=BOUND)
    with pytest.warns(UserWarning, match=STOPPED):
        rows = sum(len(part) for part in scan)
    with pytest.warns(UserWarning, match=STOPPED):
        assert rows == len(fluxcap.read_flows(CAPTURE, max_memory=BOUND))
    assert scan.metadata["limit"] == "max_memory"


@pytest.mark.parametrize("read", [fluxcap.read_packets, fluxcap.scan_packets])
def test_what_is_no_size_is_refused_by_name(read):
    with pytest.raises(ValueError, match="max_memory"):
        read(CAPTURE, max_memory="x")


@pytest.mark.parametrize(("how", "rows"), [(["--sort", "src_port"], 9_000), (["--columns", "flow"], 2_000)])
def test_the_command_prints_the_rows_that_fit_and_exits_with_4(how, rows, tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(CAPTURE)
    done = run("packets", "--max-memory", "1M", *how, path)
    assert done.returncode == 4
    assert "--max-memory: " in done.stderr
    assert STOPPED in done.stderr
    assert rows < len(done.stdout.splitlines()) < PACKETS


def test_the_command_needs_no_more_for_packets_that_it_writes_as_they_come(tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(CAPTURE)
    done = run("packets", "--max-memory", "1M", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1 + PACKETS


@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer takes memory of its own")
def test_a_process_takes_no_more_for_its_rows_than_the_bound(tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap(records(FRAMES * 20)))
    script = """
import sys, fluxcap, numpy
def peak():
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
fluxcap.read_packets(sys.argv[1], max_memory="1M")
before = peak()
table = fluxcap.read_packets(sys.argv[1], max_memory="32M")
print(len(table), peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, path], capture_output=True, text=True, env=dict(os.environ)
    )
    rows, taken = map(int, done.stdout.split())
    assert taken < 32 << 20
    assert rows > (32 << 20) / 200
