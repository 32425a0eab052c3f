"""Packet tables, and the columns that they can have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from fluxcap._core import EXTRA_COLUMNS, KEPT_COLUMNS, PACKET_COLUMNS, Column, Scanner
from fluxcap.capture.index.beginning import check_place
from fluxcap.capture.inputs import Captures, expand
from fluxcap.capture.reading import Reading
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FLOW, QUOTED_FLOW, FlowPlan
from fluxcap.plan.payload import NONE, Payload, told
from fluxcap.plan.read_options import ReadOptions
from fluxcap.plan.sizes import octets
from fluxcap.tables.table import Table
from fluxcap.values import derived, human
from fluxcap.values.names import IP_VERSION

if TYPE_CHECKING:
    from fluxcap.values.arrays import Array

UNSHOWN: Final = f"_{IP_VERSION}"  # the same in a table that was not asked for it
STORED: Final = (*PACKET_COLUMNS, *EXTRA_COLUMNS, *KEPT_COLUMNS, derived.ICMP)  # the others are made of these


class PacketTable(Table):
    """One row a record, in the order of the capture; docs/columns.md describes the columns.

    See Also
    --------
    read_packets : makes these tables.
    scan_packets : the same in batches.

    Examples
    --------
    >>> import fluxcap
    >>> packets = fluxcap.read_packets("samples/verdicts.pcap")
    >>> int(packets["packet"][0])
    1
    """

    __slots__ = ()

    def _witness(self, name: str) -> Any:
        """Addresses are zeros where there is no IP header, and can be zeros where there is one."""
        if name not in keys.ADDRESSES:
            return None
        return next((self.raw(witness) for witness in (IP_VERSION, UNSHOWN) if witness in self._columns), None)

    def _selected(self, names: Sequence[str]) -> Self:
        chosen = super()._selected(names)
        if IP_VERSION in self._columns and IP_VERSION not in names:
            chosen._columns[UNSHOWN] = self[IP_VERSION]
        return chosen

    def _title(self) -> str:
        return f"{human.counted(len(self), 'packet')}, {len(self.columns)} columns"


def witnessed(columns: Sequence[str]) -> Sequence[str]:
    """The columns to read for a table of these: addresses go with the column that says whether there are any, and both
    ends with the one that says what ICMP messages are."""
    stored = derived.sources_of(columns, STORED)
    more = [IP_VERSION] if not set(keys.ADDRESSES).isdisjoint(stored) else []
    if {*derived.ENDS} - {*stored} == {derived.ICMP}:
        more.append(derived.ICMP)
    return (*stored, *(name for name in more if name not in stored))


def packet_table(reading: Reading, columns: Sequence[str] | None = None) -> PacketTable:
    """The rows that a reading has collected since they were last taken. `columns`: those that witnessed() was given."""
    left_out = reading.scanner.totals()["rows_left_out"]
    made = {"rows_left_out": left_out, "limit": reading.limit or ("max_memory" if left_out else "")}
    taken = shaped(reading.scanner, reading.options.payload)
    if columns is not None and IP_VERSION in taken and IP_VERSION not in columns:
        taken[UNSHOWN] = taken.pop(IP_VERSION)
    table = PacketTable(taken, reading.metadata() | made)
    return table if columns is None else _with_derived(table, columns)


def shaped(scanner: Scanner, payload: Payload) -> dict[str, Array | Column]:
    """The rows that a scanner has collected, in the shapes of a table."""
    taken: dict[str, Array | Column] = {**scanner.take()}
    if "payload" in taken:
        from fluxcap.values.arrays import wide

        taken["payload"] = wide(taken["payload"], payload.octets)
    return taken


def _with_derived(table: PacketTable, columns: Sequence[str]) -> PacketTable:
    """A table of what witnessed() says, as one of these columns."""
    more = [name for name in columns if name not in STORED]
    return table.with_columns(more).select(columns) if more else table


def collect_packets(
    src: Captures, columns: Sequence[str], plan: FlowPlan | None, options: ReadOptions, max_memory: int | str | None
) -> PacketTable:
    """Read captures into one table of these columns of their packets, which takes so much memory at most."""
    key = None if plan is None else plan._replace(max_memory=max_memory).spec()
    bound = octets(max_memory, "max_memory")
    inputs = expand(src)
    check_place(inputs, options.at)
    reading = Reading(options._replace(threads=1), key=key, columns=witnessed(columns), max_octets=bound)
    return reading.collect(inputs, lambda: packet_table(reading, columns))


def without_rows(columns: Sequence[str], payload: Payload = NONE) -> PacketTable:
    """A table without rows, whose columns have the types of these."""
    scanner = Scanner(columns=derived.sources_of(columns, STORED), payload=told(payload))
    return _with_derived(PacketTable(shaped(scanner, payload)), columns)


def choose(
    columns: str | Sequence[str] | None, by: str | Iterable[str] | None, payload: Payload = NONE
) -> tuple[tuple[str, ...], FlowPlan | None]:
    """The columns of a packet table, those of the payload behind all others, and the plan of the flows that its column
    `flow` numbers, if there is one."""
    if columns is None:
        chosen = PACKET_COLUMNS if by is None else (*PACKET_COLUMNS, FLOW)
    else:
        chosen = tuple(name.strip() for name in columns.split(",")) if isinstance(columns, str) else tuple(columns)
    if payload.octets:
        chosen = (*chosen, *(name for name in KEPT_COLUMNS if name not in chosen))
    stored = STORED if payload.octets else [name for name in STORED if name not in KEPT_COLUMNS]
    known = (*stored, *derived.names(stored))
    for name in chosen:
        if name not in known:
            from fluxcap.values.meanings import unknown_column  # only for a wrong name

            raise unknown_column(name, [one for one in known if one != derived.ICMP])
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError("columns must name at least one column, and none twice")
    if needs_flows(chosen):
        return chosen, FlowPlan() if by is None else FlowPlan(keys.parse(by))
    if by is not None:
        raise ValueError("by= says what the column 'flow' counts, and that is not among the columns")
    return chosen, None


def needs_flows(columns: Sequence[str]) -> bool:
    """Whether a column holds row numbers of a flow table that is made in the same pass."""
    return FLOW in columns or QUOTED_FLOW in columns


def choose_with_flow(columns: Literal[True] | str | Sequence[str], payload: Payload) -> tuple[str, ...]:
    """The columns of packets beside their flow table, always including `flow`."""
    chosen, _ = choose(None if columns is True else columns, None, payload)
    return chosen if FLOW in chosen else (*chosen, FLOW)
