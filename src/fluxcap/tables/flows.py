"""Flow tables, and how the core is told to make them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from fluxcap._core import MAX_SPLT, Column, Scanner
from fluxcap.capture.reading import Metadata, Reading
from fluxcap.plan import keys
from fluxcap.plan.durations import nanoseconds
from fluxcap.plan.semantics import SERVER_PORTS, Semantics, ServerPorts, find
from fluxcap.tables.table import Table
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap._core import Endings, KeySpec
    from fluxcap.capture.inputs import Input
    from fluxcap.plan.durations import Duration
    from fluxcap.rewrite.extract import Rows
    from fluxcap.values.arrays import Array

T = TypeVar("T", bound="FlowTable")

FLOW, QUOTED_FLOW = "flow", "quoted_flow"  # columns of packets that hold row numbers
_SPLT = {"splt_direction", "splt_size", "splt_gap"}


class FlowTable(Table):
    """One row a flow, in the order of their first records.

    `a | b` is `merge([a, b])`. `table["flow"]`, which is not among the columns, numbers the rows from 0, as they were
    read: packets name their flow by this number, and a table that is sorted, filtered or cut keeps it.

    The metadata says how the flows were made: `by`, `biflow`, `semantics` (None if none was asked for); in nanoseconds
    (0 = none) `interval`, `idle_timeout`, `tcp_idle_timeout` (the same, unless the semantics have another for TCP) and
    `active_timeout`; `bytes`, the lengths that are summed, of each "frame" or "ip" packet; `direction`, whether forward
    is that of the "first packet" or also depends on "server ports"; `where`, `decap` and `max_flows` (0 = none);
    `flows_full` if `max_flows` ended the reading, `interrupted` if Ctrl-C did.
    """

    __slots__ = ("_inputs", "_numbers", "_unseen")
    _unseen: FlowTable | None  # ICMP errors about flows that are not here: a row each, without packets
    _numbers: Array | None  # of the rows, where they are not all there in order
    _inputs: Sequence[Input]  # what was read, if it is known

    def __init__(
        self,
        columns: Mapping[str, Array | Column],
        metadata: Metadata | None = None,
        unseen: FlowTable | None = None,
        numbers: Array | None = None,
        inputs: Sequence[Input] = (),
    ) -> None:
        super().__init__(columns, metadata)
        self._unseen = unseen
        self._numbers = numbers
        self._inputs = inputs

    def __reduce__(self) -> tuple[Any, ...]:
        return *super().__reduce__()[:1], (self._arrays(), self.metadata, self._unseen, self._numbers)

    def __getitem__(self, name: str) -> Array:
        if name != FLOW:
            return super().__getitem__(name)
        if self._numbers is None:
            from fluxcap.values.arrays import numbers

            self._numbers = numbers(len(self))
        self._numbers.flags.writeable = False
        return self._numbers

    def raw(self, name: str) -> Any:
        """The column for whoever takes any buffer: an array only if it is one already, else as the core made it."""
        return self[name] if name == FLOW else super().raw(name)

    def _rows(self, which: Any) -> Self:
        rows = super()._rows(which)
        rows._numbers, rows._inputs = self[FLOW][which], self._inputs
        return rows

    def extract(self, rows: Rows, path: str | os.PathLike[str]) -> None:
        """Write the records of some flows to a capture file, octet for octet as they stand in the inputs.

        `rows`: rows of this table, as they index a numpy array: a number, several, a slice, or a mask of bools. The
        inputs are read again, twice. Of a pcap the file holds the file header and these records; of a pcapng every
        block but the records of other flows, options included (if a section states its length, "not stated" takes its
        place). Several inputs follow one another if all are pcapng, or pcap with the same file header; those without a
        record of these flows are left out. All fragments of a datagram belong to its flow; of a tunnel packet in
        fragments, the first belongs to the flow within. The file is not compressed, and appears under its name only
        when it is whole.

        Raises IndexError for rows that there are not, OSError where it cannot be written, and ValueError if the inputs
        cannot be read again, have changed since, do not fit into one file, or if one of them would be overwritten. A
        table that was merged, unpickled or made by a FlowAggregator does not know its inputs: ValueError too. Damage
        is warned of as in reading; what was read before it is there.
        """
        from fluxcap.rewrite.extract import extract

        extract(self, rows, path)

    def __or__(self, other: FlowTable) -> FlowTable:
        from fluxcap.tables.merging import merge

        return merge([self, other]) if isinstance(other, FlowTable) else NotImplemented

    def _title(self) -> str:
        return f"{human.counted(len(self), 'flow')} by {self.metadata['by']}"


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


def flow_table(
    kind: type[T], reading: Reading, key: keys.Key, spec: KeySpec, semantics: str | None, last: bool,
    inputs: Sequence[Input] = (),
) -> T:  # fmt: skip
    """The flows that a reading has made so far; the `last` time it gives up its own copy."""
    meant = find(semantics)
    made = {
        "by": key.text,
        "biflow": key.biflow,
        "semantics": semantics,
        "interval": spec["interval"],
        "idle_timeout": spec["idle_timeout"],
        "tcp_idle_timeout": spec["tcp_idle_timeout"],
        "active_timeout": spec["active_timeout"],
        "bytes": meant.octets,
        "direction": "handshake" if spec["connections"] else meant.direction,
        "connections": spec["connections"],
        "ignore_checksums": spec["ignore_checksums"],
        "features": spec["features"],
        "splt": spec["splt"],
        "max_flows": spec["max_flows"],
        "where": reading.where,
        "decap": reading.decap,
        "flows_full": reading.flows_full,
    }
    begun = [item for item in inputs if item.name not in reading.skipped][: len(reading.inputs)]
    return table_of(kind, reading.scanner, reading.metadata() | made, last, begun)


def table_of(kind: type[T], scanner: Scanner, metadata: Metadata, last: bool, inputs: Sequence[Input] = ()) -> T:
    """The flows of a scanner; the `last` time it gives up its own copy."""
    unseen = FlowTable(scanner.unseen())
    made = scanner.flows(last)
    columns: dict[str, Array | Column] = {**made}
    if metadata.get("splt"):
        from fluxcap.values.arrays import array

        # A row each, of one packet too.
        columns |= {name: array(made[name]).reshape(-1, metadata["splt"]) for name in _SPLT}
    return kind(columns, metadata, unseen if len(unseen) else None, inputs=inputs)


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
