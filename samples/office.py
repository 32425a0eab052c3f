"""Ten minutes of an invented office: clients that look up names and fetch pages, and one that scans ports.

Addresses are those set aside for documentation. The same numbers come out every time.
"""

import random
from collections.abc import Iterator

import builders as b
from capture_files import Record

MILLISECOND, SECOND, MINUTES = 1_000_000, 1_000_000_000, 10
RESOLVER, DNS, HTTPS = "192.0.2.53", 53, 443
CLIENTS = [f"192.0.2.{host}" for host in range(101, 113)]
BUSY, SCANNER = CLIENTS[6], CLIENTS[9]
QUERIES, QUERIES_OF_BUSY = 8, 60
SERVERS = {"198.51.100.10": 4, "198.51.100.20": 18, "203.0.113.30": 35, "203.0.113.40": 190}  # round trips in ms
VISITS = 3  # visits of each client to each server
SCANNED, PORTS, OPEN = "192.0.2.20", range(20, 120), (22, 80, 111)
SYN, ACK, RST, FIN = 0x02, 0x10, 0x04, 0x01


def records(start: int) -> list[Record]:
    """All packets in the order of their times."""
    chance = random.Random(53)
    found = [*_names(start, chance), *_pages(start, chance), *_scan(start)]
    return sorted(found, key=lambda record: record.time)


def _names(start: int, chance: random.Random) -> Iterator[Record]:
    for client in CLIENTS:
        for _ in range(QUERIES_OF_BUSY if client == BUSY else chance.randint(QUERIES - 4, QUERIES + 4)):
            time, port = start + _moment(chance), chance.randint(32768, 60999)
            question = bytes(chance.randint(90, 180) if client == BUSY else chance.randint(28, 50))
            yield _frame(time, client, RESOLVER, b.udp(question, port, DNS))
            answer = b.udp(bytes(len(question) + 16), DNS, port)
            yield _frame(time + chance.randint(1, 30) * MILLISECOND, RESOLVER, client, answer)


def _pages(start: int, chance: random.Random) -> Iterator[Record]:
    for client in CLIENTS:
        for server, trip in SERVERS.items():
            for _ in range(VISITS):
                near, far = (client, chance.randint(32768, 60999)), (server, HTTPS)
                wait = round(trip * chance.uniform(0.95, 1.6) * MILLISECOND)
                yield from _page(start + _moment(chance), near, far, wait, chance.randint(1, 4))


def _page(time: int, near: tuple[str, int], far: tuple[str, int], wait: int, segments: int) -> Iterator[Record]:
    """A connection, seen at the client: handshake, request, answer, the end from both sides."""
    request, piece = bytes(200), bytes(300)
    end = 1 + len(request), 1 + segments * len(piece)

    def sent(out: bool, after: int, flags: int, seq: int, ack: int, payload: bytes = b"") -> Record:
        (src, src_port), (dst, dst_port) = (near, far) if out else (far, near)
        return _frame(time + after, src, dst, b.tcp(payload, src_port, dst_port, seq=seq, ack=ack, flags=flags))

    yield sent(True, 0, SYN, 0, 0)
    yield sent(False, wait, SYN | ACK, 0, 1)
    yield sent(True, wait + MILLISECOND, ACK, 1, 1)
    yield sent(True, wait + 2 * MILLISECOND, ACK, 1, 1, request)
    for place in range(segments):
        at = 2 * wait + (3 + place) * MILLISECOND
        yield sent(False, at, ACK, 1 + place * len(piece), end[0], piece)
    at = 2 * wait + (4 + segments) * MILLISECOND
    yield sent(True, at, FIN | ACK, end[0], end[1])
    yield sent(False, at + wait, FIN | ACK, end[1], end[0] + 1)
    yield sent(True, at + wait + MILLISECOND, ACK, end[0] + 1, end[1] + 1)


def _scan(start: int) -> Iterator[Record]:
    """A scan of one port after the other; open ports answer, and their connections are reset."""
    for place, port in enumerate(PORTS):
        time = start + MINUTES * 30 * SECOND + place * 20 * MILLISECOND
        own = 40000 + place
        yield _frame(time, SCANNER, SCANNED, b.tcp(b"", own, port, seq=0, flags=SYN))
        flags = SYN | ACK if port in OPEN else RST | ACK
        yield _frame(time + MILLISECOND, SCANNED, SCANNER, b.tcp(b"", port, own, seq=0, ack=1, flags=flags))
        if port in OPEN:
            yield _frame(time + 2 * MILLISECOND, SCANNER, SCANNED, b.tcp(b"", own, port, seq=1, ack=1, flags=RST | ACK))


def _moment(chance: random.Random) -> int:
    return chance.randint(0, MINUTES * 59 * SECOND)


def _frame(time: int, src: str, dst: str, transport: b.Layer) -> Record:
    return Record(bytes(b.ethernet(b.ipv4(transport, src, dst))), time)
