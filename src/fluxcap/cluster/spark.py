"""Lakes and captures in Spark: `spark.read.format("fluxcap").load(path)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from fluxcap.lake.spark import LakeReader, in_spark, in_sql, spark_schema  # first: it names the extra for pyspark

# isort: split
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

from fluxcap.capture.inputs import Input
from fluxcap.cluster.groups import groups_of
from fluxcap.cluster.sharing import Sharing
from fluxcap.errors import unknown
from fluxcap.lake import manifest
from fluxcap.lake.layout import EXPORT, check_table
from fluxcap.lake.place import Place
from fluxcap.lake.rows import Rows
from fluxcap.lake.scan import Lake
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    from pyspark.sql import SparkSession

NAME: Final = "fluxcap"
# The options of captures, in the small letters of Spark, with their defaults.
OPTIONS: Final = {
    **{"table": "packets", "by": "5tuple", "where": "", "idle_timeout": "", "active_timeout": ""},
    **{"task_bytes": Sharing().task_bytes, "on_damage": "raise"},
}


class Source(DataSource):
    """The format `fluxcap`: a lake where the path is one, else captures."""

    @classmethod
    def name(cls) -> str:
        """Name the format."""
        return NAME

    def schema(self) -> str:
        """Give the columns and their types, as Spark writes them."""
        lake = self._lake()
        return in_sql(spark_schema(lake.schema()) if lake is not None else CapturesReader(self._given()).schema)

    def reader(self, schema: Any) -> LakeReader | CapturesReader:
        """Read the state that the lake has now, or the captures that there are."""
        lake = self._lake()
        return LakeReader(self.options["path"], lake) if lake is not None else CapturesReader(self._given())

    def _lake(self) -> Lake | None:
        if "path" not in self.options:
            raise ValueError("no lake and no captures are named; say .load(path)")
        place = Place(self.options["path"])
        try:
            state, _ = manifest.load(place)
        except NotADirectoryError:  # a capture
            return None
        return None if state is None else Lake(place, state)

    def _given(self) -> dict[str, Any]:
        """The options of captures. ValueError for one that there is not."""
        for name in self.options:
            if name not in OPTIONS and name != "path":
                raise unknown("option", name, tuple(OPTIONS))
        return {name: self.options.get(name, default) for name, default in OPTIONS.items()} | {
            "path": self.options["path"]
        }


class CapturesTask(InputPartition):
    """The inputs that one task reads: those of a task of the cluster."""

    def __init__(self, inputs: list[Input]) -> None:
        self.inputs = inputs


class CapturesReader(DataSourceReader):
    """What Spark's tasks read of captures: each has the rows that its inputs have alone."""

    def __init__(self, given: dict[str, Any]) -> None:
        check_table(given["table"])
        self._path, self._task_bytes, self._table = given["path"], given["task_bytes"], given["table"]
        self._plan = FlowPlan(
            keys.parse(given["by"]),
            idle_timeout=given["idle_timeout"] or None,
            active_timeout=given["active_timeout"] or None,
        )
        self._options = ReadOptions(given["where"] or None, True, 1, given["on_damage"], "raise")
        self._options.check()
        like = self._rows([]).like().schema
        self._plain = like
        self.schema = spark_schema(like.remove(like.get_field_index(EXPORT)))

    def partitions(self) -> list[InputPartition]:
        """Give a part to read for each task."""
        return [CapturesTask(inputs) for inputs in groups_of(self._path, self._task_bytes)]

    def read(self, partition: Any) -> Iterator[pa.RecordBatch]:
        """Read the inputs of a task, batch by batch."""
        for table in self._rows(partition.inputs).read("", self._plain):
            yield from in_spark(table, {}, self.schema).to_batches()

    def _rows(self, inputs: list[Input]) -> Rows:
        return Rows(inputs, self._table, self._plan, self._options)


def register(spark: SparkSession) -> None:
    """Let a session know the format.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
        The session; its workers need fluxcap as well.
    """
    spark.dataSource.register(Source)
