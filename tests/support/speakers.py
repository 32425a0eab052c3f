"""Hosts that talk over UDP and TCP, without any kernel: what they send, in order of time."""

import random
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple, Protocol

import builders as b
from passages import OTHER, PLAIN, Flow

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
SPACING = 20_000  # ns from one packet to the next, at least
LARGE = range(2000, 8000)  # bytes of payload
SHORTEST, LENGTHS, STRIDE = 12, 1201, 37  # the two are coprime: of LENGTHS in a row no two have the same length
MSS = b"\x02\x04\x05\xb4"  # 1460 bytes
STILL_HERE = b"still here"
WEB_PORT, NAME_PORT = 443, 53
RECENT = 8  # segments that may be sent again


class Amounts(Protocol):
    """What a plan says of the hosts."""

    packets: int
    flows: int
    seconds: float
    two_way: bool
    translated: float
    large: float
    again: float
    alike: float


class Sent(NamedTuple):
    """A packet as its sender hands it to the network."""

    flow: Flow
    sender: str
    time: int
    kind: str
    packet: bytes
    offloaded: bytes  # the same with the checksum left to the card


def flows_of(plan: Amounts, rng: random.Random) -> list[Flow]:
    """In turn TCP and UDP, over IPv4 and IPv6; the client of every third is at B if both sides may begin."""
    flows = []
    for number in range(plan.flows):
        near = "B" if plan.two_way and number % 3 == 2 else "A"
        protocol = b.UDP if number % 2 else b.TCP
        address = ("2001:db8:{}::{:x}" if number // 2 % 2 else "192.0.{}.{}").format
        client_net, server_net = (2, 3) if near == "A" else (3, 2)
        client = address(client_net, 1 + number % 200), 40000 + number
        server = address(server_net, 250), NAME_PORT if protocol == b.UDP else WEB_PORT
        outside = address(server_net, 251), 20000 + number
        flows.append(
            Flow(number, protocol, near, client, server, outside if rng.random() < plan.translated else client)
        )
    return flows


def talk(plan: Amounts, flows: list[Flow], rng: random.Random) -> Iterator[Sent]:
    """What all hosts send."""
    speakers = [(flow, Speaker(flow, flow.near, rng), Speaker(flow, OTHER[flow.near], rng)) for flow in flows]
    moments = sorted(rng.randrange(round(plan.seconds * SECOND)) for _ in range(plan.packets))
    for number, moment in enumerate(moments):
        flow, client, server = rng.choice(speakers)
        by_client = not plan.two_way or not client.has_spoken or rng.random() < 0.5
        speaker, peer = (client, server) if by_client else (server, client)
        kind = speaker.kind(plan)
        packet, offloaded = speaker.packet(kind, peer)
        yield Sent(flow, speaker.point, START + moment + number * SPACING, kind, packet, offloaded)


class Speaker:
    """One end of a flow."""

    def __init__(self, flow: Flow, point: str, rng: random.Random) -> None:
        self.flow, self.point, self.rng = flow, point, rng
        self.source, self.target = flow.ends(point, point)
        self.said = 0
        self.identification = rng.randrange(2**16)
        self.seq = rng.randrange(2**32)
        self.ticks = rng.randrange(2**31)  # of its timestamps (RFC 7323 section 3)
        self.recent: list[tuple[int, bytes]] = []  # data of TCP by sequence number

    @property
    def has_spoken(self) -> bool:
        return self.said > 0

    def kind(self, plan: Amounts) -> str:
        """Which kind of packet it sends next."""
        if not self.has_spoken:
            return "first"
        over_tcp, drawn = self.flow.protocol == b.TCP, self.rng.random()
        if drawn < plan.large:
            return "large"
        if drawn < plan.large + plan.again and self.recent:
            return "again"
        return "alike" if drawn < plan.large + plan.alike and not over_tcp else PLAIN

    def packet(self, kind: str, peer: "Speaker") -> tuple[bytes, bytes]:
        """The next packet with its right checksum, and with what is left to the card."""
        self.said += 1
        if kind == "alike":
            payload, number = STILL_HERE, 0  # RFC 6864 section 4.1 allows zero
        else:
            size = self.rng.choice(LARGE) if kind == "large" else SHORTEST + self.said * STRIDE % LENGTHS
            payload = self.rng.randbytes(size)
            self.identification = self.identification % 0xFF00 + 9  # pieces take the numbers between
            number = self.identification
        if self.flow.protocol == b.UDP:
            segment = partial(b.udp, payload, self.source[1], self.target[1])
        else:
            segment = self._segment(kind, payload, peer)
        right, offloaded = (self._over_ip(segment(checksum=sum_), number) for sum_ in (None, "partial"))
        return right, offloaded

    def _segment(self, kind: str, payload: bytes, peer: "Speaker") -> "partial[b.Layer]":
        self.ticks += 1
        options = b"\x01\x01\x08\x0a" + self.ticks.to_bytes(4, "big") + peer.ticks.to_bytes(4, "big")
        flags, seq = b.ACK | b.PSH, self.seq
        if kind == "first":
            payload, options = b"", MSS + options
            flags = b.SYN | (b.ACK if peer.has_spoken else 0)
        elif kind == "again":
            seq, payload = self.rng.choice(self.recent)
        elif kind == PLAIN and self.rng.random() < 0.3:
            payload, flags = b"", b.ACK
        if kind != "again":
            self.seq = (seq + len(payload) + (kind == "first")) % 2**32
        if kind == PLAIN and payload:
            self.recent = [*self.recent, (seq, payload)][-RECENT:]
        ports = self.source[1], self.target[1]
        ack = peer.seq if flags & b.ACK else 0
        return partial(b.tcp, payload, *ports, seq=seq, ack=ack, flags=flags, options=options)

    def _over_ip(self, segment: b.Layer, number: int) -> bytes:
        ends = self.source[0], self.target[0]
        return bytes(b.ipv6(segment, *ends) if ":" in ends[0] else b.ipv4(segment, *ends, identification=number))
