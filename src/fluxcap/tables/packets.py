"""Packet tables, whole or in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from fluxcap._core import EXTRA_COLUMNS, PACKET_COLUMNS, Scanner
from fluxcap.capture.inputs import Input
from fluxcap.capture.reading import Metadata, OnDamage, OnInterrupt, Reading
from fluxcap.errors import unknown
from fluxcap.plan import keys
from fluxcap.tables.export import Exportable, as_asked, wanted
from fluxcap.tables.flows import FLOW, QUOTED_FLOW, key_spec
from fluxcap.tables.table import Table
from fluxcap.values import human

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from fluxcap._core import KeySpec
    from fluxcap.values.arrow import IpForm, Stream, View


class PacketTable(Table):
    """One row a record, in the order of the capture."""

    __slots__ = ()

    def _title(self) -> str:
        return f"{human.counted(len(self), 'packet')}, {len(self.columns)} columns"


def packet_table(reading: Reading) -> PacketTable:
    """The rows that a reading has collected since they were last taken."""
    return PacketTable(reading.scanner.take(), reading.metadata())


def without_rows(columns: Sequence[str]) -> PacketTable:
    """A table with these columns of their types."""
    return PacketTable(Scanner(columns=columns).take())


def choose(
    columns: str | Sequence[str] | None, by: str | Iterable[str] | None
) -> tuple[tuple[str, ...], KeySpec | None]:
    """The columns that are meant, and the key of the flows that the column `flow` counts, if it is among them."""
    if columns is None:
        chosen = PACKET_COLUMNS if by is None else (*PACKET_COLUMNS, FLOW)
    else:
        chosen = tuple(name.strip() for name in columns.split(",")) if isinstance(columns, str) else tuple(columns)
    known = (*PACKET_COLUMNS, *EXTRA_COLUMNS)
    for name in chosen:
        if name not in known:
            raise unknown("column", name, known)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError("columns must name at least one column, and none twice")
    if needs_flows(chosen):
        return chosen, key_spec(keys.parse("5tuple" if by is None else by))
    if by is not None:
        raise ValueError("by= says what the column 'flow' counts, and that is not among the columns")
    return chosen, None


def needs_flows(columns: Sequence[str]) -> bool:
    """Whether one of them holds row numbers of a flow table made in the same pass."""
    return FLOW in columns or QUOTED_FLOW in columns


def choose_with_flow(columns: Literal[True] | str | Sequence[str]) -> tuple[str, ...]:
    """The columns that are meant for packets beside their flow table, `flow` in any case among them."""
    chosen, _ = choose(None if columns is True else columns, None)
    return chosen if FLOW in chosen else (*chosen, FLOW)


class PacketScan(Exportable):
    """The packets of a capture as PacketTables of `batch_size` rows (the last one shorter), in bounded memory.

    Arrow readers take it as they take a table, batch by batch: `duckdb.sql("SELECT max(time) FROM scan")`. Each
    iteration, reader or query reads the inputs anew; standard input, a pipe or an open file can be read once (then
    ValueError).
    `metadata` is that of the last iteration that reached the end.
    """

    def __init__(
        self,
        inputs: list[Input],
        columns: tuple[str, ...],
        key: KeySpec | None,
        *,
        where: str | None,
        decap: bool,
        batch_size: int,
        on_damage: OnDamage,
        on_interrupt: OnInterrupt,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1, not {batch_size}")
        self.columns = columns
        self.batch_size = batch_size
        self.metadata: Metadata = {}
        self._inputs = inputs
        self._key = key
        self._where = where
        self._decap = decap
        self._on_damage = on_damage
        self._on_interrupt = on_interrupt
        self._begun = False

    def __repr__(self) -> str:
        names = ", ".join(item.name for item in self._inputs)
        return f"<PacketScan of {names}: {len(self.columns)} columns, {self.batch_size:,} packets a batch>"

    def __iter__(self) -> Iterator[PacketTable]:
        return self.read(self.columns, self.batch_size)

    def read(self, columns: Sequence[str], batch_size: int) -> Iterator[PacketTable]:
        """Read the inputs as tables of some of the columns and so many rows."""
        self._check()
        return self._batches(columns, batch_size)

    def _check(self) -> None:
        """ValueError where nothing is left to read."""
        for item in self._inputs if self._begun else ():
            if item.once:
                raise ValueError(f"{item.name} can be read only once; save it to a file to scan it again")

    def _batches(self, columns: Sequence[str], batch_size: int) -> Iterator[PacketTable]:
        self._check()  # again: some readers ask for a stream that they do not read
        self._begun = True
        reading = Reading(
            key=self._key if needs_flows(columns) else None,
            columns=columns,
            row_limit=batch_size,
            where=self._where,
            decap=self._decap,
            on_damage=self._on_damage,
            on_interrupt=self._on_interrupt,
        )
        with reading.partial(lambda: packet_table(reading)):  # the rows that were not handed out yet
            for _ in reading.read(self._inputs):
                yield packet_table(reading)
        rest = packet_table(reading)
        if len(rest):
            yield rest
        self.metadata = rest.metadata

    def _stream(self, view: View) -> Stream:
        from fluxcap.values.arrow import Stream

        return Stream(
            without_rows(self.columns).to_dict(), self, {"inputs": [item.name for item in self._inputs]}, view
        )

    def to_arrow(self, *, ip: IpForm = "text", labels: bool | None = None) -> pa.RecordBatchReader:
        """A pyarrow RecordBatchReader, which reads as it is read."""
        return wanted("pyarrow").RecordBatchReader.from_stream(self._stream(as_asked(ip, labels)))

    def lazy(self, *, ip: IpForm = "text", labels: bool | None = None) -> pl.LazyFrame:
        """A polars LazyFrame, of which only the columns and rows that a query needs are read, at each collect()."""
        from fluxcap.tables.lazy import lazy_frame

        return lazy_frame(self, as_asked(ip, labels))

    def to_polars(self, *, lazy: bool = False, ip: IpForm = "text", labels: bool | None = None) -> Any:
        """A polars DataFrame of all packets, or a LazyFrame as from lazy()."""
        frame = self.lazy(ip=ip, labels=labels)
        return frame if lazy else frame.collect()
