"""How the core is told to make flows: from what is asked for, or from what a table says of its making."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcap._core import MAX_SPLT
from fluxcap.plan import keys
from fluxcap.plan.durations import nanoseconds
from fluxcap.plan.semantics import SERVER_PORTS, Semantics, ServerPorts, find
from fluxcap.values.metadata import Metadata

if TYPE_CHECKING:
    from fluxcap._core import Endings, KeySpec
    from fluxcap.plan.durations import Duration

FLOW, QUOTED_FLOW = "flow", "quoted_flow"  # columns of packets that hold row numbers


def key_spec(
    key: keys.Key,
    *,
    semantics: str | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    interval: Duration | None = None,
    max_flows: int | None = None,
    features: bool = False,
    splt: int = 0,
    connections: bool = False,
    ignore_checksums: bool = False,
) -> KeySpec:
    """How the core is told to make flows."""
    meant = find(semantics)
    if idle_timeout is None and meant.tcp_idle_timeout and "protocol" not in key.names:
        raise ValueError(
            f"in the semantics of {semantics} TCP has its own idle timeout, and this key has no protocol; add it to the"
            " key, or say idle_timeout"
        )
    idle = _first(idle_timeout, meant.idle_timeout)
    tcp_idle = _first(idle_timeout, meant.tcp_idle_timeout, meant.idle_timeout)
    active = _first(active_timeout, meant.active_timeout)
    if not 0 <= splt <= MAX_SPLT:
        raise ValueError(f"splt is 0 to {MAX_SPLT}, not {splt}")
    if max_flows is not None and max_flows < 1:
        raise ValueError(f"max_flows is at least 1, not {max_flows}")
    return {
        "fields": key.fields,
        "biflow": key.biflow,
        "idle_timeout": nanoseconds(idle, "idle_timeout"),
        "tcp_idle_timeout": nanoseconds(tcp_idle, "idle_timeout"),
        "active_timeout": nanoseconds(active, "active_timeout"),
        "interval": nanoseconds(interval, "interval"),
        "max_flows": max_flows or 0,
        "features": features,
        "splt": splt,
        "ip_octets": meant.octets == "ip",
        "server_ports": _server_ports(meant, connections),
        "connections": connections,
        **_endings(meant),
        "ignore_checksums": ignore_checksums,
    }


def _server_ports(meant: Semantics, connections: bool) -> ServerPorts | None:
    return meant.server_ports or (SERVER_PORTS if connections else None)


def _endings(meant: Semantics) -> Endings:
    return {
        "attempt_timeout": nanoseconds(meant.attempt_timeout, "attempt_timeout"),
        "close_timeout": nanoseconds(meant.close_timeout, "close_timeout"),
    }


def _first(*durations: Duration | None) -> Duration | None:
    """The first one that is said."""
    return next((duration for duration in durations if duration is not None), None)


def spec_of(metadata: Metadata) -> KeySpec:
    """How the core was told to make the flows of a table with this metadata, but for features."""
    meant = find(metadata["semantics"])
    return {
        **key_spec(
            keys.parse(metadata["by"], metadata["biflow"]),
            connections=metadata["connections"],
            ignore_checksums=metadata["ignore_checksums"],
        ),
        **_endings(meant),
        "idle_timeout": metadata["idle_timeout"],
        "tcp_idle_timeout": metadata["tcp_idle_timeout"],
        "active_timeout": metadata["active_timeout"],
        "interval": metadata["interval"],
        "max_flows": metadata["max_flows"],
        "ip_octets": meant.octets == "ip",
        "server_ports": _server_ports(meant, metadata["connections"]),
    }
