"""Flow tables, and merging them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from fluxcap import keys
from fluxcap._core import MAX_SPLT, Scanner
from fluxcap.durations import nanoseconds
from fluxcap.formats.table import human
from fluxcap.reading import Metadata, Reading
from fluxcap.semantics import SERVER_PORTS, Semantics, ServerPorts, find
from fluxcap.tables import Array, Table, arrays

if TYPE_CHECKING:
    from fluxcap._core import Endings, KeySpec
    from fluxcap.durations import Duration
    from fluxcap.extraction import Rows
    from fluxcap.inputs import Input

T = TypeVar("T", bound="FlowTable")

FLOW, QUOTED_FLOW = "flow", "quoted_flow"  # columns of packets that hold row numbers
_SPLT = {"splt_direction", "splt_size", "splt_gap"}
# What the tables of a merge must have in common.
_ALIKE = ("by", "biflow", "interval", "semantics", "idle_timeout", "tcp_idle_timeout", "bytes", "direction")


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
        columns: Mapping[str, Array],
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
        return *super().__reduce__()[:1], (self._columns, self.metadata, self._unseen, self._numbers)

    def __getitem__(self, name: str) -> Array:
        if name != FLOW:
            return super().__getitem__(name)
        numbers = np.arange(len(self)) if self._numbers is None else self._numbers
        numbers.flags.writeable = False
        return numbers

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
        from fluxcap.extraction import extract

        extract(self, rows, path)

    def __or__(self, other: FlowTable) -> FlowTable:
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
    return _table_of(kind, reading.scanner, reading.metadata() | made, last, begun)


def _table_of(kind: type[T], scanner: Scanner, metadata: Metadata, last: bool, inputs: Sequence[Input] = ()) -> T:
    unseen = FlowTable(arrays(scanner.unseen()))
    left = unseen.filter(unseen["icmp_errors"] > 0)
    columns = arrays(scanner.flows(last))
    for name in _SPLT & columns.keys():
        columns[name] = columns[name].reshape(-1, metadata["splt"])  # a row each, of one packet too
    return kind(columns, metadata, left if len(left) else None, inputs=inputs)


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


def merge(tables: Iterable[FlowTable]) -> FlowTable:
    """One table of all the flows, as if the captures had been read together.

    Exact and associative; commutative up to the order of rows. ValueError if there is no table, if they were made with
    different keys, directions, intervals, idle timeouts or semantics, or with an active timeout.
    """
    parts = list(tables)
    if not parts:
        raise ValueError("nothing to merge: the list of tables is empty")
    made = parts[0].metadata
    for part in parts:
        for name in _ALIKE:
            if part.metadata[name] != made[name]:
                raise ValueError(f"tables of different {name} do not merge: {made[name]!r} and {part.metadata[name]!r}")
        if part.metadata["features"] or part.metadata["splt"]:
            raise ValueError(
                "tables with features do not merge: the gap between the last packet of one and the first of the next is"
                " in neither; read the captures together instead"
            )
        if part.metadata["connections"]:
            raise ValueError(
                "tables of connections do not merge: what became of one depends on all its segments; read the captures"
                " together instead"
            )
        if part.metadata["active_timeout"]:
            raise ValueError(
                "tables made with an active timeout do not merge: where it splits a flow depends on the records before;"
                " read the captures together instead"
            )
    common = {name: value for name, value in made.items() if all(part.metadata.get(name) == value for part in parts)}
    scanner = Scanner(key=spec_of(made | {"max_flows": 0}))
    unseen = [part._unseen for part in parts if part._unseen is not None]
    for part in [*unseen, *([_in_time_order(parts)] if made["idle_timeout"] else parts)]:
        octets = {name: np.ascontiguousarray(part[name]).reshape(-1).view(np.uint8).data for name in part._columns}
        scanner.add_flows(octets, len(part))
    return _table_of(FlowTable, scanner, common | _sums([part.metadata for part in parts]), True)


def _in_time_order(parts: list[FlowTable]) -> FlowTable:
    """All rows by the time of their first record: whether a row continues another shows only in that order."""
    order = np.argsort(np.concatenate([part["first"] for part in parts]), kind="stable")
    return FlowTable({name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]._columns})


def _sums(parts: list[Metadata]) -> Metadata:
    """The metadata that the parts have between them."""
    timed = [part for part in parts if part["packets"]]
    ledger = {
        disposition: tuple(map(sum, zip(*(part["ledger"][disposition] for part in parts), strict=True)))
        for disposition in parts[0]["ledger"]
    }
    sums: dict[str, Any] = {
        name: sum(part[name] for part in parts) for name in ("packets", "captured_octets", "wire_octets")
    }
    lists = {name: [one for part in parts for one in part[name]] for name in ("inputs", "skipped", "damage")}
    return {
        **sums,
        **lists,
        "ledger": ledger,
        "first": min((part["first"] for part in timed), default=0),
        "last": max((part["last"] for part in timed), default=0),
        "flows_full": any(part["flows_full"] for part in parts),
        "interrupted": any(part["interrupted"] for part in parts),
    }
