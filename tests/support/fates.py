"""What a network does to packets, by shares and a seed: in captures that are built, and in ones that are recorded."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate

from middlebox import Change
from passages import FATES, OTHER, PLAIN, Flow

US, MS = 1_000, 1_000_000
CLAMPED_TO = 1200  # bytes of a segment
# ns above the delay of others
STALL, HOLD, SECOND_COPY = range(20 * MS, 200 * MS), range(5 * MS, 500 * MS), range(US, 20 * MS)
APART = 10 * US  # from one packet that leaves the queue to the next


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """How much of everything. A share is from 0 to 1: of all packets, where nothing else is said."""

    seed: int = 0
    lost: float = 0.0
    duplicated: float = 0.0
    held: float = 0.0
    delayed: float = 0.0
    changed: float = 0.0
    mended: float = 0.0
    remarked: float = 0.0  # to another DSCP
    lowered: float = 0.0  # by one hop more than all others
    translated: float = 0.0  # of all flows: the address and the port of the client are others on the far side
    clamped: bool = False
    hops: int = 0
    delay: int = 20 * MS  # ns, the least, in each direction
    jitter: int = MS  # ns, the mean of what is above, exponential


class Box:
    """One queue of packets, first in, first out, and what is drawn for each of them."""

    def __init__(self, treatment: Treatment, rng: random.Random) -> None:
        self.treatment, self.rng = treatment, rng
        self.free = 0  # from when on the queue lets the next one out

    def fate(self, may: Collection[str]) -> str:
        """What happens to a packet; plain where something is drawn that may not be."""
        drawn, limits = self.rng.random(), accumulate(getattr(self.treatment, fate) for fate in FATES)
        fate = next((fate for fate, limit in zip(FATES, limits, strict=True) if drawn < limit), PLAIN)
        return fate if fate in may else PLAIN

    def change(self, fate: str, flow: Flow, sender: str, alterable: Sequence[int], marked: bool = True) -> Change:
        """What it writes anew: a byte at one of these places of the payload, DSCP and hops if it may be marked."""
        treatment, rng = self.treatment, self.rng
        if fate == "lost":
            return Change()
        before, after = (flow.ends(sender, point) for point in (sender, OTHER[sender]))
        source, target = (new if new != old else None for old, new in zip(before, after, strict=True))
        return Change(
            source,
            target,
            hops=treatment.hops + (rng.random() < treatment.lowered and marked),
            dscp=rng.randrange(1, 64) if rng.random() < treatment.remarked and marked else None,
            mss=CLAMPED_TO if treatment.clamped else None,
            payload_at=rng.choice(alterable) if fate in ("changed", "mended") else None,
            mended=fate != "changed",
        )

    def departures(self, fate: str, time: int) -> list[int]:
        """When it leaves, or each copy of it. A delayed one stops the queue, a held one waits behind it alone."""
        if fate == "lost":
            return []
        time += self.treatment.delay + round(self.rng.expovariate(1) * self.treatment.jitter)
        if fate == "delayed":
            time += self.rng.choice(STALL)
        time = max(time, self.free)
        if fate == "held":
            return [time + self.rng.choice(HOLD)]
        self.free = time + APART
        return [time, time + self.rng.choice(SECOND_COPY)] if fate == "duplicated" else [time]
