"""`fluxcap flows --extract`: the records of some flows as a capture."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from fluxcap.cli import options
from fluxcap.cli.exits import UsageError
from fluxcap.cli.messages import Messages
from fluxcap.cli.output import Output, for_capture
from fluxcap.cli.progress import Progress

if TYPE_CHECKING:
    from fluxcap.cli.inputs import Sources
    from fluxcap.tables.flows import FlowTable

PASSES: Final = 2  # over the inputs: the first finds the records, the second copies them


def numbers(text: str) -> list[int]:
    """The type of --extract: numbers of flows."""
    return [options.natural(number.strip()) for number in text.split(",")]


def output(given: options.Options) -> Output:
    """The output of the capture. UsageError without -o, at a terminal, and with options about rows."""
    about_rows = {
        "-f": given.format != options.AUTO,
        "-n": given.rows is not None,
        "--sort": given.sort is not None,
        "--columns": given.columns is not None,
    }
    for option, used in about_rows.items():
        if used:
            raise UsageError(f"--extract does not go with {option}", "It writes a capture, not rows of a table.")
    return for_capture(given.output, "--extract")


def check(sources: Sources) -> None:
    """UsageError, before anything is read, if the inputs cannot be read twice."""
    for item in sources.inputs:
        if item.once:
            raise UsageError(f"{item.name} can be read only once", "Save it to a file to extract from it.")


def write(table: FlowTable, flows: list[int], output: Output, sources: Sources, messages: Messages) -> None:
    """Write the records of these flows."""
    from fluxcap.rewrite.extract import copy_records
    from fluxcap.tables.flows import flows_at

    for flow in flows:
        if flow >= len(table):
            raise UsageError(
                f"--extract {flow}: there are {len(table):,} flows, numbered from 0",
                "`--columns flow,...` shows the numbers; they hold for the same inputs, key and filter.",
            )
    # The inputs are read again: warnings about them were given the first time.
    with Progress(sources, messages, PASSES), warnings.catch_warnings(action="ignore"), output.stream() as out:
        try:
            copy_records(flows_at(table, flows), out)
        except ValueError as error:
            raise UsageError.of(error) from error
