"""The entry: which command runs, and the exit code."""

import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn, Protocol, cast

from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.failures import explained, with_warnings
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import HELP_OPTIONS, NO_OPTIONS, Options, Parser
from fluxcap.cli.output import STANDARD, print_text
from fluxcap.errors import unknown

COMMANDS: Final = (
    "info",
    "flows",
    "connections",
    "sockets",
    "hosts",
    "timeline",
    "check",
    "audit",
    "compare",
    "packets",
    "explain",
    "report",
    "sql",
    "export",
    "index",
    "dedupe",
    "demux",
    "mux",
    "repair",
    "bench",
    "sample",
    "completion",
)  # modules of cli/commands, in the order of --help
FOLDERS: Final = {
    **dict.fromkeys(("export", "demux", "mux"), "directories"),  # which they lay out, or read
    "dedupe": "captures",  # which it writes
    **dict.fromkeys(("index", "bench", "sample", "completion"), "tools"),  # which tell nothing of a capture
}  # of these the modules of cli/directories, cli/captures and cli/tools
COLLECT_EVERY: Final = 50_000  # new objects between two collections; starting makes about 20,000
DESCRIBING: Final = "info"  # the command for a file that stands where a command should
FOLLOW: Final = "Options follow a command: `fluxcap --help` lists the commands."
VERSION_OPTIONS: Final = ("-V", "--version")

OVERVIEW: Final = """\
fluxcap reads packet captures: flow tables, and a verdict on every checksum.

  fluxcap info x.pcap       what is in a capture, and whether it is sound
  fluxcap flows x.pcap      its flows; in a pipe as tab-separated values
  fluxcap check x.pcap      its bad checksums; exit code 1 if there are any

A capture is a pcap, pcapng or snoop file, also in gzip, zstd, lz4, xz or bzip2,
and - is standard input. Several are read as one; so are the files of a
directory or a glob.

`fluxcap --help` lists the commands, `fluxcap COMMAND --help` their options.
"""
EXIT_CODES: Final = """\
exit codes:
    0  done, also without a single row
    1  `check` found more bad checksums than --max-bad, or `audit` or `compare`
       what --fail-on names
    2  wrong usage, or an input that cannot be read
    3  done, but an input was damaged or cut: standard error names it
    4  stopped at a limit you set; what was read before it is printed
    5  the output could not be written
  130  interrupted; what was read before is printed
  141  nobody reads the output any longer
"""


class Command(Protocol):
    """A module that is a command."""

    HELP: str  # one line for the list of commands
    DESCRIPTION: str  # the text of its own --help

    def configure(self, parser: Parser, /) -> None:
        """Add its options."""

    def run(self, options: Options, messages: Messages, /) -> Exit:
        """Do it."""


def entry() -> NoReturn:
    """The console script."""
    # Imported modules stay to the end. Searching them for cycles, during the import and again at exit, takes a tenth of
    # a short run.
    gc.set_threshold(COLLECT_EVERY)
    # Where a command imports numpy, numpy would start threads for linear algebra, which no command has: for a short run
    # their search for work is a tenth of the processor time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    WATCH.start()
    code = main(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code."""
    _caught.clear()
    signal.signal(signal.SIGINT, _interrupt)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # not for a signal that is ignored, as `nohup` does with SIGHUP
            signal.signal(number, _terminate)
    return _guarded(lambda: _run(list(arguments)), Messages(), "--debug" in arguments)


def parser() -> Parser:
    """The whole command line as one parser."""
    whole = Parser(prog="fluxcap", description=OVERVIEW.partition("\n")[0], epilog=EXIT_CODES)
    whole.add_argument(*VERSION_OPTIONS, action="store_true", help="show the versions of fluxcap and what it uses")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        command = command_of(name)
        own = commands.add_parser(name, help=command.HELP, description=command.DESCRIPTION)
        command.configure(own)
        own.epilog = own.describe() if own.describe else None
    return whole


def _run(arguments: list[str]) -> int:
    arguments = _with_command(arguments)
    name = arguments[0] if arguments else ""
    if name in VERSION_OPTIONS:
        from fluxcap.cli.versions import versions

        print_text(versions())
        return Exit.DONE
    if name.startswith("-"):
        parser().read(arguments)  # --help
    if not name:
        print_text(OVERVIEW)
        return Exit.DONE
    command = command_of(name)
    # The parser of the command, not the whole one: options may stand between inputs, and only one module is imported.
    own = Parser(prog=f"fluxcap {name}", description=command.DESCRIPTION)
    command.configure(own)
    options = own.read(arguments[1:])
    messages = WATCH.messages = Messages(options.color, options.quiet)
    work = partial(with_warnings, partial(command.run, options, messages), messages)
    return _guarded(work, messages, options.debug)


def _with_command(arguments: list[str]) -> list[str]:
    """The arguments with a command, or an option of the whole program, as the first: a file by itself is described."""
    name, *others = arguments or [""]
    if name in ("", *COMMANDS, *VERSION_OPTIONS, *HELP_OPTIONS):
        return arguments
    if name == "help":
        return [*others[:1], "--help"]
    if name == "version":
        return ["--version"]
    if name in (STANDARD, NO_OPTIONS) or (
        not name.startswith("-") and (any(mark in name for mark in "./*") or Path(name).exists())
    ):
        return [DESCRIBING, *arguments]
    if name.startswith("-"):
        what = f"For the file of that name write ./{name}, or put -- before it." if Path(name).exists() else FOLLOW
        raise UsageError(f"unknown option {name!r}", what)
    from fluxcap.cli.meanings import commands  # only for a wrong command

    raise UsageError.of(unknown("command", name, COMMANDS, commands()))


def _guarded(work: Callable[[], int], messages: Messages, debug: bool) -> int:
    """The exit code of the work, or of the exception that ended it."""
    try:
        return work()
    except BrokenPipeError:
        return Exit.PIPE_CLOSED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        explanation = explained(error)
        if _caught and explanation.code in (Exit.REFUSED, Exit.BUG):
            return 128 + _caught[0]  # a library turned the exception of the handler into an error of its own
        messages.error(str(explanation), explanation.help)
        return explanation.code


def command_of(name: str) -> Command:
    """The module of a command."""
    folder = FOLDERS.get(name, "commands")
    return cast(Command, importlib.import_module(f"fluxcap.cli.{folder}.{name}"))


_caught: Final[list[int]] = []  # signals


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _caught.append(number)
    raise KeyboardInterrupt


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    # An exception, so that unfinished files are removed on the way out, which no further signal breaks off.
    _caught.append(number)
    for ignored in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(ignored, signal.SIG_IGN)
    sys.exit(128 + number)
