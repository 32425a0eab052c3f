"""The rows that go into a lake: tables of bounded size, as they are read, in the form of its files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from fluxcap._core import PACKET_COLUMNS
from fluxcap.capture.reading import Reading
from fluxcap.lake.layout import EXPORT, plain
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import REORDER, ReadOptions
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.flow_scan import FlowScan
from fluxcap.tables.flows import FlowTable, collect_flows, flow_table
from fluxcap.tables.packets import without_rows
from fluxcap.tables.requirements import wanted
from fluxcap.tables.scan import BATCH_ROWS, PacketScan
from fluxcap.values.arrow import Stream, View
from fluxcap.values.metadata import Metadata

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.capture.inputs import Input
    from fluxcap.formats import Table

# One dictionary would have to hold for all rows of a file.
VIEW: Final = View(encoded=False)


class Rows:
    """The rows of captures, read when they are asked for.

    Packets, and flows that end before the capture does, are read in bounded memory; other flows take that of their
    table.
    """

    def __init__(self, inputs: list[Input], table: str, plan: FlowPlan, options: ReadOptions) -> None:
        self.metadata: Metadata = {}  # complete after the last table
        self._inputs = inputs
        self._kind = ConnectionTable if table == "connections" else None if table == "packets" else FlowTable
        self._plan = plan._replace(connections=table == "connections")
        self._options = options

    def like(self) -> pa.Table:
        """A table without rows."""
        if self._kind is None:
            return _in_arrow(without_rows(PACKET_COLUMNS), "")
        reading = Reading(self._options, key=self._plan.spec())
        return _in_arrow(flow_table(self._kind, reading, self._plan, last=True), "")

    def read(self, export: str, schema: pa.Schema) -> Iterator[pa.Table]:
        """The rows of this export."""
        for table in self._tables():
            if len(table):
                yield _in_arrow(table, export).cast(schema)

    def _tables(self) -> Iterator[Table]:
        scan: PacketScan | FlowScan
        if self._kind is None:
            scan = PacketScan(self._inputs, PACKET_COLUMNS, None, BATCH_ROWS, self._options)
        elif self._kind is FlowTable and self._ends():
            scan = FlowScan(self._inputs, self._plan, REORDER, self._options)
        else:
            table = collect_flows(self._inputs, self._plan, self._options, self._kind)
            self.metadata = table.metadata
            yield from (table[start : start + BATCH_ROWS] for start in range(0, len(table), BATCH_ROWS))
            return
        yield from scan
        self.metadata = scan.metadata

    def _ends(self) -> bool:
        """Whether flows end before the capture does."""
        spec = self._plan.spec()
        return bool(spec["idle_timeout"] or spec["tcp_idle_timeout"] or spec["active_timeout"])


def _in_arrow(table: Table, export: str) -> pa.Table:
    pa = wanted("pyarrow")
    columns = {name: table[name] for name in table.columns}
    made = pa.table(Stream(columns, [table], {}, VIEW))
    fields = [pa.field(field.name, plain(field.type)) for field in made.schema]
    of_export = pa.array([export], pa.string()).take(pa.nulls(0, pa.int8()) if not len(made) else _zeros(len(made)))
    return made.cast(pa.schema(fields)).append_column(EXPORT, of_export)


def _zeros(rows: int) -> Any:
    import numpy as np

    return np.zeros(rows, np.int8)
