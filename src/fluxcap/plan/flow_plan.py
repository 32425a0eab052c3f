"""Which flows are made: the options that decide it, the core's struct of them, and what a table says about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from fluxcap._core import MAX_SPLT
from fluxcap.plan import keys, semantics
from fluxcap.plan.durations import nanoseconds
from fluxcap.plan.payload import NONE, Payload, told
from fluxcap.plan.semantics import SERVER_PORTS, Semantics, ServerPorts
from fluxcap.plan.sizes import octets
from fluxcap.values.metadata import Metadata

if TYPE_CHECKING:
    from fluxcap._core import Endings, KeySpec
    from fluxcap.plan.durations import Duration
    from fluxcap.plan.semantics import End

FLOW, QUOTED_FLOW = "flow", "quoted_flow"  # columns of row numbers as read: of packets, and of flows when asked for
FIVE_TUPLE: Final = keys.parse("5tuple")


class FlowPlan(NamedTuple):
    """What makes a flow, when one ends, and what is kept of each; None where the semantics decide."""

    key: keys.Key = FIVE_TUPLE
    semantics: str | None = None
    idle_timeout: Duration | None = None
    active_timeout: Duration | None = None
    end: End | None = None
    interval: Duration | None = None
    max_flows: int | None = None
    max_memory: int | str | None = None
    features: bool = False
    activity: bool = False
    splt: int = 0
    payload: Payload = NONE
    server_names: bool = False
    connections: bool = False
    ignore_checksums: bool = False

    def spec(self) -> KeySpec:
        """The plan as the core takes it. ValueError for options that contradict each other."""
        meant = semantics.find(self.semantics)
        if self.idle_timeout is None and meant.tcp_idle_timeout and "protocol" not in self.key.names:
            raise ValueError(
                f"in the semantics of {self.semantics} TCP has its own idle timeout, and this key has no protocol; add"
                " it to the key, or give an idle timeout"
            )
        idle = _first(self.idle_timeout, meant.idle_timeout)
        tcp_idle = _first(self.idle_timeout, meant.tcp_idle_timeout, meant.idle_timeout)
        active = _first(self.active_timeout, meant.active_timeout)
        if not 0 <= self.splt <= MAX_SPLT:
            raise ValueError(f"splt is 0 to {MAX_SPLT}, not {self.splt}; ask for {MAX_SPLT} packets at most")
        if self.max_flows is not None and self.max_flows < 1:
            raise ValueError(f"max_flows is at least 1, not {self.max_flows}")
        return {
            "fields": self.key.fields,
            "biflow": self.key.biflow,
            "idle_timeout": nanoseconds(idle, "idle_timeout"),
            "tcp_idle_timeout": nanoseconds(tcp_idle, "idle_timeout"),
            "active_timeout": nanoseconds(active, "active_timeout"),
            "ends_tcp": self._end() is not None,
            "interval": nanoseconds(self.interval, "interval"),
            "max_flows": self.max_flows or 0,
            "max_memory": octets(self.max_memory, "max_memory"),
            "features": self.features,
            "activity": self.activity,
            "splt": self.splt,
            "payload": told(self.payload),
            "server_names": self.server_names,
            "ip_octets": meant.octets == "ip",
            "server_ports": _server_ports(meant, self.connections),
            "connections": self.connections,
            **_endings(meant),
            "ignore_checksums": self.ignore_checksums,
        }

    def metadata(self) -> Metadata:
        """The metadata of a table of these flows on how they were made."""
        spec, meant = self.spec(), semantics.find(self.semantics)
        return {
            "by": self.key.text,
            "biflow": self.key.biflow,
            "semantics": self.semantics,
            "interval": spec["interval"],
            "idle_timeout": spec["idle_timeout"],
            "tcp_idle_timeout": spec["tcp_idle_timeout"],
            "active_timeout": spec["active_timeout"],
            "end": self._end(),
            "bytes": meant.octets,
            "direction": "handshake" if self.connections else meant.direction,
            "connections": self.connections,
            "ignore_checksums": self.ignore_checksums,
            "features": self.features,
            "activity": self.activity,
            "splt": self.splt,
            "payload": self.payload._asdict() if self.payload.octets else None,
            "server_names": self.server_names,
            "max_flows": spec["max_flows"],
            "max_memory": spec["max_memory"],
        }

    def _end(self) -> End | None:
        """What ends a flow besides timeouts; a table of connections follows TCP in its own way."""
        if self.end not in (None, "tcp"):
            raise ValueError(f'end is "tcp", or None, not {self.end!r}')
        if self.end and not (self.key.tells_ends and self.key.biflow):
            raise ValueError(
                "TCP ends flows by 5tuple, or by more fields, with both directions in a row: other rows hold several"
                " connections, or half a one"
            )
        end = self.end or semantics.find(self.semantics).end
        return end if self.key.tells_ends and self.key.biflow and not self.connections else None


def spec_of(metadata: Metadata) -> KeySpec:
    """The plan, as the core took it, of a table with this metadata; without features."""
    meant = semantics.find(metadata["semantics"])
    plan = FlowPlan(
        keys.parse(metadata["by"], metadata["biflow"]),
        connections=metadata["connections"],
        ignore_checksums=metadata["ignore_checksums"],
    )
    return {
        **plan.spec(),
        **_endings(meant),
        "idle_timeout": metadata["idle_timeout"],
        "tcp_idle_timeout": metadata["tcp_idle_timeout"],
        "active_timeout": metadata["active_timeout"],
        "ends_tcp": metadata.get("end") is not None,
        "interval": metadata["interval"],
        "max_flows": metadata["max_flows"],
        "ip_octets": meant.octets == "ip",
        "server_ports": _server_ports(meant, metadata["connections"]),
    }


def _server_ports(meant: Semantics, connections: bool) -> ServerPorts | None:
    return meant.server_ports or (SERVER_PORTS if connections else None)


def _endings(meant: Semantics) -> Endings:
    return {
        "attempt_timeout": nanoseconds(meant.attempt_timeout, "attempt_timeout"),
        "close_timeout": nanoseconds(meant.close_timeout, "close_timeout"),
    }


def _first(*durations: Duration | None) -> Duration | None:
    """The first that is not None."""
    return next((duration for duration in durations if duration is not None), None)
