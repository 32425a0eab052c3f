"""A lake in Spark: `spark.read.format("fluxcap").load(path)`. The only module that imports pyspark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from fluxcap.errors import missing
from fluxcap.lake.files import read
from fluxcap.lake.manifest import File
from fluxcap.lake.place import Place
from fluxcap.lake.scan import Lake, scan_lake

try:
    from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("pyspark"):
        raise
    raise missing('spark.read.format("fluxcap")', "pyspark", "spark") from None

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    from pyspark.sql import SparkSession

NAME: Final = "fluxcap"
# Spark has no unsigned numbers, and its times have microseconds.
_WIDER: Final = {"uint8": "int16", "uint16": "int32", "uint32": "int64", "uint64": "int64"}
_IN_SQL: Final = {
    **{"int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint", "double": "double"},
    **{"string": "string", "timestamp[us, tz=UTC]": "timestamp", "date32[day]": "date"},
}


class LakeSource(DataSource):
    """The format `fluxcap`. Counts above 63 bits are an error, and times lose their last three digits."""

    @classmethod
    def name(cls) -> str:
        """Name the format."""
        return NAME

    def schema(self) -> str:
        """Give the columns of the lake and their types, as Spark writes them."""
        return ", ".join(f"`{field.name}` {_IN_SQL[str(field.type)]}" for field in _schema(self._lake()))

    def reader(self, schema: Any) -> LakeReader:
        """Read the state that the lake has now."""
        return LakeReader(self.options["path"], self._lake())

    def _lake(self) -> Lake:
        if "path" not in self.options:
            raise ValueError("the lake is not named; say .load(path)")
        return scan_lake(self.options["path"])


class LakeFile(InputPartition):
    """A file of a lake, which one task reads."""

    def __init__(self, file: File) -> None:
        self.file = file


class LakeReader(DataSourceReader):
    """What Spark's tasks read of one state."""

    def __init__(self, path: str, lake: Lake) -> None:
        self._path = path
        self._schema = _schema(lake)
        self._files = lake._state.files

    def partitions(self) -> list[InputPartition]:
        """Give a part to read for each file."""
        return [LakeFile(file) for file in self._files]

    def read(self, partition: Any) -> Iterator[pa.RecordBatch]:
        """Read a file, batch by batch."""
        for table in read(Place(self._path), partition.file, frozenset()):
            yield from _in_spark(table, partition.file, self._schema).to_batches()


def register(spark: SparkSession) -> None:
    """Let a session know the format.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
        The session; its workers need fluxcap as well.
    """
    spark.dataSource.register(LakeSource)


def _schema(lake: Lake) -> pa.Schema:
    import pyarrow as pa

    fields = []
    for field in lake.schema():
        kind = field.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", "UTC")
        elif str(kind) in _WIDER:
            kind = pa.type_for_alias(_WIDER[str(kind)])
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def _in_spark(table: pa.Table, file: File, schema: pa.Schema) -> pa.Table:
    """The rows of a file with the columns of its folder, in Spark's types."""
    import pyarrow as pa
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

    columns = []
    for field in schema:
        if field.name in table.column_names:
            values = table[field.name]
            # A time is cut to microseconds on purpose; a number that does not fit is an error.
            columns.append(pc.cast(values, field.type, safe=not pa.types.is_timestamp(field.type)))
        else:
            columns.append(pa.repeat(pa.scalar(file.values[field.name], pa.string()).cast(field.type), len(table)))
    return pa.Table.from_arrays(columns, schema=schema)
