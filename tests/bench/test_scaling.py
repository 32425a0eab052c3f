"""The schedule of recorded tasks keeps the order of spans, and ends when the last task does."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest

from bench_scaling import WINDOW, Run, Schedule, Task, alone, took

MS = 1_000_000  # ns


def recorded(spans: int, each: dict[str, int], shards: int = 1) -> Run:
    """A run of so many windows; `each` are the ms of each task. Taking a task costs nothing."""
    counts = [("alone", 0)] if shards == 1 else [("part", lane) for lane in range(shards + 1)]
    tasks = [
        Task(kind, span, 1, lane, 0, each[kind] * MS, each[kind] * MS)
        for span in range(spans)
        for kind, lane in [("read", 0), ("hop", 0), ("examine", 0), *counts]
    ]
    return Run(spans * WINDOW, 2, shards, 0.0, 0.0, tuple(tasks))


ONE_MS = {"read": 1, "hop": 1, "examine": 1, "alone": 1, "part": 1}


def seconds(of: Run, cores: int) -> float:
    return round(Schedule(of, cores).seconds, 6)


def test_one_processor_does_one_task_after_the_other():
    assert seconds(recorded(5, ONE_MS), 1) == 0.020
    assert round(alone(recorded(5, ONE_MS)), 6) == 0.015  # without hops


def test_counting_in_one_table_is_never_done_by_two():
    assert seconds(recorded(100, ONE_MS | {"alone": 10}), 64) == 1.003  # 1 s of counting, behind one window


def test_hops_are_in_order_whatever_else_is_done():
    assert seconds(recorded(100, ONE_MS | {"hop": 10}), 64) == 1.003  # 1 s of hops, after a read, before two tasks


@pytest.mark.parametrize(("shards", "most"), [(1, 0.402), (4, 0.202)])
def test_shards_are_counted_side_by_side(shards, most):
    each = ONE_MS | {"alone": 4, "part": 1}
    assert seconds(recorded(100, each, shards), 64) <= most + 0.003


def test_a_task_that_counts_several_spans_is_as_much_for_each():
    of = recorded(4, ONE_MS | {"part": 6}, shards=4)
    fewer = [
        task._replace(n=3 if task.kind == "part" and task.span == 0 else 1)
        for task in of.tasks
        if task.kind != "part" or task.span in (0, 3)
    ]
    assert took(replace(of, tasks=tuple(fewer)))["part"] == {
        (span, lane): (0.002, 0.002, 0.002, 0.006)[span] for span in range(4) for lane in range(5)
    }


def test_the_ring_holds_three_spans_a_thread():
    """With one thread that counts for ever, the others read no more than the ring has room for."""
    schedule = Schedule(recorded(50, ONE_MS | {"alone": 50}), 2)
    assert round(schedule.seconds, 3) == 2.503


def test_a_task_costs_what_the_run_took_beside_its_tasks():
    of = recorded(10, ONE_MS)
    slower = Run(of.octets, of.threads, of.shards, 0.0, 0.040 + 0.004, of.tasks)  # 4 ms more, for 40 tasks
    assert round(slower.a_task, 9) == 0.0001
    assert seconds(slower, 1) == 0.044


def test_columns_are_divided_among_the_processors():
    of = recorded(1, ONE_MS)
    job = Task("job", 0, 1, 0, 0, 8 * MS, 8 * MS)
    assert seconds(Run(of.octets, 2, 1, 0.0, 0.0, (*of.tasks, job)), 4) == 0.006
