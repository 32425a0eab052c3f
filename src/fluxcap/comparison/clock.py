"""What the clocks of two points say of each other, and why that is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap._core import LearnedClock

UNKNOWN, NOT_TOLD, ONE_WAY, TWO_WAYS = "unknown", "not told", "one way", "two ways"
FIRST_NOT_TOLD: Final = 2  # of the kinds of the core: packets of which nothing tells which point they pass first
PPM: Final = 1e6
NOISE: Final = 100_000  # ns: clocks do not drift evenly, and no more than this is said of it
SHOWN: Final = 0.005  # ppm: less would be written as 0


class Clock(NamedTuple):
    """By how much the clock of B is ahead of that of A, and how much faster it is.

    Attributes
    ----------
    basis : {"two ways", "one way", "not told", "unknown"}
        From packets of both directions, whose least delays are taken to be equal; of one direction, which tell no
        offset; of which nothing but these clocks tells the direction; or from none, as none was seen at both points.
    offset : int or None
        Nanoseconds by which B is ahead at `time`; None where it cannot be known.
    bound : int or None
        Nanoseconds by which the offset may be wrong either way, where the least delays are not equal.
    drift : float or None
        Parts per million by which B is faster; None where the packets do not tell: it is then taken to be 0.
    time : int or None
        Nanoseconds since the epoch: the first packet seen at both points, in the middle of both clocks.
    contradiction : int
        Nanoseconds by which packets of both directions contradict each other: no delay is negative, and with this clock
        some are, if it is not 0. Some packets were then taken for others.
    """

    basis: str
    offset: int | None
    bound: int | None
    drift: float | None
    time: int | None
    contradiction: int = 0

    @property
    def sentence(self) -> str:
        """str: the same in words, with what it rests on."""
        if self.basis == UNKNOWN:
            return "No packet was seen at both points as it was, so nothing is known of their clocks."
        faster = "" if self.drift is None else f" and {_ppm(self.drift)}"
        if self.offset is None or self.bound is None:
            drift = "" if self.drift is None else f" B's clock is {_ppm(self.drift)}."
            why = {
                ONE_WAY: "All packets that were seen at both points passed the same one first",
                NOT_TOLD: "Nothing but the clocks tells which point packets passed first",
            }[self.basis]
            return f"{why}, so the offset of the clocks cannot be known: delays are counted from the least one.{drift}"
        where = "behind" if self.offset < 0 else "ahead of"
        said = f"B's clock is {human.duration(abs(self.offset))} {where} A's{faster}"
        if self.contradiction > NOISE:
            return (
                f"{said}, but packets of both directions contradict each other by {human.duration(self.contradiction)}:"
                " some were taken for others of the same bytes, or both points are beside one link."
                " The offset may be wrong by as much, and so may the delays."
            )
        return (
            f"{said}, if the least delays of both directions are equal; if they are not, the offset is wrong by"
            f" {human.duration(self.bound)} at most."
        )


def _ppm(drift: float) -> str:
    return f"{abs(drift):.2f} ppm {'slower' if drift < 0 else 'faster'}" if abs(drift) >= SHOWN else "as fast as A's"


def clock_of(learned: LearnedClock) -> Clock:
    """What the core has learned."""
    basis, half = learned["basis"], learned["drift"] / 2
    if basis == UNKNOWN:
        return Clock(basis, None, None, None, None)
    # The core measures time in the middle of both clocks.
    drift = learned["drift"] / (1 - half) * PPM if learned["drifts"] else None
    if basis == ONE_WAY:
        told = NOT_TOLD if learned["kind"] >= FIRST_NOT_TOLD else basis
        return Clock(told, None, None, drift, learned["origin"])
    gap = round(learned["gap"])
    return Clock(basis, round(learned["offset"]), abs(gap) // 2, drift, learned["origin"], max(-gap, 0))
