"""Captures whose flows are spread over hours and days, and what a lake of them has to hold."""

from __future__ import annotations

import datetime
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders as b
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, simple_packet

if TYPE_CHECKING:
    from fluxcap import Lake

EPOCH = datetime.date(1970, 1, 1)
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


def sums_by_day(lake: Lake, value: str) -> dict[str, dict[int | None, int]]:
    """The sum of a column by day since 1970, as each library has it that reads a lake without a server."""
    import duckdb
    import polars as pl

    with duckdb.connect() as connection:
        told = {"duckdb": lake.to_duckdb(connection).aggregate(f"day, sum({value})").fetchall()}
    told["polars"] = lake.lazy().group_by("day").agg(pl.col(value).sum()).collect().rows()
    grouped = lake.to_arrow().to_table(["day", value]).group_by("day").aggregate([(value, "sum")])
    told["pyarrow"] = list(zip(*(grouped[name].to_pylist() for name in ("day", f"{value}_sum")), strict=True))
    return {library: days_since_epoch(rows) for library, rows in told.items()}


def days_since_epoch(rows: Iterable[tuple[datetime.date | None, Any]]) -> dict[int | None, int]:
    """Numbers by day, the day as a number."""
    return {None if day is None else (day - EPOCH).days: int(n) for day, n in rows}


def by_day(table: Any, time: str, value: str) -> dict[int | None, int]:
    """The sum of a column by day since 1970; None: rows without a time."""
    sums: Counter[int | None] = Counter()
    for at, n in zip(table[time].tolist(), table[value].tolist(), strict=True):
        sums[None if at == -(1 << 63) else at // DAY] += n
    return dict(sums)
