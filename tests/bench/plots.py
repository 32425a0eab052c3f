"""Pictures of how fast flow tables are made; needs the extra `report`.

`python tests/bench/plots.py --out DIR` measures (some minutes) and draws; with `--figures FILE` it draws what was
measured before. The pictures have no background, and colours that can be read on a white page and on a black one.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import altair as alt

import sweeps
import timing
from sweeps import FLOOR, PROCESS, READ_FLOWS, Point

GREY, BLUE, ORANGE = "#6e7781", "#2f81f7", "#c4620c"
COLOURS = {READ_FLOWS: BLUE, FLOOR: ORANGE, PROCESS: ORANGE, "small": BLUE, "imix": ORANGE}
WIDTH, HEIGHT = 560, 280
DECADES = [10.0**n for n in range(-4, 4)]


@dataclass
class Picture:
    """The picture of a sweep: every point is drawn with its figure."""

    title: str
    subtitle: str
    x: str
    y: str
    value: Callable[[Point], float]
    figure: Callable[[float], str]
    log_x: bool = True
    log_y: bool = False


def rate(point: Point) -> float:
    """Million packets a second."""
    return point.packets / point.seconds / 1e6


RATE = "million packets a second"


def frame(points: list[Point]) -> Picture:
    times_floor = {
        size: seconds(points, READ_FLOWS, size) / seconds(points, FLOOR, size) for size in {p.x for p in points}
    }
    near, far = max(times_floor), min(times_floor)
    return Picture(
        f"{times_floor[near]:.1f} times the floor at {near} bytes a frame, {times_floor[far]:.1f} times at {far}",
        "flow table with every checksum verified, one thread; the floor reads the file and sums every byte",
        "bytes a frame",
        RATE,
        rate,
        lambda value: f"{value:.0f}" if value >= 20 else f"{value:.1f}",
        log_y=True,
    )


def flows(points: list[Point]) -> Picture:
    few, many = min(points, key=lambda p: p.x), max(points, key=lambda p: p.x)
    return Picture(
        f"{rate(few):.1f} million packets a second in {count(few.x)} flows, {rate(many):.1f} in {count(many.x)} flows",
        f"{count(many.packets)} packets of 60 bytes, flow table with every checksum verified, one thread",
        "flows",
        RATE,
        rate,
        lambda value: f"{value:.1f}",
    )


def threads(points: list[Point]) -> Picture:
    one, most = min(points, key=lambda p: p.x), max(points, key=lambda p: p.x)
    return Picture(
        f"{one.seconds / most.seconds:.1f} times as fast with {most.x} threads as with one",
        f"{count(one.packets)} packets of 64, 576 and 1500 bytes, 100,000 flows, every checksum verified",
        "threads",
        RATE,
        rate,
        lambda value: f"{value:.1f}",
        log_x=False,
    )


def packets(points: list[Point]) -> Picture:
    few, *_, many, most = sorted({p.x for p in points})
    each = (seconds(points, READ_FLOWS, most) - seconds(points, READ_FLOWS, many)) / (most - many)
    start = seconds(points, PROCESS, few)
    return Picture(
        f"Time grows as the packets do, {each * 1e9:.0f} ns each; a process starts in {start:.2f} s",
        "packets of 60 to 139 bytes, 100,000 flows, every checksum verified, one thread",
        "packets",
        "seconds",
        lambda p: p.seconds,
        lambda value: f"{value:.2f} s" if value >= 0.1 else f"{value * 1e3:.2g} ms",
        log_y=True,
    )


def cores(points: list[Point], one: dict[str, float]) -> Picture:
    """`one`: seconds of one thread, by workload."""
    eight = ", ".join(f"{one[name] / seconds(points, name, 8):.1f} ({name})" for name in one)
    return Picture(
        f"{eight} times as fast on 8 processors, simulated",
        "times the speed of one thread: packets of 60 to 139 bytes (small); 64, 576 and 1500 bytes (imix)",
        "processors",
        "times as fast",
        lambda p: one[p.series] / p.seconds,
        lambda value: f"{value:.1f}",
    )


PICTURES = {"frame": frame, "flows": flows, "threads": threads, "packets": packets}


def seconds(points: list[Point], series: str, x: int) -> float:
    return next(p.seconds for p in points if (p.series, p.x) == (series, x))


def count(number: int) -> str:
    return f"{number // 1_000_000} million" if number >= 1_000_000 else f"{number:,}"


def drawn(points: list[Point], picture: Picture) -> alt.TopLevelMixin:
    """A line a series, named at its end."""
    series = list(dict.fromkeys(p.series for p in points))
    places = sorted({p.x for p in points})
    values = [picture.value(p) for p in points]
    highest = {x: max((p for p in points if p.x == x), key=picture.value).series for x in places}
    rows = [
        {
            "series": p.series,
            "x": p.x,
            "y": picture.value(p),
            "figure": picture.figure(picture.value(p)),
            "name": p.series if p.x == places[-1] and len(series) > 1 else "",
            "above": highest[p.x] == p.series,
        }
        for p in points
    ]
    x_ticks = {x: count(x) for x in places}  # ticks only at measured points
    x = alt.X(
        "x:Q",
        title=picture.x,
        axis=alt.Axis(values=places, grid=False, labelExpr=f"{json.dumps(x_ticks)}[datum.value]", labelOverlap=False),
        scale=logarithmic(places[0] / 1.3, places[-1] * 1.3)
        if picture.log_x
        else linear(places[0] - 0.3, places[-1] + 0.3),
    )
    y = alt.Y(
        "y:Q",
        title=picture.y,
        axis=alt.Axis(values=DECADES, format="~g") if picture.log_y else alt.Axis(tickCount=4),
        scale=logarithmic(min(values) / 2, max(values) * 2) if picture.log_y else linear(0, max(values) * 1.15),
    )
    base = alt.Chart(alt.Data(values=rows), width=WIDTH, height=HEIGHT).encode(
        x=x,
        y=y,
        color=alt.Color("series:N", legend=None, scale=alt.Scale(domain=series, range=[COLOURS[s] for s in series])),
    )
    layers = [
        base.mark_line(strokeWidth=2),
        base.mark_point(filled=True, size=45, opacity=1),
    ]
    for side, figure_dy, name_dy in (("datum.above", -13, -4), ("!datum.above", 17, 8)):
        texts = base.transform_filter(side)
        layers.append(texts.mark_text(dy=figure_dy, fontSize=12).encode(text="figure:N"))
        name = texts.mark_text(align="left", dx=22, dy=name_dy, fontSize=13, fontWeight="bold")
        layers.append(name.encode(text="name:N"))
    return (
        alt.layer(*layers, background="transparent", padding=12)
        .properties(title=alt.Title(picture.title, subtitle=picture.subtitle))
        .configure_view(stroke=None)
        .configure_axis(
            domain=False, tickColor=GREY, labelColor=GREY, titleColor=GREY, gridColor=GREY, gridOpacity=0.25,
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal", titlePadding=10,
        )
        .configure_title(
            anchor="start", color=GREY, subtitleColor=GREY, fontSize=15, subtitleFontSize=12, subtitlePadding=5,
            offset=14,
        )
    )  # fmt: skip


def logarithmic(low: float, high: float) -> alt.Scale:
    return alt.Scale(type="log", domain=[low, high], nice=False)


def linear(low: float, high: float) -> alt.Scale:
    return alt.Scale(domain=[low, high], nice=False, zero=False)


def measured(runs: int) -> dict[str, object]:
    points = [point for sweep in sweeps.SWEEPS for point in sweep(runs)]
    return {"machine": timing.machine(), "points": points}


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of how fast flow tables are made.")
    parser.add_argument("--out", type=Path, required=True, help="the folder for pictures and figures.json")
    parser.add_argument("--figures", type=Path, help="draw these, measured earlier")
    parser.add_argument("--runs", type=int, default=5, help="of each; the median is drawn (default: %(default)s)")
    parser.add_argument("--format", choices=("svg", "png"), default="svg", help="(default: %(default)s)")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    figures = json.loads(chosen.figures.read_text()) if chosen.figures else measured(chosen.runs)
    (chosen.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    points = [Point(*point) for point in figures["points"]]
    for name, picture in PICTURES.items():
        of_it = [point for point in points if point.sweep == name]
        scale = 1 if chosen.format == "svg" else 2
        drawn(of_it, picture(of_it)).save(chosen.out / f"by-{name}.{chosen.format}", scale_factor=scale)


if __name__ == "__main__":
    main()
