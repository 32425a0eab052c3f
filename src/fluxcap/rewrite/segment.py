"""One message as the transport layer sends it: a segment in an IP packet, in a frame."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal

from fluxcap import _core
from fluxcap.capture.inputs import Octets

Address = str | IPv4Address | IPv6Address

PROTOCOLS: Final = {"udp": 17, "tcp": 6}
LINKS: Final = {"ethernet": True, "raw": False}
ACK: Final = 0x10
_LIMITS: Final = {"port": 16, "ttl": 8, "identification": 16, "seq": 32, "ack": 32, "flags": 8, "window": 16}  # bits


def segment(
    message: Octets,
    src: tuple[Address, int],
    dst: tuple[Address, int],
    *,
    protocol: Literal["udp", "tcp"] = "udp",
    link: Literal["ethernet", "raw"] = "ethernet",
    ttl: int = 64,
    identification: int | None = None,
    seq: int = 0,
    ack: int = 0,
    flags: int = ACK,
    window: int = 65535,
) -> bytes:
    """The octets of the packet that carries a message from one socket to another, lengths and checksums right.

    `src`, `dst`: address and port, both of IPv4 or both of IPv6. `link`: in an Ethernet frame from 02:00:00:00:00:01 to
    02:00:00:00:00:02, or the IP packet alone, as link type 101 has it. `ttl`: the hop limit over IPv6.
    `identification`: of IPv4; None for 0 in a datagram that must not be fragmented and so needs none (RFC 6864 section
    4.1). `seq`, `ack`, `flags` (bits as in the column `tcp_flags`, 16 is ACK) and `window`: of TCP.

    Raises ValueError for addresses of different versions, for a number that its field cannot hold, and for a message
    that one packet cannot hold: over 65,507 octets of UDP (65,495 of TCP) over IPv4, 65,527 (65,515) over IPv6.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is 'udp' or 'tcp', not {protocol!r}")
    if link not in LINKS:
        raise ValueError(f"link is 'ethernet' or 'raw', not {link!r}")
    fields = {"ttl": ttl, "identification": identification or 0, "seq": seq, "ack": ack, "flags": flags}
    for name, value in {**fields, "window": window, "source port": src[1], "destination port": dst[1]}.items():
        most = (1 << _LIMITS[name.split()[-1]]) - 1
        if not 0 <= value <= most:
            raise ValueError(f"{name} is 0 to {most}, not {value}")
    ends = [ip_address(address) for address, _ in (src, dst)]
    if ends[0].version != ends[1].version:
        raise ValueError(f"{ends[0]} and {ends[1]} are addresses of different versions of IP")
    return _core.segment(
        message,
        ends[0].packed,
        src[1],
        ends[1].packed,
        dst[1],
        protocol=PROTOCOLS[protocol],
        framed=LINKS[link],
        ttl=ttl,
        identification=identification,
        seq=seq,
        ack=ack,
        flags=flags,
        window=window,
    )
