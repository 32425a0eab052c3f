"""What `info` and `check` show to people: lines and boxes on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, Final

from fluxcap import health, names, text
from fluxcap._core import VERDICTS
from fluxcap.cli import summary
from fluxcap.cli.summary import JOINT
from fluxcap.errors import printable
from fluxcap.formats import Listing, Screen
from fluxcap.formats.table import columns, human
from fluxcap.formats.table.frame import Canvas

if TYPE_CHECKING:
    from fluxcap.checksums import ChecksumReport
    from fluxcap.info import CaptureInfo, InputInfo
    from fluxcap.packet_table import PacketTable

INPUT_LINES: Final = 5  # inputs described one by one
INTERFACES_NAMED: Final = 3
BAD: Final = VERDICTS.index("bad")
NOT_BAD: Final = frozenset(VERDICTS) - {"bad", "illegal"}


def draw_info(info: CaptureInfo, out: BinaryIO, screen: Screen) -> None:
    """A few labelled lines, then the mix of protocols with its verdicts."""
    canvas = Canvas(out, screen)
    canvas.facts(_facts(info))
    if info.packets:
        canvas.box(_telling(_mix(info)))


def draw_check(report: ChecksumReport, out: BinaryIO, screen: Screen) -> None:
    """Counts by kind of header, the bad packets, and what to make of them."""
    canvas = Canvas(out, screen)
    canvas.line(summary.heading(report.metadata))
    counts = health.by_header(report)
    if len(counts):
        canvas.box(_telling(counts))
    files = report.metadata["inputs"]
    for file in dict.fromkeys(report.bad["file"].tolist()):
        if len(files) > 1:
            canvas.line(printable(files[file]))
        for listed in _listed(report.bad.filter(report.bad["file"] == file)):
            canvas.box(columns.fit(listed, canvas.width))
    canvas.footer(report.bad_records - len(report.bad), "bad packets", "--list 0 for all")
    for sentence in _sentences(report):
        canvas.line(sentence)


def _telling(listing: Listing) -> list[columns.Shown]:
    """The columns that are not all zero."""
    return [column for column in columns.chosen(listing.values) if set(column.cells) != {"0"}]


def _facts(info: CaptureInfo) -> Iterator[tuple[str, str]]:
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


def _mix(info: CaptureInfo) -> Listing:
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


def _listed(bad: PacketTable) -> Iterator[list[columns.Shown]]:
    """Where bad transport checksums are, then bad IPv4 headers, and their sums, none of which may be left out."""
    for prefix in ("", "ip_"):
        wrong = [cell not in NOT_BAD for cell in text.cells("verdict", bad[f"{prefix}verdict"])]
        if any(wrong):
            rows = bad.filter(wrong)
            listed = ["packet", "protocol", "src_ip", "src_port", "dst_ip", "dst_port"]
            listed += [f"{prefix}verdict", f"{prefix}checksum", f"{prefix}expected"]
            shown = columns.worthwhile({name: rows[name] for name in listed})
            yield [replace(one, rank=columns.KEY) for one in shown]


def _sentences(report: ChecksumReport) -> Iterator[str]:
    bad, illegal = health.bad(report), sum(counts["illegal"] for counts in report.verdicts.values())
    found = human.counted(bad, "bad checksum") if bad else "No bad checksum"
    yield f"{found} in {human.counted(report.packets, 'packet')}{_first_bad(report.bad)}."
    if illegal:
        yield f"{human.count(illegal)} illegal: a coverage, or the lack of a checksum, that its protocol forbids."
    if report.blame:
        yield report.blame
    for hint in report.hints[: summary.HINTS_SHOWN]:
        yield f"Hint: {hint.text}"
    if (more := len(report.hints) - summary.HINTS_SHOWN) > 0:
        yield f"{human.counted(more, 'more hint')} with -f json."
    if report.offload:
        yield report.offload


def _first_bad(listed: PacketTable) -> str:
    is_bad = (listed["verdict"] == BAD) | (listed["ip_verdict"] == BAD)
    if not is_bad.any():
        return ""
    packet, offset = (human.count(listed[name][is_bad][0].item()) for name in ("packet", "offset"))
    return f"; the first is in packet {packet}, at octet {offset}"
