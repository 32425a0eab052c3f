"""A sum as lines: which of its words are shown, and what is said of the others."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from fluxcap.explaining.parts import DATA, Checksum, Fragment, Word
from fluxcap.values import human

FIRST_FRAGMENTS: Final = 5  # of many; and the last one

Piece = tuple[Fragment, Sequence[Word]]


class Line(NamedTuple):
    """A word with its source, which is empty where it is that of the word before; or a text about words."""

    word: Word | None
    text: str


def sum_lines(checksum: Checksum, shown: int) -> Iterator[Line]:
    """The lines of a sum, with at most `shown` words of data (0: all). A datagram in fragments has them
    fragment by fragment; where not all words are shown, of many fragments only the first ones and the last one."""
    room = shown or len(checksum.words)
    if not checksum.fragments:
        yield from _words(checksum.words, room)
        return
    yield from _words([word for word in checksum.words if word.packet is None], room)
    pieces = _pieces(checksum)
    folded = pieces[FIRST_FRAGMENTS:-1] if shown else []
    several = len({fragment.file for fragment in checksum.fragments}) > 1
    for place, (fragment, words) in enumerate(pieces):
        if len(folded) > 1 and FIRST_FRAGMENTS <= place < len(pieces) - 1:
            if place == FIRST_FRAGMENTS:
                yield Line(None, _folded(folded))
            continue
        yield Line(None, _heading(fragment, several))
        yield from _words(words, room)
        room -= min(room, sum(word.source == DATA for word in words))


def _words(words: Sequence[Word], room: int) -> Iterator[Line]:
    """Words, of which there is room for so many of data."""
    data = sum(word.source == DATA for word in words)
    left_out = max(data - room, 0)
    before = ""
    for word in words[: len(words) - left_out]:
        yield Line(word, "" if word.source == before else word.source)
        before = word.source
    if left_out:
        more = human.counted(left_out, "more word" if left_out < len(words) else "word")
        yield Line(None, f"… {more} of data, up to 0x{words[-1].sum:04x}")


def _pieces(checksum: Checksum) -> list[Piece]:
    """The fragments, each with its words: none where a length leaves its bytes out."""
    words = [word for word in checksum.words if word.offset is not None]
    places = [word.offset or 0 for word in words]
    starts = [bisect_left(places, fragment.offset) for fragment in checksum.fragments]
    return [
        (fragment, words[start:end])
        for fragment, start, end in zip(checksum.fragments, starts, [*starts[1:], len(words)], strict=True)
    ]


def _heading(fragment: Fragment, several: bool) -> str:
    """Which fragment the words after this line are from."""
    where = f" of file {fragment.file}" if several else ""
    last = fragment.offset + fragment.length - 1
    place = f"bytes {human.count(fragment.offset)} to {human.count(last)} of the datagram"
    return f"packet {human.count(fragment.packet)}{where}: {place}"


def _folded(pieces: Sequence[Piece]) -> str:
    """What is said of fragments that are not shown."""
    words = [word for _, of_piece in pieces for word in of_piece]
    sums = f", {human.counted(len(words), 'word')}, up to 0x{words[-1].sum:04x}" if words else ""
    return f"… {human.counted(len(pieces), 'more fragment')}{sums}"
