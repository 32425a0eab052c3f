"""The datagram that a fragment is a piece of, as the capture has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from fluxcap._core import VERDICTS
from fluxcap.explaining.parts import Fragment
from fluxcap.values.arrays import Array

FRAGMENT: Final = VERDICTS.index("fragment")


class Pieces(NamedTuple):
    """The fragments of a datagram, and where it is judged."""

    place: int  # of the fragment that is explained, from 1 in the order of the datagram
    of: int  # fragments in the capture
    total: int  # bytes of payload of the datagram; 0 if its last fragment is not there
    judged_on: int  # number of the record with the verdict of the datagram; 0 if none has
    fragments: tuple[Fragment, ...]  # that have bytes of it, in its order, each once

    @property
    def there(self) -> int:
        """Bytes of all fragments: those of the datagram if none is missing, and more if they overlap."""
        return sum(fragment.length for fragment in self.fragments)


def pieces_of(
    rows: Mapping[str, Array], record: tuple[int, int], before: Iterable[tuple[int, int, int, int]]
) -> Pieces:
    """The datagram, from the rows of its fragments in a packet table. `record`: file and packet of the fragment that is
    explained. `before`: packet, file, offset and length of its fragments up to there; a fragment with a tunnel in it is
    only among these, because its row is that of the packet inside."""
    names = "packet", "file", "fragment_offset", "_fragment_length"
    found = [Fragment(*before_it) for before_it in before]
    known = set(found)
    of_rows = (Fragment(*map(int, row)) for row in zip(*(rows[name] for name in names), strict=True))
    found += [fragment for fragment in of_rows if fragment not in known]
    found.sort(key=lambda fragment: (fragment.offset, fragment.file, fragment.packet))
    ends = rows["fragment_offset"] + rows["_fragment_length"]
    judged = np.flatnonzero(rows["verdict"] != FRAGMENT)
    # A copy of a fragment brings nothing new: the first one counts.
    first = {(fragment.offset, fragment.length): fragment for fragment in reversed(found) if fragment.length}
    return Pieces(
        place=[(fragment.file, fragment.packet) for fragment in found].index(record) + 1,
        of=len(found),
        total=int(ends[rows["_more_fragments"] == 0].max(initial=0)),
        judged_on=int(rows["packet"][judged[-1]]) if len(judged) else 0,
        fragments=tuple(sorted(first.values(), key=lambda fragment: fragment.offset)),
    )
