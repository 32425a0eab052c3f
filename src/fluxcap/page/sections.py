"""The sections of the page, from the verdict to the last picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from fluxcap.errors import missing
from fluxcap.page import markup, sentences
from fluxcap.page.findings import Findings
from fluxcap.page.markup import escaped
from fluxcap.page.pictures import INTERVAL, PICTURES, Picture, is_empty
from fluxcap.page.reproduce import command, length
from fluxcap.page.sentences import Sentence
from fluxcap.plan.read_options import ReadOptions
from fluxcap.plot.numbers import Numbers
from fluxcap.reports import info, verdicts
from fluxcap.reports.hints import Hint
from fluxcap.values import human, names, text
from fluxcap.values.names import PROTOCOLS_WITH_PORTS

HEADED: Final = 3  # inputs named in the title
FRACTION: Final = 9  # digits of a second
SENTENCE: Final = 2000  # characters of a sentence
# The page decides on light or dark: what is not data is drawn in the colour of its text.
LINES: Final = "rgba(128, 136, 148, 0.3)"
INK: Final = "currentColor"
LOOKS: Final = {
    "background": None,
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",  # all as wide as the letters that labels are measured by
    "padding": {"left": 40, "right": 8, "top": 4, "bottom": 4},  # where a browser has none of them, letters are wider
    "axis": {"labelColor": INK, "titleColor": INK, "gridColor": LINES, "domainColor": LINES, "tickColor": LINES},
    "axisX": {"titleAnchor": "start", "labelSeparation": 6},  # the title in sight on a narrow screen
    "axisY": {"titlePadding": 12},
    "legend": {"labelColor": INK, "titleColor": INK, "orient": "bottom"},
    "view": {"stroke": None},
}


class Source(NamedTuple):
    """What the commands on the page read."""

    inputs: Sequence[str]
    options: ReadOptions

    def command(self, *words: str) -> str:
        """The page's block for a command on the inputs."""
        return markup.command(command(words, self.inputs, self.options))


def title(found: Findings) -> str:
    """The name of the page."""
    inputs = [one.name for one in found.info.inputs] or list(found.info.metadata["inputs"])
    more = f" and {human.count(len(inputs) - HEADED)} more" if len(inputs) > HEADED else ""
    return f"{', '.join(inputs[:HEADED])}{more}"


def body(found: Findings, source: Source) -> str:
    """All sections."""
    verdict = _verdict(found, source)
    if not found.info.packets:  # every section would say that there is nothing
        return "\n".join(verdict)
    return "\n".join((*verdict, _links(), *_checksums(found, source), *_pictures(found, source)))


def _verdict(found: Findings, source: Source) -> Iterator[str]:
    yield f"<h1>{escaped(title(found), SENTENCE)}</h1>"
    whole = sentences.headline(found)
    yield f'<p class="verdict {whole.weight}">{escaped(whole.text, SENTENCE)}</p>'
    yield from _told("What is wrong, and who sent it", sentences.wrong(found))
    yield from _told("What can be believed", sentences.believed(found))
    yield "<h3>What was read</h3>"
    facts = (f"<dt>{escaped(label)}</dt><dd>{escaped(said, SENTENCE)}</dd>" for label, said in info.facts(found.info))
    yield f"<dl>{''.join(facts)}</dl>"
    yield source.command("info")


def _links() -> str:
    links = ("<li><a href=\"#checksums\">Checksums</a></li>", *(
        f'<li><a href="#{picture.name}">{picture.title}</a></li>' for picture in PICTURES
    ))  # fmt: skip
    return f'<nav aria-label="Sections"><ul>{"".join(links)}</ul></nav>'


def _told(heading: str, said: Iterable[Sentence]) -> Iterator[str]:
    items = [f'<li class="{one.weight}"><span>{escaped(one.text, SENTENCE)}</span></li>' for one in dict.fromkeys(said)]
    if items:
        yield f'<h3>{heading}</h3>\n<ul class="told">{"".join(items)}</ul>'


def _checksums(found: Findings, source: Source) -> Iterator[str]:
    judged = found.checksums
    yield '<h2 id="checksums">Checksums</h2>'
    counts = verdicts.by_header(judged)
    if not len(counts):
        yield "<p>No checksum in this capture.</p>"
        return
    yield markup.table(counts.values, "Checksums by header and verdict")
    if judged.bad_records:
        shown = len(judged.bad)
        which = "All of them" if shown == judged.bad_records else f"The first {human.count(shown)}"
        yield f"<h3>{human.counted(judged.bad_records, 'packet')} with a bad or illegal checksum</h3>"
        yield f"<p>{which}, by packet number:</p>"
        yield markup.table(_bad(judged.bad, judged.metadata["inputs"]), "Packets with a bad checksum")
        first = judged.bad["packet"][0], judged.bad["file"][0]
        yield source.command("explain", "-p", str(first[0]), *(("--file", str(first[1])) if first[1] else ()))
    if judged.hints:
        yield _details("What they have in common", markup.table(_hints(judged.hints), "Hints at the cause"))
    if judged.by_address:
        yield _details("Who sent them", markup.table(_origins(judged.by_address), "Senders of such checksums"))
    yield source.command("check")


def _bad(table: Any, inputs: Sequence[str]) -> Numbers:
    columns: Numbers = {}
    if len(inputs) > 1:
        columns["file"] = [inputs[number] for number in table["file"].tolist()]
    columns["packet"] = table["packet"].tolist()
    columns["time"] = _times(table["time"])
    columns["protocol"] = [names.protocol(code) for code in table["protocol"].tolist()]
    for side, name in (("src", "from"), ("dst", "to")):
        columns[name] = _ends(table, side)
    in_header = bool((table["ip_verdict"] == verdicts.BAD).any())
    for prefix in ("", "ip_") if in_header else ("",):
        columns[f"{prefix}verdict"] = text.cells("verdict", table[f"{prefix}verdict"])
        for name in ("checksum", "expected"):
            columns[f"{prefix}{name}"] = [f"0x{value:04x}" for value in table[f"{prefix}{name}"].tolist()]
    return columns


def _hints(hints: Sequence[Hint]) -> Numbers:
    places = [", ".join(f"{packet}" for _, packet in hint.in_packets) for hint in hints]
    return {
        "hint": [hint.kind for hint in hints],
        "header": [hint.header for hint in hints],
        "records": [hint.records for hint in hints],
        "of": [hint.examined for hint in hints],
        "first packets": places,
    }


def _origins(origins: Sequence[Any]) -> Numbers:
    some = sorted(origins, key=lambda one: (-one.bad - one.ip_bad, -one.partial))
    counted = ("packets", "good", "partial", "bad", "ip_bad")
    counts = {name.replace("_", " "): [getattr(one, name) for one in some] for name in counted}
    return {"sender": [one.name for one in some], **counts}


def _pictures(found: Findings, source: Source) -> Iterator[str]:
    for picture in PICTURES:
        numbers = found.numbers[picture.name]
        yield f'<section aria-labelledby="{picture.name}">\n<h2 id="{picture.name}">{picture.title}</h2>'
        if is_empty(picture, numbers):
            yield f"<p>{picture.nothing}</p>\n</section>"
            continue
        yield f"<p>{picture.shows}</p>"
        yield markup.drawing(_svg(picture, numbers, found.step), picture.name, f"{picture.title}. {picture.shows}")
        yield _details("The numbers", markup.table(_readable(numbers), f"{picture.title}: the numbers"))
        yield source.command(*(length(found.step) if word == INTERVAL else word for word in picture.command))
        yield "</section>"


def _svg(picture: Picture, numbers: Numbers, step: int) -> str:
    try:
        import vl_convert  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError as error:
        if error.name != "vl_convert":
            raise
        raise missing("a report", "vl-convert-python", "report") from None
    chart = picture.chart(numbers, step) if picture.over_time else picture.chart(numbers)
    svg: str = vl_convert.vegalite_to_svg({**chart.to_dict(), "config": LOOKS})
    return svg


def _readable(numbers: Numbers) -> Numbers:
    """The numbers with times in words."""
    shown: Numbers = {}
    for name, values in numbers.items():
        if name == "start":
            shown["time"] = _times(_nanoseconds(values))
        elif name.endswith("_ns"):
            shown[name.removesuffix("_ns")] = [human.duration(value) for value in values]
        else:
            shown[name.replace("_", " ")] = values
    return shown


def _ends(table: Any, side: str) -> list[str]:
    columns = text.addresses(table[f"{side}_ip"]), table[f"{side}_port"].tolist(), table["protocol"].tolist()
    ends = zip(*columns, strict=True)
    return [text.socket(address, port) if code in PROTOCOLS_WITH_PORTS else address for address, port, code in ends]


def _times(values: Any) -> list[str]:
    """Times without the zeros that all of them end with."""
    written = [time.removesuffix("Z").replace("T", " ") for time in text.times(values)]
    zeros = min((len(time) - len(time.rstrip("0")) for time in written if time), default=0)
    cut = zeros + (zeros == FRACTION)  # the point too
    return [time[: len(time) - cut] for time in written]


def _nanoseconds(values: Sequence[int]) -> Any:
    import numpy as np

    return np.array(values, np.int64)


def _details(summary: str, inside: str) -> str:
    return f"<details><summary>{summary}</summary>\n{inside}</details>"
