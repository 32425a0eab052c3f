"""The commands that give the numbers of the page again, ready to be pasted into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from fluxcap.capture.inputs import STANDARD_INPUT, STANDARD_INPUT_NAME
from fluxcap.errors import printable
from fluxcap.plan.durations import UNITS
from fluxcap.plan.read_options import ReadOptions

if TYPE_CHECKING:
    from fluxcap.reports.places import Place

SHOWN: Final = "time, protocol, src_ip, src_port, dst_ip, dst_port, wire_length, tcp_flags, verdict, ip_verdict"
INPUTS_NAMED: Final = 20  # more would fill the page; then the reader puts the names in
WRITTEN: Final = ("d", "s", "ms", "us", "ns")  # units of a length: the first of which it is a multiple


def command(words: Sequence[str], inputs: Sequence[str], options: ReadOptions) -> str:
    """`fluxcap` with these words, the options that chose the records, and the inputs."""
    named = map(_argument, inputs[:INPUTS_NAMED])
    more = ["..."] if len(inputs) > INPUTS_NAMED else []
    return " ".join(map(quoted, ["fluxcap", *words, *_selection(options), *named, *more]))


def packets(places: Iterable[Place], several: bool) -> tuple[str, str]:
    """The words that show some packets, of several inputs or of one."""
    some = sorted(set(places))
    key, numbers = "packet", [str(place.packet) for place in some]
    if several:
        key, numbers = "file, packet", [f"({place.file}, {place.packet})" for place in some]
    chosen = f"({key})" if several else key
    return "sql", f"SELECT {key}, {SHOWN} FROM packets WHERE {chosen} IN ({', '.join(numbers)}) ORDER BY {key}"


def explain(place: Place, inputs: Sequence[str], options: ReadOptions) -> str:
    """The command that takes a packet apart; of the options it knows those that say where headers are,
    and whether damage is read past."""
    which = ("-p", str(place.packet), *(("--file", str(place.file)) if place.file else ()))
    known = ReadOptions(decap=options.decap, tunnels=options.tunnels, on_damage=options.on_damage)
    return command(("explain", *which), inputs, known)


def _argument(name: str) -> str:
    """An input as a command takes it."""
    if name == STANDARD_INPUT_NAME:
        return STANDARD_INPUT
    return f"./{name}" if name.startswith("-") else name


def quoted(word: str) -> str:
    """A word for a shell; characters that a terminal obeys are written with escapes, as bash and zsh read them."""
    if printable(word) == word:
        return shlex.quote(word)
    octets = word.encode(errors="surrogateescape")
    plain = "".join(chr(code) if 0x20 <= code < 0x7F and code not in b"'\\" else f"\\x{code:02x}" for code in octets)
    return f"$'{plain}'"


def length(ns: int) -> str:
    """A length of time as an option takes it."""
    return next(f"{ns // UNITS[unit]}{unit}" for unit in WRITTEN if ns % UNITS[unit] == 0)


def _selection(options: ReadOptions) -> list[str]:
    words = []
    if options.where is not None:
        words += ["--where", options.where]
    if options.inner:
        words.append("--inner")
    if not options.decap:
        words.append("--no-decap")
    for port, kind in (options.tunnels or {}).items():
        words += ["--tunnel", f"{port}={kind}"]
    if options.order is not None:
        words += ["--order", options.order]
    if options.reorder is not None:
        words += ["--reorder", str(options.reorder)]
    if options.on_damage == "resync":
        words.append("--resync")
    if options.dedupe is not False:
        words.append("--dedupe")
    if not isinstance(options.dedupe, bool):
        words += ["--window", str(options.dedupe)]
    return words
