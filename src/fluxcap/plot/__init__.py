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
    responses,
    servers,
    throughput,
    verdicts,
    waits,
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
    "responses",
    "servers",
    "throughput",
    "verdicts",
    "waits",
]
