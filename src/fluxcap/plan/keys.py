"""What a flow is: `by=` as people write it, parsed into the fields of the core's key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from fluxcap._core import KEY_FIELDS
from fluxcap.values.text import IPV4_BITS, IPV6_BITS

KeySet = Literal["5tuple", "ports", "hosts", "sockets"]  # beside these any fields
SETS = {
    "5tuple": ("protocol", "src_ip", "src_port", "dst_ip", "dst_port"),
    "ports": ("protocol", "src_port", "dst_port"),
    "hosts": ("src_ip", "dst_ip"),
    "sockets": ("protocol", "src_ip", "src_port"),
}
# nfdump has the same names.
ALIASES = {"srcip": "src_ip", "dstip": "dst_ip", "srcport": "src_port", "dstport": "dst_port", "proto": "protocol"}
ADDRESSES = ("src_ip", "dst_ip")

Field = tuple[str, int, int]  # name, IPv4 prefix length, IPv6 prefix length


class Key(NamedTuple):
    """The fields that make a flow, in the order of the table's columns, and whether its two directions share a row."""

    fields: tuple[Field, ...]
    biflow: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The fields' names."""
        return tuple(name for name, *_ in self.fields)

    @property
    def prefixes(self) -> dict[str, tuple[int, int]]:
        """The lengths of IPv4 and IPv6 prefixes of the fields that hold networks rather than addresses."""
        return {name: (ipv4, ipv6) for name, ipv4, ipv6 in self.fields if (ipv4, ipv6) != (IPV4_BITS, IPV6_BITS)}

    @property
    def tells_ends(self) -> bool:
        """Whether a row has the protocol, both whole addresses and both ports."""
        return {*SETS["5tuple"]} <= {*self.names} - {*self.prefixes}

    @property
    def text(self) -> str:
        """The key as `by=` takes it."""
        return ",".join(map(_text, self.fields))


def parse(by: str | Iterable[str], biflow: bool = True) -> Key:
    """The key that `by` names: fields and named sets, in a text with commas or a sequence of texts.

    A prefix length may follow an address: `src_ip/24` (IPv4; IPv6 whole), `src_ip/24/64` (IPv4, IPv6). A key that is
    not symmetric in source and destination has no reverse direction: its `biflow` is always false. ValueError if a
    field is unknown or named twice, a prefix length is out of range, or there is no field.
    """
    words = by.split(",") if isinstance(by, str) else list(by)
    chosen: dict[str, Field] = {}
    for word in words:
        for field in _fields(word.strip()):
            if field[0] in chosen:
                raise ValueError(f"the key names {field[0]!r} twice")
            chosen[field[0]] = field
    if not chosen:
        raise ValueError("the key names no field")
    fields = tuple(chosen[name] for name in KEY_FIELDS if name in chosen)
    return Key(fields, biflow and _symmetric(chosen))


def _fields(word: str) -> list[Field]:
    name, *lengths = word.split("/")
    if name in SETS and not lengths:
        return [(field, IPV4_BITS, IPV6_BITS) for field in SETS[name]]
    name = ALIASES.get(name, name)
    if name not in KEY_FIELDS:
        from fluxcap.values.meanings import unknown_column  # only for a wrong name

        raise unknown_column(name, (*SETS, *KEY_FIELDS), "key field")
    if lengths and name not in ADDRESSES:
        raise ValueError(f"{word!r}: only {' and '.join(ADDRESSES)} take a prefix length")
    if len(lengths) > 2:
        raise ValueError(f"{word!r}: at most two prefix lengths, one for IPv4 and one for IPv6")
    limits = (IPV4_BITS, IPV6_BITS)
    bits = [_prefix_length(length, limit, word) for length, limit in zip(lengths, limits, strict=False)]
    ipv4, ipv6 = (*bits, *limits[len(bits) :])
    return [(name, ipv4, ipv6)]


def _prefix_length(text: str, limit: int, word: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= limit):
        raise ValueError(f"{word!r}: a prefix length there is 0 to {limit}, not {text!r}")
    return int(text)


def _symmetric(chosen: dict[str, Field]) -> bool:
    """Whether a packet with source and destination exchanged has a key of the same fields."""
    if "direction" in chosen:  # a packet and its answer pass the interface in different directions
        return False
    turned = {"src": "dst", "dst": "src"}
    for name, *lengths in chosen.values():
        side, _, what = name.partition("_")
        if side in turned:
            other = chosen.get(f"{turned[side]}_{what}")
            if other is None or list(other[1:]) != lengths:
                return False
    return True


def _text(field: Field) -> str:
    name, ipv4, ipv6 = field
    if (ipv4, ipv6) == (IPV4_BITS, IPV6_BITS):
        return name
    return f"{name}/{ipv4}" if ipv6 == IPV6_BITS else f"{name}/{ipv4}/{ipv6}"
