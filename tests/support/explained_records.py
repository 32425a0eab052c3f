"""Every record of a capture explained by the core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core_driver import ALL_COLUMNS, Row, as_rows, feed
from fluxcap._core import ROWS_FULL, WANTS_INPUT, Explainer

if TYPE_CHECKING:
    from fluxcap.explaining.rows import Explained


def explained(capture: bytes | Path, at_most: int | None = None) -> Iterator[tuple[Row, Explained]]:
    """Each record as a packet table has it, and as it is explained: all of them, or the first ones."""
    octets = capture if isinstance(capture, bytes) else capture.read_bytes()
    explainer = Explainer(columns=ALL_COLUMNS, row_limit=1)  # a batch has one record, so each can be looked for in turn
    waiting: dict[int, Explained] = {}
    pieces = _pieces(octets, explainer)
    number, state = 1, WANTS_INPUT
    explainer.begin()
    explainer.look_for(number)
    while state in (WANTS_INPUT, ROWS_FULL) and number != at_most:
        if state == WANTS_INPUT and not next(pieces, False):
            return
        state = explainer.run()
        if (one := explainer.explained()) is not None:
            waiting[one["packet"]] = cast("Explained", one)
        for row in as_rows(explainer.take()):
            number = row["packet"]
            yield row, waiting.pop(number, None) or alone(octets, number)
        explainer.look_for(max(number, *waiting) + 1 if waiting else number + 1)


def alone(octets: bytes, number: int) -> Explained:
    """One record, by a pass of its own."""
    explainer = Explainer()
    explainer.look_for(number)
    feed(explainer, [octets])
    one = explainer.explained()
    assert one is not None
    return cast("Explained", one)


def _pieces(octets: bytes, explainer: Explainer) -> Iterator[bool]:
    """Put the next bytes into the buffer, then say that there are no more."""
    at = 0
    while at < len(octets):
        space = explainer.space()
        n = min(len(space), len(octets) - at)
        space[:n] = octets[at : at + n]
        space.release()
        explainer.advance(n)
        at += n
        yield True
    explainer.finish()
    yield True
