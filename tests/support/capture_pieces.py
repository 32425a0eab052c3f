"""Captures taken apart without the core: the file header, records and blocks, in order."""

import struct
from collections.abc import Collection, Iterator
from itertools import count

SECTION_HEADER = b"\n\r\r\n"
PACKET_BLOCKS = (2, 3, 6)  # obsolete, simple, enhanced
MODIFIED = (0xA1B2CD34).to_bytes(4, "little"), (0xA1B2CD34).to_bytes(4, "big")


def pieces(capture: bytes) -> Iterator[tuple[bool, bytes]]:
    """Whether it is a packet, and its bytes, for each piece of a sound capture."""
    return _blocks(capture) if capture.startswith(SECTION_HEADER) else _records(capture)


def _records(capture: bytes) -> Iterator[tuple[bool, bytes]]:
    yield False, capture[:24]
    order = "<" if capture[3] == 0xA1 else ">"
    header = 24 if capture.startswith(MODIFIED) else 16
    at = 24
    while at < len(capture):
        end = at + header + struct.unpack_from(order + "I", capture, at + 8)[0]
        yield True, capture[at:end]
        at = end


def _blocks(capture: bytes) -> Iterator[tuple[bool, bytes]]:
    at = 0
    while at < len(capture):
        if capture.startswith(SECTION_HEADER, at):
            order = "<" if capture.startswith(b"\x4d\x3c\x2b\x1a", at + 8) else ">"
        kind, length = struct.unpack_from(order + "II", capture, at)
        yield kind in PACKET_BLOCKS, capture[at : at + length]
        at += length


def picked(capture: bytes, numbers: Collection[int]) -> bytes:
    """The capture with none of its packets but those of these numbers, from 1; the length of no section is stated."""
    number = count(1)
    kept = [octets for packet, octets in pieces(capture) if not packet or next(number) in numbers]
    return b"".join(one[:16] + b"\xff" * 8 + one[24:] if one.startswith(SECTION_HEADER) else one for one in kept)
