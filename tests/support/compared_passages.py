"""What a comparison has to say of each packet, from the log of the network between two points, and what it says."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import builders as b
from fluxcap import Comparison
from fluxcap.values.names import CROSSED_OUTCOMES
from passages import Passage

WAYS = {"A": 0, "B": 1}
POINTS = "ab"


class Told(NamedTuple):
    """One packet, by the numbers of its records at the point that it passed first and at the other one; 0: none."""

    outcome: str
    sender: str
    sent: int
    arrived: int
    reordered: bool = False
    changed: bool = False
    dscp_changed: bool = False
    mss_changed: bool = False


def _records(one: Passage, numbers: tuple[int, ...], point: str) -> tuple[int, ...]:
    """The records of a packet that a comparison counts: segments each, of fragments the one that completes it."""
    return numbers if one.flow.protocol == b.TCP or point in one.whole_at else numbers[-1:]


def expected(passages: Iterable[Passage], marked: frozenset[tuple[str, int]] = frozenset()) -> Iterator[Told]:
    """What the log says of each packet. `marked`: SYNs whose MSS was lowered, by sender and number."""
    for one in passages:
        there = "B" if one.sender == "A" else "A"
        sent = _records(one, one.sent, one.sender)
        if one.fate == "lost":
            yield from (Told("lost", one.sender, number, 0) for number in sent)
            continue
        copy = one.arrived[1:] if one.fate == "duplicated" else ()
        came = _records(one, one.arrived[: len(one.arrived) - len(copy)], there)
        how = (one.reordered, one.fate in ("changed", "mended"), one.change.dscp is not None)
        if len(sent) == len(came):
            pairs = zip(sent, came, strict=True)
        else:
            pairs = zip(sent, [came[-1]] * len(sent), strict=True)
        for number, arrived in pairs:
            yield Told("arrived", one.sender, number, arrived, *how, (one.sender, number) in marked)
        yield from (Told("duplicate", one.sender, 0, number) for number in copy)


def found(comparison: Comparison) -> Iterator[Told]:
    """What a comparison says of each packet; `every` was asked for."""
    p = comparison.packets
    for row in range(len(p)):
        way, outcome = int(p["way"][row]), CROSSED_OUTCOMES[p["outcome"][row]]
        sent, arrived = (int(p[f"{point}_packet"][row]) for point in (POINTS[way], POINTS[1 - way]))
        marks = ("reordered", "changed", "dscp_changed", "mss_changed") if outcome == "arrived" else ()
        yield Told(outcome, "AB"[way], sent, arrived, *(bool(p[mark][row]) for mark in marks))
