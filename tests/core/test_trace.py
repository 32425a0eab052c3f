"""A trace has each task of the threads that read a file once, and changes no result."""

from __future__ import annotations

import math
from collections import Counter

import pytest

import builders as b
from capture_files import pcap, records
from core_driver import FIVE_TUPLE, key
from fluxcap._core import Scanner, trace_tasks, traced_tasks
from whole_readings import LONG, read_file

WINDOW = 256 << 10  # bytes, as all threads read them,
BEGINNING = 4096  # ... behind those that one thread reads
BY = key(*FIVE_TUPLE)
FRAMES = [b.ethernet(b.ipv4(b.udp(bytes(40), port, 53), "192.0.2.1", "192.0.2.2")) for port in range(1024, 1824)]


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "long.pcap"
    path.write_bytes(pcap(records(FRAMES * 50)))
    return path


def traced(path, shards, room=10_000, **options):
    scanner = Scanner(key=BY, shards=shards, **options)
    trace_tasks(scanner, room)
    scanner.begin()
    with path.open("rb", buffering=0) as file:
        scanner.read(file.fileno(), 3)
    columns = scanner.flows()
    return traced_tasks(scanner), {name: bytes(memoryview(column)) for name, column in columns.items()}


@pytest.mark.parametrize("shards", [1, 4])
def test_every_window_of_a_file_is_examined_once_and_counted_in_order_in_each_lane(long, shards):
    tasks, _ = traced(long, shards)
    done = Counter((span, kind) for kind, span, *_ in tasks if kind in ("read", "ahead", "hop", "examine"))
    examined = sorted(span for span, kind in done if kind == "examine")
    assert len(examined) == math.ceil((long.stat().st_size - BEGINNING) / WINDOW)
    for span in examined:
        assert [done[span, kind] for kind in ("read", "ahead", "hop", "examine")] == [1] * 4
    for lane in range(shards + 1 if shards > 1 else 1):
        counted = [
            each
            for kind, span, n, of, *_ in tasks
            if kind in ("alone", "part") and of == lane
            for each in range(span, span + n)
        ]
        assert counted == examined


def test_what_reads_past_damage_shares_windows_that_span_hours(tmp_path):
    path = tmp_path / "slow.pcap"
    path.write_bytes(pcap(records(FRAMES * 50, step=10_000_000_000)))
    tasks, _ = traced(path, 4, resync=True)
    examined = [span for kind, span, *_ in tasks if kind == "examine"]
    assert len(examined) == math.ceil((path.stat().st_size - BEGINNING) / WINDOW)


def test_no_task_is_on_a_processor_for_longer_than_it_takes(long):
    tasks, _ = traced(long, 4)
    slack = 1_000_000  # ns: two clocks that are read one after the other
    assert all(processor <= wall + slack for *_, wall, processor in tasks)


@pytest.mark.parametrize("shards", [1, 4])
def test_a_trace_changes_no_row(long, shards):
    assert traced(long, shards)[1] == read_file(long, 1, key=BY)["flows"]


def test_a_trace_keeps_no_more_tasks_than_it_has_room_for(long):
    assert len(traced(long, 4, room=7)[0]) == 7


def test_one_thread_has_no_tasks(tmp_path):
    path = tmp_path / "mixed.pcap"
    path.write_bytes(LONG["mixed"])
    scanner = Scanner(key=BY)
    trace_tasks(scanner, 100)
    scanner.begin()
    with path.open("rb", buffering=0) as file:
        scanner.read(file.fileno(), 1)
    assert traced_tasks(scanner) == []
