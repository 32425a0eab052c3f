"""Two points beside one link, or behind one tap: packets and their answers pass them in the same order."""

import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcap
from capture_files import Record, pcap
from fluxcap.values.names import CROSSED_OUTCOMES
from middlebox import Change, rewritten
from two_points import MS, SECOND, US, Plan, two_points

LOST, APPEARED = CROSSED_OUTCOMES.index("lost"), CROSSED_OUTCOMES.index("appeared")


@dataclass(frozen=True)
class Behind:
    """How far B is behind A, and what it does not get."""

    seed: int
    least: int  # ns
    most: int
    lost: float
    offset: int = 0  # ns by which its clock is ahead


def seen_behind(records: list[Record], how: Behind) -> tuple[list[Record], set[int]]:
    """What B sees of the records at A, whoever sent them, and the numbers of those that it does not see."""
    draw = random.Random(how.seed)
    lost = {number for number in range(1, len(records) + 1) if draw.random() < how.lost}
    seen = [
        record._replace(time=record.time + how.offset + draw.randint(how.least, how.most))
        for number, record in enumerate(records, 1)
        if number not in lost
    ]
    return sorted(seen, key=lambda record: record.time), lost


def with_lower_ttl(frame: bytes) -> bytes:
    """A frame with IPv4, behind a router."""
    return frame[:14] + rewritten(frame[14:], Change(hops=1)) if frame[12:14] == b"\x08\x00" else frame


def compared(a: list[Record], other: list[Record]) -> fluxcap.Comparison:
    return fluxcap.read_comparison(pcap(a, ns=True), pcap(other, ns=True), every=True)


def numbers(comparison: fluxcap.Comparison, outcome: int, point: str) -> set[int]:
    """The records of a point that have this outcome."""
    packets = comparison.packets
    return set(packets[f"{point}_packet"][packets["outcome"] == outcome].tolist())


behinds = st.builds(
    Behind,
    seed=st.integers(0, 2**20),
    least=st.sampled_from([0, 10 * US, 3 * MS]),
    most=st.sampled_from([4 * MS, 6 * MS]),
    lost=st.sampled_from([0.0, 0.02, 0.2]),
    offset=st.sampled_from([0, SECOND, 1_700 * MS]),
)


def records_of_a(seed: int) -> list[Record]:
    return two_points(Plan(seed=seed, packets=600, flows=6, seconds=20.0)).records["A"]


@settings(max_examples=30)
@given(behinds, st.integers(0, 2**20))
def test_what_the_far_one_has_not_seen_is_lost_whoever_sent_it(how, seed):
    records = records_of_a(seed)
    seen, lost = seen_behind(records, how)
    comparison = compared(records, seen)
    assert set(comparison.flows["way"].tolist()) == {0}
    assert numbers(comparison, LOST, "a") == lost
    assert numbers(comparison, APPEARED, "b") == set()
    assert (comparison.clock.basis, comparison.clock.offset) == ("not told", None)


def test_what_the_first_one_has_not_seen_appears_at_the_other_one():
    records = records_of_a(3)
    seen, lost = seen_behind(records, Behind(seed=1, least=0, most=0, lost=0.05))
    comparison = compared(seen, records)
    assert lost
    assert numbers(comparison, APPEARED, "b") == lost
    assert int(comparison.flows["lost"].sum()) == 0


def test_ttl_that_both_ways_lower_tells_where_all_come_from():
    """Of IPv4: the flows over IPv6 keep their hop limit here, and go where the others do."""
    records = records_of_a(5)
    seen, lost = seen_behind(records, Behind(seed=2, least=3 * MS, most=6 * MS, lost=0.05, offset=-10 * SECOND))
    comparison = compared(records, [record._replace(data=with_lower_ttl(record.data)) for record in seen])
    assert set(comparison.flows["way"].tolist()) == {0}
    assert numbers(comparison, LOST, "a") == lost
    assert comparison.clock.basis == "one way"


def test_packets_that_cross_are_not_taken_for_such():
    """The round trip is a tenth of what the delays vary by."""
    plan = Plan(seed=9, packets=600, flows=6, seconds=20.0, offset=SECOND, drift=100.0, delayed=0.3, held=0.05)
    between = two_points(plan)
    comparison = compared(*between.records.values())
    assert comparison.clock.basis == "two ways"
    assert set(comparison.flows["way"].tolist()) == {0, 1}
