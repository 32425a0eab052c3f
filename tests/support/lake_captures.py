"""Captures whose flows are spread over hours and days, and what a lake of them has to hold."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import builders as b
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, simple_packet

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
UNTIMED = 1 << 23  # number of the first flow that spread() never has
START = 1_700_000_000 * SECOND  # 2023-11-14, 22:13:20 UTC


def frame(n: int, size: int) -> bytes:
    """A UDP datagram of the n-th flow."""
    source, port = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", 1024 + n % 60000
    return b.ethernet(b.ipv4(b.udp(bytes(size), port, 53), source, "192.0.2.1"))


def spread(path: Path, packets: int, seed: int, days: int = 3, flows: int = 300) -> Path:
    """Packets of some flows, in no order of time, in two hours of each of so many days."""
    drawn = random.Random(seed)
    times = [START + drawn.randrange(days) * DAY + drawn.randrange(HOUR) for _ in range(packets)]
    records = [Record(frame(seed * 1000 + drawn.randrange(flows), drawn.randrange(200)), at) for at in times]
    path.write_bytes(pcap(records, ns=True))
    return path


def half_untimed(path: Path) -> Path:
    """Four flows of a packet each, two of them without a time."""
    blocks = [interface(tsresol=9)]
    for n in range(2):
        blocks += simple_packet(frame(UNTIMED + n, 10)), enhanced_packet(frame(UNTIMED + 10 + n, 20), START + n * HOUR)
    path.write_bytes(pcapng(*blocks))
    return path


def by_day(table: Any, time: str, value: str) -> dict[int | None, int]:
    """The sum of a column by day since 1970; None: rows without a time."""
    sums: Counter[int | None] = Counter()
    for at, n in zip(table[time].tolist(), table[value].tolist(), strict=True):
        sums[None if at == -(1 << 63) else at // DAY] += n
    return dict(sums)
