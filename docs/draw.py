"""The pictures of the pages in docs/, drawn from the samples: `python docs/draw.py` writes docs/pictures/*.svg.

Charts need the extra `report`. They have no background, and colours that can be read on white and on black.
"""

import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import altair as alt
import polars as pl
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

import fluxcap

DOCS: Final = Path(__file__).parent
PICTURES: Final = DOCS / "pictures"
SAMPLES: Final = DOCS.parent / "samples"
OFFICE: Final = SAMPLES / "office.pcap"
GREY, BLUE, ORANGE = "#6e7781", "#2f81f7", "#c4620c"
VERDICTS: Final = {
    "good": "#3b8c5a",
    "partial": "#c98b12",
    "absent": "#8d6a9f",
    "illegal": "#d1495b",
    "fragment": "#7f97ad",
}
# Attributes for each of hundreds of dots that nobody hears, as an image has one text; and, in what is drawn and not in
# what is written, digits past a hundredth.
UNHEARD: Final = r' (?:role|aria-\w+)="[^"]*"'
DRAWN: Final = r' (?:d|transform)="[^"]*"'
PAST_A_HUNDREDTH: Final = r"(?<=\.\d\d)\d+"
PADDING: Final = {"left": 40, "top": 6, "right": 12, "bottom": 6}  # the letters of a browser may be wider
WIDTH: Final = 300  # fits a phone, whose letters are then those of the page
COLUMNS: Final = 72  # of the terminal
# A terminal as rich draws one, but for its font, which it would fetch from another host.
TERMINAL: Final = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def who_sent_most() -> str:
    """Bytes to UDP port 53 by the address that sent them."""
    flows = fluxcap.read_flows(OFFICE, "src_ip", where="udp dst port 53").to_polars()
    bars = alt.Chart(flows, title="Bytes sent to UDP port 53").mark_bar(color=BLUE)
    return drawn(bars.encode(x=alt.X("bytes:Q", title=None), y=alt.Y("src_ip:N", title=None, sort="-x")))


def slow_connections() -> str:
    """The time to the SYN+ACK of each connection, by server."""
    connections = (
        fluxcap.read_connections(OFFICE).to_polars().filter(pl.col("state") == "SF", pl.col("dst_port") == 443)
    )
    times = connections.select("dst_ip", milliseconds=pl.col("synack_rtt") / 1e6)
    dots = alt.Chart(times, title="Milliseconds from SYN to SYN+ACK, a dot a connection").mark_circle(color=BLUE)
    return drawn(dots.encode(x=alt.X("milliseconds:Q", title=None), y=alt.Y("dst_ip:N", title=None)))


def find_the_scan() -> str:
    """When which port was asked for, and whether anybody answered."""
    connections = fluxcap.read_connections(OFFICE).to_polars().filter(pl.col("state") != "SHR")
    start = connections["first"].min()
    asked = connections.filter(pl.col("dst_port") < 1000).select(
        "dst_port",
        seconds=(pl.col("first") - start).dt.total_milliseconds() / 1000,
        answer=pl.when(pl.col("state") == "REJ").then(pl.lit("refused")).otherwise(pl.lit("answered")),
    )
    dots = alt.Chart(asked, title="Connections by time and port").mark_square(size=14)
    return drawn(
        dots.encode(
            x=alt.X("seconds:Q", title="seconds"),
            y=alt.Y("dst_port:Q", title="destination port"),
            color=alt.Color("answer:N", title=None).scale(domain=["answered", "refused"], range=[BLUE, ORANGE]),
        ),
        height=200,
    )


def broken_checksums() -> str:
    """Verdicts by protocol of a capture made on the sender."""
    packets = fluxcap.read_packets(SAMPLES / "sockets.pcapng", columns="protocol,verdict").to_polars(labels=True)
    counts = (
        packets.filter(pl.col("verdict") != "none").group_by("protocol", "verdict").len().sort("protocol", "verdict")
    )
    colour = alt.Color("verdict:N", title=None).scale(domain=list(VERDICTS), range=list(VERDICTS.values()))
    bars = alt.Chart(counts, title="Packets by verdict on their checksum").mark_bar()
    return drawn(bars.encode(x=alt.X("len:Q", title=None), y=alt.Y("protocol:N", title=None), color=colour))


def who_listened() -> str:
    """Connections to each listener over IPv4."""
    sockets = fluxcap.read_sockets(SAMPLES / "session.pcap").to_polars()
    listeners = sockets.filter(pl.col("role") == "listener").select(
        "accepted", "unanswered", socket=pl.format("{}, port {}", "address", "port")
    )
    counts = listeners.unpivot(index="socket", variable_name="what", value_name="connections")
    colour = alt.Color("what:N", title=None).scale(domain=["accepted", "unanswered"], range=[BLUE, ORANGE])
    bars = alt.Chart(counts, title="Connections to each listener").mark_bar()
    return drawn(bars.encode(x=alt.X("connections:Q", title=None), y=alt.Y("socket:N", title=None), color=colour))


def deliver_messages() -> str:
    """Bytes that each listener of TCP received and sent."""
    with tempfile.TemporaryDirectory() as directory:
        fluxcap.demux(SAMPLES / "servers.pcap", directory)
        index = pl.read_ndjson(Path(directory, "index.ndjson"), infer_schema_length=None)
    streams = index.filter(pl.col("kind") == "stream")
    received = pl.col("side") == "a"  # the side of who connected
    counts = (
        streams.select(
            socket=pl.when(received)
            .then(pl.format("{}, port {}", "dst_ip", "dst_port"))
            .otherwise(pl.format("{}, port {}", "src_ip", "src_port")),
            what=pl.when(received).then(pl.lit("received")).otherwise(pl.lit("sent")),
            bytes="octets",
        )
        .group_by("socket", "what")
        .agg(pl.col("bytes").sum())
        .sort("socket", "what")
    )
    colour = alt.Color("what:N", title=None).scale(domain=["received", "sent"], range=[ORANGE, BLUE])
    bars = alt.Chart(counts, title="Bytes delivered, by server").mark_bar()
    return drawn(bars.encode(x=alt.X("bytes:Q", title=None), y=alt.Y("socket:N", title=None), color=colour))


def larger_than_memory() -> str:
    """Bytes in each quarter of a minute, from a scan."""
    start, quarter = pl.col("time").min(), 15
    per_quarter = (
        fluxcap.scan_packets(OFFICE)
        .lazy()
        .select(seconds=(pl.col("time") - start).dt.total_seconds() // quarter * quarter, bytes="wire_length")
        .group_by("seconds")
        .agg(pl.col("bytes").sum())
        .sort("seconds")
        .collect()
    )
    bars = alt.Chart(per_quarter, title="Bytes in each 15 seconds").mark_bar(color=BLUE, width=6)
    return drawn(bars.encode(x=alt.X("seconds:Q", title="seconds"), y=alt.Y("bytes:Q", title=None)), height=140)


def first_minute() -> str:
    """The first command of a newcomer, as a terminal shows it."""
    command = ["info", "samples/office.pcap"]
    run = [sys.executable, "-m", "fluxcap", *command, "-f", "table", "--color", "always"]
    environment = {
        "COLUMNS": str(COLUMNS),
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": ":".join(sys.path),
    }
    shown = subprocess.run(run, cwd=DOCS.parent, env=environment, capture_output=True, check=True).stdout.decode()
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(f"$ fluxcap {' '.join(command)}", highlight=False)
    console.print(Text.from_ansi(shown))
    return console.export_svg(
        title="", theme=DIMMED_MONOKAI, code_format=TERMINAL, unique_id="terminal", font_aspect_ratio=0.61
    )


PICTURE: Final[dict[str, Callable[[], str]]] = {
    picture.__name__.replace("_", "-"): picture
    for picture in (
        first_minute, who_sent_most, slow_connections, find_the_scan, broken_checksums, who_listened,
        deliver_messages, larger_than_memory
    )
}  # fmt: skip


def drawn(chart: alt.Chart, height: int | None = None) -> str:
    """A chart as SVG."""
    size = {"width": WIDTH} if height is None else {"width": WIDTH, "height": height}
    styled = (
        chart.properties(background="transparent", padding=PADDING, **size)
        .configure_view(stroke=None)
        .configure_axis(
            **dict.fromkeys(("tickColor", "labelColor", "titleColor", "gridColor"), GREY),
            domain=False,
            gridOpacity=0.25,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_legend(labelColor=GREY, labelFontSize=12, orient="top")
        .configure_title(anchor="start", frame="group", color=GREY, fontSize=14, offset=10)
    )
    out = io.StringIO()
    styled.save(out, format="svg")
    return re.sub(DRAWN, lambda drawn: re.sub(PAST_A_HUNDREDTH, "", drawn[0]), re.sub(UNHEARD, "", out.getvalue()))


def main() -> None:
    """Draw all of them."""
    PICTURES.mkdir(exist_ok=True)
    for name, picture in PICTURE.items():
        (PICTURES / f"{name}.svg").write_text(picture().rstrip() + "\n")


if __name__ == "__main__":
    main()
