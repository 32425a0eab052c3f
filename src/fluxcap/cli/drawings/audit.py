"""The screen of `audit` for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from fluxcap.cli import summary
from fluxcap.formats import Screen
from fluxcap.formats.table.frame import Canvas
from fluxcap.reports.audit.report import in_words

if TYPE_CHECKING:
    from fluxcap.reports.audit.report import AuditReport


def draw_audit(report: AuditReport, out: BinaryIO, screen: Screen) -> None:
    """The verdict, then each finding with what it means and the first packets that prove it."""
    canvas = Canvas(out, screen)
    canvas.line(report.sentence, "bold")
    canvas.line(summary.heading(report.metadata), "dim")
    if report.findings:
        canvas.line("")
        canvas.facts(_facts(report))
    canvas.interrupted(report.metadata)


def _facts(report: AuditReport) -> Iterator[tuple[str, str]]:
    for finding in report.findings:
        yield finding.code, finding.sentence
        yield "", finding.meaning
        if finding.evidence:
            first = "packet" if len(finding.evidence) == 1 else "packets"
            more = ", …" if finding.count > len(finding.evidence) > 1 else ""
            yield "", f"{first} {', '.join(in_words(report, place) for place in finding.evidence)}{more}"
