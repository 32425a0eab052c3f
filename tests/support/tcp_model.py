"""A model of TCP: two hosts that talk, a network that repeats and reorders, and a capture that misses some.

It knows what each side sent, and so what a capture of it says: the bytes that streams deliver, where they have gaps,
and what the segments of each direction are. It keeps sets of positions, where fluxcap keeps edges and holes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tcp_situations import CLIENT, SERVER, Sent

MSS = 40
SPACE = 1 << 32


@dataclass
class Sender:
    """One side of a connection: its initial sequence number, what it sends, and what was captured of it."""

    isn: int
    data: bytes
    seen: set[int] = field(default_factory=set)  # sequence positions, the SYN at 0, bytes from 1, then the FIN
    top: int = 0  # behind the highest that it is known to have sent
    acknowledged: int = 0  # up to here, by what was captured of the other side
    retransmitted: int = 0
    out_of_order: int = 0
    keep_alives: int = 0

    def meet(self, start: int, end: int, is_probe: bool) -> None:
        """A segment of these positions was captured."""
        positions = set(range(start, end))
        if is_probe and start == self.top - 1 and positions <= self.seen:
            self.keep_alives += 1
            return
        if positions and end <= max(self.top, self.acknowledged):
            if positions <= self.seen:
                self.retransmitted += 1
            else:
                self.out_of_order += 1
        self.seen |= positions
        self.top = max(self.top, end)

    def gaps(self) -> list[tuple[int, int]]:
        """Runs of bytes below where it was known to stand that were not seen: where in the delivered bytes, and how
        long."""
        found: list[tuple[int, int]] = []
        delivered = 0
        for position in range(1, min(self.top, len(self.data) + 1)):
            if position in self.seen:
                delivered += 1
            elif found and found[-1][0] == delivered:
                found[-1] = (delivered, found[-1][1] + 1)
            else:
                found.append((delivered, 1))
        return found

    def missing(self) -> int:
        """Bytes that were acknowledged, or have others behind them, and were not captured."""
        return sum(at not in self.seen for at in range(1, min(max(self.top, self.acknowledged), len(self.data) + 1)))

    def delivered(self) -> bytes:
        """The bytes that were captured, in order."""
        return bytes(octet for at, octet in enumerate(self.data, 1) if at in self.seen)


@dataclass
class Model:
    """A connection: its segments as captured, and both of its sides."""

    sent: list[Sent]
    sides: tuple[Sender, Sender]
    state: str


class Talk:
    """Makes a connection, segment by segment."""

    def __init__(self, draw: Random, isns: tuple[int, int]) -> None:
        self.draw = draw
        self.sides = (
            Sender(isns[0], draw.randbytes(draw.choice((0, 3, 80, 400)))),
            Sender(isns[1], draw.randbytes(draw.choice((0, 5, 90, 700)))),
        )
        self.received = [0, 0]  # what each side acknowledges: positions of the other
        self.wire: list[tuple[Sent, int, int, bool]] = []  # with the positions that it takes

    def put(self, way: int, flags: str, start: int, length: int = 0, is_probe: bool = False) -> None:
        """A side sends from this position on."""
        side, peer = self.sides[way], self.sides[1 - way]
        end = start + length + ("S" in flags) + ("F" in flags)
        ack = (peer.isn + self.received[way]) % SPACE if "A" in flags else 0
        self.wire.append((Sent(way, flags, (side.isn + start) % SPACE, ack, length), start, end, is_probe))

    def open(self, ways: tuple[str, ...]) -> None:
        """The handshake: plain, with a SYN and its answer sent again, both at once, or in a second attempt."""
        how = self.draw.choice(ways)
        self.put(CLIENT, "S", 0)
        if how == "again":
            self.put(CLIENT, "S", 0)
        if how == "refused":
            self.wire.append((Sent(SERVER, "RA", 0, (self.sides[0].isn + 1) % SPACE), -1, -1, False))
            self.put(CLIENT, "S", 0)
        if how == "half open":
            old = (self.sides[1].isn + 777_777_777) % SPACE, (self.sides[0].isn + 123_456_789) % SPACE
            self.wire.append((Sent(SERVER, "A", *old), -1, -1, False))
            self.wire.append((Sent(CLIENT, "R", old[1]), -1, -1, False))
            self.put(CLIENT, "S", 0)
        if how == "both":
            self.put(SERVER, "S", 0)
            self.received = [1, 1]
            self.put(CLIENT, "SA", 0)
            self.put(SERVER, "SA", 0)
            return
        self.received[SERVER] = 1
        self.put(SERVER, "SA", 0)
        self.received[CLIENT] = 1
        if how == "again":
            self.put(SERVER, "SA", 0)
        self.put(CLIENT, "A", 1)

    def talk(self) -> None:
        """Each side sends what it has, by turns, in bursts; bursts lose their order, and some segments come again."""
        at = [1, 1]
        while any(at[way] <= len(self.sides[way].data) for way in (0, 1)):
            way = self.draw.choice([way for way in (0, 1) if at[way] <= len(self.sides[way].data)])
            burst = []
            for _ in range(self.draw.randint(1, 12)):
                left = len(self.sides[way].data) + 1 - at[way]  # one byte sent again would be a keep-alive
                length = left if left < MSS else self.draw.randint(2, MSS - 2)
                if length:
                    burst.append((at[way], length))
                    at[way] += length
            if self.draw.random() < 0.4:
                self.draw.shuffle(burst)
            if self.draw.random() < 0.3:
                burst += self.draw.choices(burst, k=self.draw.randint(1, 3))
            for start, length in burst:
                self.put(way, "A", start, length)
            self.received[1 - way] = at[way]
            self.put(1 - way, "A", at[1 - way])
            if self.draw.random() < 0.2 and min(at) > 2:
                for _ in range(self.draw.randint(1, 3)):  # with or without a byte; of a closed window too
                    self.put(way, "A", at[way] - 1, self.draw.choice((0, 1)), is_probe=True)
                    self.put(1 - way, "A", at[1 - way])

    def close(self) -> str:
        """In one of the ways; the state that it leaves."""
        ends = [len(side.data) + 1 for side in self.sides]
        how = self.draw.choice(("open", "both", "client", "server", "abort"))
        if how in ("both", "client"):
            self.put(CLIENT, "FA", ends[0])
            self.received[SERVER] = ends[0] + 1
            self.put(SERVER, "A", ends[1])
        if how in ("both", "server"):
            self.put(SERVER, "FA", ends[1])
            self.received[CLIENT] = ends[1] + 1
            self.put(CLIENT, "A", ends[0] + (how == "both"))
        if how == "abort":
            self.wire.append((Sent(CLIENT, "R", (self.sides[0].isn + ends[0]) % SPACE), -1, -1, False))
        return {"open": "S1", "both": "SF", "client": "S2", "server": "S3", "abort": "RSTO"}[how]


OPENINGS = ("plain", "again", "both", "refused", "half open")


APART = 5000  # numbers of two connections: where they overlap nobody can tell one from the other


def number(draw: Random, taken: list[int]) -> int:
    """An initial sequence number: many are such that the numbers wrap around soon, or near another one."""
    while True:
        near = [other + draw.choice((-1, 1)) * draw.randrange(APART, 30 * APART) for other in taken]
        isn = draw.choice((draw.randrange(SPACE), SPACE - draw.randrange(1, 300), *near)) % SPACE
        if all(APART <= (isn - other) % SPACE <= SPACE - APART for other in taken):
            return isn


def connection(draw: Random, ways: tuple[str, ...] = OPENINGS, others: Sequence[Model] = ()) -> Model:
    """One connection, and what a capture of it has: of segments with bytes some may be missing."""
    taken = [[other.sides[way].isn for other in others] for way in (0, 1)]
    talk = Talk(draw, (number(draw, taken[0]), number(draw, taken[1])))
    talk.open(ways)
    talk.talk()
    state = talk.close()
    loss = draw.choice((0, 0, 0.05, 0.3))
    sent = []
    if ways is OPENINGS and draw.random() < 0.2:
        put_first_data_first(talk)
    for segment, start, end, is_probe in talk.wire:
        if segment.length > 1 and draw.random() < loss:
            continue
        sent.append(segment)
        if start >= 0 and "A" in segment.flags:
            peer = talk.sides[1 - segment.way]
            if peer.seen:  # before, nothing of it was left out
                peer.acknowledged = max(peer.acknowledged, (segment.ack - peer.isn) % SPACE)
        if start >= 0:
            if not is_probe and segment.length == 0 and not set(segment.flags) & set("SF"):
                end = start  # only acknowledges
            talk.sides[segment.way].meet(start, end, is_probe)
    return Model(sent, talk.sides, state)


def put_first_data_first(talk: Talk) -> None:
    """The capture has the client's first bytes before its SYN."""
    early = next((one for one in talk.wire[:6] if one[0].way == CLIENT and one[1] == 1 and one[0].length), None)
    if early is not None and [one[0].flags for one in talk.wire[:3]] == ["S", "SA", "A"]:
        talk.wire.remove(early)
        talk.wire.insert(0, early)


def put_wild_ack(draw: Random, model: Model, made: list[Sent], opened: int, ended: int) -> None:
    """Put in an acknowledgment of bytes never sent, if its sender is to acknowledge something else later."""
    way = draw.choice((CLIENT, SERVER))
    at = draw.randint(opened, ended)
    isn, other = model.sides[way].isn, model.sides[1 - way].isn
    own = {one for one in model.sent if one.way == way and "A" in one.flags and "R" not in one.flags}
    numbers = [((one.seq - isn) % SPACE + one.length, one in own) for one in made]
    stands = max([1, *(end for end, is_own in numbers[:at] if is_own)])
    if any(is_own and end - one.length >= stands for one, (end, is_own) in zip(made[at:], numbers[at:], strict=True)):
        ack = other + draw.choice((2000, 60_000, 1_000_000))
        made.insert(at, Sent(way, "A", (isn + stands) % SPACE, ack % SPACE))


def put_blind_reset(draw: Random, model: Model, made: list[Sent], opened: int, ended: int) -> None:
    """Put in a RST of a number that its receiver does not expect: below, in the window or ahead of it. To Zeek it ends
    the connection; the streams go on."""
    way = CLIENT if model.state == "RSTO" else draw.choice((CLIENT, SERVER))
    for _ in range(draw.randint(1, 3)):
        away = draw.choice((-30_000, -5001, 2500, 3000, 49_999, 900_000_000))
        number = (model.sides[way].isn + away) % SPACE
        made.insert(draw.randint(opened, ended), Sent(way, draw.choice(("R", "RA")), number, draw.randrange(SPACE)))
    model.state = "RSTR" if way else "RSTO"


def with_strays(draw: Random, model: Model) -> list[Sent]:
    """The segments, with some put into the open connection that neither host has sent for it: SYNs and answers of other
    incarnations, wild numbers, acknowledgments of what was never sent, blind RSTs."""
    made = list(model.sent)
    client, server = (side.isn for side in model.sides)
    asked = max(at for at, one in enumerate(made) if "S" in one.flags)
    opened = next((at + 1 for at, one in enumerate(made) if at > asked and one[:2] == (CLIENT, "A")), len(made))
    ended = next((at for at, one in enumerate(made) if at > asked and set(one.flags) & set("FR")), len(made))
    if opened > ended:
        return made
    for _ in range(draw.randint(0, 3)):
        away = draw.choice((50_000, 100_000, 900_000_000, -100_000, -900_000_000))
        stray = draw.choice(
            (
                Sent(SERVER, "SA", (server + away) % SPACE, (client + 1) % SPACE),
                Sent(SERVER, "SA", (server + away) % SPACE, (client + away) % SPACE),
                Sent(CLIENT, "S", (client + away) % SPACE),
                Sent(CLIENT, "A", (client + 900_000_000) % SPACE, (server + 1) % SPACE, draw.choice((0, 30))),
                Sent(SERVER, "A", (server - 100_000) % SPACE, (client - 77_000) % SPACE, 20),
                Sent(SERVER, "A", (server + 700_000_000) % SPACE, (client + 600_000_000) % SPACE),
            )
        )
        made.insert(draw.randint(opened, ended), stray)
        ended += 1
    if draw.random() < 0.4:
        before = len(made)
        put_wild_ack(draw, model, made, opened, ended)
        ended += len(made) - before
    if draw.random() < 0.4:
        put_blind_reset(draw, model, made, opened, ended)
    return made


def connections(draw: Random, n: int) -> list[Model]:
    """Several between the same sockets."""
    made: list[Model] = []
    for _ in range(n):
        made.append(connection(draw, ("plain",), made))
    return made


def in_turn(draw: Random, models: list[Model]) -> list[Sent]:
    """The segments of several connections between the same sockets, mixed: as on both sides of a firewall that changes
    sequence numbers."""
    turns = [at for at, model in enumerate(models) for _ in model.sent]
    draw.shuffle(turns)
    left = [iter(model.sent) for model in models]
    return [next(left[at]) for at in turns]


def one_after_another(draw: Random, models: list[Model]) -> list[Sent]:
    """... or with the ports used anew, and late copies of what the one before had sent."""
    made: list[Sent] = []
    for at, model in enumerate(models):
        begin = len(made) + 3
        made += model.sent
        before = models[at - 1]
        # What comes from a side that has aborted counts for nothing.
        late = [one for one in before.sent if one.length > 1 and (one.way or before.state != "RSTO")] if at else []
        for segment in draw.choices(late, k=draw.randint(0, 2)) if late else ():
            made.insert(draw.randint(begin, len(made)), segment)
            side = before.sides[segment.way]
            start = (segment.seq - side.isn) % SPACE
            side.meet(start, start + segment.length, False)
    return made
