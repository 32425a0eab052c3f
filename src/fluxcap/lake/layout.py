"""What the rows of a lake are, and in which folder each lies: a folder is named by a time, and by nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from fluxcap._core import NO_TIME
from fluxcap.errors import unknown
from fluxcap.values.arrow import ROOT
from fluxcap.values.metadata import header
from fluxcap.values.units import NS_PER_SECOND

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.values.arrays import Array

VERSION: Final = 1  # of the manifest and of the schema of the files; changes when either could be misread
EXPORT: Final = "export"  # the column that says which export made a row
TIMES: Final = {"flows": ("first", "last"), "packets": ("time",), "connections": ("first", "last")}  # by table
UNTIMED: Final = "__HIVE_DEFAULT_PARTITION__"  # the word of Hive for a value that is not there
Partition = Literal["day,hour", "day"]
PARTITIONS: Final[Mapping[str, tuple[str, ...]]] = {"day": ("day",), "day,hour": ("day", "hour")}
_HOUR: Final = 3600 * NS_PER_SECOND
_LENGTHS: Final = {"day": 24 * _HOUR, "hour": _HOUR}
# No other path is ever read or removed, whatever a manifest says.
PATH: Final = re.compile(
    rf"(?P<folder>day=(?:\d{{4}}-\d\d-\d\d|{UNTIMED})(?:/hour=(?:\d\d|{UNTIMED}))?)/part-[0-9a-f]{{16}}\.parquet"
)


class Layout(NamedTuple):
    """What all rows of a lake have in common."""

    table: str  # one of TIMES
    by: str  # the key of flows; "" of packets
    octets: str  # what bytes count, which semantics decide
    by_time: str  # the column that rows are sorted and put into folders by
    partition: str  # one of PARTITIONS
    columns: tuple[tuple[str, str], ...]  # names and types, as pyarrow writes them

    @property
    def levels(self) -> tuple[str, ...]:
        """The columns that the folders stand for."""
        return PARTITIONS[self.partition]

    def schema(self) -> pa.Schema:
        """The schema of every file, with its version."""
        import pyarrow as pa

        known = {str(kind): kind for kind in _kinds()}
        said = {**header(), "lake": VERSION, "table": self.table, "by": self.by, "bytes": self.octets}
        return pa.schema([(name, known[kind]) for name, kind in self.columns], {ROOT: json.dumps(said).encode()})

    def periods(self, times: Array) -> Array:
        """For each time the number of its hour or day since 1970; NO_TIME where there is no time."""
        import numpy as np

        return np.where(times == NO_TIME, NO_TIME, times // _LENGTHS[self.levels[-1]])

    def folder(self, period: int) -> str:
        """The folder of an hour or a day."""
        import numpy as np

        if period == NO_TIME:
            return "/".join(f"{level}={UNTIMED}" for level in self.levels)
        day, rest = divmod(period * _LENGTHS[self.levels[-1]], _LENGTHS["day"])
        values = {"day": str(np.datetime64(day, "D")), "hour": f"{rest // _HOUR:02}"}
        return "/".join(f"{level}={values[level]}" for level in self.levels)


def laid_out(table: str, like: Any, by: str, octets: str, by_time: str | None, partition: str) -> Layout:
    """The layout of a lake for tables whose rows are as those of `like`, in Arrow. ValueError for an unknown word."""
    by_time = TIMES[table][0] if by_time is None else by_time
    if by_time not in TIMES[table]:
        raise ValueError(f"{table} have no time {by_time!r}; sort them by {' or '.join(TIMES[table])}")
    if partition not in PARTITIONS:
        raise unknown("partition", partition, tuple(PARTITIONS))
    return Layout(table, by, octets, by_time, partition, tuple((one.name, str(one.type)) for one in like.schema))


def check_table(table: str) -> None:
    """ValueError for a table that no lake has."""
    if table not in TIMES:
        raise unknown("table", table, tuple(TIMES))


def place_in_time(folder: str) -> tuple[bool, str]:
    """A sort key of folders: rows without a time first, as they are sorted."""
    return UNTIMED not in folder, folder


def _kinds() -> tuple[Any, ...]:
    """The types of columns: each has one in Parquet that every reader knows."""
    import pyarrow as pa

    numbers = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    return *numbers, pa.float64(), pa.string(), pa.timestamp("ns", "UTC")


def plain(kind: Any) -> Any:
    """The type of a column in a lake: without a dictionary of its own, and lengths of time as nanoseconds."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.int64() if pa.types.is_duration(kind) else kind
