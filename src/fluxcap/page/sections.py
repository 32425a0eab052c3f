"""The sections of the page, from the verdict to the last picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import Any, Final, NamedTuple

from fluxcap.errors import missing
from fluxcap.page import markup, reproduce, sentences
from fluxcap.page.evidence import Evidence
from fluxcap.page.findings import Findings
from fluxcap.page.markup import escaped
from fluxcap.page.pictures import INTERVAL, PICTURES, Picture, is_empty
from fluxcap.page.proofs import Proofs
from fluxcap.page.sentences import Sentence
from fluxcap.plan.read_options import ReadOptions
from fluxcap.plot.numbers import FLOW, Numbers
from fluxcap.reports import info, verdicts
from fluxcap.reports.hints import Hint
from fluxcap.reports.places import Place
from fluxcap.values import human, names, text
from fluxcap.values.names import PROTOCOLS_WITH_PORTS

HEADED: Final = 3  # inputs named in the title
CAUSES: Final = 30  # hints and senders in a table
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
        return markup.command(reproduce.command(words, self.inputs, self.options))

    def packets(self, places: Iterable[Place]) -> str:
        """The block that shows some packets."""
        return self.command(*reproduce.packets(places, len(self.inputs) > 1))

    def named(self, places: Sequence[Place]) -> str:
        """The numbers of some packets, those of each file together."""
        files: dict[int, list[str]] = {}
        for place in places:
            files.setdefault(place.file, []).append(human.count(place.packet))
        several = len(self.inputs) > 1
        return "; ".join(
            f"{', '.join(numbers)}{f' of {self.inputs[file]}' if several else ''}" for file, numbers in files.items()
        )


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
    yield from _told("What is wrong, and who sent it", sentences.wrong(found), source)
    yield from _told("What can be believed", sentences.believed(found), source)
    yield "<h3>What was read</h3>"
    facts = (f"<dt>{escaped(label)}</dt><dd>{escaped(said, SENTENCE)}</dd>" for label, said in info.facts(found.info))
    yield f"<dl>{''.join(facts)}</dl>"
    yield source.command("info")


def _links() -> str:
    links = ("<li><a href=\"#checksums\">Checksums</a></li>", *(
        f'<li><a href="#{picture.name}">{picture.title}</a></li>' for picture in PICTURES
    ))  # fmt: skip
    return f'<nav aria-label="Sections"><ul>{"".join(links)}</ul></nav>'


def _told(heading: str, said: Iterable[Sentence], source: Source) -> Iterator[str]:
    some = list(dict.fromkeys(said))
    if not some:
        return
    items = [
        f'<li class="{one.weight}"><span>{escaped(one.text, SENTENCE)}{_packets(one.places, source)}</span></li>'
        for one in some
    ]
    yield f'<h3>{heading}</h3>\n<ul class="told">{"".join(items)}</ul>'
    if places := [place for one in some for place in one.places]:
        yield _details("Show these packets", source.packets(places))


def _packets(places: Sequence[Place], source: Source) -> str:
    """The numbers of packets behind what they prove."""
    if not places:
        return ""
    word = "Packet" if len(places) == 1 else "Packets"
    return f' <span class="packets">{word} {escaped(source.named(places), SENTENCE)}</span>'


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
        listed = markup.table(_bad(judged.bad, judged.metadata["inputs"]), "Packets with a bad checksum")
        yield _details(f"{which}, by packet number", listed)
        first = Place(int(judged.bad["file"][0]), int(judged.bad["packet"][0]))
        yield markup.command(reproduce.explain(first, source.inputs, source.options))
    if judged.hints:
        yield _details("What they have in common", markup.table(_hints(judged.hints), "Hints at the cause", CAUSES))
    if judged.by_address:
        yield _details("Who sent them", markup.table(_origins(judged.by_address), "Senders of such checksums", CAUSES))
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
        told, left = _without_empty(numbers) if picture.over_time else (numbers, 0)
        rows = markup.table(_readable(told, found.evidence, source), f"{picture.title}: the numbers")
        note = f"<p>Left out: {human.counted(left, 'interval')} in which nothing was counted.</p>" if left else ""
        yield _details("The numbers", f"{rows}{note}")
        yield source.command(*(reproduce.length(found.step) if word == INTERVAL else word for word in picture.command))
        yield from _proved(found.proofs[picture.name], source)
        yield "</section>"


def _proved(proofs: Proofs, source: Source) -> Iterator[str]:
    """The packets that prove a picture, and the command that shows them."""
    if not proofs:
        return
    said = "".join(f"<li>{escaped(proof.of)}: {_packets(proof.places, source)}</li>" for proof in proofs)
    shown = source.packets(place for proof in proofs for place in proof.places)
    yield _details("The packets that prove it", f'<ul class="proof">{said}</ul>{shown}')


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


def _without_empty(numbers: Numbers) -> tuple[Numbers, int]:
    """The intervals in which something was counted, and how many others there are."""
    counts = zip(*(values for name, values in numbers.items() if name != "start"), strict=True)
    kept = list(map(any, counts))
    return {name: list(compress(values, kept)) for name, values in numbers.items()}, kept.count(False)


def _readable(numbers: Numbers, evidence: Evidence, source: Source) -> Numbers:
    """The numbers with times in words, and with the packet that each connection began with."""
    shown: Numbers = {}
    for name, values in numbers.items():
        if name == FLOW:
            places = evidence.flows.first(values)
            if len(source.inputs) > 1:
                shown["file"] = [source.inputs[place.file] for place in places]
            shown["first packet"] = [place.packet for place in places]
        elif name == "start":
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
