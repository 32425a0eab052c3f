"""Parts of the page as HTML. Every text from outside passes through escaped(): nothing else writes one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from fluxcap.errors import printable

ROWS_SHOWN: Final = 100  # of a table, whatever the capture: the page stays small
CELL: Final = 200  # characters; a longer text is cut
ROOT: Final = re.compile(r'<svg [^>]*\bwidth="([\d.]+)" height="([\d.]+)"[^>]*>')


def escaped(text: str, most: int = CELL) -> str:
    """A text as HTML shows it: what would control a terminal or turn the direction of writing is written as \\xNN."""
    plain = printable(text)
    return escape(plain if len(plain) <= most else f"{plain[:most]}…")


def table(columns: Mapping[str, Sequence[Any]], label: str, most: int = ROWS_SHOWN) -> str:
    """A table, whose head the script makes sortable; integers are grouped by thousands."""
    names = list(columns)
    rows = list(zip(*columns.values(), strict=True))
    numeric = [all(isinstance(row[place], int) for row in rows) for place in range(len(names))]
    classes = [' class="n"' if is_number else "" for is_number in numeric]
    head = "".join(f'<th scope="col"{kind}>{escaped(name)}</th>' for kind, name in zip(classes, names, strict=True))
    body = "\n".join(
        f"<tr>{''.join(f'<td{kind}>{_cell(value)}</td>' for kind, value in zip(classes, row, strict=True))}</tr>"
        for row in rows[:most]
    )
    left = f"<p>… {len(rows) - most:,} more rows.</p>" if len(rows) > most else ""
    around = f'<div class="wide" role="region" tabindex="0" aria-label="{escaped(label)}">'
    return f"{around}<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>{left}"


def command(line: str) -> str:
    """A command to copy."""
    return f'<pre class="command" tabindex="0"><code>{escaped(line, len(line) * 10)}</code></pre>'


def drawing(svg: str, name: str, label: str) -> str:
    """A chart inside the page: as wide as there is room, one picture to a screen reader, with names of its own."""
    found = ROOT.search(svg)
    assert found, "a drawing has a width and a height"
    width, height = found[1], found[2]
    inner = svg[found.end() :]
    inner = re.sub(r' (?:aria-[a-z]+|role)="[^"]*"', "", inner)  # of each mark; the table has the numbers
    inner = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', inner)
    inner = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", inner)
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    around = f'<div class="wide chart" role="region" tabindex="0" aria-label="{escaped(label)}">'
    return f'{around}{start} role="img" aria-label="{escaped(label)}">{inner}</div>'


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else escaped(str(value))
