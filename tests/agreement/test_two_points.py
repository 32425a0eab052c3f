"""dpkt reads from the captures of two points what the log of the network between them says."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from capture_files import pcap
from fates import MS
from passage_checks import disagreements, unlogged
from passages import FATES, OTHER
from speakers import SECOND, START
from two_points import Between, Plan, plans, two_points

ALL = Plan(
    seed=7,
    packets=1500,
    flows=8,
    hops=1,
    clamped=True,
    large=0.05,
    again=0.05,
    alike=0.1,
    offset=SECOND,
    drift=100.0,
    translated=0.5,
    remarked=0.1,
    lowered=0.1,
    **dict.fromkeys(FATES, 0.05),
)


def captures(between: Between) -> dict[str, bytes]:
    return {point: pcap(records, ns=True) for point, records in between.records.items()}


def check(between: Between) -> None:
    files = captures(between)
    assert disagreements(between.passages, files, "A" if between.plan.offloaded else "") == []
    assert unlogged(between.passages, files) == {"A": set(), "B": set()}


@settings(max_examples=40)
@given(plans)
def test_each_record_is_in_the_log_once_and_is_what_the_log_says(plan):
    check(two_points(plan))


@pytest.mark.parametrize("offloaded", [False, True])
def test_all_that_a_network_does_happens_in_one_plan(offloaded):
    between = two_points(replace(ALL, offloaded=offloaded))
    check(between)
    assert {one.fate for one in between.passages} == {*FATES, "plain"}
    assert {one.kind for one in between.passages} == {"first", "again", "alike", "large", "plain"}
    assert {one.whole_at for one in between.passages} == {"AB", "A", "B", ""}
    assert any(one.reordered for one in between.passages)


def test_a_plan_makes_the_same_captures_each_time():
    assert two_points(ALL) == two_points(ALL)


@settings(max_examples=40)
@given(plans)
def test_records_are_delayed_as_the_log_says_by_two_clocks(plan):
    between = two_points(plan)
    for one in between.passages:
        if one.arrived:
            here, there = one.sender, OTHER[one.sender]
            departed = between.records[here][one.sent[0] - 1].time
            arrived = between.records[there][one.arrived[0] - 1].time
            if here == "A":
                assert arrived == plan.clock("B", departed + one.delay)
            else:
                assert departed == plan.clock("B", arrived - one.delay)


def test_a_packet_is_reordered_where_a_later_one_arrived_first():
    between = two_points(replace(ALL, seed=8))
    for flow in between.flows:
        for point in "AB":
            largest = 0  # the number of the packet, among those that arrived before: RFC 4737 section 3.3
            own = [one for one in between.passages if (one.flow, one.sender) == (flow, point) and one.arrived]
            for one in sorted(own, key=lambda one: one.arrived[0]):
                assert one.reordered == (one.sent[0] < largest)
                largest = max(largest, one.sent[0])


@settings(max_examples=40)
@given(plans)
def test_only_a_packet_that_is_held_is_overtaken(plan):
    assert {one.fate for one in two_points(plan).passages if one.reordered} <= {"held"}


def test_a_clock_that_is_200_ppm_faster_is_20_ms_ahead_after_100_seconds():
    plan = Plan(offset=-3 * SECOND, drift=200.0)
    later = START + 100 * SECOND
    assert [plan.clock("B", time) - plan.clock("A", time) for time in (START, later)] == [-3 * SECOND, -2980 * MS]
