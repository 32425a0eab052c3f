"""What Spark reads of a lake, and its types for our columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from fluxcap.errors import missing
from fluxcap.lake.files import read
from fluxcap.lake.manifest import File
from fluxcap.lake.place import Place
from fluxcap.lake.scan import Lake

try:
    from pyspark.sql.datasource import DataSourceReader, InputPartition
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("pyspark"):
        raise
    raise missing('spark.read.format("fluxcap")', "pyspark", "spark") from None

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

# Spark has no unsigned numbers, and its times have microseconds.
_WIDER: Final = {"uint8": "int16", "uint16": "int32", "uint32": "int64", "uint64": "int64"}
_IN_SQL: Final = {
    **{"int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint", "double": "double"},
    **{"string": "string", "timestamp[us, tz=UTC]": "timestamp", "date32[day]": "date"},
}


class LakeFile(InputPartition):
    """A file of a lake, which one task reads."""

    def __init__(self, file: File) -> None:
        self.file = file


class LakeReader(DataSourceReader):
    """What Spark's tasks read of one state."""

    def __init__(self, path: str, lake: Lake) -> None:
        self._path = path
        self._schema = spark_schema(lake.schema())
        self._files = lake._state.files

    def partitions(self) -> list[InputPartition]:
        """Give a part to read for each file."""
        return [LakeFile(file) for file in self._files]

    def read(self, partition: Any) -> Iterator[pa.RecordBatch]:
        """Read a file, batch by batch."""
        for table in read(Place(self._path), partition.file, frozenset()):
            yield from in_spark(table, partition.file.values, self._schema).to_batches()


def spark_schema(schema: pa.Schema) -> pa.Schema:
    """The columns with types that Spark has. Counts above 63 bits are an error, and times lose their last digits."""
    import pyarrow as pa

    fields = []
    for field in schema:
        kind = field.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", "UTC")
        elif str(kind) in _WIDER:
            kind = pa.type_for_alias(_WIDER[str(kind)])
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def in_sql(schema: pa.Schema) -> str:
    """The columns and their types, as Spark writes them."""
    return ", ".join(f"`{field.name}` {_IN_SQL[str(field.type)]}" for field in schema)


def in_spark(table: pa.Table, of_all: Mapping[str, str | None], schema: pa.Schema) -> pa.Table:
    """Rows in Spark's types; `of_all` has the columns that are the same in all rows, as those of a folder."""
    import pyarrow as pa
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

    columns = []
    for field in schema:
        if field.name in table.column_names:
            values = table[field.name]
            # A time is cut to microseconds on purpose; a number that does not fit is an error.
            columns.append(pc.cast(values, field.type, safe=not pa.types.is_timestamp(field.type)))
        else:
            columns.append(pa.repeat(pa.scalar(of_all[field.name], pa.string()).cast(field.type), len(table)))
    return pa.Table.from_arrays(columns, schema=schema)
