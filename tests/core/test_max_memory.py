"""A limit on memory: the reading stops exactly before it, with any number of threads."""

import os
import subprocess
import sys

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from command_line import fluxcap as run
from fluxcap.plan import processors
from fluxcap.plan.sizes import octets

FLOWS = 30_000
FRAMES = [b.ethernet(b.ipv4(b.udp(b"", 1 + at % 60_000, 9, checksum=at % 3 and None))) for at in range(FLOWS)]
CAPTURE = pcap(records(FRAMES))


@pytest.mark.parametrize(
    ("text", "right"),
    [(1 << 20, 1 << 20), ("1MiB", 1 << 20), ("2m", 2 << 20), ("3 GB", 3 * 10**9), ("1500000000", 1_500_000_000)],
)
def test_a_size_is_octets_or_a_number_with_a_unit(text, right):
    assert octets(text, "max_memory") == right


@pytest.mark.parametrize("wrong", ["", "x", "1.5G", "-1", "1PB", 0, -5, 1023, True, 2**63])
def test_what_is_no_size_is_refused_by_name(wrong):
    with pytest.raises((ValueError, TypeError), match="max_memory"):
        fluxcap.read_flows(CAPTURE, max_memory=wrong)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("read", [fluxcap.read_flows, fluxcap.read_connections])
def test_what_was_read_before_the_bound_is_exact(read, threads, monkeypatch):
    monkeypatch.setattr(processors, "OCTETS_A_THREAD", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(threads)))
    with pytest.warns(UserWarning, match="stopped at max_memory"):
        table = read(CAPTURE, max_memory="2M", threads=threads)
    n = len(table)
    assert 2**21 / 1000 < n < 2**21 / 300
    packets = int(table["packets"].sum()) + int(table["reverse_packets"].sum())
    assert table.metadata["packets"] == packets == n  # each flow has one
    assert (table.metadata["flows_full"], table.metadata["limit"]) == (True, "max_memory")
    whole = read(CAPTURE)
    for name in ("src_port", "first", "absent", "good"):
        assert table[name].tolist() == whole[name][:n].tolist()
    with pytest.warns(UserWarning, match="stopped at max_memory"):
        assert len(read(CAPTURE, max_memory="2M", threads=1)) == n


def test_a_bound_that_is_not_reached_changes_nothing():
    assert fluxcap.read_flows(CAPTURE, max_memory="1G") == fluxcap.read_flows(CAPTURE)


def test_the_first_limit_that_is_reached_is_named():
    with pytest.warns(UserWarning, match="stopped at max_flows"):
        table = fluxcap.read_flows(CAPTURE, max_memory="1G", max_flows=7)
    assert (len(table), table.metadata["limit"]) == (7, "max_flows")


def test_an_aggregator_stops_there_too():
    flows = fluxcap.FlowAggregator(max_memory="1M")
    with pytest.warns(UserWarning, match="stopped at max_memory"):
        flows.feed(CAPTURE)
    assert 1000 < len(flows.result()) < FLOWS


@pytest.mark.parametrize("command", ["flows", "connections", "sockets"])
def test_the_command_prints_what_was_read_and_exits_with_4(command, tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(CAPTURE)
    done = run(command, "--max-memory", "1M", path)
    assert done.returncode == 4
    assert "--max-memory: " in done.stderr
    assert len(done.stdout.splitlines()) > 1000


@pytest.mark.slow
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer takes memory of its own")
def test_a_process_takes_no_more_for_its_flows_than_the_bound(tmp_path):
    path = tmp_path / "in.pcap"
    frames = [b.ethernet(b.ipv4(b.udp(b"", 1 + at % 60_000, 1 + at // 60_000, checksum=0))) for at in range(0, 240_000)]
    path.write_bytes(pcap(records(frames)))
    script = """
import sys, fluxcap, numpy
def peak():
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
fluxcap.read_flows(sys.argv[1], max_memory="1M", threads=1)
before = peak()
table = fluxcap.read_flows(sys.argv[1], max_memory="16M", threads=1)
print(len(table), peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, path], capture_output=True, text=True, env=dict(os.environ)
    )
    flows, taken = map(int, done.stdout.split())
    assert taken < 16 << 20
    assert flows > (16 << 20) / 400


def test_a_row_that_takes_more_later_counts_towards_the_bound():
    """Rows that are there already take more with a third verdict, and connections with many holes."""
    ports = range(1, 3001)
    verdicts = [
        b.ethernet(b.ipv4(b.udp(b"x", port, 9, checksum=checksum))) for checksum in (None, 0, 1) for port in ports
    ]
    with pytest.warns(UserWarning, match="stopped at max_memory"):
        table = fluxcap.read_flows(pcap(records(verdicts)), max_memory="1100K", threads=1)
    assert len(table) == len(ports)
    assert len(ports) * 2 < table.metadata["packets"] < len(verdicts)


HOLES = [
    b.ethernet(b.ipv4(b.tcp(b"x", port, 80, seq=10 * at, flags=b.ACK))) for at in range(6) for port in range(1, 999)
]


@pytest.mark.parametrize("threads", [1, 4])
def test_holes_of_connections_stop_the_reading_at_the_same_record_in_any_batch(threads, monkeypatch):
    monkeypatch.setattr(processors, "OCTETS_A_THREAD", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(threads)))
    with pytest.warns(UserWarning, match="stopped at max_memory"):
        table = fluxcap.read_connections(pcap(records(HOLES)), max_memory="1500K", threads=threads)
    packets = table.metadata["packets"]
    assert len(table) == 998
    assert int(table["packets"].sum() + table["reverse_packets"].sum()) == packets < len(HOLES)
    for place in (packets, packets + 1):  # one input ends where the bound was reached, one a record later
        inputs = [pcap(records(HOLES[:place])), pcap(records(HOLES[place:]))]
        with pytest.warns(UserWarning, match="stopped at max_memory"):
            assert fluxcap.read_connections(inputs, max_memory="1500K").metadata["packets"] == packets


def test_errors_about_flows_not_seen_are_kept_within_the_bound():
    frames = [
        b.ethernet(b.ipv4(b.icmp(bytes(b.ipv4(b.udp(b"", 1 + at, 9)))[:28], 3, 3, bytes(4)))) for at in range(20_000)
    ]
    with pytest.warns(UserWarning, match=r"[\d,]+ ICMP errors about flows not seen before them are not kept"):
        table = fluxcap.read_flows(pcap(records(frames)), max_memory="2M")
    assert (len(table), table.metadata["packets"], table.metadata["limit"]) == (1, len(frames), "")
    kept = len(table._unseen)
    assert 2**21 / 600 < kept < 2**21 / 200
