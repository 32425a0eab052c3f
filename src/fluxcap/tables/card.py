"""A table in a notebook: a folding card of plain HTML in the colours of the page around it.

The card sets no colour: text inherits that of the page, lines and shades are fainter forms of it, so that the card is
readable on dark and on light pages. Everything that comes from a file is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from fluxcap.errors import printable
from fluxcap.values import text

if TYPE_CHECKING:
    from fluxcap.formats import Table

PREVIEW_ROWS: Final = 5
STYLE: Final = """
.fluxcap { --line: 1px solid color-mix(in srgb, currentColor 25%, transparent); color: inherit; background: none;
  border: var(--line); border-radius: 6px; padding: 0.6em 0.9em; max-width: 100%; box-sizing: border-box }
.fluxcap dl { display: grid; grid-template-columns: max-content auto; gap: 0.15em 1em; margin: 0.5em 0 }
.fluxcap dt { font-weight: normal; opacity: 0.7 }
.fluxcap dd { margin: 0; overflow-wrap: anywhere }
.fluxcap summary { cursor: pointer }
.fluxcap details div { overflow-x: auto; margin-top: 0.5em }
.fluxcap table { border-collapse: collapse; margin: 0 }
.fluxcap table, .fluxcap table tr, .fluxcap table td, .fluxcap table th { color: inherit; background: none; border: 0 }
.fluxcap table td, .fluxcap table th { border-top: var(--line); padding: 0.15em 0.6em; white-space: nowrap;
  text-align: left; font-variant-numeric: tabular-nums }
.fluxcap table .number { text-align: right }
"""


def card(title: str, facts: Iterable[tuple[str, str]], shown: Table, rows: int) -> str:
    """The card of a table with so many rows, of which `shown` has the first."""
    about = "".join(f"<dt>{_safe(label)}</dt><dd>{_safe(fact)}</dd>" for label, fact in facts if fact)
    parts = [f"<style>{STYLE}</style>", f"<strong>{_safe(title)}</strong>", f"<dl>{about}</dl>"]
    if rows:
        extent = f"first {PREVIEW_ROWS} of {rows:,} rows" if rows > PREVIEW_ROWS else "all rows"
        parts.append(f"<details open><summary>{extent}</summary><div>{_table(shown)}</div></details>")
    return f'<div class="fluxcap">{"".join(parts)}</div>'


def _safe(words: str) -> str:
    from html import escape  # only for a notebook: its table of entities takes two milliseconds

    return escape(printable(words))


def _table(shown: Table) -> str:
    kinds = [' class="number"' if text.is_number(name, shown[name]) else "" for name in shown.columns]
    cells = [text.cells(name, shown[name][:PREVIEW_ROWS], shown.there(name)) for name in shown.columns]
    lines = [_line("th", shown.columns, kinds), *(_line("td", row, kinds) for row in zip(*cells, strict=True))]
    return f"<table>{''.join(lines)}</table>"


def _line(tag: str, cells: Sequence[str], kinds: Sequence[str]) -> str:
    drawn = (f"<{tag}{kind}>{_safe(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
    return f"<tr>{''.join(drawn)}</tr>"
