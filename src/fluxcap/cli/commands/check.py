"""`fluxcap check`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from fluxcap import formats
from fluxcap.cli import inputs, options, sharing
from fluxcap.cli.exits import Exit
from fluxcap.cli.inputs import Sources
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.progress import Progress
from fluxcap.cli.rows import copies
from fluxcap.reports import verdicts
from fluxcap.values.metadata import members

if TYPE_CHECKING:
    from fluxcap.reports.checksum_report import ChecksumReport

HELP: Final = "a verdict on every checksum; exit code 1 if any is bad"
DESCRIPTION: Final = """\
A verdict on every checksum. The exit code is 1 if more than --max-bad of them
are bad: transport and IPv4 header checksums whose verdict is `bad`. One that
was left to the network card is `partial`, and that is not bad.

tsv, csv and ndjson have one row of counts for each kind of header or, with
--list, one row for each packet with a bad or illegal checksum; json has both.
"""
SCREEN_ROWS: Final = 10  # bad packets listed in a table when --list does not say
FILE_ROWS: Final = 1000  # in json
ALL: Final = (1 << 31) - 1


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser)
    options.add_wide(parser)
    sharing.add(parser)
    parser.add_argument("--max-bad", type=options.natural, default=0, metavar="N", help="bad ones allowed (default 0)")
    shown = f"list N of the bad packets, 0 = all (default: {SCREEN_ROWS} in a table, {FILE_ROWS} in json)"
    parser.add_argument("--list", type=options.natural, metavar="N", help=shown)


def run(given: Options, messages: Messages) -> Exit:
    """Judge, report, compare with what is allowed."""
    sharing.check(given)
    output = choose(given.format, given.output, given.color, wide=given.wide)
    default = SCREEN_ROWS if output.for_people else FILE_ROWS
    sources = inputs.find(given.inputs, output)
    report = _judge(given, sources, default if given.list is None else given.list or ALL, messages)
    with output.stream() as out:
        if output.for_people:
            from fluxcap.cli.drawings.reports import draw_check

            draw_check(report, out, output.screen)
        else:
            rows = verdicts.by_header(report) if given.list is None else report.bad
            formats.write_report(output.format, out, members(report.to_dict()), rows)
    if not output.for_people:
        for sentence in filter(None, (report.offload, *(hint.text for hint in report.hints[: verdicts.HINTS_SHOWN]))):
            messages.hint(sentence)
    messages.hints(report.metadata)
    copies.hint(given, sources, report.metadata, messages)
    if report.metadata["interrupted"]:
        return Exit.INTERRUPTED
    # If nothing was judged, nothing is proven, however large --max-bad is.
    unproven = report.packets > 0 and verdicts.examined(report) == 0
    return Exit.TOO_MANY_BAD if unproven or verdicts.bad(report) > given.max_bad else Exit.DONE


def _judge(given: Options, sources: Sources, list_limit: int, messages: Messages) -> ChecksumReport:
    if given.scheduler is not None:
        from fluxcap.cluster import reports

        return sharing.share(
            given, sources, messages, partial(reports.collect_checksums, sources.inputs, list_limit, given.reading)
        )
    from fluxcap.reports.checksums import collect_checksums

    with Progress(sources, messages):
        return collect_checksums(sources.inputs, list_limit, given.reading)
