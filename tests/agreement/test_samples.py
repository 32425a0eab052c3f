"""The sample captures agree with samples/README.md and with samples/make.py."""

import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
CAPTURES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix in (".pcap", ".pcapng"))
SIZE_LIMIT = 3_000_000  # bytes, all together: a clone stays quick

LINK_TYPES = {
    "NULL": 0, "Ethernet": 1, "PPP": 9, "RAW": 101, "LOOP": 108, "SLL": 113, "IPv4": 228, "IPv6": 229, "SLL2": 276,
}  # fmt: skip
PCAP_MAGICS = {0xA1B2C3D4: 16, 0xA1B23C4D: 16, 0xA1B2CD34: 24}  # and the bytes of a record header
SECTION_HEADER, INTERFACE_DESCRIPTION, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
SECTION_HEADER_LENGTH = 28  # without options


class Row(NamedTuple):
    records: int
    link_types: list[int]
    made: str


def rows() -> dict[str, Row]:
    """The README's table by file name."""
    table: dict[str, Row] = {}
    for line in (SAMPLES / "README.md").read_text().splitlines():
        if match := re.fullmatch(r"\| `(\S+)` \| (\d+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|", line):
            name, count, links, made = match.groups()
            assert name not in table, f"{name} has two rows"
            table[name] = Row(int(count), [LINK_TYPES[link] for link in links.split(", ")], made)
    return table


def counted(capture: bytes) -> tuple[int, list[int]]:
    """Whole records and the link types of the interfaces, by walking the headers."""
    return _pcapng(capture) if capture.startswith(SECTION_HEADER.to_bytes(4)) else _pcap(capture)


def _pcap(capture: bytes) -> tuple[int, list[int]]:
    order = next(order for order in "<>" if struct.unpack_from(order + "I", capture)[0] in PCAP_MAGICS)
    (magic,), (link_type,) = struct.unpack_from(order + "I", capture), struct.unpack_from(order + "I", capture, 20)
    at, records = 24, 0
    while at + PCAP_MAGICS[magic] <= len(capture):
        at += PCAP_MAGICS[magic] + struct.unpack_from(order + "I", capture, at + 8)[0]
        records += at <= len(capture)
    return records, [link_type]


def _pcapng(capture: bytes) -> tuple[int, list[int]]:
    at, records, order = 0, 0, "<"
    link_types: list[int] = []
    while at < len(capture):
        if capture[at : at + 4] == SECTION_HEADER.to_bytes(4):
            order = "<" if capture[at + 8] == 0x4D else ">"
        kind, length, link_type = struct.unpack_from(order + "IIH", capture, at)
        records += kind == ENHANCED_PACKET
        if kind == INTERFACE_DESCRIPTION and link_type not in link_types:
            link_types.append(link_type)
        at += length
    return records, link_types


def test_the_table_has_a_row_for_every_capture_and_no_other() -> None:
    assert sorted(rows()) == CAPTURES


@pytest.mark.parametrize("name", CAPTURES)
def test_records_and_link_types_are_those_of_the_table(name: str) -> None:
    row = rows()[name]
    assert counted((SAMPLES / name).read_bytes()) == (row.records, row.link_types)


def test_the_captures_are_small_together() -> None:
    assert sum((SAMPLES / name).stat().st_size for name in CAPTURES) < SIZE_LIMIT


def test_make_crafts_the_same_octets_again(tmp_path: Path) -> None:
    command = [sys.executable, str(SAMPLES / "make.py"), "--crafted", "--directory", str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(made) == sorted(name for name, row in rows().items() if row.made == "crafted")
    assert made == {name: (SAMPLES / name).read_bytes() for name in made}


@pytest.mark.parametrize("name", [name for name in CAPTURES if name.endswith(".pcapng")])
def test_no_capture_names_the_machine_or_the_programs_it_was_recorded_with(name: str) -> None:
    capture = (SAMPLES / name).read_bytes()
    (length,) = struct.unpack_from("<I" if capture[8] == 0x4D else ">I", capture, 4)
    assert length == SECTION_HEADER_LENGTH, "a section header with options, where the machine is described"
    for given_away in (b"Linux", b"Wireshark", b"tcpdump"):
        assert given_away not in capture
