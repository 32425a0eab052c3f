"""What packets met between two points at which they were recorded: the log of a network whose plan is known."""

from collections.abc import Iterable
from typing import NamedTuple

from middlebox import Change, End

OTHER = {"A": "B", "B": "A"}
# What one packet meets, at most one of them. `held`: others may overtake it; `delayed`: all behind it wait as well;
# `changed` and `mended`: a byte of the payload is another one, and the checksum is left or right.
FATES = ("lost", "duplicated", "held", "delayed", "changed", "mended")
PLAIN = "plain"


class Flow(NamedTuple):
    """The two ends of a flow, as its packets name them at the point of its client and at the other one."""

    number: int
    protocol: int
    near: str  # the point of its client
    client: End
    server: End
    client_afar: End  # the client as the other point sees it

    @property
    def translated(self) -> bool:
        """Are its addresses others on the far side?"""
        return self.client != self.client_afar

    def ends(self, sender: str, point: str) -> tuple[End, End]:
        """Source and target of its packets from one point, as they are recorded at a point."""
        client = self.client if point == self.near else self.client_afar
        return (client, self.server) if sender == self.near else (self.server, client)


class Passage(NamedTuple):
    """What one packet met. A packet may be several records, of its pieces or copies: these are numbered from 1."""

    flow: Flow
    sender: str  # the point of its sender, "A" or "B"
    kind: str  # "first" of its direction, "again" (data sent before), "alike" (bytes sent before), "large" or "plain"
    fate: str  # of FATES, or "plain"
    change: Change  # what a box wrote anew
    sent: tuple[int, ...]  # in the capture of the sender's point
    arrived: tuple[int, ...]  # in that of the other point; none of a lost packet
    whole_at: str  # at which points its payload is in one record: "AB" of most
    delay: int | None  # ns by a clock that is right, from the first record to the first; None of a lost packet
    reordered: bool = False  # one sent later in its direction of the flow arrived before it (RFC 4737 section 3.3)


def in_order_of_arrival(passages: Iterable[Passage]) -> list[Passage]:
    """The same in order of sending, with those marked as reordered that are."""
    earliest: dict[tuple[int, str], int] = {}  # of all that were sent later
    out = []
    for one in sorted(passages, key=lambda one: (one.sender, one.sent), reverse=True):
        direction = one.flow.number, one.sender
        if one.arrived:
            after = earliest.get(direction, one.arrived[0])
            out.append(one._replace(reordered=one.arrived[0] > after))
            earliest[direction] = min(after, one.arrived[0])
        else:
            out.append(one)
    return out[::-1]
