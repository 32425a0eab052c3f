"""What the compiled core has for comparing two captures; _core.pyi gives it as a part of the core."""

from collections.abc import Sequence
from typing import Any, Final

from fluxcap._core import Column, Scanner
from fluxcap._core_dicts import LearnedClock

class Watcher(Scanner):
    """A Scanner that notes what is to be compared: run() says ROWS_FULL when Comparer.walk() has to take it."""

    seen: tuple[int, int, int]  # packets to compare, fragments in others of these, records left out

# Comparer.walk() says why it came back: that input has to be read on, or both have ended and all is counted.
WALK_WANTS_A: Final[int]
WALK_WANTS_B: Final[int]
WALK_ENDED: Final[int]

class Comparer:
    """Compares what two points have seen. Twice: watch() both inputs, walk() until WALK_ENDED; learned() between."""

    early: tuple[int, int]  # packets that were seen to arrive before they were sent, and by how many ns at most
    most_in_flight: int  # packets that were kept at once
    def __init__(self, window: int, *, rows: bool = True, every: bool = False) -> None:
        """`window`: ns that a packet is waited for; `rows`: collect some of rows(), or `every` packet."""
    def watch(self, a: Watcher, b: Watcher) -> None: ...
    def walk(self, a_ended: bool, b_ended: bool) -> int: ...
    def learn_again(self) -> bool: ...
    def learned(self) -> LearnedClock:
        """What the first walk has learned. The next one counts."""
    def ways(self) -> dict[str, Column]:
        """A row a direction of a flow, by place from 1. `stands` is the place of the row that counts for this one, 0 if
        it counts itself; `other` the reverse, `back` the opposite direction; `from`: 0 A, 1 B, 2 not told."""
    def rows(self) -> dict[str, Column]:
        """Packets, in the order in which it was told what became of them. `outcome`: 0 seen at both points, 1 at
        `point` only, 2 once more at `point`. `marks`: bits."""
    def delays(self, shares: Sequence[float]) -> list[tuple[int, int, int, list[int]]]:
        """Of each point: packets that came from there and arrived, least and greatest delay (ns), quantiles."""

class PayloadWatcher(Watcher):
    """A Watcher that keeps the payload of some records instead."""

    def want(self, files: Any, packets: Any) -> None:
        """Which, in the order in which they come: uint32 and uint64. To be called before the first comes, once."""

def first_differences(a: PayloadWatcher, b: PayloadWatcher, of_a: Any, of_b: Any, places: Any) -> None:
    """Write into int64 `places` where the payloads with these numbers (int64), in the order of want(), begin to differ;
    -1 where one was not kept."""
