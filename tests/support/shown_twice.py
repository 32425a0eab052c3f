"""Captures in which packets are seen again, as mirrors and hops show them."""

import random
import struct
from collections.abc import Callable, Sequence

import builders as b
from capture_files import Record
from plain_checksums import ones_sum

VLAN = bytes.fromhex("81000007")
IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"


def as_it_is(frame: bytes) -> bytes:
    """The same bytes."""
    return frame


def in_a_vlan(frame: bytes) -> bytes:
    """The frame with a tag."""
    return frame[:12] + VLAN + frame[12:]


def routed(frame: bytes) -> bytes:
    """The frame behind a router: the TTL is lower by one, and its checksum fits (RFC 1812 section 5.3.1)."""
    if frame[12:14] == IPV6:
        return frame[:21] + bytes([frame[21] - 1]) + frame[22:]
    size = (frame[14] & 0xF) * 4
    header = bytearray(frame[14 : 14 + size])
    header[8] -= 1
    header[10:12] = bytes(2)
    header[10:12] = struct.pack(">H", 0xFFFF - ones_sum(bytes(header)))
    return frame[:14] + bytes(header) + frame[14 + size :]


def in_a_tunnel(frame: bytes) -> bytes:
    """The frame in VXLAN."""
    return b.ethernet(b.ipv4(b.udp(b.vxlan(frame), 40000, 4789), "10.9.9.1", "10.9.9.2"))


WAYS: dict[str, Callable[[bytes], bytes]] = {
    "exact": as_it_is,
    "other_vlan": in_a_vlan,
    "routed": routed,
    "other_tunnel": in_a_tunnel,
}


def numbered(frame: bytes) -> bool:
    """Whether the IPv4 packet of a plain frame has an identification."""
    return frame[12:14] == IPV4 and frame[18:20] != bytes(2)


def doubled(records: Sequence[Record], way: str, delay: int) -> list[Record]:
    """The records, each with its copy `delay` ns later, in the order of time."""
    both = [*records, *(Record(WAYS[way](one.data), one.time + delay) for one in records)]
    return sorted(both, key=lambda one: one.time)


def doubled_at_random(records: Sequence[Record], way: str, most: Callable[[bytes], int], seed: int) -> list[Record]:
    """The records, each with its copy up to `most` ns later. Half of the copies stand in the order of time, half right
    before their record, as a capture has them whose queues are not merged by time."""
    rng = random.Random(seed)
    placed = []
    for one in records:
        copy = Record(WAYS[way](one.data), one.time + rng.randrange(most(one.data)))
        placed += [(one.time, 1, one), (one.time, 0, copy) if rng.random() < 0.5 else (copy.time, 2, copy)]
    return [one for _, _, one in sorted(placed, key=lambda place: place[:2])]
