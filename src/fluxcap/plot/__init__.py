"""Charts of tables, for notebooks and for the page that `fluxcap report` writes: the extra `report`."""

from fluxcap.plot.pictures import (
    conversations,
    flow_sizes,
    handshakes,
    hosts,
    lengths,
    losses,
    outcomes,
    ports,
    servers,
    throughput,
    verdicts,
)

__all__ = [
    "conversations",
    "flow_sizes",
    "handshakes",
    "hosts",
    "lengths",
    "losses",
    "outcomes",
    "ports",
    "servers",
    "throughput",
    "verdicts",
]
