"""One message as the transport layer sends it: a segment in an IP packet, in a frame."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal

from fluxcap import _core
from fluxcap.capture.inputs import Octets
from fluxcap.values.names import ACK, TCP, UDP

Address = str | IPv4Address | IPv6Address

PROTOCOLS: Final = {"udp": UDP, "tcp": TCP}
LINKS: Final = {"ethernet": True, "raw": False}
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
    """Make the packet that carries one message from one socket to another, every length and checksum right.

    Parameters
    ----------
    message : bytes-like
        What the segment carries.
    src : (address, int)
        Source address and port.
    dst : (address, int)
        Destination address and port, of the same IP version.
    protocol : {"udp", "tcp"}, default "udp"
        Transport protocol.
    link : {"ethernet", "raw"}, default "ethernet"
        In an Ethernet frame from 02:00:00:00:00:01 to 02:00:00:00:00:02, or the IP packet alone (link type 101).
    ttl : int, default 64
        IPv4 time to live, or IPv6 hop limit.
    identification : int, optional
        IPv4 identification. None: 0, in a datagram that must not be fragmented (RFC 6864 section 4.1).
    seq : int, default 0
        TCP sequence number.
    ack : int, default 0
        TCP acknowledgment number.
    flags : int, default 16
        TCP flags, as in the column `tcp_flags`; 16 is ACK.
    window : int, default 65535
        TCP window.

    Returns
    -------
    bytes
        The frame or packet.

    Raises
    ------
    ValueError
        The addresses are of different IP versions, a number does not fit its field, or the message does not fit
        one packet: more than 65,507 bytes of UDP (65,495 of TCP) over IPv4, 65,527 (65,515) over IPv6.

    Examples
    --------
    >>> import fluxcap
    >>> packet = fluxcap.segment(b"hello", ("192.0.2.1", 50000), ("192.0.2.2", 7007), link="raw")
    >>> len(packet), packet[20:26].hex()  # 20 bytes of IPv4 header; then source port, destination port, UDP length
    (33, 'c3501b5f000d')
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
