"""How far read_flows scales: the tasks of one run, scheduled on 1 to 64 processors by the rules of the core.

usage: bench_scaling.py [--packets N] [--runs N] [--out FOLDER]    `--out` needs the extra `report`

A run with two threads keeps what each task took on a processor and how long threads waited for one
(pyx/fluxcap/threads/trace.pxd). The schedule then takes these tasks in the order in which pyx/fluxcap/threads/tasks.pxd
does. It knows no caches and no memory but those of the run.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import timing
import workloads
from fluxcap._core import Scanner, trace_tasks, traced_tasks
from fluxcap.plan.processors import shards_for
from sweeps import Point

CORES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
SPANS_A_THREAD, SHARDS_A_SPAN, SPANS_A_PART = 3, 4, 16  # pyx/fluxcap/threads/crew.pxd
WINDOW = 256 << 10  # bytes: pyx/fluxcap/capture/window.pxd
TASKS = 1 << 20  # kept at most
FIELDS = ("protocol", "src_ip", "src_port", "dst_ip", "dst_port")
KEY = {
    "fields": [(name, 32, 128) for name in FIELDS],
    "biflow": True,
    "idle_timeout": 0,
    "active_timeout": 0,
    "interval": 0,
    "max_flows": 0,
}
WORK, WAITS = ("read", "ahead", "hop", "examine", "alone", "part"), ("turn", "idle")


class Task(NamedTuple):
    kind: str
    span: int  # the first one, of `n`
    n: int
    lane: int
    began: int  # monotonic, ns
    wall: int  # ns
    processor: int  # ns


@dataclass(frozen=True)
class Run:
    """What one reading took; times are seconds."""

    octets: int
    threads: int
    shards: int
    wall: float
    processor: float
    tasks: tuple[Task, ...]

    def took(self, kinds: tuple[str, ...]) -> float:
        """Time on a processor of all tasks of these kinds."""
        return sum(task.processor for task in self.tasks if task.kind in kinds) / 1e9

    def all_tasks(self) -> float:
        return self.took((*WORK, "job"))

    @property
    def in_order(self) -> float:
        """What one thread reads before the others begin and after they have ended, as the rest of the file took."""
        spans = sum(task.kind == "examine" for task in self.tasks)
        return self.took(WORK) * max(self.octets - spans * WINDOW, 0) / (spans * WINDOW)

    @property
    def a_task(self) -> float:
        """What taking a task costs beside the task: the lock, waking and being woken. `processor` has to be that of a
        run without a trace."""
        rest = self.processor - self.all_tasks() - self.in_order
        return max(rest, 0.0) / sum(task.kind in WORK for task in self.tasks)


def run(path: Path, threads: int, shards: int, trace: bool) -> Run:
    """Read a capture into columns of flows."""
    scanner = Scanner(key=KEY, shards=shards)
    if trace:
        trace_tasks(scanner, TASKS)
    scanner.begin()
    with path.open("rb", buffering=0) as file:
        wall, processor = time.perf_counter(), time.process_time()
        scanner.read(file.fileno(), threads)
        columns = scanner.flows(last=True)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    del columns
    tasks = tuple(Task(*task) for task in traced_tasks(scanner))
    return Run(path.stat().st_size, threads, shards, wall, processor, tasks)


def took(of: Run) -> dict[str, dict[tuple[int, int], float]]:
    """What each span took of a processor, by the kind of task and the lane. Of a task for several spans each took as
    much."""
    found: dict[str, dict[tuple[int, int], float]] = defaultdict(lambda: defaultdict(float))
    for task in of.tasks:
        for span in range(task.span, task.span + task.n):
            found[task.kind][span, task.lane] += task.processor / 1e9 / task.n
    return found


class Schedule:
    """The tasks of a run on so many processors: `seconds` is when the last one ends."""

    def __init__(self, of: Run, cores: int) -> None:
        self.took = took(of)
        for place, seconds in self.took["ahead"].items():  # a part of the task that reads
            self.took["read"][place] += seconds
        self.a_task = of.a_task
        self.cores, self.lanes = cores, of.shards + 1 if of.shards > 1 else 0
        self.least = max(of.shards // SHARDS_A_SPAN, 1)
        self.spans = len(self.took["examine"])
        self.first = min(span for span, _ in self.took["examine"])
        self.begun = self.cut = self.counted = self.first
        self.examined: set[int] = set()
        self.passed = [self.first] * self.lanes  # spans that passed each lane
        self.busy: set[int] = set()  # lanes
        self.alone = self.hopping = False
        self.parts: Counter[int] = Counter()  # that were counted, of each span
        self.read: set[int] = set()  # windows whose threads wait for their turn
        self.now = 0.0
        self.events: list[tuple[float, int, str, int, int, int]] = []
        self.n = 0
        idle = cores
        while True:
            while idle and self.take():
                idle -= 1
            if not self.events:
                break
            idle += self.end()
        assert self.counted == self.first + self.spans
        self.seconds = of.in_order + self.now + of.took(("job",)) / cores

    def begin(self, kind: str, span: int, lane: int = 0, n: int = 1) -> bool:
        """Begin a task, of so many spans."""
        self.n += 1
        took = sum(self.took[kind].get((one, lane), 0.0) for one in range(span, span + n))
        heapq.heappush(self.events, (self.now + took + self.a_task, self.n, kind, span, lane, n))
        return True

    def count_in(self, lane: int) -> bool:
        """Begin to count in a lane whose next span is examined."""
        self.busy.add(lane)
        span, n = self.passed[lane], 1
        while n < SPANS_A_PART and span + n in self.examined:
            n += 1
        return self.begin("part", span, lane, n)

    def take(self) -> bool:
        """Give the most urgent task to a free thread; False if there is none."""
        due = [lane for lane in range(self.lanes) if lane not in self.busy and self.passed[lane] in self.examined]
        lane = min(due, key=self.passed.__getitem__, default=None)
        if lane is not None and self.passed[lane] + self.least - 1 in self.examined:
            return self.count_in(lane)
        if not self.lanes and not self.alone and self.counted in self.examined:
            self.alone = True
            return self.begin("alone", self.counted)
        if self.begun < self.first + self.spans and self.begun - self.counted < SPANS_A_THREAD * self.cores:
            self.begun += 1
            return self.begin("read", self.begun - 1)
        return lane is not None and self.count_in(lane)

    def end(self) -> int:
        """End the task that ends next; 1 if its thread is free then."""
        self.now, _, kind, span, lane, n = heapq.heappop(self.events)
        if kind == "read":
            self.read.add(span)
        elif kind == "hop":
            self.hopping = False
            self.cut += 1
            self.begin("examine", span)
        elif kind == "examine":
            self.examined.add(span)
        elif kind == "alone":
            self.alone = False
            self.counted += 1
        elif kind == "part":
            self.busy.discard(lane)
            self.passed[lane] += n
            for one in range(span, span + n):
                self.parts[one] += 1
                self.counted += self.parts[one] == self.lanes
        if not self.hopping and self.cut in self.read:  # its turn has come
            self.read.discard(self.cut)
            self.hopping = self.begin("hop", self.cut)
        return kind not in ("read", "hop")


def alone(of: Run) -> float:
    """Seconds of one thread, which hops over no records, neither ahead nor in order, and takes no tasks."""
    return of.in_order + of.took(("read", "examine", "alone", "job"))


@contextmanager
def one_processor() -> Iterator[None]:
    """The threads of this process share one processor: what a task takes without another processor beside it."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@dataclass(frozen=True)
class Scaling:
    """What was measured of a workload, and the times that its schedules end; seconds."""

    one: list[float]  # of one thread, on a processor: each round
    two: list[float]  # of two threads, wall: each round
    shared: Run  # two threads on one processor
    recorded: dict[int, Run]  # two threads on two processors, by shards
    ends: dict[int, float]  # by cores

    @classmethod
    def measure(cls, path: Path, rounds: int) -> Scaling:
        """Run all in turn, so that other load falls on all. Of traced runs the one counts whose tasks took least."""
        shards = sorted({shards_for(cores) for cores in CORES})
        one, two, shared = [], [], []
        traced: dict[int, list[Run]] = defaultdict(list)
        untraced: dict[int, list[float]] = defaultdict(list)
        for _ in range(rounds):
            one.append(run(path, 1, 1, trace=False).processor)
            with one_processor():
                shared.append(run(path, 2, 1, trace=True))
            for n in shards:
                plain = run(path, 2, n, trace=False)
                untraced[n].append(plain.processor)
                traced[n].append(run(path, 2, n, trace=True))
                if n == 1:
                    two.append(plain.wall)
        recorded = {n: replace(min(traced[n], key=Run.all_tasks), processor=min(untraced[n])) for n in shards}
        least = min(shared, key=Run.all_tasks)
        ends = {1: alone(least)} | {n: Schedule(recorded[shards_for(n)], n).seconds for n in CORES if n > 1}
        return cls(one, two, least, recorded, ends)

    @property
    def dearer(self) -> float:
        """How many times a task takes on two processors what it takes on one: their caches pass digests on."""
        return self.recorded[1].all_tasks() / self.shared.all_tasks()

    def gain(self, cores: int) -> float:
        """How many times as fast as one thread, which takes no task and sorts nothing."""
        return min(self.one) / self.ends[cores]


def show(name: str, scaling: Scaling, packets: int) -> None:
    a_packet = 1e9 / packets
    for cores, measured in ((1, scaling.one), (2, scaling.two)):
        scheduled, least = scaling.ends[cores], min(measured)
        print(
            f"{name}, {cores}: scheduled {scheduled * 1e3:.1f} ms, {scheduled / least - 1:+.1%} of the least measured"
        )
        print(f"    measured: median {median(measured) * 1e3:.1f} ms, least {least * 1e3:.1f} ms")
    print(f"{name}: tasks take {scaling.dearer:.2f} times as much on two processors as on one")
    for shards, of in scaling.recorded.items():
        parts = ", ".join(f"{kind} {of.took((kind,)) * a_packet:.1f}" for kind in (*WORK, "job"))
        waits = {kind: sum(task.wall for task in of.tasks if task.kind == kind) / packets for kind in WAITS}
        print(f"{name}, {shards} shards, ns a packet: {parts}; a task {of.a_task * 1e6:.2f} us more")
        print("    waited: " + ", ".join(f"{kind} {waited:.1f}" for kind, waited in waits.items()))
    for cores, took in scaling.ends.items():
        print(f"{name}, {cores} cores: {packets / took / 1e6:.0f} million packets/s, {scaling.gain(cores):.2f} times")


def draw(found: dict[str, Scaling], packets: dict[str, int], folder: Path) -> None:
    import plots  # it needs the extra `report`

    points = [
        Point("cores", name, cores, packets[name], 0, seconds)
        for name, scaling in found.items()
        for cores, seconds in scaling.ends.items()
    ]
    figures = {"machine": timing.machine(), "points": points}
    (folder / "scaling.json").write_text(json.dumps(figures, indent=1) + "\n")
    picture = plots.cores(points, {name: min(scaling.one) for name, scaling in found.items()})
    plots.drawn(points, picture).save(folder / "by-cores.svg")


def main() -> None:
    parser = argparse.ArgumentParser(description="The tasks of a run, scheduled on 1 to 64 processors.")
    parser.add_argument("--packets", type=int, default=1_000_000, help="of each workload (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="of each, in turn (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="the folder for scaling.json and the picture")
    default = Path(tempfile.gettempdir(), "fluxcap-workloads")
    parser.add_argument("--dir", type=Path, default=default, help="where workloads are kept (default: %(default)s)")
    chosen = parser.parse_args()
    print(timing.machine())
    found = {}
    for name in ("small", "imix"):
        path = workloads.ensure(name, chosen.packets, chosen.dir)
        found[name] = Scaling.measure(path, chosen.runs)
        show(name, found[name], chosen.packets)
    if chosen.out:
        draw(found, dict.fromkeys(found, chosen.packets), chosen.out)


if __name__ == "__main__":
    main()
