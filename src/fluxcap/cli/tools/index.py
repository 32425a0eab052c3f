"""`fluxcap index`."""

from __future__ import annotations

from typing import Final

from fluxcap.capture.index import EVERY, SUFFIX
from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, OutputError, UsageError
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import Output
from fluxcap.cli.progress import Progress
from fluxcap.formats import PLAIN
from fluxcap.values import human

HELP: Final = "note where records are, so that a reading can begin at any of them"
DESCRIPTION: Final = """\
Writes an index beside each capture, a small Parquet file: the places of some
records in it, their numbers and times. `fluxcap packets --at` then begins at a
packet or a time without reading what lies before.

  fluxcap index x.pcap
  fluxcap packets x.pcap --at 2026-11-29T21:05:00Z -n 10
"""


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_inputs(parser)
    every = f"bytes from one place to the next (default: {EVERY})"
    parser.add_argument("--every", type=options.checked_by(_check_size), default=EVERY, metavar="SIZE", help=every)
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Write the indexes, and say where they are."""
    WATCH.nothing_to_keep()
    from fluxcap.capture.index.making import index_inputs

    sources = inputs.find(given.inputs, Output(None, "index", PLAIN))
    try:
        with Progress(sources, messages):
            made = list(index_inputs(sources.inputs, given.every))
    except ValueError as error:
        raise UsageError.of(error) from error
    except OSError as error:
        if str(error.filename).endswith(SUFFIX):
            raise OutputError(
                f"{error.filename}: {error.strerror}", "The index has to be beside its capture."
            ) from error
        raise
    for one in made:
        places = human.counted(one.checkpoints, "place")
        messages.hint(f"{one.path} is written: {human.counted(one.packets, 'packet')}, {places} to begin at")
    return Exit.DONE


def _check_size(text: str) -> None:
    from fluxcap.plan.sizes import octets

    octets(text, "--every")
