"""IPv4, IPv6 and its extension headers."""

import struct
from collections.abc import Sequence

from plain_checksums import ones_sum

from .layer import Layer, completed, number, packed
from .numbers import (
    AH,
    DESTINATION_OPTIONS,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    FRAGMENT,
    HOP_BY_HOP,
    IPV4,
    IPV6,
    ROUTING,
)


def ipv4(
    payload: bytes,
    src: str = "192.0.2.1",
    dst: str = "192.0.2.2",
    protocol: int | None = None,
    *,
    options: bytes = b"",
    tos: int = 0,
    identification: int = 1,
    offset: int = 0,
    more: bool = False,
    dont_fragment: bool = False,
    ttl: int = 64,
    total_length: int | None = None,
    checksum: int | None = None,
    final: str | None = None,
) -> Layer:
    """An IPv4 header (RFC 791 section 3.1). `offset` is in bytes; `final` is where a live source route ends."""
    options += bytes(-len(options) % 4)
    data = completed(payload, packed(src), packed(final or dst))
    size = 20 + len(options)
    fragmentation = dont_fragment << 14 | more << 13 | offset // 8
    start = struct.pack(
        ">BBHHHBB",
        0x40 | size // 4,
        tos,
        size + len(data) if total_length is None else total_length,
        identification,
        fragmentation,
        ttl,
        number(payload, "protocol", protocol),
    )
    end = packed(src) + packed(dst) + options
    value = 0xFFFF - ones_sum(start + end) if checksum is None else checksum
    return Layer(start + struct.pack(">H", value) + end + data, ETHERTYPE_IPV4, IPV4)


def source_route(addresses: Sequence[str], pointer: int = 4, strict: bool = False) -> bytes:
    """A source route option (RFC 791 section 3.1); it is live while `pointer` is not past its end."""
    route = b"".join(map(packed, addresses))
    return bytes((137 if strict else 131, 3 + len(route), pointer)) + route


def ipv6(
    payload: bytes,
    src: str = "2001:db8::1",
    dst: str = "2001:db8::2",
    next_header: int | None = None,
    *,
    traffic_class: int = 0,
    flow_label: int = 0,
    hop_limit: int = 64,
    payload_length: int | None = None,
) -> Layer:
    """An IPv6 header (RFC 8200 section 3); extension headers are payloads like any other."""
    data = completed(payload, packed(src), packed(dst))
    start = struct.pack(
        ">IHBB",
        6 << 28 | traffic_class << 20 | flow_label,
        len(data) if payload_length is None else payload_length,
        number(payload, "protocol", next_header),
        hop_limit,
    )
    return Layer(start + packed(src) + packed(dst) + data, ETHERTYPE_IPV6, IPV6)


def extension(
    header: bytes, payload: bytes, protocol: int, home: bytes | None = None, final: bytes | None = None
) -> Layer:
    """`header` before `payload`, whose pseudo-header takes the `home` address and the `final` destination if given."""

    def over(src: bytes, dst: bytes) -> bytes:
        return header + completed(payload, home or src, final or dst)

    return Layer(header + payload, None, protocol, over)


def option(kind: int, data: bytes = b"") -> bytes:
    """One option of a hop-by-hop or destination options header (RFC 8200 section 4.2)."""
    return bytes((kind, len(data))) + data


def jumbo_payload(length: int) -> bytes:
    """The jumbo payload option (RFC 2675 section 2)."""
    return option(0xC2, struct.pack(">I", length))


def _options_header(payload: bytes, options: bytes, next_header: int | None) -> bytes:
    room = -(2 + len(options)) % 8
    padding = bytes(room) if room < 2 else option(1, bytes(room - 2))  # Pad1 or PadN
    size = 2 + len(options) + room
    return bytes((number(payload, "protocol", next_header), size // 8 - 1)) + options + padding


def hop_by_hop(payload: bytes, options: bytes = b"", next_header: int | None = None) -> Layer:
    """A hop-by-hop options header (RFC 8200 section 4.3)."""
    return extension(_options_header(payload, options, next_header), payload, HOP_BY_HOP)


def destination_options(
    payload: bytes, options: bytes = b"", home: str | None = None, next_header: int | None = None
) -> Layer:
    """A destination options header (RFC 8200 section 4.6), with the home address option (RFC 6275 section 6.3)."""
    address = packed(home) if home else None
    options += option(0xC9, address) if address else b""
    return extension(_options_header(payload, options, next_header), payload, DESTINATION_OPTIONS, home=address)


def routing(
    payload: bytes, segments: Sequence[str], segments_left: int, kind: int = 0, next_header: int | None = None
) -> Layer:
    """A routing header: type 0 (RFC 2460 section 4.4), 2 (RFC 6275 section 6.4) or 4, a list in reverse (RFC 8754)."""
    fields = bytes((number(payload, "protocol", next_header), 2 * len(segments), kind, segments_left))
    last_entry = bytes((len(segments) - 1 if kind == 4 else 0, 0, 0, 0))
    final = packed(segments[0 if kind == 4 else -1]) if segments_left else None
    header = fields + last_entry + b"".join(map(packed, segments))
    return extension(header, payload, ROUTING, final=final)


def fragment(payload: bytes, offset: int, more: bool, identification: int = 1, next_header: int | None = None) -> Layer:
    """An IPv6 fragment header (RFC 8200 section 4.5); `offset` is in bytes."""
    header = struct.pack(">BBHI", number(payload, "protocol", next_header), 0, offset | more, identification)
    return extension(header, payload, FRAGMENT)


def authentication(payload: bytes, icv: bytes = bytes(12), next_header: int | None = None) -> Layer:
    """An authentication header (RFC 4302 section 2)."""
    header = struct.pack(">BBHII", number(payload, "protocol", next_header), (12 + len(icv)) // 4 - 2, 0, 1, 1) + icv
    return extension(header, payload, AH)


def other_extension(payload: bytes, protocol: int, content: bytes = bytes(6), next_header: int | None = None) -> Layer:
    """Any extension header of the common form (RFC 6564 section 4), such as those of HIP (139) and Shim6 (140)."""
    header = bytes((number(payload, "protocol", next_header), (2 + len(content)) // 8 - 1)) + content
    return extension(header, payload, protocol)


def pieces(payload: bytes, size: int) -> list[tuple[int, bool, bytes]]:
    """`payload` cut for fragments: (offset, more, bytes) of each; `size` is a multiple of 8."""
    return [(at, at + size < len(payload), payload[at : at + size]) for at in range(0, len(payload), size)]
