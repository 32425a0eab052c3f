"""The drawing of a packet on a terminal: boxes, sums, sentences, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, Final

from rich.text import Text

from fluxcap.explaining.boxes import Row, fitted, rows
from fluxcap.explaining.lines import sum_lines
from fluxcap.explaining.quiz import exercise, sheet
from fluxcap.formats import Screen
from fluxcap.formats.table.frame import Canvas
from fluxcap.formats.table.styles import verdict_style

if TYPE_CHECKING:
    from fluxcap.explaining.explanation import Explanation
    from fluxcap.explaining.parts import Checksum, Header

LAYER_STYLES: Final = {"link": "blue", "tunnel": "magenta", "network": "green", "transport": "cyan", "pseudo": "yellow"}
BIT: Final = 2  # columns
MARGIN: Final = 6  # columns before a box: the offset of each row
INDENT: Final = 2
# Lines that meet at a place: from above, from below, and the left or the right end of a row.
JOINTS: Final = {(False, False): "─", (True, False): "┴", (False, True): "┬", (True, True): "┼"}
LEFT: Final = {(True, True): "├", (True, False): "└", (False, True): "┌"}
RIGHT: Final = {(True, True): "┤", (True, False): "┘", (False, True): "┐"}
PLAIN: Final = str.maketrans("─┴┬┼├└┌┤┘┐│→…", "-+++++++++|>.")


def draw_explanation(explanation: Explanation, out: BinaryIO, screen: Screen, shown: int) -> None:
    """Heading, boxes, sums with at most `shown` words of data (0: all), sentences."""
    _print(_lines(explanation, shown), out, screen)


def _print(lines: Iterable[Text], out: BinaryIO, screen: Screen) -> None:
    """The lines, in ASCII where the terminal has nothing else."""
    canvas = Canvas(out, screen)
    plain = not screen.encoding.lower().startswith("utf")
    for line in lines:
        canvas.text(Text(line.plain.translate(PLAIN), spans=line.spans) if plain else line)


def _lines(explanation: Explanation, shown: int) -> Iterator[Text]:
    yield Text(explanation.heading, "bold")
    for header in explanation.headers:
        yield Text()
        yield from _box(header)
    for checksum in explanation.checksums:
        yield Text()
        yield from _checksum(checksum, shown)
    yield Text()
    yield from map(Text, explanation.sentences())


def _box(header: Header) -> Iterator[Text]:
    style = LAYER_STYLES[header.layer]
    yield Text(header.caption, f"bold {style}")
    drawn = rows(header)
    above: set[int] = set()
    for row in drawn:
        yield Text(" " * MARGIN + _rule(above, row.edges), style)
        yield from _row(row, style)
        above = row.edges
    if drawn:
        yield Text(" " * MARGIN + _rule(above, set()), style)


def _rule(above: set[int], below: set[int]) -> str:
    """The line between two rows, whose lines stand at these bits."""
    end = max(above | below)
    line = ["─"] * (end * BIT + 1)
    for bit in above | below:
        meeting = bit in above, bit in below
        line[bit * BIT] = (LEFT if bit == 0 else RIGHT if bit == end else JOINTS)[meeting]
    return "".join(line)


def _row(row: Row, style: str) -> Iterator[Text]:
    """One line where a field fills the row, else two: names and values."""
    if row.whole:
        yield _cells(row, style, [row.cells[0].line], "")
        return
    yield _cells(row, style, [cell.field.name if cell.named else "…" for cell in row.cells], "dim")
    if row.named:
        yield _cells(row, style, [cell.field.text if cell.named else "" for cell in row.cells], "bold", first=False)


def _cells(row: Row, style: str, contents: Sequence[str], own: str, first: bool = True) -> Text:
    """One line of a row; the first one has the offset in front."""
    line = Text(f"{row.offset:{MARGIN - 1}} " if first else " " * MARGIN, "dim")
    line.append("│", style)
    for cell, content in zip(row.cells, contents, strict=True):
        width = (cell.end - cell.start) * BIT - 1
        line.append(fitted(content, width).center(width), own)
        line.append("│", style)
    return line


def _checksum(checksum: Checksum, shown: int) -> Iterator[Text]:
    title = Text(f"{checksum.heading}: ", "bold")
    title.append(checksum.verdict, f"bold {verdict_style(checksum.verdict)}".rstrip())
    yield title
    if checksum.pseudo is not None:
        yield from _box(checksum.pseudo)
    if checksum.words:
        yield Text(f"{'byte':>{MARGIN}}  word    sum", "dim")
        yield from _words(checksum, shown)
        yield Text(f"{'':{MARGIN}}  {checksum.total}")
    yield Text(f"{'':{INDENT}}{checksum.comparison}", verdict_style(checksum.verdict))
    yield Text(f"{'':{INDENT}}{checksum.sentence}")


def _words(checksum: Checksum, shown: int) -> Iterator[Text]:
    hint = " (-n 0 for all)"
    for word, source in sum_lines(checksum, shown):
        if word is None:
            folded = source.startswith("…")
            yield Text(f"{'':{MARGIN}}  {source}{hint if folded else ''}", "dim")
            hint = "" if folded else hint
            continue
        place = "" if word.offset is None else str(word.offset)
        line = Text(f"{place:>{MARGIN}}  ", "dim")
        line.append(f"0x{word.value:04x}  0x{word.sum:04x} ", "")
        line.append("+1" if word.carry else "  ", "yellow")
        line.append(f"  {source}".rstrip(), "dim")
        yield line


def draw_exercise(explanation: Explanation, out: BinaryIO, screen: Screen) -> None:
    """The boxes without the values that are asked for, and what the values are found in."""
    blank = exercise(explanation)
    lines = [Text(blank.heading, "bold")]
    for header in blank.headers:
        lines += [Text(), *_box(header)]
    _print([*lines, Text(), *map(Text, sheet(explanation))], out, screen)
