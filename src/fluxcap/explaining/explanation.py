"""What is known of one packet, as one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fluxcap.errors import printable
from fluxcap.explaining.page import part
from fluxcap.explaining.parts import Checksum, FlowOf, Header, about_flow
from fluxcap.values import human, names, text
from fluxcap.values.metadata import Metadata


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

    def _repr_html_(self) -> str:
        return part(self)

    @property
    def heading(self) -> str:
        """str: which packet this is."""
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
                {
                    **dataclasses.asdict(one),
                    "words": [word._asdict() for word in one.words],
                    "fragments": [fragment._asdict() for fragment in one.fragments],
                }
                for one in self.checksums
            ],
            "flow": None if self.flow is None else dataclasses.asdict(self.flow),
            "notes": list(self.notes),
        }
