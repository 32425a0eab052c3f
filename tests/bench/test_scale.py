"""The schedule of a reading by many workers adds up: by hand for a few tasks, and at its limits for many."""

import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scale import Costs, Group, Step, Surroundings, distinct, fitted, took

AT_ONCE = Surroundings(octets_a_second=math.inf, a_page=0)
ONE = Group(octets=100, packets=10, rows=5)


def test_costs_are_found_again_in_steps_that_have_them():
    costs = (2e-3, 1e-9, 3e-7, 0.0)
    amounts = [(1, 1e6, 1e3, 10), (1, 1e8, 1e5, 20), (1, 1e6, 1e5, 1e4), (1, 1e7, 5e5, 3e5), (1, 5e8, 4e5, 1e3)]
    steps = [Step(one, sum(cost * n for cost, n in zip(costs, one, strict=True))) for one in amounts]
    assert fitted(steps) == pytest.approx(costs, rel=1e-6, abs=1e-15)


def test_no_cost_is_below_zero():
    """Where more of something takes less time it is taken to cost nothing."""
    steps = [Step((1, 1), 1.0), Step((1, 2), 0.9), Step((1, 3), 0.8)]
    assert fitted(steps)[1] == 0
    assert 0.8 < fitted(steps)[0] < 1.0


@pytest.mark.parametrize(("workers", "seconds"), [(1, 12), (2, 6), (4, 3), (5, 3), (12, 1), (100, 1)])
def test_readings_are_shared_out(workers, seconds):
    costs = Costs((1, 0, 0, 0), (0, 0, 0), 0, 0, 0, 0, 0)
    of = took(costs, [ONE] * 12, workers, around=AT_ONCE)
    assert (of.read, of.merged, of.by_workers) == (seconds, seconds, 12)


def test_a_reading_costs_its_bytes_packets_and_rows():
    costs = Costs((1, 0.01, 0.1, 0.2), (0, 0, 0), 0, 0, 0, 0, 0)
    assert took(costs, [ONE], 1, around=AT_ONCE).read == 1 + 100 * 0.01 + 10 * 0.1 + 5 * 0.2


def test_a_worker_reads_no_faster_than_its_network():
    around = Surroundings(octets_a_second=10, a_page=0)
    of = took(Costs((1, 0, 0, 0), (0, 0, 0), 0, 0, 0, 0, 0), [ONE] * 4, 2, around=around)
    assert (of.read, of.by_workers) == (20, 4)


@pytest.mark.parametrize(("tables", "merges"), [(1, 1), (8, 1), (9, 2 + 1), (64, 8 + 1), (65, 9 + 2 + 1)])
def test_tables_are_merged_in_a_tree(tables, merges):
    costs = Costs((0, 0, 0, 0), (1, 0, 0), 0, 0, 0, 0, 0)
    assert took(costs, [ONE] * tables, 1, around=AT_ONCE).merged == merges


def test_the_last_merge_is_of_one_worker_however_many_there_are():
    costs = Costs((0, 0, 0, 0), (0, 1, 0), 0, 0, 0, 0, 1)
    of = took(costs, [ONE] * 64, 1000, around=AT_ONCE)
    assert of.merged == 8 * 5 + 64 * 5  # eight side by side, then all rows at one
    assert (of.rows, of.largest_merge) == (320, 640)
    assert took(costs, [ONE] * 64, 1000, around=AT_ONCE, merged=False).merged == 0


def test_with_few_keys_merging_ends_with_few_rows():
    costs = Costs((0, 0, 0, 0), (0, 1, 0), 0, 0, 0, 0, 1)
    assert took(costs, [ONE] * 512, 64, keys=5, around=AT_ONCE).rows == pytest.approx(5, rel=0.01)


def test_the_scheduler_is_the_limit_of_many_short_tasks():
    """Four tasks a group, one after the other: reading, telling, taking the table, and here 9 of 8 for merging."""
    costs = Costs((1, 0, 0, 0), (0, 0, 0), 0, 0.5, 0, 0, 0)
    of = took(costs, [ONE] * 64, 1000, around=AT_ONCE)
    assert of.by_scheduler == 0.5 * (64 + 64 + 64 + 8 + 1)
    assert of.read == 64 * 0.5 + 1
    assert of.merged == of.by_scheduler + 1


def test_inputs_are_listed_before_anything_is_read():
    costs = Costs((0, 0, 0, 0), (0, 0, 0), 0, 0, 0.5, 0, 0)
    around = Surroundings(octets_a_second=math.inf, a_page=2)
    of = took(costs, [ONE._replace(inputs=1500)], 9, around=around)
    assert of.listed == 2 * 2 + 1500 * 0.5  # two pages
    assert of.merged == of.listed


def test_rows_in_common_are_counted_once():
    assert distinct(10, math.inf) == 10
    assert distinct(10, 1e12) == pytest.approx(10)
    assert distinct(1e9, 100) == 100
    assert distinct(100, 100) == pytest.approx(100 * (1 - 1 / math.e))


def test_dollars_are_hours_of_workers_and_requests():
    costs = Costs((3600, 0, 0, 0), (0, 0, 0), 0, 0, 0, 0, 0)
    around = Surroundings(math.inf, 0, worker_hour=0.05, million_fetches=0.4, million_pages=5)
    of = took(costs, [ONE] * 4, 2, around=around)
    octets = 4 * 1_000_000 * (4 << 20)  # four million fetches
    assert of.dollars(2, octets, 4_000_000, around) == pytest.approx(2 * 2 * 0.05 + 4 * 0.4 + 0.004 * 5)
