"""Captures with some of their bytes destroyed, and where their records are all the same."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from capture_pieces import MODIFIED, SECTION_HEADER, pieces
from core_driver import feed
from fluxcap._core import DAMAGES, Scanner
from whole_readings import filled

KINDS = ("random", "zeros", "ones", "bit", "delete", "insert")
DATA_AT = {2: 28, 3: 12, 6: 28}  # of a packet block of pcapng


class Place(NamedTuple):
    """Where a record lies, with its header, and its data."""

    start: int
    data: int
    end: int


class Reading(NamedTuple):
    """What a scanner read: offset and captured length of each record; stray bytes; what ended it, and where."""

    records: list[tuple[int, int]]
    strays: list[tuple[int, int, int]]
    damage: tuple[str, int] | None
    joined: int  # captures behind the first one


def places(capture: bytes) -> list[Place]:
    """The records of a sound capture, without the core."""
    found, at = [], 0
    for packet, octets in pieces(capture):
        if packet:
            found.append(Place(at, at + header_size(capture, octets), at + len(octets)))
        at += len(octets)
    return found


def header_size(capture: bytes, record: bytes) -> int:
    if capture.startswith(SECTION_HEADER):
        kind = record[:4] if record[3] == 0 else record[3::-1]
        return DATA_AT[int.from_bytes(kind, "little")]
    return 24 if capture.startswith(MODIFIED) else 16


def file_header(capture: bytes) -> int:
    """Bytes before the first record."""
    return places(capture)[0].start


def resync(capture: bytes, sizes: Sequence[int] = ()) -> Reading:
    """Read a capture, in pieces of these sizes, with resynchronising."""
    scanner = Scanner(columns=("offset", "captured_length"), resync=True)
    feed(scanner, cut(capture, sizes))
    columns = scanner.take()
    offsets, lengths = (np.frombuffer(memoryview(one), one.dtype).tolist() for one in columns.values())
    damage: Any = scanner.damage
    ended = None if damage is None else (DAMAGES[damage["code"]], damage["offset"])
    return Reading(list(zip(offsets, lengths, strict=True)), scanner.strays(), ended, scanner.joined[0])


def cut(capture: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for size in filled(sizes or [len(capture) or 1]):
        if at >= len(capture):
            return
        yield capture[at : at + size]
        at += size


def overwritten(capture: bytes, start: int, end: int, how: str, draw: random.Random) -> bytes:
    """The capture with other bytes from `start` to `end`."""
    size = end - start
    other = {"random": draw.randbytes(size), "zeros": bytes(size), "ones": b"\xff" * size}[how]
    return capture[:start] + other + capture[end:]


class Damaged(NamedTuple):
    """A damaged capture, and where its records can begin."""

    octets: bytes
    kind: str
    starts: set[int]  # of data


def damaged(capture: bytes, draw: random.Random) -> Damaged:
    """Some bytes behind the file header destroyed, taken away or put in."""
    kind, size = draw.choice(KINDS), draw.choice([1, 2, 4, 8, 16, 40, 200, 1500])
    found = places(capture)
    start = draw.randrange(found[0].start, len(capture))
    end = min(start + size, len(capture))
    if kind == "delete":
        # Where a header lacks its first bytes, the rest of it still has lengths.
        kept = [place for place in found if not start <= place.start < end]
        moved = {place.data - (end - start if place.start >= end else 0) for place in kept}
        torn = {place.data - (end - start) for place in found if place.start < end <= place.data}
        return Damaged(capture[:start] + capture[end:], kind, moved | torn)
    if kind == "insert":
        moved = {place.data + (size if place.start >= start else 0) for place in found}
        inside = {place.data + size for place in found if place.start < start < place.data}
        return Damaged(capture[:start] + draw.randbytes(size) + capture[start:], kind, moved | inside)
    if kind == "bit":
        flipped = capture[start] ^ 1 << draw.randrange(8)
        return Damaged(capture[:start] + bytes([flipped]) + capture[start + 1 :], kind, {one.data for one in found})
    return Damaged(overwritten(capture, start, end, kind, draw), kind, {one.data for one in found})


def bytes_accounted(octets: bytes, header: int, reading: Reading) -> bool:
    """Do file headers, the records of a pcap and the stray bytes add up to what was read?"""
    size = 24 if octets.startswith(MODIFIED) else 16
    read = header * (1 + reading.joined) + sum(size + captured for _, captured in reading.records)
    read += sum(stray for _, _, stray in reading.strays)
    return read == (len(octets) if reading.damage is None else reading.damage[1])


def a_record(second: int, data: bytes, byteorder: str = "little") -> bytes:
    return struct.pack("<IIII" if byteorder == "little" else ">IIII", second, 0, len(data), len(data)) + data
