"""Captures with something behind their last record: another capture, as `cat` puts it there, or zeros."""

import itertools
import struct

import pytest

import builders as b
from capture_files import PREFIX, ByteOrder, Record, enhanced_packet, interface, pcap, pcapng, rewrapped, snoop
from core_driver import ALL_COLUMNS, feed, key, rows, scan, taken
from fluxcap._core import DAMAGED, DAMAGES, Scanner
from whole_readings import ONE, read, read_file

SECOND = 1_000_000_000
RECORDS = [
    Record(b.ethernet(b.ipv4(b.udp(bytes(size)))), (1_700_000_000 + size) * SECOND + 123_456_000)
    for size in (1, 20, 300)
]


def with_header(
    byteorder: ByteOrder, *, zone: int = 0, accuracy: int = 0, version: tuple[int, int] = (2, 4), **kind: bool
) -> bytes:
    """A pcap whose file header has these values where a record header has its lengths."""
    made = pcap(RECORDS, byteorder=byteorder, **kind)
    return made[:4] + struct.pack(PREFIX[byteorder] + "HHiI", *version, zone, accuracy) + made[16:]


ORDERS: tuple[ByteOrder, ...] = ("little", "big")
PCAPS = {
    f"{name}, {order}": pcap(RECORDS, byteorder=order, **kind)
    for order in ORDERS
    for name, kind in {"us": {}, "ns": {"ns": True}, "modified": {"modified": True}}.items()
}
PCAPNGS = {f"pcapng, {order}": rewrapped(RECORDS, byteorder=order) for order in ORDERS}
FIRST = {**PCAPS, **PCAPNGS, "snoop": snoop(RECORDS)}
HEADERS = {
    f"{name}, {order}": with_header(order, **values)
    for order in ORDERS
    for name, values in {
        "a time zone in the east": {"zone": -3600},
        "a time zone in the west": {"zone": 5 * 3600},
        "a time zone close by": {"zone": 7},
        "an accuracy": {"accuracy": 6},
        "a time zone and an accuracy": {"zone": 3600, "accuracy": 6},
        "version 2.3": {"version": (2, 3)},
        "version 543.0": {"version": (543, 0)},
    }.items()
}
SECOND_ONES = {**FIRST, **HEADERS, "no records": pcap([])}


def damage(capture: bytes, pieces: int = 0) -> tuple[str, int, int] | None:
    """The damage of a capture that comes whole or in pieces of so many bytes: its name, packet and place."""
    scanner = Scanner()
    size = pieces or len(capture)
    feed(scanner, [capture[at : at + size] for at in range(0, len(capture), size)])
    found = scanner.damage
    return found and (DAMAGES[found["code"]], found["packet"], found["offset"])


@pytest.mark.parametrize("second", SECOND_ONES)
@pytest.mark.parametrize("first", FIRST)
def test_a_capture_behind_another_is_named_where_it_begins_and_none_of_it_is_a_record(first, second):
    joined = FIRST[first] + SECOND_ONES[second]
    scanner = scan(joined)
    found = taken(scanner)
    assert found[: len(RECORDS)] == rows(FIRST[first])
    if first in PCAPNGS and second in PCAPNGS:  # sections
        assert len(found) == 2 * len(RECORDS)
        assert scanner.damage is None
    else:
        assert len(found) == scanner.totals()["packets"] == len(RECORDS)
        assert damage(joined) == damage(joined, pieces=1) == ("joined", len(RECORDS), len(FIRST[first]))


def test_every_record_may_be_the_last_one_before_another_capture():
    for n in range(len(RECORDS) + 1):
        first = pcap(RECORDS[:n])
        assert damage(first + PCAPS["us, little"]) == ("joined", n, len(first))


@pytest.mark.parametrize("zone", [1, 100, 200_000])
def test_a_second_capture_is_named_however_its_time_zone_compares_with_what_is_left(zone):
    first = pcap(RECORDS)
    for second in (with_header("little", zone=zone), with_header("little", zone=zone)[:24]):
        assert damage(first + second) == ("joined", len(RECORDS), len(first))


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D, 0xD4C3B2A1, 0x4D3CB2A1])
def test_a_time_that_equals_a_magic_number_is_a_time(magic):
    """0x4d3cb2a1, a magic number of the other byte order, is a second of 2011."""
    at = magic * SECOND
    assert [row["time"] for row in rows(pcap([Record(b"", at), Record(bytes(60), at), *RECORDS]))][:2] == [at, at]


# Zeros ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zeros", "name"), [(1, "cut"), (15, "cut"), (17, "padding"), (32, "padding"), (4096, "padding")]
)
@pytest.mark.parametrize("byteorder", ORDERS)
def test_zeros_behind_the_records_of_a_pcap_are_none(zeros, name, byteorder):
    capture = pcap(RECORDS, byteorder=byteorder)
    expected = ("padding" if name == "padding" else "record_header_cut", len(RECORDS), len(capture))
    assert damage(capture + bytes(zeros)) == damage(capture + bytes(zeros), pieces=1) == expected


@pytest.mark.parametrize(
    ("capture", "zeros"),
    [(pcap(RECORDS, modified=True), 25), (rewrapped(RECORDS), 8), (rewrapped(RECORDS), 4096), (snoop(RECORDS), 24)],
    ids=["modified", "pcapng", "pcapng, many", "snoop"],
)
def test_zeros_behind_the_records_of_any_format_are_padding(capture, zeros):
    for n in (zeros, zeros + 1, zeros + 5000):
        expected = ("padding", len(RECORDS), len(capture))
        assert damage(capture + bytes(n)) == damage(capture + bytes(n), pieces=1) == expected


def test_a_single_record_header_of_zeros_is_a_packet_without_bytes():
    """Of 1970. Two in a row are not believed."""
    empty = Record(b"")
    for packets in ([empty], [*RECORDS, empty], [empty, *RECORDS, empty, RECORDS[0]]):
        capture = pcap(packets)
        assert damage(capture) is damage(capture, pieces=1) is None
        assert len(rows(capture)) == len(packets)
    assert damage(pcap([*RECORDS, empty, empty, *RECORDS])) == ("padding", len(RECORDS), len(pcap(RECORDS)))


def test_a_packet_without_bytes_is_a_record_whatever_else_its_header_has():
    for one in (Record(b"", SECOND), Record(b"", 1000), Record(b"", 0, 60)):
        assert len(rows(pcap([one] * 3))) == 3


def test_a_pcapng_block_of_type_zero_with_a_length_is_a_block():
    unknown = struct.pack("<III", 0, 12, 12)
    assert damage(pcapng(interface(), lambda order: unknown, enhanced_packet(bytes(60)))) is None


# Threads --------------------------------------------------------------------------------------------------------------

MANY = RECORDS * 4000
BEHIND = {
    "another capture": pcap(MANY),
    "another capture with a time zone": with_header("little", zone=5 * 3600),
    "zeros": bytes(600_000),
    "a few zeros": bytes(20),
    "a record of zeros": bytes(16),
}


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("behind", BEHIND)
def test_what_is_behind_the_records_of_a_file_is_the_same_for_any_number_of_threads(tmp_path, behind, threads):
    options = {"key": key("protocol", "src_port", "dst_port"), "columns": ALL_COLUMNS}
    octets = pcap(MANY) + BEHIND[behind]
    path = tmp_path / "joined.pcap"
    path.write_bytes(octets)
    expected = read(octets, [1 << 18], ONE, **options)
    assert (expected["state"] == DAMAGED) == (behind != "a record of zeros")
    assert expected["totals"]["packets"] == len(MANY) + (behind == "a record of zeros")
    assert read(octets, [70_000], itertools.repeat(threads), **options) == expected
    assert read_file(path, threads, **options) == expected
