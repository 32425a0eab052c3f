"""The drawing of a packet as SVG: boxes of 32 bits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from fluxcap.errors import printable
from fluxcap.explaining.boxes import ROW_BITS, Row, fitted, rows
from fluxcap.explaining.lines import sum_lines
from fluxcap.explaining.parts import Checksum, Header, Told
from fluxcap.values import svg

BIT: Final = 22  # pixels
MARGIN: Final = 52  # left of a box: the offset of each row
LINE: Final = 18  # height of a line of text
PAD: Final = 6
GAP: Final = 14  # between blocks
WIDTH: Final = MARGIN + ROW_BITS * BIT + PAD
LETTER: Final = 8  # width of a letter, at most
STYLE: Final = """\
.name, .offset, .source { fill: #5a6675; } .title { font-weight: bold; }
.value { font-weight: bold; }
rect { stroke-width: 1; }
.link rect { fill: #e8f0fe; stroke: #3367d6; } .link .title { fill: #2a56b5; }
.tunnel rect { fill: #f6e9fb; stroke: #8e24aa; } .tunnel .title { fill: #7b1fa2; }
.network rect { fill: #e6f4ea; stroke: #188038; } .network .title { fill: #137333; }
.transport rect { fill: #e0f5f8; stroke: #00838f; } .transport .title { fill: #006a74; }
.pseudo rect { fill: #fef7e0; stroke: #b06000; stroke-dasharray: 4 2; } .pseudo .title { fill: #9a5300; }
.good { fill: #137333; } .bad, .illegal, .bad_length { fill: #b3261e; font-weight: bold; } .partial { fill: #9a5300; }
@media (prefers-color-scheme: dark) {
text { fill: #e4e8ee; } .name, .offset, .source { fill: #a3adba; }
.link rect { fill: #16243f; stroke: #7aa2f7; } .link .title { fill: #9bbcff; }
.tunnel rect { fill: #2d1836; stroke: #ce93d8; } .tunnel .title { fill: #e1b2ec; }
.network rect { fill: #14301d; stroke: #81c995; } .network .title { fill: #9fdcb0; }
.transport rect { fill: #0f2f34; stroke: #4dd0e1; } .transport .title { fill: #7fe0ec; }
.pseudo rect { fill: #33270d; stroke: #fdd663; } .pseudo .title { fill: #fde293; }
.good { fill: #9fdcb0; } .bad, .illegal, .bad_length { fill: #ff9d94; } .partial { fill: #fde293; }
}
"""


class Sheet:
    """A drawing that grows downwards."""

    def __init__(self, label: str) -> None:
        self.root = svg.canvas(label, STYLE)
        self._height = PAD

    def text(self, text: str, x: int = PAD, kind: str = "", at: ET.Element | None = None) -> None:
        """A line of text below what is there."""
        self._height += LINE
        svg.text(self.root if at is None else at, x, self._height - 5, text, kind)

    def paragraph(self, text: str, x: int = PAD, kind: str = "") -> None:
        """A text in lines that fit."""
        line = ""
        for word in text.split(" "):
            if line and x + (len(line) + 1 + len(word)) * LETTER > WIDTH:
                self.text(line, x, kind)
                line = word
            else:
                line = f"{line} {word}" if line else word
        self.text(line, x, kind)

    def gap(self) -> None:
        """Room between two blocks."""
        self._height += GAP

    def box(self, header: Header) -> None:
        """A header in boxes."""
        group = ET.SubElement(self.root, "g", {"class": header.layer})
        self.text(header.caption, PAD, "title", group)
        self._height += 4
        for row in rows(header):
            self._row(group, row)

    def _row(self, group: ET.Element, row: Row) -> None:
        height = LINE + PAD if row.whole or not row.named else 2 * LINE + PAD
        top = self._height
        svg.text(group, MARGIN - PAD, top + height // 2 + 5, str(row.offset), "offset", "end")
        for cell in row.cells:
            x, width = MARGIN + cell.start * BIT, (cell.end - cell.start) * BIT
            svg.shape(group, "rect", x=x, y=top, width=width, height=height)
            room, middle = width // LETTER, x + width // 2
            if not cell.named:
                svg.text(group, middle, top + height // 2 + 5, "…", "name", "middle")
            elif row.whole:
                svg.text(group, middle, top + LINE, fitted(cell.line, room), "value", "middle")
            else:
                svg.text(group, middle, top + LINE, fitted(cell.field.name, room), "name", "middle")
                svg.text(group, middle, top + 2 * LINE, fitted(cell.field.text, room), "value", "middle")
        self._height += height

    def finished(self) -> ET.Element:
        """The drawing, as high as it has become."""
        svg.resize(self.root, WIDTH, self._height + PAD)
        return self.root


def boxes(headers: Iterable[Header], label: str) -> ET.Element:
    """Headers one below the other."""
    sheet = Sheet(label)
    for place, header in enumerate(headers):
        if place:
            sheet.gap()
        sheet.box(header)
    return sheet.finished()


def drawing(explanation: Told, shown: int) -> str:
    """The whole explanation as one drawing, with at most `shown` words of data a sum (0: all)."""
    sheet = Sheet(explanation.heading)
    sheet.paragraph(printable(explanation.heading), kind="value")
    for header in explanation.headers:
        sheet.gap()
        sheet.box(header)
    for checksum in explanation.checksums:
        sheet.gap()
        _sum(sheet, checksum, shown)
    sheet.gap()
    for sentence in explanation.sentences():
        sheet.paragraph(sentence)
    return svg.as_text(sheet.finished()) + "\n"


def _sum(sheet: Sheet, checksum: Checksum, shown: int) -> None:
    sheet.text(f"{checksum.heading}: {checksum.verdict}", kind=f"title {checksum.verdict}")
    if checksum.pseudo is not None:
        sheet.box(checksum.pseudo)
        sheet.gap()
    for line in word_lines(checksum, shown):
        sheet.text(line, MARGIN, "word")
    sheet.paragraph(checksum.comparison, kind=checksum.verdict)
    sheet.paragraph(checksum.sentence)


def word_lines(checksum: Checksum, shown: int) -> Sequence[str]:
    """The words of a sum, a line each, and what they add up to."""
    if not checksum.words:
        return ()
    lines = []
    for word, source in sum_lines(checksum, shown):
        if word is None:
            lines.append(f"{'':5}  {source}")
            continue
        place = "" if word.offset is None else str(word.offset)
        lines.append(
            f"{place:>5}  0x{word.value:04x}  0x{word.sum:04x} {'+1' if word.carry else '  '}  {source}".rstrip()
        )
    lines.append(f"{'':5}  {checksum.total}")
    # A blank at the beginning of a line, and two in a row, would be lost in XML.
    return [line.replace(" ", "\u00a0") for line in lines]
