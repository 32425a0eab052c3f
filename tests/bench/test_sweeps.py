"""The sweeps behind the pictures in docs/performance.md measure what they say."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest

import sweeps
import timing
import workloads

PCAP_HEADER, RECORD_HEADER = 24, 16  # bytes


def test_works_run_in_turn_and_their_first_round_does_not_count():
    ran: list[str] = []
    taken = timing.in_turn({name: lambda name=name: ran.append(name) for name in "ab"}, runs=2)
    assert "".join(ran) == "ababab"
    assert {name: len(seconds) for name, seconds in taken.items()} == {"a": 2, "b": 2}


@pytest.mark.slow
def test_by_frame_reads_frames_of_each_size_beside_the_floor():
    points = list(sweeps.by_frame(runs=1, packets=100))
    assert [(p.series, p.x) for p in points] == [
        (series, size) for size in workloads.FRAMES for series in ("read_flows", "the floor")
    ]
    assert [p.octets for p in points] == [PCAP_HEADER + 100 * (RECORD_HEADER + p.x) for p in points]
    assert all(p.seconds > 0 for p in points)


@pytest.mark.slow
def test_by_flows_reads_captures_of_more_and_more_flows(monkeypatch):
    found: set[int] = set()
    monkeypatch.setattr(sweeps.fluxcap, "read_flows", counting(found, sweeps.fluxcap.read_flows))
    assert [p.x for p in sweeps.by_flows(runs=1, packets=1000)] == list(workloads.FLOWS)
    assert found == {100, 1000}  # with a thousand packets there are no more than a thousand flows


def counting(found, read_flows):
    def read(*arguments, **options):
        flows = read_flows(*arguments, **options)
        found.add(len(flows))
        return flows

    return read


def test_by_threads_reads_with_one_thread_up_to_one_a_core(monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(sweeps.fluxcap, "read_flows", lambda path, threads: asked.append(threads))
    cores = list(range(1, os.cpu_count() + 1))
    assert [p.x for p in sweeps.by_threads(runs=1, packets=100)] == cores
    assert sorted(set(asked)) == cores


@pytest.mark.slow
def test_by_packets_reads_more_and_more_in_this_process_and_in_one_of_its_own():
    points = list(sweeps.by_packets(runs=1, packets=(100, 200)))
    assert [(p.series, p.packets) for p in points] == [
        (series, packets) for packets in (100, 200) for series in ("read_flows", "fluxcap flows")
    ]
    here, process = points[:2]
    assert process.seconds > here.seconds
