"""What merging needs of a table of flows and no column says: it travels in the metadata of an Arrow schema."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fluxcap.values.derived import ICMP

if TYPE_CHECKING:
    from fluxcap.formats import Table
    from fluxcap.values.arrays import Array

T = TypeVar("T")
APART: Final = "icmp"  # the member of the metadata
ERRORS, LAST = "icmp_errors", "_icmp_last"
MOVED: Final = "its rows were chosen or sorted elsewhere, and which of them have ICMP errors is not known any more"


def said(table: Table) -> dict[str, Any]:
    """The member of the metadata that says of a table of flows when its ICMP errors came, and which errors are about
    flows that it does not have; nothing of another table."""
    if not {ERRORS, LAST} <= getattr(table, "_columns", {}).keys():
        return {}
    import numpy as np

    rows, unseen = np.flatnonzero(table[ERRORS]), getattr(table, "_unseen", None)
    typed = np.flatnonzero(table[ICMP]) if ICMP in getattr(table, "_columns", {}) else None
    return {
        APART: {
            "rows": rows.tolist(),
            "last": table[LAST][rows].tolist(),
            "types": None if typed is None else [typed.tolist(), table[ICMP][typed].tolist()],
            "unseen": None if unseen is None else _packed(unseen._arrays()),
        }
    }


def told(
    columns: Mapping[str, Array], apart: Mapping[str, Any], kind: Callable[..., T]
) -> tuple[dict[str, Array], T | None]:
    """The hidden columns, which have the times of the last ICMP errors and types of ICMP, and the table of errors about
    flows elsewhere. ValueError if they are not about these rows."""
    import numpy as np

    from fluxcap._core import NO_TIME

    if ERRORS not in columns:
        raise ValueError(f"it has no column {ERRORS}: some columns of the table are not in it")
    if np.flatnonzero(columns[ERRORS]).tolist() != apart["rows"]:
        raise ValueError(MOVED)
    last = np.full(len(columns[ERRORS]), NO_TIME, np.int64)
    last[apart["rows"]] = apart["last"]
    hidden = {LAST: last}
    if apart["types"] is not None:
        hidden[ICMP] = np.zeros(len(last), np.uint16)
        rows, types = apart["types"]
        hidden[ICMP][rows] = types
    return hidden, None if apart["unseen"] is None else kind(_unpacked(apart["unseen"]))


def _packed(columns: Mapping[str, Array]) -> str:
    import numpy as np

    octets, named = io.BytesIO(), dict[str, Any](columns)
    np.savez_compressed(octets, **named)
    return b64encode(octets.getvalue()).decode()


def _unpacked(packed: str) -> dict[str, Array]:
    import numpy as np

    with np.load(io.BytesIO(b64decode(packed)), allow_pickle=False) as columns:
        return dict(columns)
