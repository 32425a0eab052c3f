"""What a file is, by its first bytes: whether it can be a capture, and what to call it if it is not."""

from __future__ import annotations

from typing import NamedTuple

HEAD = 512  # bytes of an input kept to tell what it is: one tar header

# Microseconds, nanoseconds, Kuznetzov's modified header; each in either byte order.
# The file header of a pcap, for struct: magic number, version, zone, accuracy, snapshot length, link type; and the
# values that we write.
FILE_HEADER, MAGIC, MAGIC_NS, VERSION, SNAPLEN = "IHHiIII", 0xA1B2C3D4, 0xA1B23C4D, (2, 4), 262144
_PCAP_MAGICS = (MAGIC, MAGIC_NS, 0xA1B2CD34)
_PCAPNG_MAGIC = b"\n\r\r\n"
_SNOOP_MAGIC = b"snoop\0\0\0"
_CAPTURES = (
    *(magic.to_bytes(4, "little") for magic in _PCAP_MAGICS),
    *(magic.to_bytes(4, "big") for magic in _PCAP_MAGICS),
    _PCAPNG_MAGIC,
    _SNOOP_MAGIC,
)


class _Format(NamedTuple):
    magic: bytes
    name: str
    offset: int = 0


_OTHERS = (
    _Format(b"btsnoop\0", "a btsnoop capture of Bluetooth"),
    _Format(b"GMBU", "a Microsoft Network Monitor capture"),
    _Format(b"RTSS", "a Microsoft Network Monitor 1 capture"),
    _Format(b"TRSNIFF data", "a Network General Sniffer capture"),
    _Format(b"XCP\0", "a NetXRay capture"),
    _Format(b"iptrace ", "an AIX iptrace capture"),
    _Format(b"\x0c\xa5", "an nfdump file of flows"),
    _Format(b"\xa5\x0c", "an nfdump file of flows"),
    _Format(b"\x7fELF", "an ELF program"),
    _Format(b"MZ", "a Windows program"),
    _Format(b"%PDF", "a PDF document"),
    _Format(b"PK\x03\x04", "a zip archive"),
    _Format(b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    _Format(b"Rar!", "a rar archive"),
    _Format(b"ustar", "a tar archive", 257),
    _Format(b"\x1f\x9d", "compress (.Z) data"),
    _Format(b"LZIP", "lzip data"),
    _Format(b"PAR1", "a Parquet file"),
    _Format(b"ARROW1", "an Arrow file"),
    _Format(b"SQLite format 3\0", "an SQLite database"),
    _Format(b"\x89PNG", "a PNG image"),
    _Format(b"\xff\xd8\xff", "a JPEG image"),
)
_MARKUP = ((b"<!doctype html", "an HTML page"), (b"<html", "an HTML page"), (b"<?xml", "an XML document"))

_TEXT = frozenset((*b"\t\n\v\f\r", *range(ord(" "), ord("~") + 1)))
_SHOWN = 4  # bytes that are quoted of a file of no known format


def is_capture(head: bytes) -> bool:
    """Whether an input that begins so can be a capture."""
    return head.startswith(_CAPTURES)


def _is_erf(head: bytes) -> bool:
    """ERF has no magic number: a record is a 64-bit little-endian time, a type, flags and a length (at least 16)."""
    seconds = int.from_bytes(head[4:8], "little")
    year_2000, year_2050 = 946_684_800, 2_524_608_000
    ethernet = 2
    return (
        len(head) >= 16
        and year_2000 <= seconds < year_2050
        and head[8] & 0x7F == ethernet
        and int.from_bytes(head[10:12], "big") >= 16
    )


def describe(head: bytes) -> str:
    """What a file that begins so is, as a noun with its article."""
    for other in _OTHERS:
        if head.startswith(other.magic, other.offset):
            return other.name
    opening = head.lstrip().lower()
    for magic, name in _MARKUP:
        if opening.startswith(magic):
            return name
    if _is_erf(head):
        return "probably an Endace ERF capture"
    octets = head[:_SHOWN].hex(" ")
    if _TEXT.issuperset(head):
        return f'text (its first bytes are {octets}, "{head[:_SHOWN].decode("ascii")}")'
    return f"of no known format (its first bytes are {octets})"
