"""The workloads of the benchmarks have the properties they are named for."""

import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from oracle import Observation, flow_table, observe

sys.path.insert(0, str(Path(__file__).parent))

import workloads

PACKETS = 2000
UDP_HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP


@pytest.fixture(scope="module", params=["small", "imix", "big", "flood", "frame-256", "flows-100"])
def workload(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Observation]]:
    path = workloads.ensure(request.param, PACKETS, tmp_path_factory.mktemp("workloads"))
    return request.param, [seen for seen in observe(path.read_bytes()) if seen is not None]


def test_every_checksum_is_good(workload: tuple[str, list[Observation]]) -> None:
    _, packets = workload
    assert Counter((seen.verdict, seen.ip_verdict) for seen in packets) == {("good", "good"): PACKETS}


def test_packets_are_whole_and_a_microsecond_apart(workload: tuple[str, list[Observation]]) -> None:
    _, packets = workload
    assert all(seen.captured_length == seen.wire_length for seen in packets)
    assert {later.time - seen.time for seen, later in pairwise(packets)} == {1000}


def test_frames_have_the_sizes_of_their_workload(workload: tuple[str, list[Observation]]) -> None:
    name, packets = workload
    frames = [seen.wire_length for seen in packets]
    if name == "imix":
        shares = Counter("small" if size < 100 else "middle" if size < 1000 else "large" for size in frames)
        assert shares["small"] / PACKETS == pytest.approx(7 / 12, abs=0.05)
        assert shares["middle"] / PACKETS == pytest.approx(4 / 12, abs=0.05)
        assert shares["large"] / PACKETS == pytest.approx(1 / 12, abs=0.03)
    else:
        low, high = {
            "small": (UDP_HEADERS + 18, UDP_HEADERS + 97),
            "big": (1200, 1450),
            "flood": (UDP_HEADERS + 18, UDP_HEADERS + 18),
            "frame-256": (256, 256),
            "flows-100": (UDP_HEADERS + 18, UDP_HEADERS + 18),
        }[name]
        assert (min(frames), max(frames)) == (low, high)


def test_protocols_are_those_of_the_workload(workload: tuple[str, list[Observation]]) -> None:
    name, packets = workload
    assert {seen.protocol for seen in packets} == ({6, 17} if name == "imix" else {17})


def test_flows_are_as_frequent_as_the_workload_says(workload: tuple[str, list[Observation]]) -> None:
    name, packets = workload
    rows = flow_table(packets).values()
    if name == "flood":
        assert len(rows) == PACKETS
        return
    if name == "flows-100":
        assert [row.forward.packets + row.reverse.packets for row in rows] == [PACKETS // 100] * 100
        return
    heaviest = max(row.forward.packets + row.reverse.packets for row in rows)
    harmonic = sum(1 / rank for rank in range(1, (workloads.WORKLOADS[name].flows or 0) + 1))
    assert heaviest / PACKETS == pytest.approx(1 / harmonic, rel=0.3)
    assert 0.2 * PACKETS < len(rows) < 0.9 * PACKETS
    assert sum(row.reverse.packets for row in rows) > 0.1 * PACKETS


def test_the_same_octets_are_made_again_and_kept(tmp_path: Path) -> None:
    first = workloads.ensure("imix", 50, tmp_path / "first")
    again = workloads.ensure("imix", 50, tmp_path / "again")
    assert first.read_bytes() == again.read_bytes()
    made = again.stat().st_mtime_ns
    assert workloads.ensure("imix", 50, tmp_path / "again").stat().st_mtime_ns == made


def test_sockets_take_no_more_than_one_and_a_half_times_the_memory_of_their_connections(tmp_path):
    path = workloads.ensure("flood", 300_000, tmp_path)  # more sockets than connections
    script = """
import sys, fluxcap, numpy
def peak():
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
getattr(fluxcap, sys.argv[2])(sys.argv[1], threads=1)
print(peak() - before)
"""
    taken = {
        name: int(subprocess.run([sys.executable, "-c", script, path, name], capture_output=True, check=True).stdout)
        for name in ("read_connections", "read_sockets")
    }
    assert taken["read_sockets"] <= 1.5 * taken["read_connections"]
