"""What every builder returns: bytes that know how the layer below announces them and completes their checksum."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Literal, Self

Checksum = int | Literal["partial"] | None
Over = Callable[[bytes, bytes], bytes]


class Layer(bytes):
    """A header and all above it, and what the layer below writes or sums for it."""

    ethertype: int | None
    protocol: int | None
    over: Over  # the same bytes with their checksum completed for these (src, dst) addresses

    def __new__(
        cls, octets: bytes, ethertype: int | None = None, protocol: int | None = None, over: Over | None = None
    ) -> Self:
        layer = super().__new__(cls, octets)
        layer.ethertype, layer.protocol = ethertype, protocol
        layer.over = over or (lambda src, dst: octets)
        return layer


def packed(address: str) -> bytes:
    """An IPv4 or IPv6 address as 4 or 16 bytes."""
    return ip_address(address).packed


def number(payload: bytes, kind: Literal["ethertype", "protocol"], given: int | None = None) -> int:
    """How the header below announces `payload`: by the number given, else by the one the payload knows."""
    value = getattr(payload, kind, None) if given is None else given
    if value is None:
        raise TypeError(f"this payload knows no {kind}: give one")
    return int(value)


def completed(payload: bytes, src: bytes, dst: bytes) -> bytes:
    """`payload` with its checksum completed for these addresses, when it has one to complete."""
    return payload.over(src, dst) if isinstance(payload, Layer) else payload
