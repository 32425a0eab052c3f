"""`fluxcap demux`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, OutputError, UsageError
from fluxcap.cli.interrupts import Interruptible
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import Output
from fluxcap.cli.progress import Progress
from fluxcap.cli.rows.flow_rows import how_it_ended
from fluxcap.errors import CaptureError, printable
from fluxcap.formats import PLAIN
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap.cli.inputs import Sources
    from fluxcap.rewrite.demux import Delivered, Demultiplexing
    from fluxcap.rewrite.split import Split, Splitting

HELP: Final = "what each socket was sent: UDP messages and TCP streams, as files"
DESCRIPTION: Final = """\
What the transport layer would deliver: of each UDP socket the messages sent to
it, of each TCP connection both directions as streams of bytes, in order, each
once. DIR/index.ndjson says which file is whose. Segments with a bad checksum
are not delivered, as a kernel would not; those with one left to the network
card are.
"""


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_inputs(parser)
    parser.add_argument("-o", "--output", metavar="DIR", help="the directory to write to: not there yet, or empty")
    parser.add_argument("--keep-bad", action="store_true", help="deliver what has a bad checksum or length, too")
    form = "streams and messages, or the records of each flow as a capture (pcap)"
    parser.add_argument("--as", choices=("octets", "pcap"), default="octets", dest="form", help=form)
    options.add_selection(parser)
    options.add_order(parser)
    options.add_max_memory(parser)
    options.add_strict(parser)
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Deliver, write the index, sum up in one line."""
    if given.output is None:
        raise UsageError("demux needs -o", "Name the directory to write to with -o DIR.")
    sources = inputs.find(given.inputs, Output(given.output, "directory", PLAIN))
    job = _job(given, sources)
    try:
        with Progress(sources, messages, 2 if given.form == "pcap" else 1), Interruptible() as interruptible:
            for _ in interruptible.until_interrupted(job.steps()):
                job.take()  # where an interrupt cannot break it off: the index has to say what the files hold
            done = job.finish(interruptible.interrupted)
    except CaptureError as error:
        job.abandon(error)
        raise
    except OSError as error:
        raise _failed(error) from error
    messages.hint(_summary(done))
    messages.hints(done.metadata)
    ended = how_it_ended(done.metadata, _made(done), messages)
    return Exit.INTERRUPTED if interruptible.interrupted else ended  # also where only the index was still to be written


def _job(given: Options, sources: Sources) -> Demultiplexing | Splitting:
    from fluxcap.rewrite.demux import job

    try:
        options = given.reading._replace(on_interrupt="raise", on_end=None)  # an interrupt ends the job between steps
        return job(sources.inputs, given.output, given.form, given.keep_bad, given.max_memory, options)
    except FileExistsError as error:
        what = f"{printable(given.output)} is not an empty directory"
        raise UsageError(what, "Name one that is not there yet: what is in it could not be told apart.") from error
    except OSError as error:
        raise _failed(error) from error
    except ValueError as error:
        raise UsageError.of(error) from error


def _made(done: Delivered | Split) -> str:
    from fluxcap.rewrite.split import Split

    if isinstance(done, Split):
        return human.counted(done.flows, "flow")
    return f"{human.counted(done.sockets, 'socket')} and {human.counted(done.streams, 'TCP stream')}"


def _failed(error: OSError) -> OutputError:
    return OutputError(f"{error.filename}: {error.strerror}", "Check the space and the permissions there.")


def _summary(done: Delivered | Split) -> str:
    from fluxcap.rewrite.split import Split

    if isinstance(done, Split):
        return f"{human.counted(done.records, 'record')} in {human.counted(done.flows, 'flow')}"
    parts = [
        f"{human.counted(done.messages, 'message')} to {human.counted(done.sockets, 'socket')}",
        human.counted(done.streams, "TCP stream"),
        human.octets(done.octets),
    ]
    if done.gap_octets:
        parts.append(f"{human.octets(done.gap_octets)} in gaps")
    if done.outside_octets:
        parts.append(f"{human.octets(done.outside_octets)} of segments that are no part of a stream")
    if done.refused:
        parts.append(f"{human.counted(done.refused, 'packet')} not delivered for checksum or length")
    if done.incomplete:
        parts.append(f"{human.counted(done.incomplete, 'datagram')} with fragments missing")
    return ", ".join(parts)
