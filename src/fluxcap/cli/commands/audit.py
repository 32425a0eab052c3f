"""`fluxcap audit`."""

from __future__ import annotations

from typing import Final

from fluxcap import formats
from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.progress import Progress
from fluxcap.errors import unknown
from fluxcap.values.metadata import members

HELP: Final = "what a capture can prove: losses, disorder, clocks, cut packets"
DESCRIPTION: Final = """\
What a capture can prove and what it cannot: a verdict in a sentence, then each
reason not to believe its tables in everything, with its number, the first
packets that prove it, and what it means for the tables.
"""
ANY: Final = "any"


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_output(parser)
    options.add_selection(parser)
    options.add_order(parser)
    options.add_strict(parser)
    what = "exit with 1 if one of these is found, as in loss,damage; any: whatever is found"
    parser.add_argument("--fail-on", type=_codes, default=frozenset(), metavar="LIST", help=what)


def run(given: Options, messages: Messages) -> Exit:
    """Audit the inputs, and say what was found."""
    from fluxcap.reports.audit.reading import collect_audit

    output = choose(given.format, given.output, given.color)
    sources = inputs.find(given.inputs, output)
    with Progress(sources, messages):
        report = collect_audit(sources.inputs, given.reading)
    with output.stream() as out:
        if output.for_people:
            from fluxcap.cli.drawings.audit import draw_audit

            draw_audit(report, out, output.screen)
        else:
            from fluxcap.reports.audit.report import listing

            formats.write_report(output.format, out, members(report.to_dict()), listing(report))
    messages.hints(report.metadata)
    if report.metadata["interrupted"]:
        return Exit.INTERRUPTED
    found = {finding.code for finding in report.findings}
    failing = found if ANY in given.fail_on else found & given.fail_on
    return Exit.TOO_MANY_BAD if failing else Exit.DONE


def _codes(text: str) -> frozenset[str]:
    """The codes of --fail-on. UsageError for one that there is not."""
    from fluxcap.reports.audit.findings import CODES

    asked = [word.strip() for word in text.split(",")]
    for word in asked:
        if word not in (*CODES, ANY):
            raise UsageError.of(unknown("finding", word, (*CODES, ANY)))
    return frozenset(asked)
