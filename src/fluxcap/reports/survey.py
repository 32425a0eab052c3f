"""What is in a capture, in words: at a terminal and on a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from fluxcap._core import VERDICTS
from fluxcap.errors import printable
from fluxcap.formats import Listing
from fluxcap.values import human, names
from fluxcap.values.metadata import JOINT

if TYPE_CHECKING:
    from fluxcap.reports.info import CaptureInfo, InputInfo

INPUT_LINES: Final = 5  # inputs described one by one
INTERFACES_NAMED: Final = 3


def facts(info: CaptureInfo) -> Iterator[tuple[str, str]]:
    """A label and a text for each thing there is to say; an empty label goes on with the one before it."""
    for source in info.inputs[:INPUT_LINES]:
        yield "input", _source(source)
    if len(info.inputs) > INPUT_LINES:
        yield "", f"and {human.count(len(info.inputs) - INPUT_LINES)} more"
    captured = "" if info.captured_octets == info.wire_octets else f"{human.octets(info.captured_octets)} captured"
    wire = f"{human.octets(info.wire_octets)} on the wire"
    yield "packets", JOINT.join(filter(None, (human.count(info.packets), wire, captured)))
    if info.packets:
        order = "" if info.in_order else "not in order"
        facts = human.span(info.first, info.last), human.duration(info.duration), order
        yield "time", JOINT.join(filter(None, facts))
    if info.packets_per_second is not None and info.octets_per_second is not None:
        packets = f"{human.rate(info.packets_per_second)} packets/s"
        yield "rate", JOINT.join((packets, f"{human.octets(round(info.octets_per_second))}/s"))
    yield "records", _tally({name: records for name, (records, _) in info.ledger.items()}) or "none"
    if reasons := _tally({name: count for name, count in info.reasons.items() if name != "none"}):
        yield "reasons", reasons
    if oddities := _tally(info.anomalies):
        yield "oddities", oddities


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{human.count(count)} {name}" for name, count in counts.items() if count)


def _source(source: InputInfo) -> str:
    size = "" if source.size is None else human.octets(source.size)
    stored = f"{size} {source.compression}".strip()
    sections = "" if source.sections < 2 else human.counted(source.sections, "section")
    variant = f"{source.format} {source.variant}".strip()
    form = ", ".join(filter(None, (variant, f"{source.byte_order}-endian", sections)))
    return JOINT.join(filter(None, (printable(source.name), stored, form, _interfaces(source))))


def _interfaces(source: InputInfo) -> str:
    described = [
        printable(" ".join(filter(None, (interface.name, names.link_type(interface.link_type)))))
        for interface in source.interfaces
    ]
    distinct = list(dict.fromkeys(described))
    more = len(distinct) - INTERFACES_NAMED
    return ", ".join(distinct[:INTERFACES_NAMED]) + (f" and {human.count(more)} more" if more > 0 else "")


def mix(info: CaptureInfo) -> Listing:
    """Packets and verdicts by protocol, the most frequent first; then those of the headers around them."""
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
