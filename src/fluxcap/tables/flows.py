"""Flow tables, and how several become one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from fluxcap._core import NO_TIME, Column, Scanner
from fluxcap.capture.inputs import expand
from fluxcap.capture.left_out import about_left_out
from fluxcap.capture.reading import Reading
from fluxcap.capture.warn import warn
from fluxcap.plan.flow_plan import FLOW, FlowPlan, spec_of
from fluxcap.tables.merging import IN_ORDER, added_up, in_time_order, refusal
from fluxcap.tables.table import Table
from fluxcap.values import human
from fluxcap.values.metadata import Metadata

if TYPE_CHECKING:
    from fluxcap.capture.inputs import Captures, Input
    from fluxcap.plan.read_options import ReadOptions
    from fluxcap.rewrite.extract import Flows, Rows
    from fluxcap.values.arrays import Array
    from fluxcap.values.arrow import Stream, View

T = TypeVar("T", bound="FlowTable")
Result = TypeVar("Result")

_SPLT = {"splt_direction", "splt_size", "splt_gap"}
SERVER_NAME_NUMBER = "_server_name"  # of the names that the scanner has


class FlowTable(Table):
    """One row a flow; docs/columns.md describes the columns.

    Rows are in the order of the first records. `a | b` merges two tables, as merge() does.

    See Also
    --------
    read_flows : makes flow tables.

    Examples
    --------
    >>> import fluxcap
    >>> flows = fluxcap.read_flows("samples/verdicts.pcap")
    >>> flows.sort("bytes").head(1)["packets"].shape
    (1,)
    """

    __slots__ = ("_inputs", "_numbers", "_unseen")
    _unseen: FlowTable | None  # ICMP errors about flows that are not in the table: one row a flow, without packets
    _numbers: Array | None  # numbers of the rows as read, unless the table has all rows in order
    _inputs: Sequence[Input]  # the inputs that were read, if known

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

    def _array(self, name: str) -> Array:
        if name != FLOW:
            return super()._array(name)
        if self._numbers is None:
            from fluxcap.values.arrays import numbers

            self._numbers = numbers(len(self))
        self._numbers.flags.writeable = False
        return self._numbers

    def raw(self, name: str) -> Any:
        """Give a column as any buffer, without importing numpy.

        Parameters
        ----------
        name : str
            Name of the column.

        Returns
        -------
        numpy.ndarray or Column
            The array if it was asked for before, else the buffer that the core made.

        Raises
        ------
        KeyError
            There is no such column; the message suggests the nearest name.

        Examples
        --------
        >>> import fluxcap
        >>> flows = fluxcap.read_flows("samples/verdicts.pcap")
        >>> memoryview(flows.raw("packets")).format
        'Q'
        """
        return self[name] if name == FLOW else super().raw(name)

    def _widened(self, more: Mapping[str, Array]) -> Self:
        return type(self)({**self._arrays(), **more}, self.metadata, self._unseen, self._numbers, self._inputs)

    def _selected(self, names: Sequence[str]) -> Self:
        chosen = super()._selected(names)
        chosen._numbers, chosen._inputs = self[FLOW], self._inputs
        return chosen

    def _rows(self, which: Any) -> Self:
        rows = super()._rows(which)
        rows._numbers, rows._inputs = self[FLOW][which], self._inputs
        return rows

    def extract(self, rows: Rows, path: str | os.PathLike[str]) -> None:
        """Write the records of some flows to a capture, byte for byte as the inputs hold them.

        Parameters
        ----------
        rows : int, sequence of int, slice, or mask of bool
            Rows of this table, as they index a numpy array.
        path : path
            Capture to write; the file appears when it is whole. It is not compressed.

        Raises
        ------
        IndexError
            The table has no such row.
        ValueError
            The inputs cannot be read again, have changed since, do not fit into one file, or one of them would be
            overwritten; or the table was merged, unpickled or made by a FlowAggregator and does not know its inputs.
        OSError
            The file cannot be written.

        Warns
        -----
        DamagedCaptureWarning
            An input is damaged; what was read before the damage is returned.

        Notes
        -----
        The inputs are read again, twice. From a pcap the copy has the file header and these records; from a pcapng it
        has every block except records of other flows, with options (a stated section length becomes "not stated").
        Several inputs follow one another if all are pcapng, or pcap with the same file header; inputs without a
        record of these flows are left out. All fragments of a datagram belong to the flow of the datagram; the
        first fragment of a tunnel packet belongs to the flow inside the tunnel.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> flows = fluxcap.read_flows("samples/verdicts.pcap")
        >>> flows.extract(flows["bad"] > 0, tempfile.mkdtemp() + "/bad.pcap")
        """
        from fluxcap.rewrite.extract import extract

        extract(flows_at(self, rows), path)

    @classmethod
    def from_parquet(cls, path: str | os.PathLike[str]) -> Self:
        """Read a table that was written as Parquet, by write() or by `fluxcap flows -o`. Extra `arrow`.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        FlowTable
            The table that was written, with its metadata; without columns of with_columns(). It merges.

        Raises
        ------
        ValueError
            The file does not say how its rows were made, or its rows are none of one table of flows.
        OSError
            The file cannot be read.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> path = tempfile.mkdtemp() + "/flows.parquet"
        >>> flows = fluxcap.read_flows("samples/office.pcap")
        >>> flows.write(path)
        >>> fluxcap.FlowTable.from_parquet(path) == flows
        True
        """
        from fluxcap.tables.arrow.flows import flows_from_file

        return flows_from_file(cls, path)

    @classmethod
    def from_arrow(cls, table: Any) -> Self:
        """Make a table of what to_arrow() gave, or of a file of Arrow. Extra `arrow`.

        Parameters
        ----------
        table : pyarrow.Table, or anything with `__arrow_c_stream__`
            All rows of a table of flows, in their order; addresses and names as texts or not.

        Returns
        -------
        FlowTable
            The table that was handed out, with its metadata; without columns of with_columns(). It merges.

        Raises
        ------
        ValueError
            The schema does not say how the rows were made, or they are none of one table of flows.

        Examples
        --------
        >>> import fluxcap
        >>> flows = fluxcap.read_flows("samples/office.pcap")
        >>> fluxcap.FlowTable.from_arrow(flows.to_arrow(ip="binary")) == flows
        True
        """
        from fluxcap.tables.arrow.flows import flows_from

        return flows_from(cls, table)

    def _stream(self, view: View) -> Stream:
        from fluxcap.tables.arrow.apart import said
        from fluxcap.values.arrow import Stream

        return Stream(self.to_dict(), [self], {**self.metadata, **said(self)}, view)

    def __or__(self, other: FlowTable) -> FlowTable:
        return merge([self, other]) if isinstance(other, FlowTable) else NotImplemented

    def _title(self) -> str:
        return f"{human.counted(len(self), 'flow')} by {self.metadata['by']}"


def collect_flows(src: Captures, plan: FlowPlan, options: ReadOptions, kind: type[T]) -> T:
    """Read captures into a table of this kind: the flows of a plan."""
    return collect_from_flows(src, plan, options, kind, lambda flows: flows)


def collect_from_flows(
    src: Captures, plan: FlowPlan, options: ReadOptions, kind: type[T], build: Callable[[T], Result]
) -> Result:
    """Read captures into what is made of such a table; a CaptureError has that of what was read before."""
    reading = Reading(options, key=plan.spec())
    inputs = expand(src)
    return reading.collect(inputs, lambda: build(flow_table(kind, reading, plan, last=True, inputs=inputs)))


def flows_at(table: FlowTable, rows: Rows) -> Flows:
    """The flows in some rows of a table, to find again in the inputs. IndexError for a row that is not there."""
    import numpy as np

    from fluxcap.rewrite.extract import Flows, positions

    chosen = positions(rows, len(table))
    numbers, at = np.unique(table[FLOW][chosen], return_index=True)
    columns = {name: values[chosen[at]] for name, values in table.to_dict().items()}
    return Flows(table._inputs, table.metadata, numbers, columns)


def flow_table(kind: type[T], reading: Reading, plan: FlowPlan, last: bool, inputs: Sequence[Input] = ()) -> T:
    """The flows that a reading has made so far; with `last` the reading gives up its own copy."""
    begun = [item for item in inputs if item.name not in reading.skipped][: len(reading.inputs)]
    return table_of(kind, reading.scanner, flow_metadata(reading, plan), last, begun)


def flow_metadata(reading: Reading, plan: FlowPlan) -> Metadata:
    """The metadata of a table of flows, about what was read up to now."""
    return reading.metadata() | {
        **plan.metadata(),
        "where": reading.options.where,
        "inner": reading.options.inner,
        "dedupe": reading.options.dedupe,
        "decap": reading.options.decap,
        "tunnels": dict(reading.options.tunnels or {}),
        "flows_full": reading.flows_full,
        "limit": reading.limit,
    }


def table_of(
    kind: type[T], scanner: Scanner, metadata: Metadata, last: bool, inputs: Sequence[Input] = (), order: Any = None
) -> T:
    """The flows of a scanner; with `last` the scanner gives up its own copy, with the rows in this order of theirs."""
    unseen = FlowTable(scanner.unseen())
    newest = metadata["last"]
    made = scanner.flows(last, NO_TIME if newest is None else newest, order)
    return kind(shaped(made, metadata, scanner), metadata, unseen if len(unseen) else None, inputs=inputs)


def shaped(made: Mapping[str, Column], metadata: Metadata, scanner: Scanner) -> dict[str, Array | Column]:
    """The columns of a scanner's flows, those of first packets with a value for each packet, and names as texts."""
    texts = (scanner.server_names(column) if name == SERVER_NAME_NUMBER else column for name, column in made.items())
    columns: dict[str, Array | Column] = {column.name: column for column in texts}
    if (n := metadata.get("splt")) or metadata.get("payload"):
        from fluxcap.values.arrays import wide

        # A flow of a single packet, or of a byte, has a row too.
        columns |= {name: wide(made[name], n) for name in _SPLT if n}
        if payload := metadata.get("payload"):
            columns["payload"] = wide(made["payload"], payload["octets"])
    return columns


def merge(tables: Iterable[FlowTable]) -> FlowTable:
    """Merge flow tables into one, as if their captures had been read together.

    Parameters
    ----------
    tables : iterable of FlowTable
        Tables made with the same key, directions, interval, idle timeouts and semantics.

    Returns
    -------
    FlowTable
        One row a flow: exactly what reading the captures together gives, where each begins after the one before it
        has ended. `file` counts through the inputs of all tables. Columns of with_columns() are left out. With an idle
        timeout, an ICMP error that came before its flow in a capture counts on that flow, not on one that ended before.

    Raises
    ------
    ValueError
        There is no table; one is not a flow table; they were made in different ways, or hold features, connections or
        an active timeout; or time goes back from one to the next, and an idle timeout or the direction of a flow
        depends on the order; or records have no time, and an idle timeout depends on it.

    Examples
    --------
    >>> import fluxcap
    >>> parts = [fluxcap.read_flows(f"samples/{name}.pcap") for name in ("verdicts", "vxlan-tunnel")]
    >>> whole = fluxcap.merge(parts)
    >>> int(whole["packets"].sum()) == sum(int(part["packets"].sum()) for part in parts)
    True
    """
    parts = list(tables)
    if not parts:
        raise ValueError("nothing to merge: the list of tables is empty")
    for part in parts:
        if not isinstance(part, FlowTable):
            raise ValueError(f"a {type(part).__name__} does not merge: only tables of flows do")
    if said := refusal([part.metadata for part in parts]):
        raise ValueError(said)
    made = parts[0].metadata
    scanner = Scanner(key=spec_of(made | {"max_flows": 0}))
    for part in _counted_through(parts):
        try:
            for rows in (in_time_order(part) if made["idle_timeout"] else part, *about_unseen(part)):
                add_rows(scanner, rows)
        except KeyError as name:
            raise ValueError(f"a table without its column {name} does not merge: merge first, then select") from None
        except ValueError as error:
            raise ValueError(f"time goes back between these tables: {error}; {IN_ORDER}") from error
    for sentence in about_left_out(scanner.totals(), ()):
        warn(UserWarning(sentence))
    return table_of(FlowTable, scanner, added_up([part.metadata for part in parts]), True)


def add_rows(scanner: Scanner, table: FlowTable, numbers: Array | None = None) -> None:
    """Merge the rows of a table into those of a scanner. `numbers`: those of the records that they began with."""
    import numpy as np

    columns = {name: np.ascontiguousarray(values) for name, values in table._arrays().items()}
    scanner.add_flows(columns, len(table), numbers)


def about_unseen(table: FlowTable) -> list[FlowTable]:
    """Rows for the ICMP errors about flows that are not in the table. An error that found its flow leaves a row without
    errors behind."""
    return [] if table._unseen is None else [table._unseen.filter(table._unseen["icmp_errors"] > 0)]


def _counted_through(parts: list[FlowTable]) -> list[FlowTable]:
    """The tables with `file`, if the key has it, counted through the inputs of all of them."""
    if "file" not in parts[0].columns:
        return parts
    counted, before = [], 0
    for part in parts:
        counted.append(_renumbered(part, before))
        counted[-1]._unseen = part._unseen and _renumbered(part._unseen, before)
        before += len(part.metadata["inputs"])
    return counted


def _renumbered(part: FlowTable, before: int) -> FlowTable:
    columns = part._arrays()
    return FlowTable({**columns, "file": columns["file"] + columns["file"].dtype.type(before)}, part.metadata)
