"""The screens of `info` and `check` for people: lines and boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, Final

from fluxcap._core import VERDICTS
from fluxcap.cli import summary
from fluxcap.errors import printable
from fluxcap.formats import Listing, Screen
from fluxcap.formats.table import columns
from fluxcap.formats.table.frame import Canvas
from fluxcap.reports import verdicts
from fluxcap.reports.info import facts, mix
from fluxcap.values import human, text

if TYPE_CHECKING:
    from fluxcap.reports.checksum_report import ChecksumReport
    from fluxcap.reports.info import CaptureInfo
    from fluxcap.tables.packets import PacketTable

BAD: Final = VERDICTS.index("bad")
NOT_BAD: Final = frozenset(VERDICTS) - {"bad", "illegal"}


def draw_info(info: CaptureInfo, audit: str, out: BinaryIO, screen: Screen) -> None:
    """A few labelled lines, one of them what an audit says, then the mix of protocols with its verdicts."""
    canvas = Canvas(out, screen)
    canvas.facts([*facts(info), *([("audit", audit)] if audit else [])])
    if info.packets:
        canvas.hidden(canvas.table(_telling(mix(info))), "-f json")
    canvas.interrupted(info.metadata)


def draw_check(report: ChecksumReport, out: BinaryIO, screen: Screen) -> None:
    """Counts by kind of header, the bad packets, and sentences that explain them."""
    canvas = Canvas(out, screen)
    canvas.line(summary.heading(report.metadata))
    counts = verdicts.by_header(report)
    hidden = canvas.table(_telling(counts)) if len(counts) else 0
    files = report.metadata["inputs"]
    for file in dict.fromkeys(report.bad["file"].tolist()):
        if len(files) > 1:
            canvas.line(printable(files[file]))
        for listed in _listed(report.bad.filter(report.bad["file"] == file)):
            hidden = max(hidden, canvas.table(listed))
    canvas.footer(report.bad_records - len(report.bad), "bad packets", "--list 0 for all")
    canvas.hidden(hidden, "-w")
    for sentence in _sentences(report):
        canvas.line(sentence)
    canvas.interrupted(report.metadata)


def _telling(listing: Listing) -> list[columns.Shown]:
    """The columns that are not all zero."""
    return [column for column in columns.chosen(listing.values) if set(column.cells) != {"0"}]


def _listed(bad: PacketTable) -> Iterator[list[columns.Shown]]:
    """Bad transport checksums, then bad IPv4 headers: places and sums, all essential columns."""
    for prefix in ("", "ip_"):
        wrong = [cell not in NOT_BAD for cell in text.cells("verdict", bad[f"{prefix}verdict"])]
        if any(wrong):
            rows = bad.filter(wrong)
            listed = ["packet", "protocol", "src_ip", "src_port", "dst_ip", "dst_port"]
            listed += [f"{prefix}verdict", f"{prefix}checksum", f"{prefix}expected"]
            shown = columns.worthwhile({name: rows[name] for name in listed})
            yield [replace(one, rank=columns.KEY) for one in shown]


def _sentences(report: ChecksumReport) -> Iterator[str]:
    bad, illegal = verdicts.bad(report), sum(counts["illegal"] for counts in report.verdicts.values())
    found = human.counted(bad, "bad checksum") if bad else "No bad checksum"
    passed = verdicts.examined(report)
    if report.packets and not passed:
        yield f"No record passed the filter, of {human.count(report.packets)}: nothing was judged."
        return
    of = f" that passed the filter, of {human.count(report.packets)}" if passed < report.packets else ""
    yield f"{found} in {human.counted(passed, 'packet')}{of}{_first_bad(report.bad)}."
    if illegal:
        yield f"{human.count(illegal)} illegal: a coverage, or the lack of a checksum, that its protocol forbids."
    if report.blame:
        yield report.blame
    for hint in report.hints[: verdicts.HINTS_SHOWN]:
        yield f"Hint: {hint.text}"
    if (more := len(report.hints) - verdicts.HINTS_SHOWN) > 0:
        yield f"{human.counted(more, 'more hint')} with -f json."
    if report.offload:
        yield report.offload


def _first_bad(listed: PacketTable) -> str:
    is_bad = (listed["verdict"] == BAD) | (listed["ip_verdict"] == BAD)
    if not is_bad.any():
        return ""
    packet, offset = (human.count(listed[name][is_bad][0].item()) for name in ("packet", "offset"))
    return f"; the first is in packet {packet}, at byte {offset}"
