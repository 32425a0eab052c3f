"""Which rows of a table have a value: values are given as people write them."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fluxcap.errors import unknown
from fluxcap.values import text
from fluxcap.values.arrays import row_bytes
from fluxcap.values.names import PROTOCOLS

if TYPE_CHECKING:
    from fluxcap.formats import Table
    from fluxcap.values.arrays import Array

MAC_SIZE: Final = 6  # bytes
IPV4_OFFSET: Final = text.IPV6_BITS - text.IPV4_BITS  # of the bits of an IPv4 address in the 128 of a column


def matches(table: Table, conditions: Mapping[str, Any]) -> Array:
    """Which rows meet all conditions: the name of a column, and the value, or the values one of which it has."""
    mask = np.ones(len(table), np.bool_)
    for name, wanted in conditions.items():
        values, kind = table[name], text.KINDS.get(name)
        if (values.ndim > 1 and kind not in ("address", "mac")) or values.dtype.kind == "O":
            raise ValueError(f"{name} has several values a row: filter by a mask")
        if kind == "address":
            found = _in_networks(values, _several(wanted))
            there = table.there(name)
            mask &= found if there is None else found & np.asarray(there).astype(np.bool_)
        elif kind == "mac":
            addresses = np.array([_mac(one) for one in _several(wanted)], np.uint8).reshape(-1, MAC_SIZE)
            mask &= np.isin(row_bytes(values), row_bytes(addresses))
        elif isinstance(wanted, range):
            mask &= _in_range(values, wanted)
        else:
            mask &= np.isin(values, _values(name, kind, _several(wanted)))
    return mask


def _several(wanted: Any) -> Collection[Any]:
    """The values of which one is enough."""
    return list(wanted) if isinstance(wanted, list | tuple | set | frozenset | np.ndarray) else [wanted]


def _in_range(values: Array, wanted: range) -> Array:
    """Without a list of the numbers, which may be nanoseconds."""
    if not wanted:
        return np.zeros(len(values), np.bool_)
    low, high = sorted((wanted[0], wanted[-1]))
    inside: Array = (values >= low) & (values <= high)
    return inside if abs(wanted.step) == 1 else inside & ((values.astype(object) - low) % abs(wanted.step) == 0)


def _in_networks(values: Array, wanted: Iterable[Any]) -> Array:
    found = np.zeros(len(values), np.bool_)
    ipv4 = (values[:, : len(text.IPV4_PREFIX)] == np.frombuffer(text.IPV4_PREFIX, np.uint8)).all(axis=1)
    for one in wanted:
        network = _network(one)
        octets = np.frombuffer(network.network_address.packed, np.uint8)
        mask = np.frombuffer(network.netmask.packed, np.uint8)
        inside = ((values & mask) == octets).all(axis=1)
        found |= inside if network.prefixlen >= IPV4_OFFSET else inside & ~ipv4  # IPv4 is not in ::/0
    return found


def _network(given: Any) -> ipaddress.IPv6Network:
    """An address or a network of either family as one of IPv6, as columns of addresses hold both."""
    network = ipaddress.ip_network(given, strict=False)
    if isinstance(network, ipaddress.IPv6Network):
        return network
    packed = text.IPV4_PREFIX + network.network_address.packed
    return ipaddress.IPv6Network((packed, IPV4_OFFSET + network.prefixlen))


def _mac(given: Any) -> list[int]:
    octets = given if isinstance(given, bytes) else bytes.fromhex(str(given).replace(":", "").replace("-", ""))
    if len(octets) != MAC_SIZE:
        raise ValueError(f"{given!r} is no MAC address")
    return list(octets)


def _values(name: str, kind: Any, wanted: Iterable[Any]) -> Array:
    """The values as the column holds them."""
    if kind in ("letters", "name"):
        return np.array([one.encode() if isinstance(one, str) else one for one in wanted], np.bytes_)
    names = PROTOCOLS if name == "protocol" else dict(enumerate(kind)) if isinstance(kind, Sequence) else {}
    codes = {word.lower(): code for code, word in names.items() if word}
    return np.array([_number(name, one, codes) for one in wanted])


def _number(name: str, one: Any, codes: Mapping[str, int]) -> Any:
    if not isinstance(one, str):
        return one
    if not codes:
        raise ValueError(f"{name} is a number, not {one!r}")
    if one.lower() not in codes:
        raise unknown(name, one, codes)
    return codes[one.lower()]
