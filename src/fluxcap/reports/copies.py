"""How many packets of a capture are copies, and what shows them twice: in words, of all or of the first records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Final, NamedTuple
from warnings import catch_warnings

from fluxcap._core import REASONS
from fluxcap.capture.inputs import Input
from fluxcap.capture.reading import Reading
from fluxcap.errors import CaptureError
from fluxcap.plan.read_options import ReadOptions
from fluxcap.values import human

# By kind: how a copy lies beside the packet, and what shows a packet so.
CAUSES: Final[Mapping[str, str]] = {
    "exact": "exact: a mirror port that sees a packet come and go",
    "other_vlan": "other VLAN: a mirror port",
    "other_tunnel": "in a tunnel and outside it",
    "routed": "other TTL: both sides of a router",
    "other_interface": "at several interfaces",
}
# Records that are looked at where nobody asked for copies: a few ms, whatever the size of the capture.
SAMPLE: Final = 20_000
# Copies worth a word: one in so many records, and as many as a whole sample then has. A few may be chance.
MANY: Final = 1000
FEWEST: Final = SAMPLE // MANY


class Copies(NamedTuple):
    """Copies among some records: how many there are, by kind."""

    records: int
    kinds: Mapping[str, int]

    @property
    def many(self) -> bool:
        """Whether they are worth a word."""
        copies = sum(self.kinds.values())
        return copies >= FEWEST and copies * MANY > self.records

    @property
    def text(self) -> str:
        """'3,340 of 6,568 packets are copies, other VLAN: a mirror port'."""
        copies = sum(self.kinds.values())
        some = f"{copies:,} of {human.counted(self.records, 'packet')} {'is a copy' if copies == 1 else 'are copies'}"
        most = sorted(self.kinds, key=lambda kind: -self.kinds[kind])
        if len(most) < 2:
            return ", ".join([some, *(CAUSES[kind] for kind in most)])
        return f"{some}: " + ", ".join(f"{self.kinds[kind]:,} {CAUSES[kind].partition(':')[0]}" for kind in most)


def counted(codes: bytes) -> Copies:
    """Copies among the records with these codes of `duplicate_kind`."""
    return of_kinds(Counter(codes))


def of_kinds(codes: Mapping[int, int]) -> Copies:
    """Copies among the records that have each code so often; 0 is none."""
    return Copies(sum(codes.values()), {REASONS[code]: n for code, n in codes.items() if code})


def sampled(item: Input, options: ReadOptions) -> Copies:
    """The copies among the first records of an input, whatever the filter is."""
    plain = options._replace(where=None, inner=False, order=None, reorder=None, on_damage="warn", on_end=None)
    reading = Reading(plain, columns=("duplicate_kind",), row_limit=SAMPLE)
    # What is wrong with the input was said by the reading before.
    with catch_warnings(action="ignore"), suppress(CaptureError, OSError), closing(reading.read([item])) as steps:
        next(steps, None)
    return counted(bytes(memoryview(reading.scanner.take()["duplicate_kind"])))
