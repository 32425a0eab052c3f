"""How the time for a flow table changes with the frames, the flows, the threads and the packets of a capture.

The bytes of every capture are in the page cache, every checksum is verified, `read_flows` runs in this process.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import fluxcap
import timing
import workloads
from fluxcap.reports.bench import COMMAND, floor

PACKETS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
READ_FLOWS, FLOOR, PROCESS = "read_flows", "the floor", "fluxcap flows"


class Point(NamedTuple):
    """The time of one series of a sweep at one point: the median of the runs."""

    sweep: str
    series: str
    x: int
    packets: int
    octets: int
    seconds: float


Works = dict[str, Callable[[], object]]


def by_frame(runs: int, packets: int | None = None) -> Iterator[Point]:
    """Captures of one frame size each, all with the same number of bytes, or with `packets` packets."""
    for size in workloads.FRAMES:
        with _capture(f"frame-{size}", packets) as (path, n):
            yield from _points("frame", size, path, n, _one_thread(path) | {FLOOR: partial(floor, path)}, runs)


def by_flows(runs: int, packets: int | None = None) -> Iterator[Point]:
    """The same number of packets in more and more flows."""
    for flows in workloads.FLOWS:
        with _capture(f"flows-{flows}", packets) as (path, n):
            yield from _points("flows", flows, path, n, _one_thread(path), runs)


def by_threads(runs: int, packets: int | None = None) -> Iterator[Point]:
    """One capture, with one thread up to one a core."""
    with _capture("imix", packets) as (path, n):
        for threads in range(1, (os.cpu_count() or 1) + 1):
            work = partial(fluxcap.read_flows, path, threads=threads)
            yield from _points("threads", threads, path, n, {READ_FLOWS: work}, runs)


def by_packets(runs: int, packets: tuple[int, ...] = PACKETS) -> Iterator[Point]:
    """More and more of the same packets; also as the command, a process of its own."""
    for n in packets:
        with _capture("small", n) as (path, _):
            command = [*(word.replace("{file}", str(path)) for word in COMMAND.command), "--threads", "1"]
            process = partial(subprocess.run, command, check=True)
            yield from _points("packets", n, path, n, _one_thread(path) | {PROCESS: process}, runs)


SWEEPS = (by_frame, by_flows, by_threads, by_packets)


@contextmanager
def _capture(name: str, packets: int | None) -> Iterator[tuple[Path, int]]:
    """A workload and its number of packets, removed after its measurement: all workloads would fill a disk."""
    n = packets or workloads.WORKLOADS[name].packets
    print(f"{name}: {n:,} packets", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        yield workloads.ensure(name, n, Path(folder)), n


def _one_thread(path: Path) -> Works:
    return {READ_FLOWS: partial(fluxcap.read_flows, path, threads=1)}


def _points(sweep: str, x: int, path: Path, packets: int, works: Works, runs: int) -> Iterator[Point]:
    for series, taken in timing.in_turn(works, runs).items():
        yield Point(sweep, series, x, packets, path.stat().st_size, statistics.median(taken))
