"""What is in a capture, without a table: no numpy is imported for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcap._core import ANOMALIES, REASONS, VERDICTS
from fluxcap.capture.inputs import Captures, Input, expand
from fluxcap.capture.reading import Metadata, OnDamage, OnInterrupt, Reading, threads_for
from fluxcap.reports import survey, verdicts
from fluxcap.tables.card import card
from fluxcap.values import human
from fluxcap.values.metadata import facts, notes

if TYPE_CHECKING:
    from fluxcap._core import Interface, Totals

NS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True)
class InterfaceInfo:
    """An interface that packets were captured on."""

    name: str
    link_type: int
    snaplen: int  # octets; 0 = no limit
    packets: int
    ticks_per_second: float  # of its time stamps


@dataclass(frozen=True)
class InputInfo:
    """One input of a capture."""

    name: str
    size: int | None  # octets as stored, so before decompression; None of a stream
    compression: str  # "" = none
    format: str  # "pcap" or "pcapng"
    variant: str  # of a pcap: "us", "ns", "us modified"
    byte_order: str
    sections: int
    interfaces: tuple[InterfaceInfo, ...]
    packets: int
    captured_octets: int
    wire_octets: int


@dataclass(frozen=True, repr=False)
class CaptureInfo:
    """What is in one or several inputs, read as one capture.

    Times and `duration` are nanoseconds (`first` and `last` since the epoch, UTC; 0 without packets); octets are
    without the headers of the file. `link_types`, `ip_versions` (0 = no IP) and `protocols` are records by number;
    `ledger` is (records, wire octets) by disposition, `reasons` records by why they are malformed or truncated,
    `verdicts` records by IP protocol number and transport verdict, `ip_verdicts` and `gre_verdicts` by verdict.
    `in_order`: no record is earlier than the one before it in its input. `metadata` as tables have it.
    """

    inputs: tuple[InputInfo, ...]
    packets: int
    captured_octets: int
    wire_octets: int
    first: int
    last: int
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
    metadata: Metadata

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'; '.join((self._title(), *notes(self.metadata)))}>"

    def _title(self) -> str:
        about = f"{human.counted(self.packets, 'record')} in {human.counted(len(self.inputs), 'input')}"
        return f"{about}, {human.counted(verdicts.bad(self), 'bad checksum')}"

    def _repr_html_(self) -> str:
        mixed = survey.mix(self)
        telling = {name: values for name, values in mixed.values.items() if any(values)}
        said = [
            *survey.facts(self),
            *((label, facts(self.metadata)[label]) for label in ("skipped", "damage", "stopped")),
        ]
        return card(f"{type(self).__name__}: {self._title()}", said, telling, len(mixed))

    @property
    def duration(self) -> int:
        """Nanoseconds from the earliest to the latest record."""
        return self.last - self.first

    @property
    def packets_per_second(self) -> float | None:
        """Mean rate; None if the capture lasts no time."""
        return self.packets * NS_PER_SECOND / self.duration if self.duration else None

    @property
    def octets_per_second(self) -> float | None:
        """Mean rate of octets on the wire; None if the capture lasts no time."""
        return self.wire_octets * NS_PER_SECOND / self.duration if self.duration else None

    def to_dict(self) -> dict[str, Any]:
        """The same, and what follows from it, as dicts, lists, texts and numbers."""
        values = dataclasses.asdict(self)
        metadata = values.pop("metadata")  # of which only this is not said already
        rates = {name: getattr(self, name) for name in ("duration", "packets_per_second", "octets_per_second")}
        return values | rates | {"damage": metadata["damage"], "skipped": metadata["skipped"]}


def read_info(
    src: Captures,
    *,
    where: str | None = None,
    decap: bool = True,
    threads: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> CaptureInfo:
    """Survey captures: formats, times, the mix of protocols, the ledger, checksum verdicts, oddities.

    Everything else as in read_flows().
    """
    reading = _Survey(
        where=where, decap=decap, threads=threads_for(threads), on_damage=on_damage, on_interrupt=on_interrupt
    )
    return reading.collect(expand(src), reading.info)


class _Survey(Reading):
    """A reading that takes down what each input was."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.surveyed: list[InputInfo] = []

    def read_one(self, item: Input) -> Iterator[None]:
        begun, before = len(self.inputs), self.scanner.totals()
        try:
            yield from super().read_one(item)
        finally:
            if len(self.inputs) > begun:
                self.surveyed.append(self._input(item, before))

    def _input(self, item: Input, before: Totals) -> InputInfo:
        form, after = self.scanner.format(), self.scanner.totals()
        return InputInfo(
            name=item.name,
            size=item.size,
            compression=self.compression,
            format=form["name"],
            variant=form["variant"],
            byte_order=form["byte_order"],
            sections=form["sections"],
            interfaces=tuple(map(_interface, form["interfaces"])),
            packets=after["packets"] - before["packets"],
            captured_octets=after["captured_octets"] - before["captured_octets"],
            wire_octets=after["wire_octets"] - before["wire_octets"],
        )

    def info(self) -> CaptureInfo:
        totals = self.scanner.totals()
        metadata = self.metadata()
        return CaptureInfo(
            inputs=tuple(self.surveyed),
            packets=totals["packets"],
            captured_octets=totals["captured_octets"],
            wire_octets=totals["wire_octets"],
            first=totals["first"],
            last=totals["last"],
            in_order=totals["in_order"],
            link_types=totals["link_types"],
            ip_versions=totals["ip_versions"],
            protocols={protocol: sum(counts) for protocol, counts in totals["verdicts"].items()},
            ledger=metadata["ledger"],
            reasons=_named(REASONS, totals["reasons"]),
            verdicts={protocol: _named(VERDICTS, counts) for protocol, counts in totals["verdicts"].items()},
            ip_verdicts=_named(VERDICTS, totals["ip_verdicts"]),
            gre_verdicts=_named(VERDICTS, totals["gre_verdicts"]),
            anomalies=_named(ANOMALIES, totals["anomalies"]),
            metadata=metadata,
        )


def _named(names: Sequence[str], counts: Sequence[int]) -> dict[str, int]:
    return dict(zip(names, counts, strict=True))


def _interface(interface: Interface) -> InterfaceInfo:
    return InterfaceInfo(
        name=interface["name"].decode(errors="replace"),
        link_type=interface["link_type"],
        snaplen=interface["snaplen"],
        packets=interface["packets"],
        ticks_per_second=interface["ticks_per_second"],
    )
