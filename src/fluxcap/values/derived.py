"""Columns that are made of other columns when somebody asks for them by name, a row each.

Every table has those whose sources it has. All else follows from the row:
table["duration"], --columns, --sort, SQL, the formats, the reference of the columns, and how people see them. None is
stored, or written, unasked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import chain
from typing import Any, Final, Literal, NamedTuple, Protocol

from fluxcap._core import NO_TIME, community_ids
from fluxcap.values.names import protocol as protocol_name
from fluxcap.values.services import LONGEST, service
from fluxcap.values.units import BITS_PER_OCTET, NS_PER_SECOND

Array = Any  # of numpy, which is imported when a column is made
SPAN: Final = ("first", "last")  # what tables of flows, connections, sockets and hosts have
NS, NAME, IDENTIFIER = "ns", "name", "identifier"  # units
COMMUNITY_ID: Final = "community_id"
ICMP: Final = "_icmp"  # of tables whose rows have both ends: an ICMP type that the ports do not tell
ENDS: Final = ("protocol", "src_ip", "src_port", "dst_ip", "dst_port", ICMP)
Encoding = Literal["base64", "hex"]
ENCODINGS: Final = {"base64": 30, "hex": 42}  # of a Community ID, and its letters
MOST_SEED: Final = 0xFFFF
NAMES: Final = f"S{LONGEST}"
UNKNOWN: Final = -1  # a length of time that is not known


class Columns(Protocol):
    """A table, or a mapping of its columns."""

    def __getitem__(self, name: str, /) -> Any: ...


class Derived(NamedTuple):
    """A column that is made of others."""

    name: str
    dtype: str
    unit: str  # NS: a length of time, null where negative; NAME, IDENTIFIER: a text; a float is null where it is NaN
    doc: str
    sources: tuple[tuple[str, ...], ...]  # the arguments of `make`: the first of these that a table has
    make: Callable[..., Array]
    beside: tuple[str, ...] = ()  # what a table must have besides


def _duration(first: Array, last: Array) -> Array:
    """Nanoseconds between two times; unknown without a time, and above 63 bits, where the difference wraps round."""
    import numpy as np

    length = last - first
    return np.where((first == NO_TIME) | (length < 0), UNKNOWN, length)


def _total(*directions: Array) -> Array:
    """The sum of both directions, or all there is of one. OverflowError where 64 bits do not hold it."""
    total: Array = sum(directions[1:], start=directions[0].copy())
    if (total < directions[0]).any():
        raise OverflowError("a sum of both directions takes more than 64 bits")
    return total


def _rate(octets: Array, first: Array, last: Array) -> Array:
    """Bits a second. Within no time, as of a single packet, there is no rate: it is no number, and never infinite."""
    import numpy as np

    length = _duration(first, last).astype(np.float64)
    bits = octets.astype(np.float64) * (BITS_PER_OCTET * NS_PER_SECOND)
    rates: Array = np.full(len(length), np.nan)
    np.divide(bits, length, out=rates, where=length > 0)
    return rates


def _services(protocol: Array, port: Array) -> Array:
    """The names of services, each looked up once."""
    return _looked_up(protocol.astype("u4") << 16 | port, lambda pair: service(pair >> 16, pair & 0xFFFF))


def _protocol_names(protocol: Array) -> Array:
    return _looked_up(protocol, lambda number: protocol_name(number) if number else "")


def community_id(*ends: Array, seed: int = 0, encoding: Encoding = "base64") -> Array:
    """The Community IDs of ENDS, empty where there is no IP."""
    import numpy as np

    made = community_ids(*map(np.ascontiguousarray, ends), seed, encoding == "hex")
    return np.frombuffer(made, f"S{ENCODINGS[encoding]}")


def _looked_up(codes: Array, name: Callable[[int], str]) -> Array:
    import numpy as np

    distinct, places = np.unique(codes, return_inverse=True)
    return np.array([name(code).encode() for code in distinct.tolist()], NAMES)[places]


DERIVED: Final = {
    one.name: one
    for one in (
        Derived("duration", "int64", NS, "from the first record to the last: 0 for a single one", (SPAN,), _duration),
        Derived(
            "total_packets",
            "uint64",
            "packets",
            "packets of both directions",
            (("packets", "reverse_packets"), ("packets",), ("sent_packets", "received_packets")),
            _total,
            SPAN,
        ),
        Derived(
            "total_bytes",
            "uint64",
            "bytes",
            "bytes of both directions, as `bytes` counts them",
            (("bytes", "reverse_bytes"), ("bytes",)),
            _total,
            SPAN,
        ),
        Derived(
            "bits_per_second",
            "float64",
            "bits/s",
            "`bytes` by `duration`, in bits a second; of hosts, sent and received",
            (("bytes", *SPAN),),
            _rate,
        ),
        Derived(
            "reverse_bits_per_second",
            "float64",
            "bits/s",
            "`reverse_bytes` by `duration`, in bits a second",
            (("reverse_bytes", *SPAN),),
            _rate,
        ),
        Derived("protocol_name", NAMES, NAME, "`protocol` by name; null without IP", (("protocol",),), _protocol_names),
        *(
            Derived(name, NAMES, NAME, f"service at `{port}`; null for none", (("protocol", port),), _services)
            for name, port in (("src_service", "src_port"), ("dst_service", "dst_port"), ("service", "port"))
        ),
        Derived(
            COMMUNITY_ID,
            f"S{ENCODINGS['base64']}",
            IDENTIFIER,
            "Community ID of both directions, seed 0: what other programs call this flow; null without IP",
            (ENDS,),
            community_id,
        ),
    )
}


def names(columns: Collection[str]) -> tuple[str, ...]:
    """The names of those that a table with these columns has besides."""
    return tuple(name for name in DERIVED if name not in columns and _sources(name, columns) is not None)


def is_name(column: str) -> bool:
    """Whether it gives a code or a number its name."""
    return column in DERIVED and DERIVED[column].unit == NAME


def sources_of(columns: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    """Of these columns of a table with the `known` ones: those that are stored, and what the others are made of."""
    stored = (_sources(name, known) or () if name not in known else (name,) for name in columns)
    return tuple(dict.fromkeys(chain.from_iterable(stored)))


def make(name: str, columns: Columns, known: Collection[str]) -> Array:
    """One of those that names() gives for the `known` columns of a table."""
    sources = _sources(name, known)
    assert sources is not None
    made: Array = DERIVED[name].make(*(columns[source] for source in sources))
    made.flags.writeable = False
    return made


def _sources(name: str, columns: Collection[str]) -> tuple[str, ...] | None:
    one = DERIVED[name]
    if not set(one.beside).issubset(columns):
        return None
    return next((sources for sources in one.sources if set(sources).issubset(columns)), None)
