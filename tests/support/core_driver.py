"""The compiled core driven directly: bytes in, rows with names for codes and texts for addresses out."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcap._core import (
    ANOMALIES,
    DAMAGED,
    DIRECTIONS,
    DISPOSITIONS,
    EXTRA_COLUMNS,
    FLOWS_FULL,
    PACKET_COLUMNS,
    REASONS,
    VERDICTS,
    Column,
    Scanner,
)

if TYPE_CHECKING:
    from fluxcap._core import KeySpec

Row = dict[str, Any]

# All that a record says by itself. What it is a copy of is asked for by name: then one thread reads.
ALL_COLUMNS = tuple(name for name in (*PACKET_COLUMNS, *EXTRA_COLUMNS) if not name.startswith("duplicate_"))
NAMES_OF_CODES = {
    **dict.fromkeys(("verdict", "ip_verdict"), VERDICTS),
    "disposition": DISPOSITIONS,
    **dict.fromkeys(("reason", "duplicate_kind"), REASONS),
    "direction": DIRECTIONS,
}
FIVE_TUPLE = ("protocol", "src_ip", "src_port", "dst_ip", "dst_port")


def feed(scanner: Scanner, pieces: Iterable[bytes]) -> int:
    """Give the scanner one input, piece by piece, to its end or until it stops; its last word is returned."""
    scanner.begin()
    for piece in pieces:
        while piece:
            space = scanner.space()
            n = min(len(space), len(piece))
            space[:n] = piece[:n]
            space.release()
            scanner.advance(n)
            piece = piece[n:]
            if (state := scanner.run()) in (DAMAGED, FLOWS_FULL):
                return state
    scanner.finish()
    return scanner.run()


def scan(*captures: bytes, columns: Iterable[str] = ALL_COLUMNS, **options: Any) -> Scanner:
    """A scanner that has read these inputs, each in one piece."""
    scanner = Scanner(columns=tuple(columns), **options)
    for capture in captures:
        feed(scanner, [capture])
    return scanner


def rows(*captures: bytes, **options: Any) -> list[Row]:
    """Every record of these inputs."""
    return taken(scan(*captures, **options))


def taken(scanner: Scanner) -> list[Row]:
    """The packet rows collected since the last time."""
    return as_rows(scanner.take())


def as_rows(columns: dict[str, Column]) -> list[Row]:
    """Columns turned to rows."""
    values = {name: _values(name, column) for name, column in columns.items()}
    n = len(next(iter(columns.values()))) if columns else 0
    return [{name: value[at] for name, value in values.items()} for at in range(n)]


def _values(name: str, column: Column) -> list[Any]:
    array = np.frombuffer(memoryview(column), dtype=column.dtype)
    if column.width == 16:
        return [address(octets.tobytes()) for octets in array.reshape(-1, 16)]
    if column.width > 1:
        return [octets.tobytes() for octets in array.reshape(-1, column.width)]
    names = NAMES_OF_CODES.get(name)
    return [names[code] for code in array] if names else array.tolist()


def address(octets: bytes) -> str:
    """Sixteen bytes as people write them; none of them set is no address."""
    if not any(octets):
        return ""
    found = ip_address(octets)
    return str(getattr(found, "ipv4_mapped", None) or found)


def key(*fields: str, biflow: bool = True, **limits: Any) -> KeySpec:
    """A flow key of fields such as "dst_port" or, with prefix lengths for IPv4 and IPv6, "src_ip/24/64"."""
    parsed = []
    for field in fields:
        name, *lengths = field.split("/")
        v4_length, v6_length = [*map(int, lengths), *(32, 128)[len(lengths) :]]
        parsed.append((name, v4_length, v6_length))
    spec: Any = {"idle_timeout": 0, "active_timeout": 0, "interval": 0, "max_flows": 0, **limits}
    return {"fields": parsed, "biflow": biflow, **spec}


def flows(*captures: bytes, by: KeySpec | None = None) -> list[Row]:
    """The flow table of these inputs; by five-tuple if no key is given."""
    return as_rows(scan(*captures, columns=(), key=by or key(*FIVE_TUPLE)).flows())


def of(row: Row, expected: Row) -> Row:
    """What a row holds of the columns that are expected of it, to be compared with them."""
    return {name: row[name] for name in expected}


def anomalies(scanner: Scanner) -> dict[str, int]:
    """The anomalies counted, those that were not seen left out."""
    return {name: n for name, n in zip(ANOMALIES, scanner.totals()["anomalies"], strict=True) if n}
