"""One function a chart: the numbers of a picture as an Altair chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fluxcap.errors import missing
from fluxcap.plot.numbers import LISTED, Numbers
from fluxcap.values import text
from fluxcap.values.units import BITS_PER_OCTET, NS_PER_SECOND

Chart = Any  # an altair.TopLevelMixin: Altair is an extra, and imported when the first chart is made
Kinds = Mapping[str, tuple[str, str]]  # by column: what it is called, and its colour

WIDTH: Final = 640
BARS: Final = 420  # width of bars, beside their labels
BAR_OF_TWO: Final = 28  # the same, where a label has two lines
LINE: Final = 44  # letters that fit into a line of a label
LINE_HEIGHT: Final = 11
BREAK: Final = "\n"
LABEL: Final = 330  # pixels: an IPv6 address with its port
HEIGHT: Final = 200
LOW: Final = 80  # of a plot under another
TICKS: Final = 5
FEW_TICKS: Final = 3  # of a low plot
BAR: Final = 22  # the height of a bar and of the room around it
# Colours that stand out from white and from black.
BLUE, ORANGE, GREEN, PURPLE, TEAL = "#4c8bd6", "#e08a3c", "#4aa564", "#9b72cf", "#3aa6a6"
GREY, RED = "#8a94a3", "#dd5a52"
OF_PROTOCOLS: Final = (BLUE, ORANGE, GREEN, PURPLE, TEAL, GREY)
OF_VERDICTS: Final = {"good": GREEN, "partial": BLUE, "other": GREY}
OF_BAD: Final = {"bad": RED, "bad IPv4 header": ORANGE}
BRIGHT: Final = (0.3, 1)  # of a scale of colours: the part that stands out from black too
UNITS: Final = {"days": 86_400, "hours": 3_600, "minutes": 60, "s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


def altair() -> Any:
    """The package. ModuleNotFoundError with advice if it is missing."""
    try:
        import altair as found  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ModuleNotFoundError as error:
        if error.name != "altair":
            raise
        raise missing("a chart", "altair", "report") from None
    return found


def throughput(numbers: Numbers, step: int) -> Chart:
    """Bits per second by protocol, one on top of the other."""
    protocols = [name for name in numbers if name not in ("start", "packets", "bytes")]
    bits = {name: [octets * BITS_PER_OCTET * NS_PER_SECOND / step for octets in numbers[name]] for name in protocols}
    colours = dict(zip(protocols, OF_PROTOCOLS, strict=False))
    return _over_time(numbers["start"], step, bits, colours, "bits per second", HEIGHT)


def verdicts(numbers: Numbers, step: int) -> Chart:
    """Checksums by verdict; bad ones below, on an axis of their own, where one among millions shows."""
    parts = [
        _over_time(numbers["start"], step, {name: numbers[name] for name in found}, found, title, height)
        for colours, title, height in ((OF_VERDICTS, "checksums", HEIGHT), (OF_BAD, "bad", LOW))
        if (found := {name: colour for name, colour in colours.items() if any(numbers[name])})
    ]
    return altair().vconcat(*parts).resolve_scale(color="independent")


def hosts(numbers: Numbers) -> Chart:
    """Bytes of each host, sent and received."""
    return _bars(
        numbers["address"], numbers, {"sent_bytes": ("sent", BLUE), "received_bytes": ("received", ORANGE)}, "bytes"
    )


def conversations(numbers: Numbers) -> Chart:
    """Bytes of each two hosts."""
    labels = _pairs(numbers["address"], "↔", numbers["with"])
    return _bars(labels, numbers, {"bytes": ("bytes", BLUE)}, "bytes")


def ports(numbers: Numbers) -> Chart:
    """Clients by port; the colour is the logarithm of the bytes between the two."""
    alt = altair()
    x = alt.X("port:N", sort=None, title=None, axis=alt.Axis(labelAngle=-45))
    y = alt.Y("client:N", sort=None, title=None, axis=alt.Axis(labelLimit=LABEL))
    colour: Any = alt.value(BLUE)
    if len(set(numbers["bytes"])) > 1:  # else a logarithmic scale has no room for colours
        scale = alt.Scale(type="log", scheme=alt.SchemeParams("viridis", extent=BRIGHT))
        colour = alt.Color("bytes:Q", scale=scale, legend=alt.Legend(format="~s", tickCount=3))
    rows = _rows(numbers, client="client", port="port", bytes="bytes")
    return _chart(rows).mark_rect().encode(x=x, y=y, color=colour).properties(width=alt.Step(28), height=alt.Step(BAR))


def outcomes(numbers: Numbers) -> Chart:
    """How many connections ended how."""
    counted: dict[str, int] = {}  # several states have the same words
    for *words, count in zip(*(numbers[name] for name in ("protocol", "outcome", "connections")), strict=True):
        label = " ".join(words)
        counted[label] = counted.get(label, 0) + count
    most = sorted(counted.items(), key=lambda one: -one[1])[:LISTED]
    labels, counts = [label for label, _ in most], [count for _, count in most]
    return _bars(labels, {"connections": counts}, {"connections": ("connections", BLUE)}, "connections")


def handshakes(numbers: Numbers) -> Chart:
    """Two histograms of the times that servers and clients took, on a logarithmic axis."""
    return _times(numbers, {"server": BLUE, "client": ORANGE}, "time to the answer", "handshakes")


def responses(numbers: Numbers) -> Chart:
    """Histograms of the times from a request to its answer, of TCP and of UDP, on a logarithmic axis."""
    return _times(numbers, {"TCP": BLUE, "UDP": ORANGE}, "time to the first answer", "connections")


def waits(numbers: Numbers) -> Chart:
    """How long the clients of each socket waited: the median of the handshake, and that of the response after it."""
    kinds = {"handshake_ns": ("handshake", ORANGE), "response_ns": ("response", BLUE)}
    longest = max(map(sum, zip(*(numbers[name] for name in kinds), strict=True)), default=0)
    unit, scale = _unit(longest / NS_PER_SECOND)
    scaled = {name: [ns / NS_PER_SECOND / scale for ns in numbers[name]] for name in kinds}
    labels = [" ".join(both) for both in zip(numbers["socket"], numbers["protocol"], strict=True)]
    return _bars(labels, scaled, kinds, f"median time, {unit}")


def losses(numbers: Numbers) -> Chart:
    """What was sent again, came out of order, or met a closed window, by connection."""
    labels = _pairs(numbers["client"], "→", numbers["server"])
    kinds = {
        "retransmitted": ("retransmitted", ORANGE),
        "out_of_order": ("out of order", PURPLE),
        "zero_window": ("window closed", RED),
    }
    return _bars(labels, numbers, kinds, "packets")


def lengths(numbers: Numbers) -> Chart:
    """How many packets are of which length."""
    labels = [f"{least} to {most}" for least, most in zip(numbers["from"], numbers["to"], strict=True)]
    return _bars(labels, numbers, {"packets": ("packets", BLUE)}, "packets")


def flow_sizes(numbers: Numbers) -> Chart:
    """The share of connections that have at least so many bytes, both axes logarithmic."""
    alt = altair()
    n = max(numbers["connections"], default=1)
    rows = [{"bytes": row["bytes"], "share": row["n"] / n} for row in _rows(numbers, bytes="bytes", n="connections")]
    log = alt.Scale(type="log", nice=False)
    sizes = alt.Axis(format="~s", labelOverlap=True, grid=False)
    shares = alt.Axis(format="~%", labelOverlap=True, tickCount=FEW_TICKS)
    x = alt.X("bytes:Q", scale=log, title="bytes of a connection", axis=sizes)
    y = alt.Y("share:Q", scale=log, title="at least as large", axis=shares)
    marks = _chart(rows).mark_line(color=BLUE, interpolate="step-before", point={"color": BLUE, "size": 14})
    return marks.encode(x=x, y=y).properties(width=WIDTH, height=HEIGHT)


def servers(numbers: Numbers) -> Chart:
    """How many connections each socket answered, refused, left unanswered."""
    labels = [" ".join(both) for both in zip(numbers["socket"], numbers["protocol"], strict=True)]
    kinds = {
        "answered": ("answered", GREEN),
        "refused": ("refused", RED),
        "unanswered": ("never answered", GREY),
        "midstream": ("began before the capture", PURPLE),
    }
    return _bars(labels, numbers, kinds, "connections")


def _times(numbers: Numbers, colours: Mapping[str, str], title: str, counted: str) -> Chart:
    """A histogram for each kind of time, one under the other, on a logarithmic axis."""
    alt = altair()
    colours = {kind: colour for kind, colour in colours.items() if any(numbers[kind])} or colours
    unit, scale = _unit(max(numbers["to_ns"], default=0) / NS_PER_SECOND)
    rows = [
        {
            "from": row["from"] / NS_PER_SECOND / scale,
            "to": row["to"] / NS_PER_SECOND / scale,
            "n": row["n"],
            "kind": kind,
        }
        for kind in colours
        for row in _rows(numbers, **{"from": "from_ns", "to": "to_ns", "n": kind})
    ]
    x = alt.X(
        "from:Q",
        title=f"{title}, {unit}",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(format="~g", labelOverlap=True, grid=False),
    )
    facet = alt.Row("kind:N", title=None, sort=list(colours), header=alt.Header(labels=False))
    y = _count(counted, ticks=FEW_TICKS)
    encoded = _chart(rows).mark_bar().encode(x=x, x2="to:Q", y=y, y2=alt.datum(0), color=_colour(colours), row=facet)
    return encoded.properties(width=WIDTH, height=LOW).resolve_scale(y="independent")


def _bars(labels: Sequence[str], numbers: Numbers, kinds: Kinds, title: str) -> Chart:
    """A bar for each label, of a part for each kind."""
    alt = altair()
    kinds = {name: kind for name, kind in kinds.items() if any(numbers[name])} or kinds
    rows = [
        {"label": f"{place:03d} {label}", "kind": word, "n": count, "order": order}  # labels need not be distinct
        for order, (name, (word, _)) in enumerate(kinds.items())
        for place, (label, count) in enumerate(zip(labels, numbers[name], strict=True))
    ]
    lines = f"split(slice(datum.value, 4), {BREAK!r})"
    raised = alt.condition(f"indexof(datum.value, {BREAK!r}) > 0", alt.value(-LINE_HEIGHT / 2), alt.value(0))
    written = alt.Axis(labelExpr=lines, labelLimit=LABEL, labelLineHeight=LINE_HEIGHT, labelOffset=raised)
    y = alt.Y("label:N", sort=None, title=None, axis=written)
    step = alt.Step(BAR_OF_TWO if any(BREAK in label for label in labels) else BAR)
    colours = dict(kinds.values())
    colour = _colour(colours)
    if len(colours) == 1:  # there is no legend
        (word,) = colours
        title = title if word == title else f"{title}: {word}"
        colour = alt.value(colours[word])
    marks = _chart(rows).mark_bar().encode(x=_count(title, "x"), y=y, color=colour, order="order:O")
    return marks.properties(width=BARS, height=step)


def _pairs(ones: Sequence[str], arrow: str, others: Sequence[str]) -> list[str]:
    """The labels of two ends each, in two lines where one is too long."""
    both = [(f"{one} {arrow}", other) for one, other in zip(ones, others, strict=True)]
    return [(" " if len(one) + len(other) <= LINE else BREAK).join((one, other)) for one, other in both]


def _over_time(
    starts: Sequence[int], step: int, series: Numbers, colours: Mapping[str, str], title: str, height: int
) -> Chart:
    """Counts of each interval as steps, one series on top of the other."""
    alt = altair()
    unit, scale = _unit(len(starts) * step / NS_PER_SECOND)
    ends = [place * step / NS_PER_SECOND / scale for place in range(len(starts) + 1)]
    rows = [
        {"t": at, "kind": name, "n": count, "order": order}
        for order, (name, counts) in enumerate(series.items())
        for at, count in zip(ends, (*counts, *counts[-1:]), strict=bool(starts))
    ]
    since = text.time(starts[0])[: len("2026-11-02T10:00:00")].replace("T", " ") if starts else "the beginning"
    x = alt.X(
        "t:Q",
        title=f"{unit} after {since} UTC",
        scale=alt.Scale(nice=False),
        axis=alt.Axis(grid=False, labelOverlap=True),
    )
    y = _count(title, stack="zero", ticks=TICKS if height > LOW else FEW_TICKS)
    marks = _chart(rows).mark_area(interpolate="step-after").encode(x=x, y=y, color=_colour(colours), order="order:O")
    return marks.properties(width=WIDTH, height=height)


def _chart(rows: Sequence[Mapping[str, Any]]) -> Chart:
    alt = altair()
    return alt.Chart(alt.Data(values=list(rows)))


def _rows(numbers: Numbers, **columns: str) -> Sequence[dict[str, Any]]:
    """A dict a row, of these columns under these names."""
    return list(_zipped(list(columns), (numbers[name] for name in columns.values())))


def _zipped(names: Sequence[str], columns: Iterator[list[Any]]) -> Iterator[dict[str, Any]]:
    for row in zip(*columns, strict=True):
        yield dict(zip(names, row, strict=True))


def _colour(colours: Mapping[str, str]) -> Any:
    alt = altair()
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color("kind:N", title=None, sort=list(colours), scale=scale)


def _count(title: str, axis: str = "y", ticks: int = TICKS, **options: Any) -> Any:
    """A channel of counts, on an axis without fractions."""
    alt = altair()
    channel = alt.X if axis == "x" else alt.Y
    whole = "datum.value % 1 ? '' : datum.value ? datum.label : '0'"  # 0, not 0k
    marked = alt.Axis(format="~s", labelExpr=whole, tickCount=ticks, labelOverlap=True)
    return channel("n:Q", title=title, axis=marked, **options)


def _unit(seconds: float) -> tuple[str, float]:
    """The largest unit that the time has at least two of."""
    return next(((unit, scale) for unit, scale in UNITS.items() if seconds >= 2 * scale), ("ns", UNITS["ns"]))
