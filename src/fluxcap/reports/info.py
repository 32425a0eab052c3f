"""What is in a capture, as numbers and in words: at a terminal and on a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final, NamedTuple

from fluxcap._core import VERDICTS
from fluxcap.errors import printable
from fluxcap.formats import Listing
from fluxcap.reports import verdicts
from fluxcap.tables.card import card
from fluxcap.values import human, metadata, names
from fluxcap.values.metadata import JOINT, Metadata
from fluxcap.values.units import BITS_PER_OCTET

INPUT_LINES: Final = 5  # inputs described one by one
INTERFACES_NAMED: Final = 3
KINDS_NAMED: Final = 6  # ethertypes without IP
RATES: Final = ("duration", "packets_per_second", "octets_per_second", "bits_per_second", "octets_per_packet")


# Named tuples, no dataclasses, whose module takes a sixth of the start of `fluxcap info` to import.


class InterfaceInfo(NamedTuple):
    """An interface that packets were captured on."""

    name: str
    link_type: int
    snaplen: int  # bytes; 0 = no limit
    packets: int
    ticks_per_second: float  # of its time stamps
    dropped: int | None = None  # packets that there was no room for, as the file says; None: it does not say


class InputInfo(NamedTuple):
    """One input of a capture."""

    name: str
    size: int | None  # bytes as stored, before decompression; None for a stream
    compression: str  # "" = none
    format: str  # "pcap", "pcapng" or "snoop"
    variant: str  # for a pcap: "us", "ns", "us modified"
    byte_order: str
    sections: int
    interfaces: tuple[InterfaceInfo, ...]
    packets: int
    captured_octets: int
    wire_octets: int
    sha256: str | None = None  # of the bytes as stored, if it was asked for


class CaptureInfo(NamedTuple):
    """What is in one or several inputs, read as one capture.

    Attributes
    ----------
    inputs : tuple of InputInfo
        Each input: name, size (bytes as stored), compression, format, sections, interfaces, packets.
    packets : int
        Records.
    captured_octets, wire_octets : int
        Bytes of the packets, as captured and as sent, without the headers of the file.
    first, last : int or None
        Earliest and latest time, nanoseconds since the epoch, UTC; None where no record has a time.
    in_order : bool
        No record is earlier than the record before it in the same input.
    link_types, ip_versions, protocols : dict of int to int
        Records by number; IP version 0 is not IP.
    ledger : dict of str to (int, int)
        Records and wire bytes by disposition; they add up.
    reasons : dict of str to int
        Why records are malformed or truncated.
    verdicts : dict of int to dict of str to int
        Records by IP protocol number and transport verdict.
    ip_verdicts, gre_verdicts : dict of str to int
        Records by verdict on the IPv4 header and on GRE.
    anomalies : dict of str to int
        What was odd, and how often.
    non_ip : dict of int to int
        Records without IP by ethertype, 0 without one; of the first 32 ethertypes.
    metadata : dict
        As tables have it.

    See Also
    --------
    read_info : makes this object.

    Examples
    --------
    >>> import fluxcap
    >>> fluxcap.read_info("samples/verdicts.pcap").in_order
    True
    """

    inputs: tuple[InputInfo, ...]
    packets: int
    captured_octets: int
    wire_octets: int
    first: int | None
    last: int | None
    in_order: bool
    link_types: dict[int, int]
    ip_versions: dict[int, int]
    protocols: dict[int, int]
    ledger: dict[str, tuple[int, int]]
    reasons: dict[str, int]
    verdicts: dict[int, dict[str, int]]
    ip_verdicts: dict[str, int]
    gre_verdicts: dict[str, int]
    anomalies: dict[str, int]
    non_ip: dict[int, int]
    metadata: Metadata

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'; '.join((self._title(), *metadata.notes(self.metadata)))}>"

    def _title(self) -> str:
        about = f"{human.counted(self.packets, 'record')} in {human.counted(len(self.inputs), 'input')}"
        return f"{about}, {human.counted(verdicts.bad(self), 'bad checksum')}"

    def _repr_html_(self) -> str:
        mixed, read = mix(self), metadata.facts(self.metadata)
        telling = {name: values for name, values in mixed.values.items() if any(values)}
        said = [
            *facts(self),
            *((label, read[label]) for label in ("skipped", "damage", "stopped")),
        ]
        return card(f"{type(self).__name__}: {self._title()}", said, Listing(telling), len(mixed))

    @property
    def duration(self) -> int | None:
        """int or None: nanoseconds from the earliest to the latest record; None where no record has a time."""
        return None if self.first is None or self.last is None else self.last - self.first

    @property
    def packets_per_second(self) -> float | None:
        """float or None: mean rate; None if the capture lasts no time."""
        return self.packets * human.NS_PER["s"] / self.duration if self.duration else None

    @property
    def octets_per_second(self) -> float | None:
        """float or None: mean rate of bytes on the wire; None if the capture lasts no time."""
        return self.wire_octets * human.NS_PER["s"] / self.duration if self.duration else None

    @property
    def bits_per_second(self) -> float | None:
        """float or None: mean rate of bits on the wire; None if the capture lasts no time."""
        return None if self.octets_per_second is None else self.octets_per_second * BITS_PER_OCTET

    @property
    def octets_per_packet(self) -> float | None:
        """float or None: mean length on the wire; None without packets."""
        return self.wire_octets / self.packets if self.packets else None

    def to_dict(self) -> dict[str, Any]:
        """Give the same, and the rates, as dicts, lists, texts and numbers.

        Returns
        -------
        dict
            Ready for JSON.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.read_info("samples/verdicts.pcap").to_dict()["in_order"]
        True
        """
        inputs = tuple(
            {**one._asdict(), "interfaces": tuple(interface._asdict() for interface in one.interfaces)}
            for one in self.inputs
        )
        values = deepcopy({**self._asdict(), "inputs": ()}) | {"inputs": inputs}
        read = values.pop("metadata")  # CaptureInfo has the rest of the metadata already
        rates = {name: getattr(self, name) for name in RATES}
        return values | rates | {"damage": read["damage"], "skipped": read["skipped"]}


def together(several: Sequence[CaptureInfo]) -> CaptureInfo:
    """The description of inputs that were described in parts, in order."""
    from fluxcap.tables.merging import added_up  # only here: a survey starts fast

    read = added_up([one.metadata for one in several])
    sums = (
        "link_types",
        "ip_versions",
        "protocols",
        "reasons",
        "verdicts",
        "ip_verdicts",
        "gre_verdicts",
        "anomalies",
        "non_ip",
    )
    return CaptureInfo(
        inputs=tuple(described for one in several for described in one.inputs),
        **{name: read[name] for name in ("packets", "captured_octets", "wire_octets", "first", "last", "in_order")},
        ledger=read["ledger"],
        **{name: summed([getattr(one, name) for one in several]) for name in sums},
        metadata=read,
    )


def summed(several: Sequence[Any]) -> Any:
    """The sums of numbers, and of what dicts have under the same names."""
    if isinstance(several[0], dict):
        names = sorted({name for one in several for name in one}) if _numbered(several) else list(several[0])
        return {name: summed([one[name] for one in several if name in one]) for name in names}
    return sum(several)


def _numbered(several: Sequence[Mapping[Any, Any]]) -> bool:
    return all(isinstance(name, int) for one in several for name in one)


def facts(info: CaptureInfo) -> Iterator[tuple[str, str]]:
    """A label and a text for each fact; a text with an empty label belongs to the label before it."""
    for source in info.inputs[:INPUT_LINES]:
        yield "input", _source(source)
        if source.sha256:
            yield "", f"SHA-256 {source.sha256}"
    if len(info.inputs) > INPUT_LINES:
        yield "", f"and {human.count(len(info.inputs) - INPUT_LINES)} more"
    captured = "" if info.captured_octets == info.wire_octets else f"{human.octets(info.captured_octets)} captured"
    wire = f"{human.octets(info.wire_octets)} on the wire"
    mean = "" if info.octets_per_packet is None else f"{human.octets(round(info.octets_per_packet))} on average"
    yield "packets", JOINT.join(filter(None, (human.count(info.packets), wire, captured, mean)))
    if info.first is not None and info.last is not None:
        order = "" if info.in_order else "not in order"
        when = human.exact_span(info.first, info.last), human.duration(info.last - info.first), order
        yield "time", JOINT.join(filter(None, when))
    if info.packets_per_second is not None and info.octets_per_second is not None:
        packets = f"{human.rate(info.packets_per_second)} packets/s"
        octets = f"{human.octets(round(info.octets_per_second))}/s"
        yield "rate", JOINT.join((packets, octets, human.bits(info.octets_per_second * BITS_PER_OCTET)))
    yield "records", _tally({name: records for name, (records, _) in info.ledger.items()}) or "none"
    if without_ip := info.ledger["non_ip"][0]:
        kinds = {names.ethertype(number): count for number, count in _most(info.non_ip)}
        yield "not IP", _tally({**kinds, "others": without_ip - sum(kinds.values())})
    if reasons := _tally({name: count for name, count in info.reasons.items() if name != "none"}):
        yield "reasons", reasons
    if anomalies := _tally(info.anomalies):
        yield "anomalies", anomalies


def _most(counts: Mapping[int, int]) -> list[tuple[int, int]]:
    """The most frequent ones."""
    return sorted(counts.items(), key=lambda one: -one[1])[:KINDS_NAMED]


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{human.count(count)} {name}" for name, count in counts.items() if count)


def _source(source: InputInfo) -> str:
    size = "" if source.size is None else human.octets(source.size)
    stored = f"{size} {source.compression}".strip()
    sections = "" if source.sections < 2 else human.counted(source.sections, "section")
    variant = f"{source.format} {source.variant}".strip()
    form = ", ".join(filter(None, (variant, f"{source.byte_order}-endian", sections)))
    snaplens = {interface.snaplen for interface in source.interfaces if interface.snaplen}
    snaplen = f"snap length {', '.join(map(human.count, sorted(snaplens)[:INTERFACES_NAMED]))}" if snaplens else ""
    return JOINT.join(filter(None, (printable(source.name), stored, form, _interfaces(source), snaplen)))


def _interfaces(source: InputInfo) -> str:
    described = [
        printable(" ".join(filter(None, (interface.name, names.link_type(interface.link_type)))))
        for interface in source.interfaces
    ]
    distinct = list(dict.fromkeys(described))
    more = len(distinct) - INTERFACES_NAMED
    return ", ".join(distinct[:INTERFACES_NAMED]) + (f" and {human.count(more)} more" if more > 0 else "")


def mix(info: CaptureInfo) -> Listing:
    """Packets and verdicts by protocol, the most frequent first; then verdicts on IPv4 and GRE headers."""
    rows = [
        (names.protocol(number) if number else "not IP", info.protocols[number], counts)
        for number, counts in info.verdicts.items()
    ]
    rows.sort(key=lambda row: row[1], reverse=True)
    for kind, counts in (("IPv4 header", info.ip_verdicts), ("GRE header", info.gre_verdicts)):
        if judged := sum(counts[verdict] for verdict in VERDICTS[1:]):
            rows.append((kind, judged, counts))
    return Listing(
        {
            "protocol": [name for name, _, _ in rows],
            "packets": [packets for _, packets, _ in rows],
            "share": [f"{packets / info.packets:.1%}" for _, packets, _ in rows],
            **{verdict: [counts[verdict] for _, _, counts in rows] for verdict in VERDICTS[1:]},
        }
    )
