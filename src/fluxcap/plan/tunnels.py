"""UDP ports that carry a tunnel because the user says so, besides the registered ones."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Final

from fluxcap._core import TUNNELS
from fluxcap.errors import unknown

Tunnels = Mapping[int, str]  # kind by port

LAST_PORT: Final = 65535


def checked_port(port: int) -> int:
    """A UDP port. ValueError for another number, TypeError for what is no whole number."""
    if isinstance(port, bool) or not hasattr(port, "__index__"):
        raise TypeError(f"tunnels: a {type(port).__name__} is no UDP port")
    if not 0 < index(port) <= LAST_PORT:
        raise ValueError(f"a UDP port is 1 to {LAST_PORT}, not {port}")
    return index(port)


def code(kind: str) -> int:
    """The core's number of a kind of tunnel. ValueError for a kind that there is not."""
    if kind not in TUNNELS:
        raise unknown("tunnel", str(kind), TUNNELS)
    return TUNNELS.index(kind)


def codes(tunnels: Tunnels | None) -> list[tuple[int, int]]:
    """The ports and kinds as the core takes them. ValueError or TypeError for what is none."""
    if tunnels is None:
        return []
    if not isinstance(tunnels, Mapping):
        raise TypeError(f"tunnels is a dict of ports and kinds, not a {type(tunnels).__name__}")
    return [(checked_port(port), code(kind)) for port, kind in tunnels.items()]


def parsed(text: str, option: str) -> tuple[int, str]:
    """A port and a kind out of the `PORT=KIND` of an option. ValueError for any other text."""
    port, equals, kind = text.partition("=")
    if not equals or not (port.isascii() and port.isdigit()):
        raise ValueError(f"{option}: {text!r} is not PORT=KIND; write it as in 8472=vxlan")
    code(kind)
    return checked_port(int(port)), kind
