"""`fluxcap export`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, OutputError, UsageError
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import Output
from fluxcap.cli.progress import Progress
from fluxcap.cli.rows import flow_rows
from fluxcap.formats import PLAIN
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap.cli.inputs import Sources
    from fluxcap.lake.export import Exporting

HELP: Final = "rows into a lake: Parquet files by day and hour"
DESCRIPTION: Final = """\
Adds the rows of captures to a lake: Parquet files, sorted by time, in folders
of days and hours in UTC, and a manifest that says which files count. The rows
that the same inputs had before are replaced, all at once or not at all.

  fluxcap export today.pcap -o s3://bucket/flows --idle-timeout 60s
"""
TABLES: Final = ("flows", "packets", "connections")


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_inputs(parser)
    where = "the lake: a directory or a URL, which is made if it is not there"
    parser.add_argument("-o", "--output", metavar="DIR", help=where)
    parser.add_argument("--table", choices=TABLES, default=TABLES[0], help=f"what a row is (default: {TABLES[0]})")
    parser.add_argument(
        "--partition", default="day,hour", metavar="LEVELS", help="which folders: day,hour (default) or day"
    )
    times = "the time that rows are sorted by: first (default) or last; of packets time"
    parser.add_argument("--by-time", choices=("first", "last", "time"), help=times)
    size = "the largest file (default: 256MB); one in a folder has less than half of it, at most"
    parser.add_argument("--max-file", type=options.checked_by(_check_size), default="256MB", metavar="SIZE", help=size)
    what = f"what makes a flow: {', '.join(keys.SETS)} (default 5tuple), or fields as in src_ip/24,dst_port"
    parser.add_argument("--by", type=options.checked_by(keys.parse), metavar="KEY", help=what)
    parser.add_argument("--uniflow", action="store_true", help="each direction of a flow in a row of its own")
    flow_rows.add_semantics(parser)
    options.add_selection(parser)
    options.add_order(parser)
    options.add_threads(parser)
    options.add_strict(parser)
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Export, and sum up in one line."""
    if given.output is None:
        raise UsageError("export needs -o", "Name the lake with -o DIR, a directory or a URL.")
    WATCH.nothing_to_keep()
    _check(given)
    sources = inputs.find(given.inputs, Output(given.output, "directory", PLAIN))
    job = _job(given, sources)
    try:
        with Progress(sources, messages):
            done = job.run()
    except ValueError as error:
        raise UsageError.of(error) from error
    except OSError as error:
        if str(error.filename).startswith(job.place):
            raise OutputError(f"{error.filename}: {error.strerror}", "The lake is as it was before.") from error
        raise
    rows = f"{done.rows:,} {given.table}"
    before = f", in place of {done.replaced:,}" if done.replaced else ""
    files = f"{human.counted(done.files, 'file')} ({human.octets(done.octets)})"
    messages.hint(f"{rows}{before}; {files} written")
    messages.hints(done.metadata)
    return Exit.DONE


def _check(given: Options) -> None:
    """UsageError for options that the table has not."""
    of = {
        "flows": ("by", "uniflow", "semantics", "idle_timeout", "active_timeout"),
        "connections": ("semantics", "idle_timeout", "active_timeout"),
        "packets": (),
    }
    for name in of["flows"]:
        if getattr(given, name) and name not in of[given.table]:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is not about {given.table}", f"Leave out {option}.")


def _job(given: Options, sources: Sources) -> Exporting:
    from fluxcap.lake.export import Exporting, Wanted

    plan = FlowPlan(
        keys.parse(given.by or "5tuple", not given.uniflow),
        semantics=given.semantics,
        idle_timeout=given.idle_timeout,
        active_timeout=given.active_timeout,
    )
    wanted = Wanted(given.table, flow_rows.checked(plan), given.partition, given.by_time, given.max_file)
    try:
        # A lake of half of the rows would be neither the old one nor the new one.
        return Exporting(sources.inputs, given.output, wanted, given.reading._replace(on_interrupt="raise"))
    except ValueError as error:
        raise UsageError.of(error) from error


def _check_size(text: str) -> None:
    from fluxcap.plan.sizes import octets

    octets(text, "--max-file")
