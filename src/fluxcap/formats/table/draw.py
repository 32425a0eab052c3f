"""A whole table for people: heading, boxes, footer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

from fluxcap.formats import Rows, Screen
from fluxcap.formats.table import columns
from fluxcap.formats.table.endpoints import PORTS
from fluxcap.formats.table.frame import Canvas
from fluxcap.formats.table.roll import Roll
from fluxcap.values import services, text
from fluxcap.values.names import IP_VERSION

PAGE_ROWS: Final = 1000  # rows in one box: the first appear at once, however many follow


def draw(out: BinaryIO, rows: Rows, screen: Screen) -> None:
    """Heading, boxes, footer."""
    canvas = Canvas(out, screen)
    if rows.heading:
        canvas.line(rows.heading)
    drawn = hidden = 0
    roll = Roll(canvas)
    before = columns.Before()  # in the box that grows
    try:
        for values, ip in _pages(rows):
            wanted = columns.chosen(values, ip) if rows.chosen else columns.worthwhile(values, ip, before)
            hidden = max(hidden, roll.add(wanted) if rows.live else canvas.table(wanted))
            drawn += len(wanted[0].cells)
            if rows.live:
                before.add(values)
    finally:  # an input that cannot be read is said below the box
        roll.close()
    canvas.footer(rows.left_out(), rows.noun, "-n 0 for all, -f csv to export")
    canvas.hidden(hidden, "-w" if rows.chosen else "-w or --columns")
    if not drawn:
        canvas.line(f"no {rows.noun}", "dim")
    canvas.interrupted(rows.metadata())


def _pages(rows: Rows) -> Iterator[tuple[Mapping[str, Any], list[bool] | None]]:
    """The columns of each page, and whether its rows have an IP header where that is known."""
    for table in rows.tables:
        arrays = {name: table[name] for name in rows.columns}
        ip = (table[IP_VERSION] != 0).tolist() if IP_VERSION in table.columns else None
        protocols = table["protocol"].tolist() if "protocol" in table.columns else [None] * len(table)
        for start in range(0, len(table), PAGE_ROWS):
            page = slice(start, start + PAGE_ROWS)
            values = {name: column[page] for name, column in arrays.items()}
            named = _services(values, protocols[page]) if rows.services else {}
            yield values | _networks(values, rows.prefixes) | named, ip and ip[page]


def _services(values: Mapping[str, Any], protocols: Sequence[int | None]) -> dict[str, list[str]]:
    """The columns of ports, with the names of services beside these."""
    named = {name: list(map(services.labelled, protocols, values[name].tolist())) for name in PORTS if name in values}
    if "ports" in values:  # of a host
        named["ports"] = [services.labelled_list(ports.decode()) for ports in values["ports"].tolist()]
    return named


def _networks(values: Mapping[str, Any], prefixes: Mapping[str, tuple[int, int]]) -> dict[str, list[str]]:
    return {name: text.networks(values[name], *prefixes[name]) for name in prefixes if name in values}
