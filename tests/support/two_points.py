"""The same traffic as it is recorded at two points, A and B, by a plan that is known, and a log of what it met between.

between = two_points(Plan(seed=1, lost=0.1))
a, b = between.write(folder)
[one.sent for one in between.passages if one.fate == "lost"]
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

import builders as b
from capture_files import Record, pcap
from fates import MS, US, Box, Treatment
from middlebox import in_pieces, payload_of, rewritten
from passages import FATES, OTHER, Flow, Passage, in_order_of_arrival
from speakers import SECOND, START, Sent, flows_of, talk

PIECE = 1000  # bytes, a multiple of 8
MACS = {"A": (b.MAC_A, b.MAC_B), "B": (bytes.fromhex("020000000003"), bytes.fromhex("020000000004"))}


@dataclass(frozen=True, kw_only=True)
class Plan(Treatment):
    """What is sent, what happens to it, and which clocks record it."""

    packets: int = 100
    flows: int = 4
    seconds: float = 10.0
    two_way: bool = True  # else all come from A
    large: float = 0.0  # whole at one point and in pieces at the other one, or in pieces at both
    again: float = 0.0  # of TCP: data is sent once more, as a retransmission
    alike: float = 0.0  # of UDP: the same bytes at each time; these are delayed at most, as nobody tells them apart
    offloaded: bool = False  # the checksums of what A sends are left to the card

    offset: int = 0  # ns by which the clock of B is ahead of that of A at START
    drift: float = 0.0  # ppm by which it is faster

    def clock(self, point: str, time: int) -> int:
        """What the clock of a point shows at this time of A."""
        return time if point == "A" else time + self.offset + round((time - START) * self.drift / 1e6)


class Between(NamedTuple):
    """What is recorded at A and B, and what is true of it."""

    plan: Plan
    flows: list[Flow]
    records: dict[str, list[Record]]  # of each point
    passages: list[Passage]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Both captures, to the nanosecond."""
        paths = folder / "a.pcap", folder / "b.pcap"
        for path, records in zip(paths, self.records.values(), strict=True):
            path.write_bytes(pcap(records, ns=True))
        return paths


def two_points(plan: Plan) -> Between:
    """Both captures of this plan: the same at each call."""
    rng = random.Random(plan.seed)
    flows = flows_of(plan, rng)
    network = Network(plan, rng)
    for sent in talk(plan, flows, rng):
        network.carry(sent)
    return Between(plan, flows, *network.recorded())


def possible(sent: Sent, payload: bytes) -> set[str]:
    """Which fates the captures can show of a packet."""
    if sent.kind == "alike":  # nobody can tell which of several is missing
        return {"delayed"}
    if sent.kind == "large":
        return {"delayed", "lost"}
    if sent.kind == "first" and sent.flow.translated:  # of this one the others are understood
        return {"delayed", "duplicated"}
    return set(FATES) if payload else set(FATES) - {"changed", "mended"}


class Network:
    """What is between the points: it carries one packet after the other, and writes its log."""

    def __init__(self, plan: Plan, rng: random.Random) -> None:
        self.plan, self.rng = plan, rng
        self.seen: dict[str, list[Record]] = {"A": [], "B": []}
        self.boxes = {point: Box(plan, rng) for point in self.seen}  # a queue for what is sent at each
        self.log: list[Passage] = []  # with places in `seen` where the numbers of records will be

    def carry(self, sent: Sent) -> None:
        """One packet, from its sender to the other point."""
        here, there, box = sent.sender, OTHER[sent.sender], self.boxes[sent.sender]
        payload = payload_of(sent.packet)
        fate = box.fate(possible(sent, payload))
        change = box.change(fate, sent.flow, here, range(len(payload)), marked=sent.kind != "alike")
        whole_at = self.rng.choice(("A", "B", "")) if sent.kind == "large" else "AB"
        offloaded = self.plan.offloaded and here == "A" and here in whole_at  # pieces have their sums
        departed = self._record(here, sent.time, sent.offloaded if offloaded else sent.packet, here in whole_at)
        arrived: list[int] = []
        times = box.departures(fate, sent.time)
        for time in times:
            arrived += self._record(there, time, rewritten(sent.packet, change), there in whole_at)
        delay = times[0] - sent.time if times else None
        places = tuple(departed), tuple(arrived)
        self.log.append(Passage(sent.flow, here, sent.kind, fate, change, *places, whole_at, delay))

    def _record(self, point: str, time: int, packet: bytes, whole: bool) -> range:
        """Records of a packet that passes a point whole or in pieces, a microsecond apart: their places."""
        begin = len(self.seen[point])
        for place, piece in enumerate([packet] if whole else in_pieces(packet, PIECE)):
            ethertype = b.ETHERTYPE_IPV4 if piece[0] >> 4 == 4 else b.ETHERTYPE_IPV6
            frame = bytes(b.ethernet(piece, ethertype, *MACS[point]))
            self.seen[point].append(Record(frame, self.plan.clock(point, time + place * US)))
        return range(begin, len(self.seen[point]))

    def recorded(self) -> tuple[dict[str, list[Record]], list[Passage]]:
        """All records in order of time, and the log with their numbers."""
        numbers, records = {}, {}
        for point, seen in self.seen.items():
            order = sorted(range(len(seen)), key=lambda place: seen[place].time)
            records[point] = [seen[place] for place in order]
            numbers[point] = {place: number for number, place in enumerate(order, 1)}

        def numbered(point: str, places: Sequence[int]) -> tuple[int, ...]:
            return tuple(numbers[point][place] for place in places)

        log = [
            one._replace(sent=numbered(one.sender, one.sent), arrived=numbered(OTHER[one.sender], one.arrived))
            for one in self.log
        ]
        return records, in_order_of_arrival(log)


shares = st.sampled_from([0.0, 0.0, 0.03, 0.15])
plans = st.builds(
    Plan,
    seed=st.integers(0, 2**32),
    packets=st.integers(0, 120),
    flows=st.integers(1, 6),
    seconds=st.sampled_from([0.5, 5.0]),
    two_way=st.booleans(),
    offloaded=st.booleans(),
    **dict.fromkeys([*FATES, "remarked", "lowered", "large", "again", "alike"], shares),
    translated=st.sampled_from([0.0, 0.5, 1.0]),
    clamped=st.booleans(),
    hops=st.sampled_from([0, 1, 3]),
    offset=st.one_of(st.just(0), st.integers(-5 * SECOND, 5 * SECOND)),
    drift=st.one_of(st.just(0.0), st.floats(-200, 200)),
    delay=st.sampled_from([0, 50 * US, 20 * MS]),
    jitter=st.sampled_from([0, 10 * US, MS]),
)
