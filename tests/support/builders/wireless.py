"""IEEE 802.11 data frames, and the headers a radio's driver puts before them."""

import struct

from .layer import Layer
from .link import MAC_A, MAC_B

LINK_IEEE802_11, LINK_PRISM, LINK_RADIOTAP, LINK_PPI = 105, 119, 127, 192
MAC_C, MAC_D = bytes.fromhex("020000000003"), bytes.fromhex("020000000004")  # access points

DATA, NULL_FUNCTION, BEACON = 0x08, 0x48, 0x80  # frame control, its first byte
TO_DS, FROM_DS, PROTECTED, ORDER = 0x01, 0x02, 0x40, 0x80  # and its second


def ieee802_11(
    payload: bytes, flags: int = 0, *, control: int = DATA, qos: bytes = b"", ht: bytes = b"", padding: bytes = b""
) -> Layer:
    """A frame before its LLC header (IEEE 802.11 clause 9.3.2), from MAC_A to MAC_B; `qos` is two bytes, `ht` four."""
    addresses = {
        0: (MAC_B, MAC_A, MAC_C),
        TO_DS: (MAC_C, MAC_A, MAC_B),
        FROM_DS: (MAC_B, MAC_C, MAC_A),
        TO_DS | FROM_DS: (MAC_C, MAC_D, MAC_B),
    }[flags & (TO_DS | FROM_DS)]
    fourth = MAC_A if flags & TO_DS and flags & FROM_DS else b""
    head = bytes((control | (0x80 if qos else 0), flags | (ORDER if ht else 0), 0, 0))
    return Layer(head + b"".join(addresses) + b"\x10\x00" + fourth + qos + ht + padding + payload)


def amsdu(payload: bytes) -> bytes:
    """One subframe of an aggregate: destination, source, length, LLC header and data."""
    return MAC_B + MAC_A + struct.pack(">H", len(payload)) + payload


def radiotap(frame: bytes, fields: bytes = b"", present: tuple[int, ...] = (0,)) -> Layer:
    """A radiotap header: version, padding, length, presence words, fields (https://www.radiotap.org)."""
    words = struct.pack(f"<{len(present)}I", *present)
    return Layer(struct.pack("<BBH", 0, 0, 4 + len(words) + len(fields)) + words + fields + frame)


def prism(frame: bytes, size: int = 144) -> Layer:
    """A Prism header: message code, its length, device name, values."""
    return Layer(struct.pack("<II16s", 0x44, size, b"wlan0") + bytes(size - 24) + frame)


def avs(frame: bytes, size: int = 64) -> Layer:
    """The AVS header, of the same link type: version, its length, big-endian."""
    return Layer(struct.pack(">II", 0x80211001, size) + bytes(size - 8) + frame)


def ppi(payload: bytes, link_type: int, fields: bytes = b"") -> Layer:
    """Per-packet information: version, flags, length, the link type inside."""
    return Layer(struct.pack("<BBHI", 0, 0, 8 + len(fields), link_type) + fields + payload)
