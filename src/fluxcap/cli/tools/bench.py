"""`fluxcap bench`."""

from __future__ import annotations

from typing import Final

from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import choose

HELP: Final = "how fast it reads a capture, beside other programs"
DESCRIPTION: Final = """\
How long fluxcap takes over a capture, how long just reading it and summing
every byte takes (the floor), and how long the other programs on this machine
take that read captures: whole processes, in turn, the median of several runs.
"""
RUNS: Final = 5
COLUMNS: Final = ("program", "seconds", "packets_per_second", "times_floor", "times_fluxcap", "runs", "does")


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_output(parser)
    options.add_wide(parser)
    parser.add_argument("--runs", type=options.positive, default=RUNS, metavar="N", help=f"of each (default {RUNS})")


def run(given: Options, messages: Messages) -> Exit:
    """Measure each input and write a row for each program."""
    WATCH.nothing_to_keep()
    from fluxcap.formats import Listing, Rows
    from fluxcap.reports import bench
    from fluxcap.reports.survey import read_info

    output = choose(given.format, given.output, given.color, wide=given.wide)
    sources = inputs.find(given.inputs, output)
    if len(sources.inputs) != 1 or sources.inputs[0].once or sources.inputs[0].size is None:
        raise UsageError("bench measures one file at a time", "Name one capture file.")
    path = sources.inputs[0].name
    packets = read_info(path).packets
    messages.hint(f"up to {given.runs} runs of each of {', '.join(one.name for one in bench.found())} take a while")
    measured = bench.measure(path, given.runs)
    floor, _, command = (one.seconds for one in measured[:3])
    listing: dict[str, list[object]] = {name: [] for name in COLUMNS}
    for one in measured:
        listing["program"].append(one.program)
        listing["seconds"].append(_shown(one.seconds))
        listing["packets_per_second"].append(round(packets / one.seconds) if one.seconds else "")
        listing["times_floor"].append(_shown(one.seconds and floor and one.seconds / floor))
        listing["times_fluxcap"].append(_shown(one.seconds and command and one.seconds / command))
        listing["runs"].append(one.runs)
        listing["does"].append(one.does if one.seconds else "failed")
    output.write(
        Rows([Listing(listing)], COLUMNS, chosen=True, noun="programs", heading=f"{path} · {packets:,} packets")
    )
    return Exit.DONE


def _shown(value: float | None) -> float | str:
    return "" if value is None else float(f"{value:.3g}")  # another run would give other digits
