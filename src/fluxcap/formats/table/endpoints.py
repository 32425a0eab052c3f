"""Source and destination of each row as one column, as far as a table has them."""

import sys
from collections.abc import Mapping
from typing import Any, Final

from fluxcap import text

COLUMNS: Final = ("src_ip", "src_port", "dst_ip", "dst_port")
TITLES: Final[Mapping[str, str]] = {"src": "source", "dst": "destination"}
ARROW: Final = " → "
BELOW: Final = "\n→ "
NO_IP: Final = 0  # as `ip_version`


class Endpoints:
    """The sockets of some rows, each in one line or, where there is no room for that, in two."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        sides = [side for side in TITLES if f"{side}_ip" in values or f"{side}_port" in values]
        titles = tuple(TITLES[side] for side in sides)
        ported = _ported([values[f"{side}_port"] for side in sides if f"{side}_port" in values])
        sockets = [_sockets(values.get(f"{side}_ip"), values.get(f"{side}_port"), ported) for side in sides]
        rows = list(zip(*sockets, strict=True))
        if "ip_version" in values:
            there = (values["ip_version"] != NO_IP).tolist()
            rows = [row if is_ip else () for row, is_ip in zip(rows, there, strict=True)]
        self._rows = [titles, *rows]

    @property
    def least_width(self) -> int:
        """Characters that the longest socket needs, below another."""
        return len(BELOW.lstrip()) + max(len(socket) for row in self._rows for socket in row)

    def lines(self, width: int = sys.maxsize) -> list[str]:
        """A title, then a text for each row, of lines up to `width` long; arrow below arrow, where there is room."""
        flat = [row for row in self._rows if row and len(ARROW.join(row)) <= width]
        first = max((len(row[0]) for row in flat), default=0)
        rest = max((len(ARROW.join(("", *row[1:]))) for row in flat), default=0)
        return [self._line(row, min(first, width - rest), width) for row in self._rows]

    def _line(self, row: tuple[str, ...], first: int, width: int) -> str:
        if len(ARROW.join(row)) > width:
            return BELOW.join(row)
        return ARROW.join((row[0].ljust(first), *row[1:])).rstrip() if row else ""


def _ported(ports: list[Any]) -> list[bool]:
    """Whether each row has ports: fragments and many protocols have none, and zeros in their place."""
    return [any(pair) for pair in zip(*(column.tolist() for column in ports), strict=True)]


def _sockets(ips: Any, ports: Any, ported: list[bool]) -> list[str]:
    """address:port, an IPv6 address in brackets (RFC 3986 section 3.2.2); or the half of it that is not None."""
    if ips is None:
        return [f"*:{port}" for port in text.integers(ports)]
    addresses = text.addresses(ips)
    if ports is None:
        return addresses
    return [
        _socket(address, port) if there else address
        for address, port, there in zip(addresses, text.integers(ports), ported, strict=True)
    ]


def _socket(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
