"""The values of fields as people write them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Final

from fluxcap.values import names

OCTETS_SHOWN: Final = 8  # of a field that is not taken apart
# https://www.iana.org/assignments/ieee-802-numbers
ETHERTYPES: Final[Mapping[int, str]] = {
    0x0800: "IPv4",
    0x0806: "ARP",
    0x22EB: "ERSPAN III",
    0x6558: "Ethernet",
    0x8100: "VLAN",
    0x86DD: "IPv6",
    0x8847: "MPLS",
    0x8864: "PPPoE",
    0x88A8: "QinQ",
    0x88BE: "ERSPAN",
    0x88CC: "LLDP",
}
ICMP_TYPES: Final[Mapping[str, Mapping[int, str]]] = {
    "icmp": {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo", 11: "time exceeded", 12: "bad parameter"},
    "icmpv6": {
        **{1: "unreachable", 2: "too big", 3: "time exceeded", 4: "bad parameter", 128: "echo", 129: "echo reply"},
        **{133: "router solicit", 134: "router advert", 135: "neighbor solicit", 136: "neighbor advert"},
    },
}
IPV4_FLAGS: Final = ("MF", "DF", "evil")  # bits 0, 1, 2 of the field


def written(kind: str, name: str, form: str, bits: int, value: int) -> str:
    """The value of a field of a header of this kind."""
    if form in FORMS:
        return FORMS[form](kind, name, bits, value)
    if name in ("protocol", "next header"):
        return f"{value} {names.PROTOCOLS.get(value, '')}".rstrip()
    if name == "type" and kind in ICMP_TYPES:
        return f"{value} {ICMP_TYPES[kind].get(value, '')}".rstrip()
    if kind in ("ipv4", "fragment") and name == "fragment offset":
        return f"{value} = byte {value * 8:,}" if value else "0"
    return str(value)


def _hexadecimal(kind: str, name: str, bits: int, value: int) -> str:
    number = f"0x{value:0{(bits + 3) // 4}x}"
    return f"{number} {ETHERTYPES.get(value, '')}".rstrip() if "type" in name.split() else number


def _lowest_first(kind: str, name: str, bits: int, value: int) -> str:
    return f"0x{int.from_bytes(value.to_bytes(bits // 8), 'little'):0{bits // 4}x}, lowest byte first"


def _hardware(kind: str, name: str, bits: int, value: int) -> str:
    return value.to_bytes(bits // 8).hex(":")


def _address(kind: str, name: str, bits: int, value: int) -> str:
    return str((ipaddress.IPv4Address if bits == 32 else ipaddress.IPv6Address)(value))


def _flags(kind: str, name: str, bits: int, value: int) -> str:
    if kind == "tcp":
        return names.tcp_flags(value)
    return ",".join(flag for bit, flag in enumerate(IPV4_FLAGS) if value >> bit & 1) or "none"


def _octets(kind: str, name: str, bits: int, value: int) -> str:
    octets = value.to_bytes((bits + 7) // 8)
    more = len(octets) - OCTETS_SHOWN
    return octets[:OCTETS_SHOWN].hex(" ") + (f" … {more:,} more" if more > 0 else "")


def _option(kind: str, name: str, bits: int, value: int) -> str:
    """An option; `bits` counts its type and its length too."""
    of_value = bits - 16
    if of_value <= 0:
        return ""
    if kind == "tcp" and name in ("timestamps", "SACK"):
        return ", ".join(str(value >> at & 0xFFFFFFFF) for at in range(of_value - 32, -1, -32))
    if of_value <= 32:
        return str(value)
    return _octets(kind, name, of_value, value)


FORMS: Final[Mapping[str, Callable[[str, str, int, int], str]]] = {
    "x": _hexadecimal,
    "l": _lowest_first,
    "m": _hardware,
    "a": _address,
    "f": _flags,
    "o": _octets,
    "t": _option,
}
