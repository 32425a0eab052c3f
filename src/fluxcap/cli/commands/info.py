"""`fluxcap info`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from fluxcap import formats
from fluxcap.cli import inputs, options, sharing
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.inputs import Sources
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import choose
from fluxcap.cli.progress import Progress
from fluxcap.reports import verdicts
from fluxcap.values import human
from fluxcap.values.metadata import members

if TYPE_CHECKING:
    from fluxcap.reports.info import CaptureInfo

HELP: Final = "what is in a capture: formats, times, protocols, health"
DESCRIPTION: Final = """\
What is in one or several captures, read as one: formats, times, the mix of
protocols, what became of every record, and how sound the checksums are.
"""


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_common(parser)
    sharing.add(parser)
    what = "what `fluxcap audit` says, in its first sentence; takes about twice as long"
    parser.add_argument("--audit", action="store_true", help=what)
    parser.add_argument("--hash", action="store_true", help="the SHA-256 of each input, which reads it a second time")


def run(given: Options, messages: Messages) -> Exit:
    """Survey the inputs and describe them."""
    sharing.check(given)
    output = choose(given.format, given.output, given.color)
    sources = inputs.find(given.inputs, output)
    if given.audit and given.scheduler is not None:
        raise UsageError("--audit reads the inputs here, and --scheduler elsewhere", "Leave out one of them.")
    if given.hash:
        _check_hash(given, sources)
    info, verdict = _survey(given, sources, messages)
    with output.stream() as out:
        if output.for_people:
            from fluxcap.cli.drawings.reports import draw_info

            draw_info(info, verdict, out, output.screen)
        else:
            said = {"audit": verdict} if given.audit else {}
            formats.write_object(output.format, out, members(info.to_dict() | said))
    messages.hints(info.metadata)
    bad = verdicts.bad(info)
    if bad and output.for_people:
        messages.hint(f"`fluxcap check` lists the {human.counted(bad, 'bad checksum')}")
    return Exit.INTERRUPTED if info.metadata["interrupted"] else Exit.DONE


def _survey(given: Options, sources: Sources, messages: Messages) -> tuple[CaptureInfo, str]:
    """The description, and the verdict of an audit; "" if it was not asked for."""
    if given.scheduler is not None:
        from fluxcap.cluster import reports

        return sharing.share(given, sources, messages, partial(reports.collect_info, sources.inputs, given.reading)), ""
    from fluxcap.reports.survey import collect_info, with_hashes

    with Progress(sources, messages), _fetching(sources, messages):
        if not given.audit:
            return collect_info(sources.inputs, given.reading, given.hash), ""
        from fluxcap.capture.damaged import Unchanged
        from fluxcap.reports.audit.reading import collect_both

        unchanged = Unchanged(sources.inputs)
        info, audit = collect_both(sources.inputs, given.reading)
        return with_hashes(info, sources.inputs, unchanged) if given.hash else info, audit.sentence


def _check_hash(given: Options, sources: Sources) -> None:
    """UsageError if the inputs cannot be hashed."""
    from fluxcap.capture.inputs import refuse_once

    if given.scheduler is not None:
        raise UsageError("--hash reads the inputs here, and --scheduler elsewhere", "Leave out one of them.")
    try:
        refuse_once(sources.inputs, "hash it")
    except ValueError as error:
        raise UsageError.of(error) from error


@contextmanager
def _fetching(sources: Sources, messages: Messages) -> Iterator[None]:
    """Say how much was fetched of objects in stores, also where that was enough to see that they are no captures."""
    far = sources.in_stores
    if not far:
        yield
        return
    from fluxcap.stores.objects import Traffic

    before = Traffic.octets
    try:
        yield
    finally:
        known = [item.size for item in far if item.size is not None]
        whole = f" of {human.octets(sum(known))}" if len(known) == len(far) else ""
        messages.hint(f"fetched {human.octets(Traffic.octets - before)}{whole}")
