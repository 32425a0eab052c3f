"""Headers in boxes of 32 bits, as RFCs draw them: which field stands in which row, from which bit to which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from fluxcap.explaining.parts import Field, Header

ROW_BITS: Final = 32


class Cell(NamedTuple):
    """A part of a row; a field that goes over several rows is named in its widest cell, the first of equal ones."""

    field: Field
    start: int  # bits of the row
    end: int
    named: bool

    @property
    def line(self) -> str:
        """Name and value in one line."""
        return f"{self.field.name}: {self.field.text}".removesuffix(": ")


class Row(NamedTuple):
    """A row of a box; `offset` is that of its first byte in the record. A tall row stands for several equal ones."""

    offset: int
    octets: int
    cells: tuple[Cell, ...]

    @property
    def whole(self) -> bool:
        """Whether one field fills it."""
        return len(self.cells) == 1 and self.cells[0].end - self.cells[0].start == ROW_BITS

    @property
    def named(self) -> bool:
        """Whether a field is named in it."""
        return any(cell.named for cell in self.cells)

    @property
    def edges(self) -> set[int]:
        """Bits at which there is a line."""
        return {edge for cell in self.cells for edge in (cell.start, cell.end)}


def rows(header: Header) -> list[Row]:
    """The box of a header."""
    pieces = [list(_pieces(field)) for field in header.fields]
    widest = [max(parts, key=lambda part: part[2] - part[1], default=None) for parts in pieces]
    of_row: dict[int, list[Cell]] = {}
    for field, parts, named in zip(header.fields, pieces, widest, strict=True):
        for part in parts:
            row, start, end = part
            of_row.setdefault(row, []).append(Cell(field, start, end, part is named))
    return _merged([Row(header.offset + 4 * row, 4, tuple(cells)) for row, cells in sorted(of_row.items())])


def _pieces(field: Field) -> Iterator[tuple[int, int, int]]:
    """Row, first and last bit of each piece of a field."""
    at, end = field.bit, field.bit + field.bits
    while at < end:
        row = at // ROW_BITS
        past = min(end, (row + 1) * ROW_BITS)
        yield row, at - row * ROW_BITS, past - row * ROW_BITS
        at = past


def _merged(found: Sequence[Row]) -> list[Row]:
    """The rows, those that are filled by one and the same field as one."""
    merged: list[Row] = []
    for row in found:
        if merged and row.whole and merged[-1].whole and merged[-1].cells[0].field is row.cells[0].field:
            last = merged[-1]
            merged[-1] = Row(last.offset, last.octets + row.octets, last.cells)
        else:
            merged.append(row)
    return merged


def fitted(content: str, letters: int) -> str:
    """As much of a text as there is room for."""
    return content if len(content) <= letters else f"{content[: letters - 1]}…" if letters > 1 else content[:letters]
