"""What is known of one packet: headers with fields, sums with words, verdicts with reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from fluxcap.errors import printable
from fluxcap.explaining.wording import endpoint
from fluxcap.values import human, names, text
from fluxcap.values.metadata import Metadata


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
    length: int
    fields: tuple[Field, ...]

    def value(self, name: str) -> int | None:
        """The value of a field; None if the header has none of this name, or it was not captured."""
        return next((field.value for field in self.fields if field.name == name), None)

    @property
    def missing(self) -> int:
        """Bytes of the header that the record does not have."""
        there = max((field.bit + field.bits for field in self.fields), default=0) // 8
        return max(self.length - there, 0)


class Word(NamedTuple):
    """A word of a checksum, and the sum behind it.

    `offset` is None for a word of the pseudo-header; `carry`: adding the word gave a carry, which was added to the sum.
    """

    source: str
    offset: int | None
    value: int
    sum: int
    carry: bool


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

    def written(self, value: int) -> str:
        """A value of the field, in hexadecimal digits."""
        return f"0x{value:0{self.digits}x}"

    @property
    def total(self) -> int | None:
        """The sum of the words, in ones' complement."""
        return self.words[-1].sum if self.words else None


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


@dataclass(frozen=True, repr=False)
class Explanation:
    """One packet, taken apart.

    Attributes
    ----------
    path : str
        The input.
    packet : int
        Number of the record in it, from 1.
    time : int
        Nanoseconds since the epoch, UTC; NO_TIME where the record has no time.
    offset : int
        Of the first byte of the packet in the decompressed file.
    captured_length, wire_length : int
        Bytes.
    link_type : int
        Number of the link type.
    disposition, reason : str
        Where the record stands in the ledger, and why its walk ended early or its sum is partial.
    headers : tuple of Header
        In the order of the record.
    checksums : tuple of Checksum
        In the order of the record.
    flow : FlowOf or None
        The connection; None for a record in no flow.
    delivery : str
        What a socket would have been handed, in one sentence.
    notes : tuple of str
        What else is to be said: how far the record was understood.
    metadata : dict
        As tables have it.

    See Also
    --------
    explain : makes this object.

    Examples
    --------
    >>> import fluxcap
    >>> explanation = fluxcap.explain("samples/verdicts.pcap", packet=2)
    >>> [header.title for header in explanation.headers]
    ['Ethernet', 'IPv4', 'UDP']
    >>> explanation.checksums[-1].verdict
    'good'
    """

    path: str
    packet: int
    time: int
    offset: int
    captured_length: int
    wire_length: int
    link_type: int
    disposition: str
    reason: str
    headers: tuple[Header, ...]
    checksums: tuple[Checksum, ...]
    flow: FlowOf | None
    delivery: str
    notes: tuple[str, ...]
    metadata: Metadata

    def __repr__(self) -> str:
        path = ", ".join(header.title for header in self.headers)
        return f"<packet {self.packet:,} of {printable(self.path)}: {path or 'no header that is read'}>"

    @property
    def heading(self) -> str:
        """Which packet this is."""
        from fluxcap._core import NO_TIME

        when = "" if self.time == NO_TIME else f", {text.time(self.time)}"
        cut = f" of {human.count(self.wire_length)}" if self.captured_length < self.wire_length else ""
        octets = f"{human.count(self.captured_length)}{cut} bytes"
        link = f"link type {names.link_type(self.link_type)}"
        return f"packet {human.count(self.packet)} of {printable(self.path)}{when}: {octets}, {link}"

    def sentences(self) -> Iterator[str]:
        """Say what is known of the packet beside its checksums.

        Yields
        ------
        str
            A sentence: how far it was understood, its flow, what a socket would have been handed.

        Examples
        --------
        >>> import fluxcap
        >>> list(fluxcap.explain("samples/verdicts.pcap", packet=2).sentences())[-1]
        'recvfrom() at UDP 192.0.2.2:50000 gives 5 bytes.'
        """
        yield from self.notes
        if self.flow is not None:
            yield about_flow(self.flow)
        yield self.delivery

    def to_dict(self) -> dict[str, Any]:
        """Give the same as dicts, lists, texts and integers.

        Returns
        -------
        dict
            What `fluxcap explain -f json` writes.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.explain("samples/verdicts.pcap", packet=2).to_dict()["headers"][-1]["title"]
        'UDP'
        """
        about = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del about["metadata"]
        return {
            **about,
            "headers": [dataclasses.asdict(header) for header in self.headers],
            "checksums": [
                {**dataclasses.asdict(one), "words": [word._asdict() for word in one.words]} for one in self.checksums
            ],
            "flow": None if self.flow is None else dataclasses.asdict(self.flow),
            "notes": list(self.notes),
        }


def about_flow(flow: FlowOf) -> str:
    """The flow in words."""
    ends = f"{endpoint(flow.src_ip, flow.src_port)} → {endpoint(flow.dst_ip, flow.dst_port)}"
    packets = f"{human.counted(flow.packets, 'packet')}, {human.count(flow.reverse_packets)} back"
    state = f", state {flow.state}, history {flow.history}" if flow.history else ""
    kind = "connection" if flow.protocol == names.TCP else "flow"
    number = f"{human.count(flow.number + 1)} of {human.count(flow.of)}"
    return f"It belongs to {kind} {number}: {names.protocol(flow.protocol)} {ends}, {packets}{state}."
