"""Options that several commands have, and the parser they share."""

import argparse
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, NoReturn, Self

from fluxcap import formats
from fluxcap.cli.exits import UsageError
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.output import Output, print_text
from fluxcap.errors import suggestion, unknown
from fluxcap.plan.read_options import COPY_WINDOW, REORDER, ReadOptions, copy_window
from fluxcap.values import derived, other_names
from fluxcap.values.other_names import Octets

AUTO: Final = "auto"
NO_DRAWINGS: Final[Mapping[str, str]] = {}
SCREEN_ROWS: Final = 20  # rows of a table for people without -n: they fit one screen
NO_OPTIONS: Final = "--"  # arguments after this are inputs
HELP_OPTIONS: Final = {"-h", "--help"}
NARROW: Final = 80  # width of help that is not shown


class Options(argparse.Namespace):
    """The options that were typed; those that many functions need together, as one struct."""

    @property
    def reading(self) -> ReadOptions:
        """How to read: what add_selection() and add_order() add, --threads, --strict and --resync, as far as the
        command has them."""
        typed = vars(self)
        if typed.get("inner") and typed.get("where") is None:
            raise UsageError("--inner is about a filter, and there is none", "Say which with --where FILTER.")
        if typed.get("reorder") and typed.get("order") is None:
            raise UsageError("--reorder is about an order, and there is none", "Say --order time as well.")
        if typed.get("follow") and (typed.get("order") or typed.get("sort")):
            option = "--order" if typed.get("order") else "--sort"
            raise UsageError(
                f"{option} needs the ends of all inputs, and --follow waits for none", f"Leave out {option}."
            )
        if typed.get("window") and not typed.get("dedupe"):
            raise UsageError("--window is about copies of packets", "Say --dedupe as well.")
        names = ("where", "inner", "decap", "threads", "order", "reorder", "ahead", "follow")
        asked = {name: typed[name] for name in names if name in typed}
        return ReadOptions(
            **asked,
            tunnels=self._tunnels(),
            dedupe=typed.get("window") or typed.get("dedupe", False),
            on_damage="raise" if self.strict else "resync" if self.resync else "warn",
            on_interrupt="return",
            on_end=WATCH.nothing_to_keep,
        )

    def _tunnels(self) -> dict[int, str]:
        """The ports and kinds of --tunnel. UsageError if a port has two."""
        tunnels: dict[int, str] = {}
        for port, kind in vars(self).get("tunnels") or ():
            if tunnels.setdefault(port, kind) != kind:
                raise UsageError(f"--tunnel says of port {port} {tunnels[port]} and {kind}", "Name one kind.")
        return tunnels


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are UsageErrors."""

    def __init__(self, **kwargs: Any) -> None:
        # No abbreviations: one that works today would become ambiguous with a new option.
        super().__init__(allow_abbrev=False, formatter_class=_narrow, **kwargs)
        self.describe: Callable[[], str] | None = None

    def format_help(self) -> str:
        """The help; `describe` makes the parts that take a while to find out."""
        if self.describe is not None:
            self.epilog = self.describe()
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError where argparse would print."""
        raise UsageError(message)

    def print_help(self, file: Any = None) -> None:
        """Put the help on standard output."""
        print_text(self.format_help())

    def read(self, arguments: list[str]) -> Options:
        """The options of a command line. Options and inputs may mix; all arguments after `--` are inputs."""
        arguments, names = _without_names(arguments)
        if not HELP_OPTIONS.isdisjoint(arguments):
            self.formatter_class = argparse.RawDescriptionHelpFormatter
        try:
            parse = self.parse_known_args if self._subparsers else self.parse_known_intermixed_args
            options, rest = parse(arguments, Options())
            for word in rest:
                raise self._unknown(word.partition("=")[0] if word.startswith("-") else word)
        except UsageError as error:
            error.help = self._file_with_dash(arguments) or error.help or f"`{self.prog} --help` shows how it is used."
            raise
        for name, value in vars(options).items():
            if isinstance(value, list):
                setattr(options, name, [names.get(word, word) for word in value])
            elif value in names:
                setattr(options, name, names[value])
        return options

    def _file_with_dash(self, arguments: list[str]) -> str:
        """What to write for the first argument that is a file and looks like an option; "" if none does."""
        named = (word for word in arguments if word.startswith("-") and word not in self._option_string_actions)
        found = next((word for word in named if len(word) > 1 and os.path.lexists(word)), None)
        return f"For the file of that name write ./{found}, or put -- before it." if found else ""

    def _unknown(self, option: str) -> UsageError:
        if not option.startswith("-"):
            where = f"If it is the file to write: -o {option}. " if "-o" in self._option_string_actions else ""
            return UsageError(f"unexpected argument {option!r}", f"{where}`{self.prog} --help` shows how it is used.")
        from fluxcap.cli.meanings import INPUTS, options  # only for a wrong option

        help = suggestion(option, list(self._option_string_actions), options())
        if option in INPUTS:
            help = f"inputs need no option, as in `{self.prog} x.pcap`. "
        return UsageError(f"unknown option {option!r}", f"{help[:1].upper()}{help[1:]}`{self.prog} --help` lists all.")


def _without_names(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments with a stand-in for each that follows `--`, and the meaning of the stand-ins.

    Where options and inputs may mix, argparse takes an input with a dash for an option even after `--`.
    """
    if NO_OPTIONS not in arguments:
        return arguments, {}
    place = arguments.index(NO_OPTIONS)
    names = {f"\0{number}": name for number, name in enumerate(arguments[place + 1 :])}
    return [*arguments[:place], *names], names


def add_inputs(parser: Parser) -> None:
    """The inputs."""
    what = "a file, glob, directory or URL; - is standard input"
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help=what)


def add_output(parser: Parser, drawings: Mapping[str, str] = NO_DRAWINGS) -> None:
    """Inputs and add_results(), of nearly every command. `drawings`: formats that only this command has, and what."""
    add_inputs(parser)
    add_results(parser, drawings)


def add_results(parser: Parser, drawings: Mapping[str, str] = NO_DRAWINGS) -> None:
    """The options on where results and messages go."""
    how = "how to write the results (below)"
    parser.add_argument("-f", "--format", type=partial(_format, drawings), default=AUTO, help=how)
    where = "where to write them, a file or a URL; the suffix decides the format, and .gz or .zst behind it compresses"
    parser.add_argument("-o", "--output", metavar="FILE", help=where)
    add_messages(parser)
    parser.describe = partial(_formats, drawings)


def add_messages(parser: Parser) -> None:
    """The options on messages."""
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colours on the terminal")
    parser.add_argument("-q", "--quiet", action="store_true", help="no warnings, no hints, no progress")
    parser.add_argument("--debug", action="store_true", help="show where in the program an error came from")


def add_strict(parser: Parser) -> None:
    """--strict and --resync."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--strict", action="store_true", help="refuse a damaged input: exit code 2, nothing written")
    either.add_argument("--resync", action="store_true", help="read on behind damage, where records are found again")


def add_selection(parser: Parser) -> None:
    """--where, --inner, --no-decap, --tunnel, --dedupe and --window."""
    parser.add_argument("--where", metavar="FILTER", help="only packets matching this tcpdump filter")
    parser.add_argument("--inner", action="store_true", help="put that filter to the innermost IP packet")
    parser.add_argument("--no-decap", action="store_false", dest="decap", help="stop at the outermost IP header")
    add_tunnels(parser)
    parser.add_argument("--dedupe", action="store_true", help="leave out copies, which a mirror or hop shows again")
    add_window(parser)


def add_window(parser: Parser) -> None:
    """--window, of every command that looks for copies of packets."""
    soon = f"how soon a copy comes (default: {COPY_WINDOW}, at most 200ms)"
    check = checked_by(partial(copy_window, name="--window"))
    parser.add_argument("--window", type=check, metavar="TIME", help=soon)


def add_tunnels(parser: Parser) -> None:
    """--tunnel, of every command that looks into tunnels."""
    what = "a UDP port that carries this tunnel, as in 8472=vxlan; again for another"
    parser.add_argument("--tunnel", type=_tunnel, action="append", dest="tunnels", metavar="PORT=KIND", help=what)


def _tunnel(text: str) -> tuple[int, str]:
    from fluxcap.plan.tunnels import parsed

    try:
        return parsed(text, "--tunnel")
    except ValueError as error:
        raise UsageError.of(error) from error


def add_order(parser: Parser) -> None:
    """--order, --reorder and --ahead."""
    order = "merge the inputs in the order of time, and sort the packets of each"
    parser.add_argument("--order", choices=("time",), help=order)
    reorder = f"how much later than its time a packet may stand in its input (default: {REORDER})"
    parser.add_argument("--reorder", type=duration("--reorder"), metavar="TIME", help=reorder)
    ahead = "decompress N files ahead of the one that is read (default: one a processor)"
    parser.add_argument("--ahead", type=natural, metavar="N", help=ahead)


def add_follow(parser: Parser) -> None:
    """--follow, of commands that write rows while they read."""
    what = "go on where a file grows, and with the files of a capture that rotates, until Ctrl-C"
    parser.add_argument("--follow", action="store_true", help=what)


def add_ignore_checksums(parser: Parser) -> None:
    """--ignore-checksums, of every command that follows connections."""
    what = "let what has a bad checksum take part in its connection"
    parser.add_argument("--ignore-checksums", action="store_true", help=what)


def add_common(parser: Parser, drawings: Mapping[str, str] = NO_DRAWINGS) -> None:
    """The options of every command that reports on captures."""
    add_output(parser, drawings)
    add_selection(parser)
    add_order(parser)
    add_threads(parser)
    add_strict(parser)


def add_threads(parser: Parser) -> None:
    """--threads."""
    parser.add_argument("--threads", type=positive, metavar="N", help="read with N at most (default: one a processor)")


def add_rows(parser: Parser, columns: Sequence[str] = (), schemes: Collection[str] = other_names.SCHEMES) -> None:
    """The options of a command whose result is a table, with more than these columns on request and these --names."""
    add_extent(parser)
    parser.add_argument("-s", "--sort", metavar="COLUMN", help="largest of this column first; +COLUMN: smallest")
    on_request = derived.names(columns)
    more = f"; also {', '.join(on_request)}" if on_request else ""
    parser.add_argument("--columns", type=_words, metavar="A,B,C", help=f"just these columns, in this order{more}")
    check = checked_by(partial(other_names.check, schemes=schemes))
    theirs = f"use another tool's column names: {', '.join(sorted(schemes))}"
    parser.add_argument("--names", type=check, metavar="SCHEME", help=theirs)


def add_resolve(parser: Parser) -> None:
    """--resolve, of commands whose tables have ports."""
    what = "protocols and ports by their registered names too, as in 443/https; nothing is looked up on a network"
    parser.add_argument("--resolve", choices=("services",), help=what)


def resolves(options: Options) -> bool:
    """Whether ports are to have the names of services beside them; a command may have no ports."""
    return vars(options).get("resolve") is not None


def add_extent(parser: Parser) -> None:
    """-n and -w: how much of a table is shown."""
    shown = f"how many rows, 0 = all (default: {SCREEN_ROWS} in a table, else all)"
    parser.add_argument("-n", "--rows", type=natural, metavar="N", help=shown)
    add_wide(parser)


def add_wide(parser: Parser) -> None:
    """-w."""
    wide = "all columns of a table, in lines wider than the terminal"
    parser.add_argument("-w", "--wide", action="store_true", help=wide)


def positive(text: str) -> int:
    """A count, from 1."""
    if natural(text) == 0:
        raise argparse.ArgumentTypeError("0 is too few")
    return int(text)


def natural(text: str) -> int:
    """A count, from 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def checked_by(check: Callable[[str], object]) -> Callable[[str], str]:
    """The type of an option whose text the library takes, or refuses with a ValueError."""

    def same(text: str) -> str:
        try:
            check(text)
        except ValueError as error:
            raise UsageError.of(error) from error
        return text

    return same


def duration(option: str) -> Callable[[str], str]:
    """The type of an option that is a length of time."""

    def check(text: str) -> None:
        from fluxcap.plan.durations import nanoseconds

        nanoseconds(text, option)

    return checked_by(check)


def add_max_memory(parser: Parser) -> None:
    """--max-memory, of commands whose table grows with the capture."""
    what = "stop before the table takes more than this, as in 512M or 2GiB: exit code 4"
    parser.add_argument("--max-memory", type=checked_by(_check_size), metavar="SIZE", help=what)


def _check_size(text: str) -> None:
    from fluxcap.plan.sizes import octets

    octets(text, "--max-memory")


def check_names(options: Options, output: Output) -> None:
    """UsageError if --names is given for a table that a person reads."""
    if options.names and output.for_people:
        raise UsageError("--names is for what programs read, not for a table", "Choose a format with -f or -o.")


def names(options: Options, output: Output, octets: Octets = "frame") -> Mapping[str, str]:
    """The column names of --names; `octets` says what bytes count. UsageError for a table that a person reads."""
    check_names(options, output)
    return other_names.names(options.names, octets)


def row_limit(options: Options, output: Output) -> int:
    """How many rows to write, 0 = all."""
    rows: int | None = options.rows
    return rows if rows is not None else SCREEN_ROWS if output.for_people and not vars(options).get("follow") else 0


class Order(NamedTuple):
    """The order of rows."""

    column: str
    descending: bool

    @classmethod
    def of(cls, options: Options) -> Self | None:
        """The order of --sort; None without it."""
        if options.sort is None:
            return None
        return cls(options.sort.removeprefix("+"), not options.sort.startswith("+"))


def check_columns(options: Options, known: Sequence[str]) -> None:
    """UsageError if a column is unknown or named twice. One on request is known where those are that it is made of."""
    known = (*(name for name in known if name != derived.ICMP), *derived.names(known))
    shown = options.columns or ()
    sorting = [] if options.sort is None else [options.sort.removeprefix("+")]
    for name in (*shown, *sorting):
        if name not in known:
            from fluxcap.values.meanings import unknown_column  # only for a wrong name

            raise UsageError.of(unknown_column(name, known))
    for name in shown:
        if shown.count(name) > 1:
            raise UsageError(f"--columns names {name!r} twice", "Name each column once.")


def _narrow(prog: str) -> argparse.HelpFormatter:
    # argparse makes a formatter for each option that is added, and each would look for the width of the terminal, long
    # before anyone asks for help.
    return argparse.HelpFormatter(prog, width=NARROW)


def _words(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _format(drawings: Mapping[str, str], text: str) -> str:
    if text == AUTO:
        return text
    known = (AUTO, *formats.names(), *drawings)
    if text not in known:
        raise UsageError.of(unknown("format", text, known))
    return text


def _formats(drawings: Mapping[str, str]) -> str:
    """The formats for --help, one a line."""
    names = formats.names()
    width = max(map(len, (AUTO, *names, *drawings)))
    lines = [f"  {AUTO:{width}}  what the suffix of -o says; else table on a terminal, tsv in a pipe"]
    lines += [f"  {name:{width}}  {formats.find(name).HELP}" for name in names]
    lines += [f"  {name:{width}}  {what}" for name, what in drawings.items()]
    return "\n".join(("formats:", *lines))
