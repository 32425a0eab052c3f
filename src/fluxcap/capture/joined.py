"""Captures that `cat` joined in one input: what a result says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from fluxcap.errors import printable
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap._core import Scanner, Source


class Joined(NamedTuple):
    """One entry of `metadata["joined"]`: an input that holds several captures.

    `captures`: how many; `packet` and `offset`: the packets before the second of them, and the byte where it begins.
    """

    path: str
    captures: int
    packet: int
    offset: int


def joined(source: Scanner | Source, path: str) -> list[Joined]:
    """The current input, if it holds several captures."""
    more, packet, offset = source.joined
    return [Joined(path, more + 1, packet, offset)] if more else []


def about_joined(found: Sequence[Joined]) -> list[str]:
    """'day.pcap: 2 captures joined, read as one; the second begins at byte 986, after packet 13'."""
    if not found:
        return []
    first = found[0]
    others = f"; so are {human.counted(len(found) - 1, 'more input')}" if len(found) > 1 else ""
    where = f"the second begins at byte {first.offset}, after packet {first.packet}"
    return [f"{printable(first.path)}: {human.count(first.captures)} captures joined, read as one; {where}{others}"]
