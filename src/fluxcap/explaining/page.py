"""The explanation of a packet as HTML: drawings, the sums as tables, sentences; a page, or a part of one."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from fluxcap.explaining.lines import sum_lines
from fluxcap.explaining.parts import Checksum, Told
from fluxcap.explaining.svg import boxes
from fluxcap.values.svg import as_text

NOTEBOOK_WORDS: Final = 8  # of data, in a notebook
PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 48rem; margin: 2rem auto;
padding: 0 1rem; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e4e8ee; background: #11161d; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
STYLE: Final = """\
<style>
.fluxcap-packet svg { max-width: 100%; height: auto; }
.fluxcap-packet table { border-collapse: collapse; font-family: ui-monospace, monospace; font-size: 13px; }
.fluxcap-packet th, .fluxcap-packet td { padding: 0 .8em 0 0; text-align: left; border: 0; vertical-align: top; }
.fluxcap-packet th.n, .fluxcap-packet td.n { text-align: right; }
</style>
"""


def page(explanation: Told, shown: int) -> str:
    """A whole page."""
    title = f"packet {explanation.packet} of {explanation.path}"
    return PAGE.format(title=escape(title), body=part(explanation, shown))


def part(explanation: Told, shown: int = NOTEBOOK_WORDS) -> str:
    """What stands in a page or a notebook, with at most `shown` words of data a sum (0: all)."""
    return "\n".join(_blocks(explanation, shown))


def _blocks(explanation: Told, shown: int) -> Iterator[str]:
    yield f'<div class="fluxcap-packet">{STYLE}'
    yield f"<p><strong>{escape(explanation.heading)}</strong></p>"
    if explanation.headers:
        yield as_text(boxes(explanation.headers, f"the headers of {explanation.heading}"))
    for checksum in explanation.checksums:
        yield from _checksum(checksum, shown)
    for sentence in explanation.sentences():
        yield f"<p>{escape(sentence)}</p>"
    yield "</div>"


def _checksum(checksum: Checksum, shown: int) -> Iterator[str]:
    yield f"<p><strong>{escape(checksum.heading)}: {checksum.verdict}</strong><br>"
    yield f"{escape(checksum.comparison)} {escape(checksum.sentence)}</p>"
    if checksum.pseudo is not None:
        yield as_text(boxes([checksum.pseudo], "the pseudo-header"))
    if not checksum.words:
        return
    yield '<table><tr><th class="n">byte</th><th>word</th><th>sum</th><th>carry</th><th>of</th></tr>'
    for word, text in sum_lines(checksum, shown):
        if word is None:
            yield f'<tr><td></td><td colspan="4">{escape(text)}</td></tr>'
            continue
        place, carry = "" if word.offset is None else word.offset, "+1" if word.carry else ""
        cells = f'<td class="n">{place}</td><td>0x{word.value:04x}</td><td>0x{word.sum:04x}</td><td>{carry}</td>'
        yield f"<tr>{cells}<td>{escape(text)}</td></tr>"
    yield f'<tr><td></td><td colspan="4">{checksum.total}</td></tr></table>'
