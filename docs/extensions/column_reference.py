"""The directive `columns`: the columns of a kind of table with type, unit, and the meaning that a page gives.

The core lists the columns, a table that was read has their types.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from docutils import nodes
from repository_pages import DOCS, with_links_from
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import fluxcap
from fluxcap._core import CONNECTION_COLUMNS, EXTRA_COLUMNS, FLOW_COLUMNS, KEY_FIELDS, PACKET_COLUMNS
from fluxcap.tables.timeline.table import columns_of
from fluxcap.values import derived, names
from fluxcap.values.text import KINDS, OPTIONAL

SAMPLE: Final = DOCS.parent / "samples" / "port-refused.pcap"
SOCKET: Final = "192.0.2.1:9"


def _compared() -> fluxcap.Comparison:
    return fluxcap.read_comparison(SAMPLE, SAMPLE)


class Kind(NamedTuple):
    """A kind of table: its columns, a page and the headings there that explain them, and a table that has them."""

    columns: Sequence[str]
    page: str
    headings: Sequence[str]
    read: Callable[[], Any]


TABLES: Final[Mapping[str, Kind]] = {
    "keys": Kind(
        (*KEY_FIELDS, "interval"),
        "columns.md",
        ("Packets", "Flows"),
        lambda: fluxcap.read_flows(SAMPLE, KEY_FIELDS, interval="1s"),
    ),
    "flows": Kind(FLOW_COLUMNS, "columns.md", ("Flows",), lambda: fluxcap.read_flows(SAMPLE)),
    "connections": Kind(
        CONNECTION_COLUMNS, "connections.md", ("Connections",), lambda: fluxcap.read_connections(SAMPLE)
    ),
    "flows-on-request": Kind(
        derived.names((*KEY_FIELDS, *FLOW_COLUMNS)), "columns.md", (), lambda: fluxcap.read_flows(SAMPLE)
    ),
    "sockets-on-request": Kind(
        derived.names(names.SOCKET_COLUMNS), "columns.md", (), lambda: fluxcap.read_sockets(SAMPLE)
    ),
    "packets": Kind(PACKET_COLUMNS, "columns.md", ("Packets",), lambda: fluxcap.read_packets(SAMPLE)),
    "packets-by-name": Kind(
        EXTRA_COLUMNS, "columns.md", ("Packets",), lambda: fluxcap.read_packets(SAMPLE, columns=EXTRA_COLUMNS)
    ),
    "sockets": Kind(names.SOCKET_COLUMNS, "sockets.md", ("The columns",), lambda: fluxcap.read_sockets(SAMPLE)),
    "hosts": Kind(names.HOST_COLUMNS, "hosts.md", ("The columns",), lambda: fluxcap.read_hosts(SAMPLE)),
    "macs": Kind(names.MAC_COLUMNS, "hosts.md", ("The columns",), lambda: fluxcap.read_hosts(SAMPLE, "mac")),
    "timeline": Kind(columns_of(None), "timeline.md", ("The columns",), lambda: fluxcap.read_timeline(SAMPLE)),
    "timeline-by-verdict": Kind(
        columns_of("verdict"), "timeline.md", ("The columns",), lambda: fluxcap.read_timeline(SAMPLE, by="verdict")
    ),
    "compared-flows": Kind(
        names.COMPARED_FLOW_COLUMNS, "compare.md", ("Of a direction of a flow",), lambda: _compared().flows
    ),
    "compared-packets": Kind(
        names.COMPARED_PACKET_COLUMNS, "compare.md", ("Of a packet",), lambda: _compared().packets
    ),
    "life": Kind(
        names.LIFE_COLUMNS, "sockets.md", ("The life of a socket",), lambda: fluxcap.read_life(SAMPLE, SOCKET)
    ),
}
CODE: Final = "code"  # the column of a code as a name, in every other form of the table
UNITS_OF_KINDS: Final = {
    "time": "ns since 1970, UTC",
    "address": "IP address",
    "mac": "MAC address",
    "duration": "ns",
    "letters": "letters",
}
UNITS: Final = {  # of integer columns, by name; other columns have no unit
    r".*bytes|octets|.*length|.*offset|._mss|first_difference": "bytes",
    r".*_rtt|response_time": "ns",
    r".*flags": "bits",
    r".*packets|good|bad|partial|absent|illegal|truncated|fragment|bad_length|ip_bad|icmp_errors|records": "packets",
    r"sent|arrived|lost|appeared|duplicated|reordered|uncompared|.*changed|changed_good": "packets",
    r".*retransmitted|.*keep_alives|.*out_of_order|.*zero_window|.*unreachable": "packets",
    r"connections|accepted|refused|unanswered|fin|rst|open": "connections",
    r"packets_per_second": "packets/s",
    r"bits_per_second": "bits/s",
    r"flows|new_flows": "connections",
    r"peers": "sockets",
    r"listening": "ports",
    r"hops_.*": "hops",
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("columns", ColumnsDirective)
    return {"parallel_read_safe": True}


class ColumnsDirective(SphinxDirective):
    """A table in Markdown, a row a column."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table."""
        kind = TABLES[self.arguments[0]]
        self.env.note_dependency(DOCS / kind.page)
        text = with_links_from("\n".join(lines(kind)), DOCS / kind.page, Path(self.env.doc2path(self.env.docname)))
        return self.parse_text_to_nodes(text)


def lines(kind: Kind) -> Iterator[str]:
    """The table, line by line."""
    yield from ("| column | numpy | unit | what it is |", "|---|---|---|---|")
    explained, table = meanings(kind), kind.read()
    for name in kind.columns:
        yield f"| `{name}` | {dtype(table[name])} | {unit(name)} | {explained[name]} |"


def meanings(kind: Kind) -> dict[str, str]:
    """The meaning of each name in the first column of the tables under the headings; without any, the code's own."""
    found = {} if kind.headings else {name: derived.DERIVED[name].doc for name in kind.columns}
    for section in re.split(r"^#+ ", (DOCS / kind.page).read_text(), flags=re.MULTILINE):
        if section.partition("\n")[0] in kind.headings:
            for first, meaning in re.findall(r"^\| (`.+?) \| (.+?) \|$", section, re.MULTILINE):
                found |= dict.fromkeys(re.findall(r"`(\w+)`", first), meaning)
    return found


def dtype(values: Any) -> str:
    """The numpy type of a column, and its shape where a value has several items."""
    return f"`{values.dtype.name}`" + (f" (n, {values.shape[1]})" if values.ndim > 1 else "")


def unit(name: str) -> str:
    """The unit of a column, or what it counts."""
    if name in derived.DERIVED:
        return derived.DERIVED[name].unit
    kind = "integer" if name in OPTIONAL else KINDS.get(name, "integer")
    if not isinstance(kind, str):
        return CODE
    return UNITS_OF_KINDS.get(kind) or next((unit for names, unit in UNITS.items() if re.fullmatch(names, name)), "")
