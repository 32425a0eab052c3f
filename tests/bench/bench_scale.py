"""What terabytes take on many machines: costs of single steps, fitted here, and a reading that they were not fitted on.

usage: bench_scale.py [--runs N] [--dir FOLDER]    needs the extra `cluster`

Costs are processor time, which other load changes less than time by the clock: the least of several rounds, in each of
which all steps and the held-out reading have their turn. That reading has two worker processes of a LocalCluster and
other captures than the fit; scale.py plays it with the fitted costs. What Dask takes while nothing is done is taken
away: it grows with the time by the clock.
"""

from __future__ import annotations

import argparse
import math
import os
import pickle
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import dask
from distributed import Client, LocalCluster

import fluxcap
import timing
import workloads
from bench_order import HEADER, records
from fluxcap import cluster
from fluxcap.capture.inputs import expand
from fluxcap.cluster.groups import groups_of
from fluxcap.cluster.part import Work, read_part
from fluxcap.cluster.sharing import Sharing, Workers
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.flows import FlowTable
from scale import Costs, Group, Step, Surroundings, Took, fitted, took

# Frames of several lengths tell bytes from packets, and numbers of flows tell rows from packets.
TO_FIT = (
    *(("frame-64", 200_000), ("frame-1500", 100_000), ("frame-512", 200_000), ("big", 50_000)),
    *(("flood", 50_000), ("flood", 200_000), ("flows-100000", 200_000), ("small", 20_000), ("small", 300_000)),
)
HELD_OUT, HELD_OUT_PACKETS, HELD_OUT_FILES = "imix", 800_000, 12
MERGES = ((2, 20_000), (8, 10_000), (2, 90_000), (8, 20_000))  # tables, rows of each
NOTHING = 200  # tasks that do nothing
MANY = 500  # inputs that are listed
SENT = 32 << 20  # bytes
REST = 3.0  # seconds
WORK = Work(FlowPlan(), ReadOptions(threads=1), FlowTable, True)

# The table of the page.
AMOUNTS = {"1 TB": 1e12, "100 TB": 1e14, "1 PB": 1e15}
CREWS = (16, 128, 1024)
TASK, LARGE_TASK = 512e6, 4e9  # bytes of a task
PACKET, PACKETS_OF_ROW = 700.0, 30.0  # bytes of a packet as stored, packets of a flow in one task
MANY_KEYS, FEW_KEYS = math.inf, 1e6  # five-tuples; and "src_ip/24,dst_port" at one company
OBJECTS = (1e9, 1e8, 1e7)  # bytes of an object of a store
WAYS = {
    "5tuple, one table": (MANY_KEYS, TASK, True),
    "a key of a million values, one table": (FEW_KEYS, TASK, True),
    "the same, tasks of 4 GB": (FEW_KEYS, LARGE_TASK, True),
    "5tuple, no table": (MANY_KEYS, LARGE_TASK, False),
}


Name = tuple[Any, ...]  # what is done, and how much of it


class Spent(NamedTuple):
    """What something took: seconds of processors, and seconds by the clock."""

    workers: float  # of all together
    here: float  # of the scheduler and the client, which are one process
    wall: float


Doing = Callable[[], Spent]


def here(work: Callable[[], object]) -> Spent:
    """Do it in this process."""
    processor, began = time.process_time(), time.perf_counter()
    work()
    return Spent(0.0, time.process_time() - processor, time.perf_counter() - began)


def least(works: Mapping[Name, Doing], rounds: int) -> dict[Name, Spent]:
    """The least of each, in so many rounds behind one that warms up."""
    several = [{name: work() for name, work in works.items()} for _ in range(rounds + 1)][1:]
    return {name: Spent(*map(min, zip(*(one[name] for one in several), strict=True))) for name in works}


def readings(folder: Path) -> dict[Name, Doing]:
    works: dict[Name, Doing] = {}
    for name, packets in TO_FIT:
        path = workloads.ensure(name, packets, folder)
        rows = len(read_part(expand(path), WORK).table)
        works["read", 1.0, path.stat().st_size, packets, rows] = partial(here, partial(read_part, expand(path), WORK))
    return works


def merges(folder: Path) -> dict[Name, Doing]:
    """Of tables that have no row in common, and of tables that have all."""
    whole = fluxcap.read_flows(workloads.ensure("flood", 200_000, folder))
    works: dict[Name, Doing] = {}
    for n, rows in MERGES:
        apart, alike = [whole[at * rows : (at + 1) * rows] for at in range(n)], [whole[:rows]] * n
        works["merge", 1.0, n * rows, n * rows] = partial(here, partial(fluxcap.merge, apart))
        works["merge", 1.0, n * rows, rows] = partial(here, partial(fluxcap.merge, alike))
    return works


def listing(folder: Path) -> Doing:
    paths = [workloads.ensure("small", 20_000, folder)] * MANY
    return partial(here, lambda: [pickle.dumps(group) for group in groups_of(paths, "512MB")])


class Crew:
    """Two workers, and what they take, less what they take while nothing is done."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.at_rest = Spent(0.0, 0.0, 1.0)
        rest = [self.spent(partial(time.sleep, REST)) for _ in range(3)]
        self.at_rest = Spent(*map(min, zip(*rest, strict=True)))

    def spent(self, work: Callable[[], object]) -> Spent:
        before = self.client.run(time.process_time)
        of_here = here(work)
        workers = sum(self.client.run(time.process_time).values()) - sum(before.values())
        rest, times = self.at_rest, of_here.wall / self.at_rest.wall
        return Spent(max(workers - rest.workers * times, 0.0), max(of_here.here - rest.here * times, 0.0), of_here.wall)

    def nothing(self) -> object:
        sharers = Workers(self.client, Sharing(self.client))
        return sharers.results(sharers.each(abs, range(NOTHING)))

    def send(self, to: int) -> object:
        """Bytes that the first worker makes, and this one wants."""
        workers = list(self.client.scheduler_info()["workers"])
        made = self.client.submit(os.urandom, SENT, workers=workers[:1], pure=False)
        return self.client.submit(len, made, workers=[workers[to]], pure=False).result()


@contextmanager
def crew() -> Iterator[Crew]:
    dask.config.set({"distributed.worker.profile.enabled": False})  # it looks at every worker a hundred times a second
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local, Client(local) as client:
        yield Crew(client)


def fit(kind: str, found: Mapping[Name, Spent]) -> tuple[float, ...]:
    """The costs of steps of a kind; prints how far the steps are from them."""
    steps = [Step(name[1:], spent.here) for name, spent in found.items() if name[0] == kind]
    costs = fitted(steps)
    off = [sum(cost * n for cost, n in zip(costs, one.amounts, strict=True)) / one.seconds - 1 for one in steps]
    print(f"fit of {kind}: {len(steps)} steps, off by {min(off):+.0%} to {max(off):+.0%}")
    return costs


def costs_of(found: Mapping[Name, Spent], row_octets: float) -> Costs:
    nothing, near, far = (found[name,] for name in ("nothing", "near", "far"))
    return Costs(
        read=fit("read", found),
        merge=fit("merge", found),
        task_of_worker=nothing.workers / NOTHING,
        task_of_scheduler=nothing.here / NOTHING,
        an_input=found["list",].here / MANY,
        octet_sent=max(far.workers - near.workers, 0.0) / SENT / 2,
        row_octets=row_octets,
    )


def cut_up(path: Path, files: int) -> list[Path]:
    """Captures of consecutive records of one, beside it."""
    folder = path.with_suffix(f".{files}")
    if not folder.exists():
        folder.mkdir()
        octets = memoryview(path.read_bytes())
        every = [record for _, record in records(octets)]
        for number in range(files):
            part = every[len(every) * number // files : len(every) * (number + 1) // files]
            (folder / f"{number:03}.pcap").write_bytes(b"".join((octets[:HEADER], *part)))
    return sorted(folder.iterdir())


def compare(costs: Costs, groups: Sequence[Group], keys: float, spent: Spent) -> None:
    played = took(costs, groups, 2, keys, Surroundings(a_page=0.0))
    print(f"held out: {len(groups)} files of {HELD_OUT}, {HELD_OUT_PACKETS:,} packets, two workers")
    told = {
        "seconds of processors, workers": (played.by_workers, spent.workers),
        "seconds of processors, scheduler and client": (played.by_scheduler, spent.here),
        "seconds of processors, all": (played.by_workers + played.by_scheduler, spent.workers + spent.here),
        "seconds by the clock": (played.merged, spent.wall),
    }
    for name, (guessed, measured) in told.items():
        off = f"{guessed / measured - 1:+.0%}" if measured else "no more than at rest"
        print(f"  {name}: played {guessed:.2f}, least measured {measured:.2f}, {off}")
    print(f"  load of the machine: {os.getloadavg()[0]:.1f}")


def show(costs: Costs) -> None:
    of_read, of_merge = costs.read, costs.merge
    print(f"a task of reading {of_read[0] * 1e3:.2f} ms, a byte {of_read[1] * 1e9:.3f} ns, ", end="")
    print(f"a packet {of_read[2] * 1e9:.0f} ns, a row {of_read[3] * 1e9:.0f} ns")
    print(f"a merge {of_merge[0] * 1e3:.2f} ms, a row into it {of_merge[1] * 1e9:.0f} ns, ", end="")
    print(f"a row out of it {of_merge[2] * 1e9:.0f} ns, {costs.row_octets:.0f} bytes a row")
    print(
        f"any task {costs.task_of_worker * 1e3:.2f} ms of its worker, {costs.task_of_scheduler * 1e3:.2f} ms of ",
        end="",
    )
    print(f"scheduler and client; an input {costs.an_input * 1e6:.0f} us; a byte sent {costs.octet_sent * 1e9:.2f} ns")


def groups_for(octets: float, task: float) -> list[Group]:
    packets = task / PACKET
    return [Group(task, packets, packets / PACKETS_OF_ROW)] * round(octets / task)


def row_of(name: str, workers: int, of: Took, dollars: float) -> str:
    hours = f"{of.merged / 3600:,.2f} h" if of.merged >= 3600 else f"{of.merged / 60:,.1f} min"
    scheduler = f"{of.by_scheduler / of.merged:.0%}"
    memory = f"{of.largest_merge / 1e9:,.1f} GB" if of.largest_merge else "-"
    return f"| {name} | {workers:,} | {hours} | {scheduler} | {memory} | {of.sent / 1e12:,.2f} TB | {dollars:,.0f} |"


HEAD = """
{way}:
| captures | workers | time | scheduler busy | largest merge | sent | dollars |
|---|---|---|---|---|---|---|"""


def tables(costs: Costs) -> None:
    around = Surroundings()
    print(f"\n{around}")
    for way, (keys, task, merged) in WAYS.items():
        print(HEAD.format(way=way))
        for name, octets in AMOUNTS.items():
            groups = groups_for(octets, task)
            for workers in CREWS:
                of = took(costs, groups, workers, keys, around, merged)
                print(row_of(name, workers, of, of.dollars(workers, octets, len(groups), around)))
    for size in OBJECTS:
        n = AMOUNTS["1 PB"] / size
        listed = took(costs, [Group(0, 0, 0, n)], 1, 1.0, around, merged=False).listed
        print(f"1 PB in {n:,.0f} objects: {listed / 60:.0f} min until all are listed")


def main() -> None:
    parser = argparse.ArgumentParser(description="Costs of the steps of a cluster, and what terabytes take.")
    parser.add_argument("--runs", type=int, default=5, help="of each, in turn; the least counts (default: %(default)s)")
    default = Path(tempfile.gettempdir(), "fluxcap-workloads")
    parser.add_argument("--dir", type=Path, default=default, help="where workloads are kept (default: %(default)s)")
    chosen = parser.parse_args()
    print(f"{shlex.join(['python', *sys.argv])}\n{timing.machine()}")
    folder = chosen.dir
    paths = cut_up(workloads.ensure(HELD_OUT, HELD_OUT_PACKETS, folder), HELD_OUT_FILES)
    flows = [fluxcap.read_flows(path) for path in paths]
    groups = [
        Group(path.stat().st_size, table.metadata["packets"], len(table))
        for path, table in zip(paths, flows, strict=True)
    ]
    with crew() as two:
        # So small a task that each input is one.
        read = partial(cluster.read_flows, paths, client=two.client, task_bytes=min(one.octets for one in groups))
        works: dict[Name, Doing] = {
            **readings(folder),
            **merges(folder),
            ("list",): listing(folder),
            ("nothing",): partial(two.spent, two.nothing),
            ("near",): partial(two.spent, partial(two.send, 0)),
            ("far",): partial(two.spent, partial(two.send, 1)),
            ("held out",): partial(two.spent, read),
        }
        found = least(works, chosen.runs)
    whole = fluxcap.merge(flows)
    costs = costs_of(found, whole.nbytes / len(whole))
    show(costs)
    compare(costs, groups, len(whole), found["held out",])
    tables(costs)


if __name__ == "__main__":
    main()
