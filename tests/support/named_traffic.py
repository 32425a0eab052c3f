"""Packets that tell the name of a server, built field by field: answers of DNS, ClientHellos, requests."""

import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

import builders as b
import fluxcap
from capture_files import pcap, records

CLIENT, SERVER, RESOLVER = "192.0.2.1", "198.51.100.7", "192.0.2.53"
NAME = "www.example.org"
POINTER = 0xC000
A, CNAME, AAAA = 1, 5, 28
IN = 1
HTTPS, PORT = 443, 40000
HANDSHAKE, CLIENT_HELLO = 22, 1
START = 1000  # the sequence number of a SYN


def labels(name: str) -> bytes:
    """A name as labels (RFC 1035 section 3.1)."""
    parts = [part.encode("latin-1") for part in name.split(".") if part]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def pointer(place: int) -> bytes:
    return struct.pack(">H", POINTER | place)


ASKED = pointer(12)  # to the name in the question


def record(owner: bytes, kind: int, data: bytes, klass: int = IN) -> bytes:
    """A resource record (section 4.1.3)."""
    return owner + struct.pack(">HHIH", kind, klass, 300, len(data)) + data


def address(given: str, owner: bytes = ASKED) -> bytes:
    """A record A or AAAA."""
    packed = ip_address(given).packed
    return record(owner, A if len(packed) == 4 else AAAA, packed)


def reply(
    name: str = NAME,
    answers: Sequence[bytes] = (),
    *,
    flags: int = 0x8180,
    questions: int = 1,
    count: int | None = None,
) -> bytes:
    """A DNS message with one question (section 4.1)."""
    n = len(answers) if count is None else count
    return (
        struct.pack(">HHHHHH", 7, flags, questions, n, 0, 0)
        + labels(name)
        + struct.pack(">HH", A, IN)
        + b"".join(answers)
    )


def answered(
    *given: str, name: str = NAME, client: str = CLIENT, port: int = 53, checksum: b.Checksum = None, **how: int
) -> bytes:
    """The frame by which a client is given addresses for a name."""
    return over_ip(b.udp(reply(name, [*map(address, given)], **how), port, PORT, checksum=checksum), RESOLVER, client)


def over_ip(payload: bytes, src: str, dst: str) -> bytes:
    """A frame, over IPv6 if its destination is of it; the other end then has an IPv6 address besides."""
    if ":" in dst or ":" in src:
        return bytes(
            b.ethernet(b.ipv6(payload, *(one if ":" in one else f"2001:db8::{one[-1]}" for one in (src, dst))))
        )
    return bytes(b.ethernet(b.ipv4(payload, src, dst)))


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">HH", kind, len(data)) + data


def server_name(name: bytes, kind: int = 0) -> bytes:
    """The extension server_name (RFC 6066 section 3)."""
    entry = bytes([kind]) + struct.pack(">H", len(name)) + name
    return extension(0, struct.pack(">H", len(entry)) + entry)


def hello(name: bytes | None = NAME.encode(), *, before: bytes = b"", after: bytes = b"", ciphers: int = 16) -> bytes:
    """A ClientHello (RFC 8446 section 4.1.2)."""
    extensions = before + (b"" if name is None else server_name(name)) + after
    body = b"\3\3" + bytes(range(32)) + b"\x20" + bytes(32) + struct.pack(">H", 2 * ciphers) + bytes(2 * ciphers)
    body += b"\1\0" + struct.pack(">H", len(extensions)) + extensions
    return bytes([CLIENT_HELLO]) + len(body).to_bytes(3, "big") + body


def tls(message: bytes, size: int = 1 << 14) -> bytes:
    """The records of a handshake message, each with so many bytes of it."""
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(bytes([HANDSHAKE, 3, 1]) + struct.pack(">H", len(part)) + part for part in parts)


def request(host: str | None = NAME, *, method: str = "GET", version: str = "HTTP/1.1", more: str = "") -> bytes:
    """An HTTP request (RFC 9112 section 2.1)."""
    fields = more + ("" if host is None else f"Host: {host}\r\n")
    return f"{method} /there {version}\r\n{fields}Accept: */*\r\n\r\n".encode("latin-1")


def segment(
    payload: bytes, at: int = 0, *, src: str = CLIENT, dst: str = SERVER, ports: tuple[int, int] = (PORT, HTTPS),
    flags: int = b.ACK, checksum: b.Checksum = None, start: int = START,
) -> bytes:  # fmt: skip
    """A segment whose payload stands so many bytes behind the first byte of the stream."""
    seq = (start + 1 + at) % 2**32
    return over_ip(b.tcp(payload, *ports, seq=seq, flags=flags, checksum=checksum), src, dst)


def syn(src: str = CLIENT, dst: str = SERVER, ports: tuple[int, int] = (PORT, HTTPS), start: int = START) -> bytes:
    return over_ip(b.tcp(b"", *ports, seq=start, flags=b.SYN), src, dst)


def segments(payload: bytes, *cuts: int, **how: object) -> list[bytes]:
    """The segments of a stream that is cut at these places."""
    ends = [*cuts, len(payload)]
    return [segment(payload[a:z], a, **how) for a, z in zip([0, *cuts], ends, strict=True)]  # type: ignore[arg-type]


def names_of(frames: Iterable[bytes], **options: object) -> list[tuple[str, str]]:
    """The name of each flow, and what tells it."""
    table = fluxcap.read_flows(pcap(records(frames)), server_names=True, **options)  # type: ignore[call-overload]
    bases = [fluxcap.SERVER_NAME_BASES[code] for code in table["server_name_basis"].tolist()]
    return [(name.decode(), basis) for name, basis in zip(table["server_name"].tolist(), bases, strict=True)]


def name_of(*frames: bytes, **options: object) -> tuple[str, str]:
    """The name of the last flow."""
    return names_of(frames, **options)[-1]
