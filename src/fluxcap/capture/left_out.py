"""What of the inputs a result leaves out, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from fluxcap._core import ANOMALIES
from fluxcap.capture.warn import warn
from fluxcap.errors import NotACaptureError, printable
from fluxcap.values import human, names

if TYPE_CHECKING:
    from fluxcap._core import Totals

NAMES_SHOWN: Final = 3  # skipped files
_OF_NAMES: Final = {  # anomalies of a look for names of servers
    "names_not_kept": "names of servers that are longer than 255 bytes, or more than fit, are left out {} times",
    "answers_forgotten": "{} answers of DNS made room for later ones: flows after that lack their names",
    "heads_forgotten": "{} messages that may name a server were too long, cut, or made room before the rest came",
}


class LeftOut:
    """Warns of what is left out of inputs that are still being made as soon as they pause, of each kind once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def warn(self, totals: Totals) -> None:
        """Warn of what was left out up to now."""
        for kind, sentence in _kinds(totals):
            if kind not in self._said:
                self._said.add(kind)
                warn(UserWarning(f"{sentence}, up to now"))


def errors_not_kept(totals: Totals) -> int:
    """How many ICMP errors about flows not seen before them found no room."""
    return totals["anomalies"][ANOMALIES.index("errors_not_kept")]


def about_errors(unkept: int) -> str:
    """A sentence about so many ICMP errors that found no room."""
    return f"{unkept:,} ICMP errors about flows not seen before them are not kept for these flows"


def about_left_out(totals: Totals, skipped: Sequence[str]) -> Iterator[str]:
    """Sentences about rows, errors, records and files that the result does not have."""
    for _, sentence in _kinds(totals):
        yield sentence
    if skipped:
        shown = [printable(name) for name in skipped[:NAMES_SHOWN]]
        more = ", ..." if len(skipped) > NAMES_SHOWN else ""
        yield f"skipped files that are not captures: {len(skipped)} ({', '.join(shown)}{more})"


def no_capture(directory: str, skipped: Sequence[str]) -> NotACaptureError:
    """The error for a directory without a capture."""
    return NotACaptureError(
        directory,
        reason=f"none of the {len(skipped)} files in it is one",
        help="Give the path of a pcap or pcapng file.",
    )


def _kinds(totals: Totals) -> Iterator[tuple[str, str]]:
    """What is left out of the captures: which kind, and the sentence."""
    if left_out := totals["rows_left_out"]:
        packets = human.counted(left_out, "packet")
        yield "rows", f"rows of packets stopped at max_memory; {packets} after them are counted, without a row"
    if unkept := errors_not_kept(totals):
        yield "errors", about_errors(unkept)
    for name, sentence in _OF_NAMES.items():
        if count := totals["anomalies"][ANOMALIES.index(name)]:
            yield name, sentence.format(f"{count:,}")
    if unknown := totals["unknown_links"]:
        kinds = [f"{records:,} of {names.link_type(kind)}" for kind, records in sorted(unknown.items())]
        yield f"links {sorted(unknown)}", f"records of link types that are not read: {', '.join(kinds)}"
