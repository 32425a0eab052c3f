"""Columns of Arrow as arrays again, and metadata: the way back from arrow.py, whatever form the values have."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fluxcap import _core
from fluxcap.errors import Damage, Late
from fluxcap.values import text
from fluxcap.values.arrow import PROTOCOL_NAMES, View
from fluxcap.values.metadata import Metadata, header

if TYPE_CHECKING:
    from fluxcap.values.arrays import Array

WIDTHS: Final = {"address": 16, "mac": 6}  # bytes
LABELLED: Final = View(labels=True)


def columns_from(table: Any) -> dict[str, Array]:
    """The columns of a pyarrow Table by name. ValueError for a column whose values have lost something."""
    return {name: np.ascontiguousarray(_values(name, table[name])) for name in table.column_names}


def _values(name: str, column: Any) -> Array:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    kind, given = text.KINDS.get(name), column.type
    if pa.types.is_dictionary(given):
        column = column.cast(given.value_type)
    if pa.types.is_timestamp(given) or pa.types.is_duration(given):
        if given.unit != "ns":
            raise ValueError(f"the times of its column {name} are in {given.unit}, and nanoseconds are needed")
        missing = _core.NO_TIME if pa.types.is_timestamp(given) else -1
        return _numbers(column.cast(pa.int64()).fill_null(missing))
    if text.may_be_unknown(name):
        return _numbers(column.fill_null(-1))
    if kind in WIDTHS:
        return _addresses(name, column, WIDTHS[kind])
    if kind == "name":
        return np.array([(one or "").encode() for one in column.to_pylist()], "S")
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _codes(name, column)
    if kind == "octets":
        return np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(-1, given.byte_width)
    if pa.types.is_fixed_size_list(given):
        return _numbers(pa.chunked_array([chunk.flatten() for chunk in column.chunks], given.value_type)).reshape(
            len(column), given.list_size
        )
    return _numbers(column)


def _numbers(column: Any) -> Array:
    values: Array = column.to_numpy()
    return values


def _addresses(name: str, column: Any, width: int) -> Array:
    """Addresses as bytes; zeros where there is none."""
    import pyarrow as pa

    if pa.types.is_integer(column.type):
        raise ValueError(f"its column {name} has numbers, which do not say where an address is missing")
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):  # of no rows
        coded = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], column.type))
    known = [_octets(one, width) for one in coded.dictionary.to_pylist()]
    made = np.frombuffer(b"".join((bytes(width), *known)), np.uint8).reshape(-1, width)
    rows: Array = made[coded.indices.fill_null(-1).to_numpy(zero_copy_only=False) + 1]
    return rows


def _octets(address: str | bytes, width: int) -> bytes:
    """The bytes of an address."""
    if isinstance(address, bytes):
        return address
    if width == WIDTHS["mac"]:
        return bytes.fromhex(address.replace(":", ""))
    octets = ipaddress.ip_address(address).packed
    return octets if len(octets) == width else text.IPV4_PREFIX + octets


def _codes(name: str, column: Any) -> Array:
    """The codes of names."""
    names = PROTOCOL_NAMES if name == "protocol" else LABELLED.names(name)
    if names is None:
        raise ValueError(f"its column {name} has texts, and flows have none of that name")
    codes = {one: code for code, one in enumerate(names)}
    return np.array([codes[one] for one in column.to_pylist()], np.uint8)


def metadata_from(said: Mapping[str, Any]) -> Metadata:
    """The metadata of a table of flows that metadata.members() wrote."""
    metadata = {name: value for name, value in said.items() if name not in header()}
    metadata["damage"] = [Damage(**one) for one in said["damage"]]
    metadata["strays"] = [tuple(one) for one in said["strays"]]
    metadata["late"] = None if said["late"] is None else Late(**said["late"])
    metadata["ledger"] = {name: (one["records"], one["octets"]) for name, one in said["ledger"].items()}
    metadata["tunnels"] = {int(port): kind for port, kind in said["tunnels"].items()}  # names are texts in JSON
    for name in ("first", "last"):
        metadata[name] = None if said[name] is None else _nanoseconds(said[name])
    return metadata


def _nanoseconds(written: str) -> int:
    """The time that text.time() wrote."""
    return int(np.datetime64(written.removesuffix("Z"), "ns").astype(np.int64))
