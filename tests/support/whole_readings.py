"""Everything that a scanner says of a capture, by whatever way its bytes came; and captures long enough for several
threads."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import builders as b
import fluxcap
from capture_files import (
    Record,
    block,
    enhanced_packet,
    interface,
    old_packet,
    pcap,
    pcapng,
    records,
    rewrapped,
    simple_packet,
)
from fluxcap._core import DAMAGED, ENDED, FLOWS_FULL, ROWS_FULL, WANTS_INPUT, Scanner

ONE = itertools.repeat(1)
UDP = b.ipv4(b.udp(b"?", 40000, 53), "192.0.2.1", "192.0.2.2")


def read(capture: bytes, sizes: Iterable[int], threads: Iterable[int], **options: Any) -> dict[str, Any]:
    """Everything that a scanner says of a capture which came in pieces of these sizes, the last one for ever."""
    scanner = Scanner(**options)
    rows: list[dict[str, bytes]] = []
    counts = iter(threads)

    def run() -> int:
        n = next(counts)
        while (state := scanner.run(n)) == ROWS_FULL:
            rows.append(octets(scanner.take()))
        return state

    scanner.begin()
    state = feed(scanner, capture, sizes, run)
    if state not in (DAMAGED, FLOWS_FULL):
        scanner.finish()
        state = run()
    return everything(scanner, state, rows)


def read_by_walk(capture: bytes, **options: Any) -> dict[str, Any]:
    """... of a capture that comes at once, with every packet read by the walk and none by the lane."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLUXCAP_LANE", "0")
        return read(capture, [len(capture)], ONE, **options)


def read_file(path: Path, threads: int, **options: Any) -> dict[str, Any]:
    """... of a file that it reads itself."""
    scanner = Scanner(**options)
    rows: list[dict[str, bytes]] = []
    scanner.begin()
    with path.open("rb", buffering=0) as file:
        while (state := scanner.read(file.fileno(), threads)) == ROWS_FULL:
            rows.append(octets(scanner.take()))
    return everything(scanner, WANTS_INPUT if state == ENDED else state, rows)


def everything(scanner: Scanner, state: int, rows: list[dict[str, bytes]]) -> dict[str, Any]:
    rows.append(octets(scanner.take()))
    totals: Any = scanner.totals()
    if state == FLOWS_FULL:  # what a batch holds beyond the last record that counts has been looked at, or not
        del totals["anomalies"]
    found = {
        "state": state,
        "damage": scanner.damage,
        "strays": scanner.strays(),
        "joined": scanner.joined,
        "totals": totals,
        "format": scanner.format() if state != FLOWS_FULL else None,
        "flows": octets(scanner.flows()),
        "unseen": octets(scanner.unseen()),
        "rows": joined(rows),
    }
    # When rows are read for the last time, they and all that threads hold give their memory away meanwhile.
    assert octets(scanner.flows(last=True)) == found["flows"]
    return found


def feed(scanner: Scanner, capture: bytes, sizes: Iterable[int], run: Callable[[], int]) -> int:
    at, state = 0, -1
    for size in filled(sizes):
        if at >= len(capture) or state in (DAMAGED, FLOWS_FULL):
            break
        space = scanner.space()
        piece = capture[at : at + min(size, len(space))]
        space[: len(piece)] = piece
        scanner.advance(len(piece))
        at += len(piece)
        state = run()
    return state


def filled(sizes: Iterable[int]) -> Iterator[int]:
    size = 1 << 18
    for size in sizes:
        yield size
    yield from itertools.repeat(size)


def octets(columns: dict[str, Any]) -> dict[str, bytes]:
    return {name: bytes(memoryview(column)) for name, column in columns.items()}


def joined(rows: list[dict[str, bytes]]) -> dict[str, bytes]:
    return {name: b"".join(some[name] for some in rows) for name in rows[0]}


def again(capture: bytes, times: int) -> bytes:
    """The capture, its records so many times: of a pcapng, its sections."""
    header = 0 if capture[:4] == b"\n\r\r\n" else 24
    return capture[:header] + capture[header:] * times


MIXED = [
    b.ethernet(UDP),
    b.ethernet(b.ipv4(b.icmp(bytes(UDP)[:28], 3, 3, bytes(4)), "198.51.100.7", "192.0.2.1")),
    *(
        b.ethernet(b.ipv4(piece, "192.0.2.1", "192.0.2.2", b.UDP, identification=1, offset=at, more=more))
        for at, more, piece in reversed(b.pieces(bytes(48), 16))
    ),
]


def numbered(n: int, mixed_at: int = 0) -> list[bytes]:
    """UDP of so many flows; every so often what has to be read in order."""
    made = []
    for port in range(n):
        made.append(fluxcap.segment(b"?", ("192.0.2.1", 1024 + port), ("192.0.2.2", 53)))
        if mixed_at and port % mixed_at == 0:
            made += MIXED
    return made


def in_time_zone(capture: bytes, seconds: int) -> bytes:
    """A pcap of this machine's byte order whose header names a time zone."""
    return capture[:8] + struct.pack("=i", seconds) + capture[12:]


LONG = {
    "plain": pcap(records(numbered(3000))),
    "mixed": pcap(records(numbered(3000, 40))),
    "fragments that are waited for": pcap(records([*(MIXED[2:4] + numbered(300) + MIXED[4:]) * 6, *numbered(200)])),
    "fragments that are waited for in vain": pcap(records([*MIXED[2:3], *numbered(1500)] * 3, step=50_000_000)),
    "always mixed": pcap(records(numbered(500, 1))),
    "of the other byte order": pcap(records(numbered(3000, 500)), byteorder="big"),
    "times going back": pcap([Record(frame, 10**9 * (at % 7)) for at, frame in enumerate(numbered(3000))]),
    "cut": pcap(records(numbered(3000)))[:-3],
    "broken in the middle": pcap(records(numbered(2000))) + b"\xff" * 16 + pcap(records(numbered(2000)))[24:],
    "no byte in a record": pcap([Record(b"", 1000)] * 20000),
    "zeros that are a record": pcap([*records(numbered(1000)), Record(b""), *records(numbered(1000))] * 2),
    "joined": pcap(records(numbered(2000))) * 2,
    "joined with a time zone": pcap(records(numbered(2000))) + in_time_zone(pcap(records(numbered(2000))), 3600),
    "joined with others": pcap(records(numbered(2000)))
    + pcap(records(numbered(2000)), byteorder="big", ns=True)
    + rewrapped(records(numbered(2000)), byteorder="big")
    + pcap([Record(frame[14:], time) for frame, time, _ in records(numbered(4000, 300))], 101, byteorder="big"),
    "zeros at the end": pcap(records(numbered(2000))) + bytes(200_000),
    "an interface more in the middle": pcapng(
        interface(1),
        *(enhanced_packet(frame, at) for at, frame in enumerate(numbered(2000, 200))),
        interface(1, tsresol=9),
        *(enhanced_packet(frame, at, at % 2) for at, frame in enumerate(numbered(2000, 200))),
    ),
    "an interface that is not there": pcapng(
        interface(1),
        *(enhanced_packet(frame, at, int(at == 1500)) for at, frame in enumerate(numbered(3000))),
    ),
    "blocks without a packet": pcapng(
        interface(1), *[block(0x0A, bytes(400))] * 500, *map(enhanced_packet, numbered(900))
    ),
    "packets in obsolete and simple blocks": pcapng(
        interface(1),
        *(simple_packet(frame) if at % 3 else old_packet(frame) for at, frame in enumerate(numbered(2000, 200))),
    ),
    "sections": pcapng(interface(1), *map(enhanced_packet, numbered(900))) * 4,
}
