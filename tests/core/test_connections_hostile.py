"""Connections of malicious captures, and of captures in any pieces with any number of threads."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcap
from capture_files import Record, pcap
from fluxcap.plan.keys import parse
from fluxcap.plan.semantics import SERVER_PORTS
from strategies import captures, dialogue_frames, fragment_frames, icmp_errors, simple_frames
from tcp_talks import records
from whole_readings import read

SPEC = {
    "fields": parse("5tuple").fields, "biflow": True, "idle_timeout": 0, "active_timeout": 0, "interval": 0,
    "max_flows": 0, "connections": True, "server_ports": SERVER_PORTS,
}  # fmt: skip
steps = st.builds(
    lambda way, what, at, more: f"{way}{what}{at}{more}",
    st.sampled_from("<>"),
    st.sampled_from(["S", "SA", "A", "F", "R", "RA", "FR", "_", "D1", "D1460"]),
    st.sampled_from(["", "", "", "@-1", "@-1460", "@+1", "@+1460", "@+2000000000"]),
    st.sampled_from(["", "", "", "a+1", "w", "!", "i", "~4.9", "~5"]),
)
lines = st.lists(steps, min_size=1, max_size=60).map(" ".join)
frames = st.one_of(dialogue_frames, simple_frames, fragment_frames, icmp_errors)
HALF_OPEN = 100_000
# Peak bytes for each connection of the second capture, in a process that has read the first.
PEAK = """
import resource, sys, fluxcap
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
fluxcap.read_connections(sys.argv[1], threads=1, ignore_checksums=True); before = peak()
table = fluxcap.read_connections(sys.argv[2], threads=1, ignore_checksums=True)
assert {fluxcap.STATES[code] for code in table["state"]} == {"S0"}
print((peak() - before) / len(table))
"""


@settings(max_examples=60)
@given(lines, st.lists(st.integers(1, 400), min_size=1, max_size=20), st.lists(st.integers(1, 3), min_size=1))
def test_a_talk_is_the_same_whoever_reads_it_in_whatever_pieces(line, sizes, threads):
    capture = pcap(records(line))
    check(capture, sizes, threads)


@settings(max_examples=60)
@given(
    captures(frames), st.lists(st.integers(1, 400), min_size=1, max_size=20), st.lists(st.integers(1, 3), min_size=1)
)
def test_any_capture_is_the_same_whoever_reads_it_in_whatever_pieces(capture, sizes, threads):
    check(capture, sizes, threads)


def check(capture: bytes, sizes: list[int], threads: list[int]) -> None:
    def once(sizes: list[int], threads: list[int]) -> dict[str, Any]:
        return read(capture, [*sizes, *[len(capture)] * 2**10], [*threads, *[threads[-1]] * 2**12], key=SPEC)

    assert once(sizes, threads) == once([], [1])


@given(lines)
def test_no_talk_has_more_segments_than_it_has_records(line):
    table = fluxcap.read_connections(pcap(records(line)))
    segments = len(line.split())
    assert int(table["packets"].sum() + table["reverse_packets"].sum()) == segments
    for name in ("retransmitted", "out_of_order", "zero_window"):
        assert int(table[name].sum() + table[f"reverse_{name}"].sum()) <= segments


def half_open(n: int) -> bytes:
    """n SYNs, each of another connection."""
    one = pcap(records(">S"))
    header, record = one[:24], np.frombuffer(one[24:], np.uint8)
    rows = np.tile(record, (n, 1))
    source = 16 + 14 + 12  # of the record header, of Ethernet, of IPv4 before its addresses
    rows[:, source : source + 4] = (np.arange(n, dtype=">u4") + (10 << 24)).view(np.uint8).reshape(n, 4)
    return header + rows.tobytes()


def jumps(n: int) -> bytes:
    """One connection of n segments whose sequence numbers jump back and forth by up to half their space."""
    shake, segment = records(">S <SA >A"), pcap(records(">D1"))[24:]
    rows = np.tile(np.frombuffer(segment, np.uint8), (n, 1))
    seq = 16 + 14 + 20 + 4
    numbers = np.random.default_rng(1).integers(0, 1 << 32, n, dtype=np.uint32)
    rows[:, seq : seq + 4] = numbers.astype(">u4").view(np.uint8).reshape(n, 4)
    return pcap([Record(*one) for one in shake]) + rows.tobytes()


def processor_seconds(capture: bytes) -> float:
    """Processor time; elapsed time depends on other load."""
    start = time.process_time()
    fluxcap.read_connections(capture, threads=1, ignore_checksums=True)
    return time.process_time() - start


@pytest.mark.parametrize("make", [half_open, jumps])
def test_time_is_linear_in_what_was_sent(make):
    small, large = make(HALF_OPEN // 4), make(HALF_OPEN)
    assert min(processor_seconds(large) for _ in range(3)) < 4 * 3 * min(processor_seconds(small) for _ in range(3))


def test_half_open_connections_take_a_bounded_memory_each(tmp_path):
    few, many = tmp_path / "few.pcap", tmp_path / "many.pcap"
    few.write_bytes(half_open(1000))
    many.write_bytes(half_open(HALF_OPEN))
    done = subprocess.run([sys.executable, "-c", PEAK, few, many], capture_output=True, text=True, check=True)
    # A row, its connection and its place in the index: twice 400 bytes while the table doubles, and its columns.
    assert float(done.stdout) < 1600
