"""Apache Parquet: columns, compressed, for DuckDB, pandas, polars, Spark and the like."""

from typing import Any, BinaryIO, Final

from fluxcap.formats import PLAIN, Rows, Screen
from fluxcap.formats._arrow import package, pour
from fluxcap.values import text

HELP: Final = "Apache Parquet"
SUFFIXES: Final = (".parquet",)
BINARY: Final = True

# Packet numbers seldom repeat: without dictionaries they are written in three quarters of the time, and no larger.
ROWS_IN_GROUP: Final = 1 << 18  # rows in memory before they are written: some ten MiB with all packet columns
OPTIONS: Final[dict[str, Any]] = {
    "compression": "zstd(1)",
    "dictionary_enabled": False,
    "max_row_group_size": ROWS_IN_GROUP,
    "created_by": "fluxcap",
}


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come."""
    library = package()
    texts = {rows.shown(name): True for name in rows.columns if text.KINDS.get(name, "time") != "time"}

    def put(stream: Any, file: Any) -> None:
        library.write_parquet(stream, file, column_dictionary_enabled=texts, **OPTIONS)

    pour(out, rows, put)
