"""Tables of flows from Arrow, as to_arrow() and files of Parquet and Arrow hand them out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from fluxcap.tables.arrow.apart import APART, ERRORS, told
from fluxcap.tables.requirements import wanted
from fluxcap.values import derived
from fluxcap.values.arrow import ROOT
from fluxcap.values.from_arrow import columns_from, metadata_from
from fluxcap.values.metadata import SCHEMA, Metadata

T = TypeVar("T")
NO_METADATA: Final = (
    "it does not say how its rows were made: the schema has no metadata `fluxcap`, which FlowTable.write(),"
    " FlowTable.to_arrow() and `fluxcap flows -o` put there"
)


def flows_from_file(kind: Callable[..., T], path: Any) -> T:
    """The table that was written to a file of Parquet."""
    wanted("pyarrow")
    import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

    return flows_from(kind, pq.read_table(path), str(path))


def flows_from(kind: Callable[..., T], table: Any, name: str = "the table") -> T:
    """The table that something of Arrow was made of. ValueError if it was made of another kind of table."""
    pa = wanted("pyarrow")
    made = table if isinstance(table, pa.Table) else pa.table(table)
    try:
        metadata, apart = _metadata((made.schema.metadata or {}).get(ROOT))
        columns = columns_from(made.select([name for name in made.column_names if name not in derived.DERIVED]))
        hidden, unseen = told(columns, apart, kind)
    except KeyError as error:
        raise ValueError(f"{name} is no table of flows that merges: its metadata has no {error}") from None
    except ValueError as error:
        raise ValueError(f"{name} is no table of flows that merges: {error}") from None
    return kind({**columns, **hidden}, metadata, unseen)


def _metadata(written: bytes | None) -> tuple[Metadata, dict[str, Any]]:
    """What a schema says. ValueError if it says too little, or something else."""
    if written is None:
        raise ValueError(NO_METADATA)
    said = json.loads(written)
    if said.get("schema") != SCHEMA:
        raise ValueError(f"its metadata has the version {said.get('schema')!r}, and this fluxcap reads {SCHEMA}")
    if "lake" in said:
        raise ValueError(
            "it is a file of a lake, whose rows come from several readings; read it by fluxcap.scan_lake()"
        )
    if "by" not in said:
        raise ValueError("its rows are no flows")
    if said["connections"]:
        raise ValueError("its rows are connections, and what became of one depends on all its segments")
    if APART not in said:
        raise ValueError(f"its metadata has no `{APART}`, which says when {ERRORS} came")
    apart = said.pop(APART)
    return metadata_from(said), apart
