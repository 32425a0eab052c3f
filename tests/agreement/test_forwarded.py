"""What was between two hosts is read from the captures of both, as the forwarder between them has logged it."""

import os
from collections import Counter

import pytest

import fluxcap
from compared_passages import Told, expected, found
from fates import MS, US, Treatment
from fluxcap.values.text import addresses
from forwarded import forwarded
from passage_checks import carried, disagreements, packets, transport, unlogged
from passages import FATES, OTHER

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("FLUXCAP_RECORD") != "1", reason="made anew with FLUXCAP_RECORD=1, as root"),
]

TCP, UDP = 6, 17
SHARE = 0.02
QUICK = {"seed": 4, "delay": 4 * MS, "jitter": 200 * US}
EVERYTHING = Treatment(**QUICK, **dict.fromkeys((*FATES, "remarked", "lowered"), SHARE), clamped=True, hops=1)
WIRES = {
    "nothing": (Treatment(**QUICK), ""),
    "everything": (EVERYTHING, ""),
    "translated": (Treatment(**QUICK, **dict.fromkeys(FATES, SHARE), translated=0.7), ""),
    "offloaded": (EVERYTHING, "AB"),
}
VERDICT = {"changed": "bad"}  # at the other point; "good" of all others


class Wire:
    """A log, both captures, and what a comparison of them says."""

    def __init__(self, treatment, offloaded, folder):
        paths, self.passages = forwarded(folder, treatment, bool(offloaded))
        self.treatment, self.offloaded = treatment, offloaded
        self.captures = {point: path.read_bytes() for point, path in paths.items()}
        self.comparison = fluxcap.read_comparison(*paths.values(), every=True)

    def records(self, kinds):
        """Point and number of the records of some packets."""
        return {
            (point, number)
            for one in self.passages
            if one.kind in kinds
            for point, numbers in ((one.sender, one.sent), (OTHER[one.sender], one.arrived))
            for number in numbers
        }


def is_of(told: Told, records) -> bool:
    return (told.sender, told.sent) in records or (OTHER[told.sender], told.arrived) in records


@pytest.fixture(scope="module", params=WIRES)
def wire(request, tmp_path_factory):
    return Wire(*WIRES[request.param], tmp_path_factory.mktemp(request.param))


def test_the_log_is_what_both_captures_hold(wire):
    assert unlogged(wire.passages, wire.captures) == {"A": set(), "B": set()}
    assert disagreements(wire.passages, wire.captures, wire.offloaded) == []
    fates = Counter(one.fate for one in wire.passages)
    assert all(fates[fate] > 10 for fate in FATES if getattr(wire.treatment, fate))


def test_a_comparison_says_of_every_packet_what_the_log_says(wire):
    """Precision and recall are 1 of every class, but of packets that were sent alike: see below."""
    at = {point: packets(capture) for point, capture in wire.captures.items()}
    clamped = frozenset(
        (one.sender, one.sent[0])
        for one in wire.passages
        if one.arrived
        and carried([at[one.sender][one.sent[0] - 1]]).mss != carried([at[OTHER[one.sender]][one.arrived[0] - 1]]).mss
    )
    alike = wire.records({"alike"})
    want = {told for told in expected(wire.passages, clamped) if not is_of(told, alike)}
    said = {told for told in found(wire.comparison) if not is_of(told, alike)}
    other = {
        (point, number) for point in at for number, one in enumerate(at[point], 1) if transport(one) not in (6, 17)
    }
    said = {told for told in said if not is_of(told, other)}
    assert (sorted(want - said), sorted(said - want)) == ([], [])


def test_of_packets_that_were_sent_alike_as_many_are_lost_as_the_log_says(wire):
    alike = wire.records({"alike"})
    want, said = (
        Counter(told.outcome for told in tolds if is_of(told, alike))
        for tolds in (expected(wire.passages), found(wire.comparison))
    )
    assert want == said


def test_hops_verdicts_delays_and_differences_of_packets_are_those_of_the_log(wire):
    table, clock = wire.comparison.packets, wire.comparison.clock
    assert abs(clock.offset) <= clock.bound  # it is one clock
    rows = {(way, number): row for way in "ab" for row, number in enumerate(table[f"{way}_packet"].tolist()) if number}
    for one in wire.passages:
        near, far = one.sender.lower(), OTHER[one.sender].lower()
        if one.fate == "lost" or one.kind == "alike" or one.whole_at != "AB":
            continue
        row = rows[near, one.sent[0]]
        assert table[f"{near}_ttl"][row] - table[f"{far}_ttl"][row] == one.change.hops
        assert fluxcap.VERDICTS[table[f"{far}_verdict"][row]] == VERDICT.get(one.fate, "good")
        assert table["delay"][row] == pytest.approx(one.delay, abs=clock.bound)
        if one.fate in ("changed", "mended"):
            assert table["first_difference"][row] == one.change.payload_at


def test_translated_ends_are_found(wire):
    flows = wire.comparison.flows
    want = {
        (one.sender, one.flow.protocol, *before, *after)
        for one in wire.passages
        if one.arrived
        for before, after in [[one.flow.ends(one.sender, point) for point in (one.sender, OTHER[one.sender])]]
    }
    columns = ["AB"[way] for way in flows["way"]], flows["protocol"].tolist()
    ends = [
        list(zip(addresses(flows[f"{name}_ip"]), flows[f"{name}_port"].tolist(), strict=True))
        for name in ("src", "dst", "nat_src", "nat_dst")
    ]
    said = {row for row in zip(*columns, *ends, strict=True) if row[1] in (TCP, UDP)}
    assert want == said


def test_nothing_is_found_where_nothing_happened(wire):
    assert bool(wire.comparison.findings) == any(getattr(wire.treatment, fate) for fate in FATES)
