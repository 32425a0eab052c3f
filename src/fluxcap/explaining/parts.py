"""What an explanation is made of: headers with fields, checksums with words, the flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from fluxcap.values import human, names, text

DATA: Final = "data"  # the source of a word behind the headers


@dataclass(frozen=True)
class Field:
    """A field of a header; `bit` counts from the first bit of the header."""

    name: str
    bit: int
    bits: int
    value: int
    text: str  # the value as people write it


@dataclass(frozen=True)
class Header:
    """A header on the path of a packet; `offset` and `length` are bytes of the record."""

    kind: str
    title: str
    layer: str  # "link", "tunnel", "network", "transport" or "pseudo"
    depth: int  # tunnels around it
    offset: int
    length: int  # as it states it
    captured: int  # bytes of it that are there: neither cut nor past the end of its packet
    hex: str  # these bytes, in hexadecimal
    fields: tuple[Field, ...]

    def value(self, name: str) -> int | None:
        """The value of a field; None if the header has none of this name, or it was not captured."""
        return next((field.value for field in self.fields if field.name == name), None)

    @property
    def caption(self) -> str:
        """What stands over its box."""
        if self.layer == "pseudo":
            return f"{self.title}: {self.length} bytes that are summed, and not in the packet"
        last = self.offset + self.length - 1
        depth = f", {human.counted(self.depth, 'tunnel')} deep" if self.depth else ""
        missing = f", {self.captured} of them there" if self.captured < self.length else ""
        return f"{self.title}, bytes {self.offset} to {last}{depth}{missing}"


class Word(NamedTuple):
    """A word of a checksum, and the sum behind it.

    `packet` and `offset` say where it stands, and are None for a word of the pseudo-header. The offset is a byte of the
    record or, in the sum of a datagram in fragments, of the payload of the datagram. `carry`: adding the word gave a
    carry, which was added to the sum.
    """

    source: str
    packet: int | None
    offset: int | None
    value: int
    sum: int
    carry: bool


class Fragment(NamedTuple):
    """A record with a piece of a datagram; `offset` and `length` are bytes of the payload of the datagram."""

    packet: int
    file: int
    offset: int
    length: int


@dataclass(frozen=True)
class Checksum:
    """A checksum of the packet: what its field holds, what it should hold, and why its verdict is what it is."""

    title: str  # the protocol whose header holds it
    depth: int
    offset: int | None  # of the field in the record; None if the record does not have it
    verdict: str
    held: int
    expected: int | None  # None where no sum was taken
    digits: int  # hexadecimal digits of the field
    sentence: str
    pseudo: Header | None  # the pseudo-header, whose offset is no place in the record; None where there is none
    words: tuple[Word, ...]  # none where no sum was taken, or where it is a CRC
    fragments: tuple[Fragment, ...] = ()  # that have the words, in order; none where the record has all of them

    def written(self, value: int) -> str:
        """A value of the field, in hexadecimal digits."""
        return f"0x{value:0{self.digits}x}"

    @property
    def heading(self) -> str:
        """Which checksum this is, and where its field stands."""
        place = "" if self.offset is None else f" at byte {self.offset}"
        pieces = human.counted(len(self.fragments), "fragment")
        return f"{self.title} checksum{place}{f' of the datagram in {pieces}' if self.fragments else ''}"

    @property
    def comparison(self) -> str:
        """What the field holds and should hold."""
        wanted = "" if self.expected is None else f", should hold {self.written(self.expected)}"
        return f"The field holds {self.written(self.held)}{wanted}."

    @property
    def total(self) -> str:
        """What all words add up to; for a checksum that has words."""
        total = self.words[-1].sum
        return f"the sum 0x{total:04x}, complemented: 0x{0xFFFF - total:04x}"


@dataclass(frozen=True)
class FlowOf:
    """The connection or flow of the packet."""

    number: int  # its row in read_connections()
    of: int  # rows there
    protocol: int
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int
    packets: int
    reverse_packets: int
    state: str
    history: str


class Told(Protocol):
    """What is drawn of an explanation."""

    @property
    def heading(self) -> str:
        """Which packet it is."""

    @property
    def path(self) -> str:
        """The input."""

    @property
    def packet(self) -> int:
        """Its number there."""

    @property
    def headers(self) -> Sequence[Header]:
        """In the order of the record."""

    @property
    def checksums(self) -> Sequence[Checksum]:
        """In the order of the record."""

    def sentences(self) -> Iterator[str]:
        """All that is said beside."""


def about_flow(flow: FlowOf) -> str:
    """The flow in words."""
    ends = f"{text.socket(flow.src_ip, flow.src_port)} → {text.socket(flow.dst_ip, flow.dst_port)}"
    packets = f"{human.counted(flow.packets, 'packet')}, {human.count(flow.reverse_packets)} back"
    state = f", state {flow.state}, history {flow.history}" if flow.history else ""
    kind = "connection" if flow.protocol == names.TCP else "flow"
    number = f"{human.count(flow.number + 1)} of {human.count(flow.of)}"
    return f"It belongs to {kind} {number}: {names.protocol(flow.protocol)} {ends}, {packets}{state}."
