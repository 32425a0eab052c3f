"""What a reading by many workers takes: costs of single steps, and a schedule of all of them.

The costs are seconds of one processor, fitted on single steps (bench_scale.py). The schedule plays what
src/fluxcap/cluster does without timeouts: inputs are listed and grouped, each group is read by the next free worker,
what is to be known of each is collected, and tables are merged in a tree. It knows no caches, disks and failures.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FAN_IN = 8  # tables merged at a time: Sharing in src/fluxcap/cluster/sharing.py
PAGE = 1000  # objects in an answer of a store to one question for its list
BLOCK = 4 << 20  # bytes of one fetch: src/fluxcap/stores/objects.py


class Group(NamedTuple):
    """What one task reads."""

    octets: float
    packets: float
    rows: float
    inputs: float = 1


class Step(NamedTuple):
    """What one step was made of, and how long it took a processor."""

    amounts: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Costs:
    """Seconds of one processor."""

    read: tuple[float, ...]  # of a task, a byte, a packet, a row
    merge: tuple[float, ...]  # of a merge, a row that goes in, a row that comes out
    task_of_worker: float  # what Dask takes of a worker for a task
    task_of_scheduler: float  # and of the scheduler and the client together
    an_input: float  # of the client: to list it, and to send it to a worker
    octet_sent: float  # of a worker, to send or to receive a byte of a table
    row_octets: float  # bytes of a row

    def reading(self, group: Group) -> float:
        return float(np.dot(self.read, (1, group.octets, group.packets, group.rows)))

    def merging(self, rows_in: float, rows_out: float) -> float:
        return float(np.dot(self.merge, (1, rows_in, rows_out)))


@dataclass(frozen=True)
class Surroundings:
    """What is not of this program, and to be changed for other surroundings."""

    octets_a_second: float = 1.25e9  # of the network of a worker with one processor: 10 Gbit/s
    a_page: float = 0.1  # seconds until the store has listed PAGE objects
    worker_hour: float = 0.05  # dollars: a processor with 4 GiB, by the hour
    million_fetches: float = 0.4  # dollars
    million_pages: float = 5.0  # dollars


@dataclass(frozen=True)
class Took:
    """What a reading takes. Times are seconds from its beginning to the end of each part."""

    listed: float
    read: float
    collected: float
    merged: float
    by_workers: float  # processor time of all workers
    by_scheduler: float  # processor time of the scheduler and the client
    sent: float  # bytes between workers and to the client
    largest_merge: float  # bytes in memory: what goes in and what comes out
    rows: float

    def dollars(self, workers: int, octets: float, inputs: float, of: Surroundings) -> float:
        requests = octets / BLOCK * of.million_fetches + inputs / PAGE * of.million_pages
        return workers * self.merged / 3600 * of.worker_hour + requests / 1e6


def fitted(steps: Sequence[Step]) -> tuple[float, ...]:
    """The cost of a unit of each amount, none below zero, with the least relative errors."""
    amounts, seconds = np.array([one.amounts for one in steps]), np.array([one.seconds for one in steps])
    weighted = amounts / seconds[:, None]
    chosen = list(range(amounts.shape[1]))
    while True:
        found, *_ = np.linalg.lstsq(weighted[:, chosen], np.ones(len(steps)), rcond=None)
        if (found >= 0).all():
            return tuple(float(found[chosen.index(n)]) if n in chosen else 0.0 for n in range(amounts.shape[1]))
        del chosen[int(found.argmin())]


def distinct(rows: float, keys: float) -> float:
    """How many keys, of so many that are equally frequent, are in so many rows of several tables."""
    return rows if math.isinf(keys) else keys * -math.expm1(-rows / keys)


class Workers:
    """When each worker is free."""

    def __init__(self, n: int, at: float) -> None:
        self._free = [at] * n
        self.busy = 0.0
        self.ended = at

    def do(self, seconds: float, processor: float, not_before: float = 0.0) -> None:
        """Give the next free worker something that takes it so long, and so long of its processor."""
        end = max(self._free[0], not_before) + seconds
        heapq.heapreplace(self._free, end)
        self.busy += processor
        self.ended = max(self.ended, end)


def took(
    costs: Costs,
    groups: Sequence[Group],
    workers: int,
    keys: float = math.inf,
    around: Surroundings = Surroundings(),
    merged: bool = True,
) -> Took:
    """Play a reading. `keys`: how many there are in all captures; `merged`: the client gets one table."""
    inputs = sum(one.inputs for one in groups)
    pages = math.ceil(inputs / PAGE) * around.a_page
    listed = pages + inputs * costs.an_input
    crew, submitted, busy = Workers(workers, listed), listed, inputs * costs.an_input
    for one in groups:
        submitted += costs.task_of_scheduler
        processor = costs.reading(one) + costs.task_of_worker
        crew.do(max(processor, one.octets / around.octets_a_second), processor, submitted)
    read = crew.ended
    collected = read + len(groups) * max(costs.task_of_scheduler, costs.task_of_worker / workers)
    by_workers, busy = crew.busy + len(groups) * costs.task_of_worker, busy + 2 * len(groups) * costs.task_of_scheduler
    rows = [one.rows for one in groups]
    if not merged:
        return Took(listed, read, collected, collected, by_workers, busy, 0.0, 0.0, sum(rows))
    now, sent, largest = collected, 0.0, 0.0
    tasks = len(groups)  # that take the table out of a part
    while tasks or len(rows) > 1:
        level, rows = [rows[at : at + FAN_IN] for at in range(0, len(rows), FAN_IN)], []
        crew = Workers(workers, now)
        for several in level:
            rows_in = sum(several)
            rows_out = distinct(rows_in, keys)
            # A table is already at the worker that merges it as often as there are workers.
            moved = rows_in * costs.row_octets * (1 - 1 / workers)
            processor = costs.merging(rows_in, rows_out) + costs.task_of_worker + 2 * moved * costs.octet_sent
            crew.do(processor + moved / around.octets_a_second, processor)
            rows.append(rows_out)
            sent += moved
            largest = max(largest, (rows_in + rows_out) * costs.row_octets)
        tasks_of_level = len(level) + tasks
        busy += tasks_of_level * costs.task_of_scheduler
        by_workers += crew.busy + tasks * costs.task_of_worker
        now = max(crew.ended, now + tasks_of_level * costs.task_of_scheduler)
        tasks = 0
    result = rows[0] * costs.row_octets
    now += result / around.octets_a_second + 2 * result * costs.octet_sent
    by_workers, busy = by_workers + result * costs.octet_sent, busy + result * costs.octet_sent
    return Took(listed, read, collected, now, by_workers, busy, sent + result, largest, rows[0])
