"""Column values as text: one table says how the values of each column are written for a machine to read.

Integers stay raw integers, addresses are IP text (IPv4 as a.b.c.d), times RFC 3339 in UTC with nine digits (blank where
there is none), durations nanoseconds (blank where they are not known), verdicts, dispositions, reasons and states their
names, histories their letters. A column that is not in the table holds integers. The core writes them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from fluxcap._core import (
    BEGINNINGS,
    DIRECTION_BASES,
    DIRECTIONS,
    DISPOSITIONS,
    ENDINGS,
    REASONS,
    SERVER_NAME_BASES,
    SIDES,
    STATES,
    VERDICTS,
    TextRows,
)
from fluxcap.values import derived, names

if TYPE_CHECKING:
    from fluxcap._core import TextKind

ALL_THERE: Final[Mapping[str, Any]] = {}
# An array or a column of the core: (n,), or (n, 16) and (n, 6) bytes for IP and MAC addresses; or else see is_free().
Column = Any
IPV4_BITS, IPV6_BITS = 32, 128
IPV4_PREFIX = bytes(10) + b"\xff\xff"  # before the four bytes of an IPv4 address (RFC 4291 section 2.5.5.2)
FLOAT, SIGNED = "d", "bhilq"  # formats of the struct module

_OF_UNITS: Final[Mapping[str, TextKind]] = {
    derived.NS: "duration",
    derived.NAME: "name",
    derived.IDENTIFIER: "name",
}
# Integers that some rows have none of, or that were not seen: -1, and null where a reader knows null. They are written
# as durations are, and stay integers: readers of Arrow turn durations into types of their own, DuckDB to microseconds.
OPTIONAL: Final = (
    *("synack_rtt", "ack_rtt", "response_time", "first_window", "reverse_first_window"),
    *("flow", "quoted_flow", "first_difference"),
)
KINDS: Final[Mapping[str, TextKind]] = {
    "src_ip": "address",
    "dst_ip": "address",
    "address": "address",
    "src_mac": "mac",
    "dst_mac": "mac",
    "mac": "mac",
    "time": "time",
    "interval": "time",
    **dict.fromkeys(("first", "last", "forward_first", "forward_last", "reverse_first", "reverse_last"), "time"),
    **{"Src IP": "address", "Dst IP": "address", "Timestamp": "time", "Flow ID": "letters"},  # of CICFlowMeter
    "rtt_median": "duration",
    **{name: _OF_UNITS[one.unit] for name, one in derived.DERIVED.items() if one.unit in _OF_UNITS},
    "verdict": VERDICTS,
    "ip_verdict": VERDICTS,
    "disposition": DISPOSITIONS,
    "reason": REASONS,
    "duplicate_kind": REASONS,
    "side": SIDES,
    "began": BEGINNINGS,
    "ended": ENDINGS,
    "direction": DIRECTIONS,
    "state": STATES,
    "history": "letters",
    "ports": "letters",
    "payload": "octets",
    "direction_basis": DIRECTION_BASES,
    "role_basis": DIRECTION_BASES,
    "server_name": "name",
    "server_name_basis": SERVER_NAME_BASES,
    "peer_address": "address",
    "role": names.ROLES,
    "call": names.CALLS,
    "evidence": names.EVIDENCE,
    "way": names.WAYS,
    "outcome": names.CROSSED_OUTCOMES,
    "a_time": "time",
    "b_time": "time",
    "a_verdict": VERDICTS,
    "b_verdict": VERDICTS,
    "nat_src_ip": "address",
    "nat_dst_ip": "address",
    **dict.fromkeys(("delay", *names.DELAYS, *OPTIONAL), "duration"),
}

JSON_KINDS: Final[Mapping[Any, TextKind]] = {
    "time": "json time",
    "duration": "json duration",
    "address": "json address",
    "name": "json name",
    "float": "json float",
    "integers": "json integers",
}


def rows(
    columns: Mapping[str, Column],
    around: Sequence[bytes],
    free: Callable[[list[Any]], list[bytes]],
    as_json: bool = False,
    there: Mapping[str, Any] = ALL_THERE,
) -> Iterator[bytes]:
    """The rows of some columns as text, in pieces of about ten KiB.

    `around` has the bytes before each cell of a row and, last, the bytes after the row; `free` writes the values of a
    list; `as_json`: what is missing is null, and what may be missing has quotes of its own. `there` says of columns of
    addresses which rows have one.
    """
    kinds = JSON_KINDS if as_json else {}
    plan: list[tuple[TextKind, Any]] = [
        ("text", free(values)) if isinstance(values, list) else (kinds.get(kind := _kind(name, values), kind), values)
        for name, values in columns.items()
    ]
    return TextRows(plan, around, {place: there[name] for place, name in enumerate(columns) if name in there})


def cells(name: str, values: Column, there: Any = None) -> list[str]:
    """The values of a column, one text a row; `there` says which rows have an address."""
    if isinstance(values, list):
        return list(map(in_words, values))
    return _cells(_kind(name, values), values, there)


def integers(values: Column) -> list[str]:
    """Raw integers."""
    return _cells("integer", values)


def addresses(values: Column) -> list[str]:
    """(n, 16) bytes as IP text."""
    return _cells("address", values)


def networks(values: Column, ipv4: int, ipv6: int) -> list[str]:
    """(n, 16) bytes as IP text with these prefix lengths: 192.0.2.0/24; a whole address has none."""
    lengths = {False: "" if ipv4 == IPV4_BITS else f"/{ipv4}", True: "" if ipv6 == IPV6_BITS else f"/{ipv6}"}
    return [f"{address}{lengths[':' in address]}" for address in addresses(values)]


def socket(address: str, port: int | str) -> str:
    """address:port, an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def times(values: Column) -> list[str]:
    """int64 nanoseconds since the epoch as RFC 3339 UTC with nine digits; "" where there is no time."""
    return _cells("time", values)


def time(ns: int) -> str:
    """One time, written as in a column of times."""
    return times(array("q", [ns]))[0]


def _kind(name: str, values: Column) -> TextKind:
    """How the core writes a column that is not a list."""
    if memoryview(values).format == FLOAT:
        return "float"
    return "integers" if is_sequences(values) else KINDS.get(name, "integer")


def _cells(kind: TextKind, values: Column, there: Any = None) -> list[str]:
    witnesses = {} if there is None else {0: there}
    return b"".join(TextRows([(kind, values)], (b"", b"\n"), witnesses)).decode().splitlines()


def is_time(name: str) -> bool:
    """Whether the column of this name holds times, of which some may be missing."""
    return KINDS.get(name) == "time"


def is_name(name: str) -> bool:
    """Whether the column of this name holds the names of something, empty where it has none."""
    return KINDS.get(name) == "name"


def is_duration(name: str) -> bool:
    """Whether the column of this name holds nanoseconds, -1 where the duration is not known."""
    return KINDS.get(name) == "duration" and name not in OPTIONAL


def may_be_unknown(name: str) -> bool:
    """Whether the column of this name holds durations or other integers with -1 where there is none."""
    return KINDS.get(name) == "duration"


def is_bare(name: str, values: Column) -> bool:
    """Whether JSON needs no quotes around the texts of this column, which has them where it needs them."""
    return is_free(values) or is_number(name, values) or KINDS.get(name) in JSON_KINDS


def is_number(name: str, values: Column) -> bool:
    """Whether the texts of this column are integers."""
    return (name not in KINDS or name in OPTIONAL) and not is_free(values)


def is_free(values: Column) -> bool:
    """Whether the values are written as they are, whatever the name of the column: a list of any values, whose texts
    may hold whatever a file said; or floats, or several integers a row."""
    return isinstance(values, list) or memoryview(values).format == FLOAT or is_sequences(values)


def is_sequences(values: Column) -> bool:
    """Whether the column has several integers a row (addresses are unsigned bytes)."""
    if isinstance(values, list):
        return False
    view = memoryview(values)
    return view.ndim > 1 and view.format in SIGNED


def objects(values: Column) -> list[Any]:
    """The values as Python's own objects, several integers a row as a list; None for a float that is no number."""
    if isinstance(values, list):
        return values
    view = memoryview(values)
    return [None if value != value else value for value in view] if view.format == FLOAT else view.tolist()


def in_words(value: Any) -> str:
    """A free value in a format without brackets: several integers one after the other, as Zeek writes a vector."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
