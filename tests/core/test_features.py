"""Feature columns of flows equal those of a five-line oracle."""

from __future__ import annotations

import json
import statistics
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import command_line
import fluxcap
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, simple_packet
from real_captures import SAMPLES
from strategies import captures, dialogue_frames, fragment_frames, simple_frames, tunnelled_frames

STATISTICS = ("min", "mean", "stddev", "max")
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")
SPLT = 5
MS = 1_000_000


def expected(values: list[int]) -> list[float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0
    return [min(values), statistics.fmean(values), deviation, max(values)] if values else [0, 0, 0, 0]


def found(table: fluxcap.FlowTable, row: int, prefix: str) -> list[float]:
    return [float(table[f"{prefix}_{name}"][row]) for name in STATISTICS]


def gaps_one_by_one(times: list[int]) -> list[int]:
    """The time since the last packet that has one; 0 for the first such packet, -1 for a packet without a time."""
    gaps, before = [], None
    for time in times:
        timed = time != fluxcap.NO_TIME
        gaps.append(-1 if not timed else 0 if before is None else time - before)
        before = time if timed else before
    return gaps


def check(capture: Any, **options: Any) -> int:
    """Compare each flow with its packets; gives the number of flows."""
    flows = fluxcap.read_flows(capture, features=True, splt=SPLT, **options)
    packets = fluxcap.read_packets(capture, columns=["flow", "time", "wire_length", "tcp_flags", "src_ip", "src_port"])
    for row in range(len(flows)):
        own = packets["flow"] == row
        forward = (packets["src_ip"] == flows["src_ip"][row]).all(axis=1) & (
            packets["src_port"] == flows["src_port"][row]
        )
        if int(forward[own].sum()) != flows["packets"][row]:
            continue  # both ends are the same: no column tells the way of a packet
        for prefix, way in (("", own & forward), ("reverse_", own & ~forward), ("both_", own)):
            sizes, times = packets["wire_length"][way].tolist(), packets["time"][way].tolist()
            assert found(flows, row, f"{prefix}size") == pytest.approx(expected(sizes), rel=1e-12)
            gaps = [after - before for before, after in pairwise(time for time in times if time != fluxcap.NO_TIME)]
            assert found(flows, row, f"{prefix}gap") == pytest.approx(expected(gaps), rel=1e-12)
            if prefix != "both_":
                flags = [int((packets["tcp_flags"][way] >> bit & 1).sum()) for bit in range(len(FLAGS))]
                assert [int(flows[f"{prefix}{flag}_packets"][row]) for flag in FLAGS] == flags
        first = np.flatnonzero(own)[:SPLT]
        missing = [-1] * (SPLT - len(first))
        times = packets["time"][first].tolist()
        assert flows["splt_size"][row].tolist() == packets["wire_length"][first].tolist() + missing
        assert flows["splt_direction"][row].tolist() == (~forward[first]).astype(int).tolist() + missing
        assert flows["splt_gap"][row].tolist() == [*gaps_one_by_one(times), *missing]
    return len(flows)


WHOLE = [path for path in sorted(SAMPLES.glob("*.pcap*")) if not path.name.startswith(("cut-inside", "damaged"))]


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_features_are_what_the_packets_of_a_flow_give(path):
    check(path)


@settings(max_examples=60, deadline=None)
@given(captures(dialogue_frames | simple_frames | fragment_frames | tunnelled_frames))
def test_features_of_any_capture_are_what_its_packets_give(capture):
    check(capture)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(dialogue_frames | simple_frames, st.none() | st.integers(0, 99)), max_size=30))
def test_packets_without_a_time_have_no_gap(entries):
    blocks = (simple_packet(frame) if at is None else enhanced_packet(frame, at) for frame, at in entries)
    check(pcapng(interface(), *blocks))


def lengths(*octets: int) -> bytes:
    """A dialogue of one direction, with records of these wire lengths."""
    frame = fluxcap.segment(b"?", ("192.0.2.1", 40000), ("192.0.2.2", 53))
    return pcap([Record(frame, at, wire) for at, wire in enumerate(octets)])


def test_sizes_of_four_gigabytes_do_not_wrap():
    sizes = [0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, 60] * 50
    flows = fluxcap.read_flows(lengths(*sizes), features=True)
    assert found(flows, 0, "size") == pytest.approx(expected(sizes), rel=1e-12)


def test_a_small_deviation_of_large_sizes_is_not_lost_in_rounding():
    sizes = [4_000_000_000, 4_000_000_001] * 500
    flows = fluxcap.read_flows(lengths(*sizes), features=True)
    assert found(flows, 0, "size") == pytest.approx(expected(sizes), rel=1e-12)


def test_a_gap_is_negative_where_the_capture_goes_back():
    frame = fluxcap.segment(b"?", ("192.0.2.1", 40000), ("192.0.2.2", 53))
    flows = fluxcap.read_flows(pcap([Record(frame, time * MS) for time in (5, 9, 2)]), features=True, splt=4)
    assert found(flows, 0, "gap")[::3] == [-7 * MS, 4 * MS]
    assert flows["splt_gap"].tolist() == [[0, 4 * MS, -7 * MS, -1]]


def test_each_piece_of_a_flow_that_a_timeout_cuts_begins_anew():
    frame = fluxcap.segment(b"?", ("192.0.2.1", 40000), ("192.0.2.2", 53))
    capture = pcap([Record(frame, time * MS) for time in (0, 1, 50, 53)])
    flows = fluxcap.read_flows(capture, features=True, splt=2, idle_timeout="20ms")
    assert flows["gap_max"].tolist() == [1 * MS, 3 * MS]
    assert flows["splt_gap"].tolist() == [[0, 1 * MS], [0, 3 * MS]]


def test_without_a_reverse_direction_there_are_only_forward_features():
    flows = fluxcap.read_flows(SAMPLES / "sockets.pcapng", features=True, biflow=False)
    assert "size_mean" in flows.columns
    assert not [name for name in flows.columns if name.startswith(("reverse_", "both_"))]


def test_nobody_who_does_not_ask_gets_features():
    assert "size_mean" not in fluxcap.read_flows(SAMPLES / "sockets.pcapng").columns
    only_first = fluxcap.read_flows(SAMPLES / "sockets.pcapng", splt=1)
    assert "size_mean" not in only_first.columns
    assert only_first["splt_gap"].shape == (len(only_first), 1)


def test_tables_with_features_do_not_merge():
    flows = fluxcap.read_flows(SAMPLES / "sockets.pcapng", features=True)
    with pytest.raises(ValueError, match="features do not merge"):
        flows | flows


@pytest.mark.parametrize("splt", [-1, 256])
def test_no_more_first_packets_than_255(splt):
    with pytest.raises(ValueError, match="splt is 0 to 255"):
        fluxcap.read_flows(SAMPLES / "sockets.pcapng", splt=splt)


def test_the_command_writes_features_in_every_format():
    asked: tuple[str, ...] = ("flows", str(SAMPLES / "sockets.pcapng"), "--features", "--splt", "2", "-n", "1")
    asked += ("--columns", "size_mean,splt_size,splt_direction")
    assert command_line.fluxcap(*asked, "-f", "tsv").stdout.splitlines()[1] == "338.4\t42,42\t0,1"
    assert command_line.fluxcap(*asked, "-f", "csv").stdout.splitlines()[1] == '338.4,"42,42","0,1"'
    row = json.loads(command_line.fluxcap(*asked, "-f", "ndjson").stdout)
    assert row == {"size_mean": 338.4, "splt_size": [42, 42], "splt_direction": [0, 1]}


def test_arrow_gets_floats_and_lists():
    pyarrow = pytest.importorskip("pyarrow")
    flows = fluxcap.read_flows(SAMPLES / "sockets.pcapng", features=True, splt=3)
    table = flows.to_arrow()
    assert table["size_mean"].type == pyarrow.float64()
    assert table["splt_size"].type == pyarrow.list_(pyarrow.field("item", pyarrow.int64(), nullable=False), 3)
    for name in ("size_mean", "gap_stddev", "splt_size", "splt_gap", "splt_direction"):
        assert table[name].to_pylist() == flows[name].tolist()
