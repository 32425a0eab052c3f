"""What can be wrong: the exceptions, the table that turns damage codes of the core into them, unknown names.

This module imports nothing of the package, so that every other module can import it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

Meanings = Mapping[str, Sequence[str]]  # by a word of other programs the names here that it can stand for

# Characters that a terminal would obey rather than show: C0, DEL and C1, line and paragraph separators, the marks that
# reverse the direction of writing (CVE-2021-42574), and the stand-ins for bytes of a path that are not UTF-8 (PEP 383).
_UNPRINTABLE = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def printable(text: str) -> str:
    """The text with everything that would control a terminal written as \\xNN (or \\uNNNN)."""
    return text if text.isprintable() else re.sub(_UNPRINTABLE, _escape, text)


class CaptureError(Exception):
    """An input could not be read to its end.

    Attributes
    ----------
    path : str
        The input.
    offset : int
        Bytes into the decompressed input where the broken record or block begins.
    packet : int
        Records that were read whole before it.
    reason : str
        What is wrong, with the two numbers that disagree.
    partial : table or None
        What was read before the damage.
    help : str
        One sentence on what to do next.
    skipped : int
        Bytes after `offset` that were skipped, and behind which the reading went on (`on_damage="resync"`); 0 where it
        ended.
    """

    _state = "damaged"

    def __init__(
        self, path: str, offset: int = 0, packet: int = 0, *, reason: str = "", partial: Any = None, help: str = ""
    ) -> None:
        super().__init__(path, offset, packet)
        self.path = path
        self.offset = offset
        self.packet = packet
        self.reason = reason
        self.partial = partial
        self.help = help
        self.skipped = 0

    def __str__(self) -> str:
        after = f"after packet {self.packet}" if self.packet else "before any packet"
        where = f" at byte {self.offset}, {after}" if self.offset else ""
        reason = f": {self.reason}" if self.reason else ""
        return f"{printable(self.path)}: {self._state}{where}{reason}"

    @property
    def fatal(self) -> bool:
        """bool: not even the header of the input could be read, so there is nothing to hand back."""
        return self.offset == 0


class NotACaptureError(CaptureError):
    """The input is not a capture."""

    _state = "not a capture"


class TruncatedError(CaptureError):
    """The input ends inside a record or block."""

    _state = "cut short"


class UnsupportedError(CaptureError):
    """The input is a capture of a kind that is not supported."""

    _state = "not supported"

    @property
    def fatal(self) -> bool:
        """bool: the error came before any record."""
        return self.packet == 0


class UnreadableError(CaptureError):
    """The input cannot be opened."""

    _state = "not read"


def unreadable(path: str, reason: str) -> UnreadableError:
    """The error for an input that cannot be opened."""
    return UnreadableError(path, reason=reason, help="Check the name, and whether it can be read from there.")


class FilterError(ValueError):
    """libpcap does not understand a filter, or cannot apply it to a link type of the capture.

    Attributes
    ----------
    help : str
        One sentence on what to do next.
    """

    help = "The language is that of tcpdump: `man 7 pcap-filter` describes it."


class TooManyRowsError(ValueError):
    """The intervals of a timeline are too short for the time that a capture spans."""


class UnfitRowsError(ValueError):
    """An output format has no form for these rows, or for the choice of their columns."""


class ChangedError(ValueError):
    """An input that is read twice is not the same both times."""

    def __init__(self, how: str) -> None:
        super().__init__(
            f"the inputs have changed since they were read: {how}; read them again when nothing writes to them"
        )


class DamagedCaptureWarning(UserWarning):
    """An input was read up to where it is damaged.

    Attributes
    ----------
    error : CaptureError
        Where and why.
    """

    def __init__(self, error: CaptureError) -> None:
        super().__init__(error)
        self.error = error


class OutOfOrderWarning(UserWarning):
    """Records are earlier than others before them, and the result can depend on their order."""


class Late(NamedTuple):
    """`metadata["late"]`: the records that are earlier than others before them, over all inputs.

    `records`: how many; `by`: how much at most, in nanoseconds; `input` (a place in `metadata["inputs"]`) and `packet`:
    where the first of them is.
    """

    records: int
    by: int
    input: int
    packet: int


class Damage(NamedTuple):
    """One entry of `metadata["damage"]`."""

    path: str
    packet: int
    offset: int
    reason: str


class _Kind(NamedTuple):
    error: type[CaptureError]
    reason: str  # format(found=, wanted=, what=)
    help: str


_FRESH = "Get a complete copy of the file."
_KEPT = "What was read before it is kept; "
_CUT = "The capturing program was probably stopped in the middle of a write; the records before it are kept."
_CORRUPT = _KEPT + "get a fresh copy of the file if you can."
_CONVERT = "pcap, pcapng and snoop are read, plain or in gzip, zstd, lz4, xz or bzip2; `editcap` converts others."

_KINDS = {
    "empty": _Kind(
        NotACaptureError, "it is empty", "Check that the capturing program could write, and give it time to flush."
    ),
    "not_a_capture": _Kind(NotACaptureError, "it is {what}", _CONVERT),
    "file_header_cut": _Kind(NotACaptureError, "the file header needs {wanted} bytes, {found} are there", _FRESH),
    "unsupported_version": _Kind(
        UnsupportedError, "version {major}.{minor} of the format", "`editcap` may convert it to pcapng."
    ),
    "reserved_link_bits": _Kind(
        UnsupportedError,
        "the link type field is {found:#010x}, and its bits 16 to 25 must be zero",
        "The file header is damaged or of a private format; get a fresh copy, or convert it with `editcap`.",
    ),
    "record_header_cut": _Kind(TruncatedError, "a record header needs {wanted} bytes, {found} are there", _CUT),
    "record_cut": _Kind(TruncatedError, "the record needs {wanted} bytes, {found} are there", _CUT),
    "block_cut": _Kind(TruncatedError, "the block needs {wanted} bytes, {found} are there", _CUT),
    "caplen_too_big": _Kind(CaptureError, "captured length {found} is larger than {wanted}", _CORRUPT),
    "block_too_short": _Kind(CaptureError, "block length {found} is less than the {wanted} it needs", _CORRUPT),
    "block_too_long": _Kind(CaptureError, "block length {found} is larger than {wanted}", _CORRUPT),
    "block_misaligned": _Kind(CaptureError, "block length {found} is not a multiple of 4", _CORRUPT),
    "block_trailer": _Kind(CaptureError, "block length {wanted} at its start, {found} at its end", _CORRUPT),
    "no_interface": _Kind(CaptureError, "a packet of interface {found} where {wanted} are described", _CORRUPT),
    "too_many_interfaces": _Kind(CaptureError, "more than {wanted} interfaces", _CORRUPT),
    "caplen_past_block": _Kind(
        CaptureError, "captured length {found} in a block with room for {wanted} bytes", _CORRUPT
    ),
    "byte_order_magic": _Kind(CaptureError, "byte-order magic {found:#010x} instead of 0x1a2b3c4d", _CORRUPT),
    "tsresol": _Kind(
        CaptureError, "time stamps in units of if_tsresol {found:#04x}, finer than 64 bits can count", _CORRUPT
    ),
    "caplen_past_record": _Kind(
        CaptureError, "captured length {found} in a record with room for {wanted} bytes", _CORRUPT
    ),
    "record_too_long": _Kind(CaptureError, "record length {found} is larger than {wanted}", _CORRUPT),
    "snoop_link": _Kind(UnsupportedError, "link type {found} of snoop is not read", "See RFC 1761, section 3."),
    "joined": _Kind(
        CaptureError,
        "another capture begins here, and one of the two is a snoop file",
        "`mergecap -a` joins captures of any kind; `tail -c +{following} FILE` is the second one, once decompressed.",
    ),
    "joined_cut": _Kind(
        TruncatedError, "another capture begins here, whose file header needs {wanted} bytes, {found} are there", _CUT
    ),
    "padding": _Kind(
        CaptureError,
        "zeros where a record should begin",
        _KEPT + "the file was padded, or its end was never written.",
    ),
    "resumed": _Kind(
        CaptureError, "{found} bytes are not a record; skipped", "The records before and after them are read."
    ),
    "too_many_strays": _Kind(CaptureError, "more than {wanted} places without a record", _CORRUPT),
    "compressed": _Kind(CaptureError, "{what}", _CORRUPT),
    "compressed_cut": _Kind(TruncatedError, "{what}", _KEPT + "get a complete copy of the file if you can."),
    "compressed_too_large": _Kind(
        UnsupportedError, "{what}", "Decompress it first, as in `xz -dc --memlimit=0 FILE | fluxcap COMMAND -`."
    ),
    "read_error": _Kind(CaptureError, "{what}", _KEPT + "check the disk or the connection it came from."),
}


def damage_error(
    name: str, *, path: str, offset: int, packet: int, found: int = 0, wanted: int = 0, what: str = ""
) -> CaptureError:
    """The error for a damage of this name: one of `_core.DAMAGES`, or one that reading or decompressing met.

    `found` and `wanted` are the two numbers that disagree; `what` is a text that the core does not have.
    """
    kind = _KINDS[name]
    reason = kind.reason.format(found=found, wanted=wanted, what=what, major=found >> 16, minor=found & 0xFFFF)
    if offset == 0 and not issubclass(kind.error, NotACaptureError | UnsupportedError):
        # The damage is in the very first header, so that nothing can be read.
        return NotACaptureError(path, offset, packet, reason=reason, help=_FRESH)
    # `tail` counts bytes from 1.
    return kind.error(path, offset, packet, reason=reason, help=kind.help.format(following=offset + 1))


def missing(need: str, package: str, extra: str) -> ModuleNotFoundError:
    """`<need> needs the package <package>`, with the command that installs it: an extra of fluxcap."""
    return ModuleNotFoundError(f"{need} needs the package {package}; run {install(extra)}", name=package)


def install(extra: str) -> str:
    """The command that installs an extra."""
    return f"`pip install 'fluxcap[{extra}]'`"


# Where a word has no meaning that is known, only a name that it nearly is: a far one would lead astray. A ratio of
# difflib, in which `tvs` is as far from `tsv` as `head` is from `threads`; so words with letters exchanged are asked
# for by themselves.
NEAR: Final = 0.75


def unknown(what: str, given: str, known: Iterable[str], meanings: Meanings | None = None) -> ValueError:
    """`unknown <what> '<given>'`, with the known names that it means or nearly is, if any, and all of them."""
    names = list(known)
    return ValueError(f"unknown {what} {given!r}; {suggestion(given, names, meanings)}known are: {', '.join(names)}")


def suggestion(given: str, names: Sequence[str], meanings: Meanings | None = None) -> str:
    """`did you mean '<name>'? `, "" if none of the names means or nearly is what was given."""
    meant = [name for name in (meanings or {}).get(given.lower(), ()) if name.split()[0] in names]
    meant = meant or nearest(given, names)
    return f"did you mean {' or '.join(map(repr, meant))}? " if meant else ""


def nearest(given: str, names: Iterable[str]) -> list[str]:
    """The name that the given one nearly is, if there is one."""
    import difflib  # imported only for a wrong name

    bare = {name: name.lstrip("-") for name in names}
    exchanged = [name for name in bare if sorted(bare[name]) == sorted(given.lstrip("-"))]
    near = difflib.get_close_matches(given.lstrip("-"), bare.values(), n=1, cutoff=NEAR)
    return exchanged[:1] or [name for name in bare if bare[name] in near][:1]
