"""Addresses with their ports as one column, as far as a table has them: source and destination, socket, peer."""

import sys
from collections.abc import Mapping
from typing import Any, Final

from fluxcap.values import text
from fluxcap.values.names import IP_VERSION

SIDES: Final[Mapping[str, tuple[str, str]]] = {  # by title
    "source": ("src_ip", "src_port"),
    "destination": ("dst_ip", "dst_port"),
    "socket": ("address", "port"),
    "peer": ("peer_address", "peer_port"),
}
PORTS: Final = tuple(port for _, port in SIDES.values())
COLUMNS: Final = tuple(name for pair in SIDES.values() for name in pair)
HOST: Final = "host"  # the title of a socket without a port
ARROW: Final = " → "
BELOW: Final = "\n→ "
NO_IP: Final = 0  # as `ip_version`
NO_PORT: Final = "0"  # fragments and many protocols have none, and zeros in their place


class Endpoints:
    """The sockets of some rows, each in one line or, for lack of room, in two."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        sides = {title: pair for title, pair in SIDES.items() if not values.keys().isdisjoint(pair)}
        ports = {port: _texts(values[port]) for _, port in sides.values() if port in values}
        ported = [any(port != NO_PORT for port in pair) for pair in zip(*ports.values(), strict=True)]
        sockets = [_sockets(values.get(ip), ports.get(port), ported) for ip, port in sides.values()]
        rows = list(zip(*sockets, strict=True))
        if (there := _there(values)) is not None:
            rows = [row if is_there else () for row, is_there in zip(rows, there.tolist(), strict=True)]
        titles = (title if port in values or title != "socket" else HOST for title, (_, port) in sides.items())
        self._rows = [tuple(titles), *rows]

    @property
    def least_width(self) -> int:
        """Characters that the longest socket needs when source and destination stand below one another."""
        return len(BELOW.lstrip()) + max(len(socket) for row in self._rows for socket in row)

    def lines(self, width: int = sys.maxsize, /) -> list[str]:
        """A title, then a text for each row, of lines up to `width` long; arrows are aligned where there is room."""
        flat = [row for row in self._rows if row and len(ARROW.join(row)) <= width]
        first = max((len(row[0]) for row in flat), default=0)
        rest = max((len(ARROW.join(("", *row[1:]))) for row in flat), default=0)
        return [self._line(row, min(first, width - rest), width) for row in self._rows]

    def _line(self, row: tuple[str, ...], first: int, width: int) -> str:
        if len(ARROW.join(row)) > width:
            return BELOW.join(row)
        return ARROW.join((row[0].ljust(first), *row[1:])).rstrip() if row else ""


def _there(values: Mapping[str, Any]) -> Any:
    """Whether each row has addresses; None if all have."""
    if "peer_address" in values:
        return values["peer_address"].any(axis=1)
    return values[IP_VERSION] != NO_IP if IP_VERSION in values else None


def _texts(ports: Any) -> list[str]:
    return ports if isinstance(ports, list) else text.integers(ports)


def _sockets(ips: Any, ports: list[str] | None, ported: list[bool]) -> list[str]:
    """Address and port, or the half of it that is not None."""
    if ips is None:
        return [f"*:{port}" for port in ports or ()]
    addresses = ips if isinstance(ips, list) else text.addresses(ips)
    if ports is None:
        return addresses
    return [
        text.socket(address, port) if there else address
        for address, port, there in zip(addresses, ports, ported, strict=True)
    ]
