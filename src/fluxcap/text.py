"""Column values as text: one table says how the values of each column are written for a machine to read.

Integers stay raw integers, addresses are IP text (IPv4 as a.b.c.d), times RFC 3339 in UTC with nine digits, verdicts,
dispositions and reasons their names. A column that is not in the table is written as its values are.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fluxcap import _core

Column = Any  # a numpy array, (n,), or (n, 16) and (n, 6) octets for IP and MAC addresses; or a list, see is_free()
Formatter = Callable[[Column], list[str]]

NS_PER_SECOND: Final = 1_000_000_000
EPOCH: Final = datetime(1970, 1, 1)
IPV4_MAPPED_PREFIX: Final = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96, RFC 4291 section 2.5.5.2


class _AddressTexts(dict[bytes, str]):
    """Sixteen octets -> IP text, each address formatted once: a capture has far fewer addresses than packets."""

    def __missing__(self, octets: bytes) -> str:
        if octets.startswith(IPV4_MAPPED_PREFIX):
            text = socket.inet_ntop(socket.AF_INET, octets[len(IPV4_MAPPED_PREFIX) :])
        else:
            text = socket.inet_ntop(socket.AF_INET6, octets)
        self[octets] = text
        return text


class _MacTexts(dict[bytes, str]):
    def __missing__(self, octets: bytes) -> str:
        text = self[octets] = octets.hex(":")
        return text


class _SecondTexts(dict[int, str]):
    """Seconds since the epoch -> RFC 3339 without a zone; neighbouring packets share theirs."""

    def __missing__(self, seconds: int) -> str:
        text = self[seconds] = (EPOCH + timedelta(seconds=seconds)).isoformat()
        return text


def _octet_strings(values: Column) -> list[bytes]:
    """Each row of an (n, width) array as `width` octets, none stripped."""
    import numpy as np

    octets: list[bytes] = np.ascontiguousarray(values).view(f"V{values.shape[1]}").reshape(-1).tolist()
    return octets


def plain(values: Column) -> list[str]:
    """Any values as Python writes them; integers raw."""
    return list(map(str, values if is_free(values) else values.tolist()))


def addresses(values: Column) -> list[str]:
    """(n, 16) octets as IP text."""
    return list(map(_AddressTexts().__getitem__, _octet_strings(values)))


def macs(values: Column) -> list[str]:
    """(n, 6) octets as aa:bb:cc:dd:ee:ff."""
    return list(map(_MacTexts().__getitem__, _octet_strings(values)))


def times(values: Column) -> list[str]:
    """int64 nanoseconds since the epoch as RFC 3339 UTC with nine digits; every int64 has a text."""
    texts = _SecondTexts()
    seconds, fractions = divmod(values, NS_PER_SECOND)
    pairs = zip(seconds.tolist(), fractions.tolist(), strict=True)
    return [f"{texts[second]}.{fraction:09d}Z" for second, fraction in pairs]


def time(ns: int) -> str:
    """One time, written as in a column of times."""
    second, fraction = divmod(ns, NS_PER_SECOND)
    return f"{_SecondTexts()[second]}.{fraction:09d}Z"


def named(names: Sequence[str]) -> Formatter:
    """A formatter that writes codes as their names."""
    return lambda codes: list(map(names.__getitem__, codes.tolist()))


FORMATTERS: Final[Mapping[str, Formatter]] = {
    "src_ip": addresses,
    "dst_ip": addresses,
    "src_mac": macs,
    "dst_mac": macs,
    "time": times,
    "interval": times,
    "first": times,
    "last": times,
    "verdict": named(_core.VERDICTS),
    "ip_verdict": named(_core.VERDICTS),
    "disposition": named(_core.DISPOSITIONS),
    "reason": named(_core.REASONS),
}


def cells(name: str, values: Column) -> list[str]:
    """The values of the column of this name, one text a row."""
    return FORMATTERS.get(name, plain)(values)


def is_number(name: str, values: Column) -> bool:
    """Whether the texts of this column are integers."""
    return name not in FORMATTERS and not is_free(values)


def is_free(values: Column) -> bool:
    """Whether the column is a list of any values, texts among them that may hold whatever a file said."""
    return isinstance(values, list)
