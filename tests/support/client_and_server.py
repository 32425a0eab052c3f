"""Segments and datagrams between one client and one server, put together one by one."""

import builders as b

SERVER, CLIENT = "192.0.2.2", "192.0.2.1"
PORT, CLIENT_PORT = 80, 40000
F, S, R, A = 0x01, 0x02, 0x04, 0x10


def client(flags: int, seq: int, size: int = 0, **given) -> bytes:
    return segment(CLIENT, SERVER, CLIENT_PORT, PORT, flags, seq, size, **given)


def server(flags: int, seq: int, size: int = 0, **given) -> bytes:
    return segment(SERVER, CLIENT, PORT, CLIENT_PORT, flags, seq, size, **given)


def segment(src: str, dst: str, src_port: int, dst_port: int, flags: int, seq: int, size: int, **given) -> bytes:
    tcp = b.tcp(b"d" * size, src_port, dst_port, flags=flags, seq=seq % (1 << 32), **given)
    return b.ethernet(b.ipv4(tcp, src, dst))


def opened(ours: int = 100, theirs: int = 900) -> list[bytes]:
    """A handshake; the client's first byte is numbered ours + 1."""
    return [client(S, ours), server(S | A, theirs), client(A, ours + 1)]


def datagram(sent: bool, size: int = 5, **given) -> bytes:
    ends = (SERVER, CLIENT, PORT, CLIENT_PORT) if sent else (CLIENT, SERVER, CLIENT_PORT, PORT)
    return b.ethernet(b.ipv4(b.udp(b"d" * size, *ends[2:], **given), *ends[:2]))


def unreachable(packet: bytes, to: str = CLIENT) -> bytes:
    """The ICMP error of a host on which nobody has bound the port (RFC 1122 section 4.1.3.1)."""
    return b.ethernet(b.ipv4(b.icmp(packet[14 : 14 + 28], 3, 3, bytes(4)), SERVER, to))
