"""Reading a capture of any format: whole, in pieces, cut anywhere, damaged in every way that has a name."""

import struct
from bisect import bisect_right
from itertools import accumulate, pairwise

import pytest

import builders as b
from capture_files import (
    Record,
    block,
    enhanced_packet,
    interface,
    old_packet,
    pcap,
    pcapng,
    rewrapped,
    simple_packet,
    snoop,
)
from core_driver import ALL_COLUMNS, feed, rows, scan, taken
from fluxcap._core import DAMAGED, DAMAGES, ROWS_FULL, Scanner

SECOND = 1_000_000_000
PACKETS = [b.ethernet(b.ipv4(b.udp(bytes(size)))) for size in (1, 20, 300)]
RECORDS = [Record(data, (1_700_000_000 + at) * SECOND + 123_456_000) for at, data in enumerate(PACKETS)]

WHOLE = {
    "pcap": pcap(RECORDS),
    "modified": pcap(RECORDS, modified=True, byteorder="big"),
    "pcapng": rewrapped(RECORDS) + pcapng(interface(), simple_packet(PACKETS[0]), byteorder="big"),
}
every_whole = pytest.mark.parametrize("capture", WHOLE.values(), ids=WHOLE)


@every_whole
def test_one_capture_cut_at_any_octet_into_two_pieces_reads_as_the_whole(capture):
    whole = rows(capture)
    for at in range(len(capture) + 1):
        scanner = Scanner(columns=ALL_COLUMNS)
        feed(scanner, [capture[:at], capture[at:]])
        assert (at, taken(scanner)) == (at, whole)


@every_whole
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_one_capture_in_small_pieces_reads_as_the_whole(capture, size):
    edges = [*range(0, len(capture), size), len(capture)]
    scanner = Scanner(columns=ALL_COLUMNS)
    feed(scanner, [capture[start:end] for start, end in pairwise(edges)])
    assert taken(scanner) == rows(capture)


def test_records_across_many_windows_read_as_they_were_written():
    data = bytes(range(256)) * 1024  # 262,144 bytes: as long as a record may be
    capture = pcap([Record(data[: 262_144 - at], at * 1000) for at in range(8)])
    found = [(row["captured_length"], row["time"]) for row in rows(capture, columns=["captured_length", "time"])]
    assert found == [(262_144 - at, at * 1000) for at in range(8)]


@pytest.mark.parametrize("limit", [1, 63, 64, 65, 130])
def test_rows_full_comes_at_the_limit_and_no_record_is_lost(limit):
    scanner = Scanner(columns=["packet"], row_limit=limit)
    capture = pcap(RECORDS * 50)
    scanner.begin()
    space = scanner.space()
    space[: len(capture)] = capture
    scanner.advance(len(capture))
    scanner.finish()
    batches = []
    while scanner.run() == ROWS_FULL:
        batches.append(taken(scanner))
    assert {len(batch) for batch in batches} == {limit}
    assert [row["packet"] for batch in (*batches, taken(scanner)) for row in batch] == list(range(1, 151))


def test_only_rows_with_a_verdict_that_was_asked_for_are_collected():
    frames = [b.ethernet(b.ipv4(b.udp(checksum=value))) for value in (None, 1, "partial", 0)]
    frames.append(b.ethernet(b.ipv4(b.udp(), checksum=1)))
    capture = pcap([Record(frame) for frame in frames])
    for bits, packets in ((1 << 2, [2]), (1 << 3 | 1 << 4, [3, 4]), (1 << 16 + 2, [5]), (1 << 2 | 1 << 18, [2, 5])):
        scanner = scan(capture, verdicts=bits)
        assert [row["packet"] for row in taken(scanner)] == packets
        assert scanner.totals()["packets"] == 5


def test_several_inputs_are_numbered_apart_and_counted_together():
    capture, raw = pcap(RECORDS), pcap([Record(PACKETS[0][14:])], b.LINK_RAW, byteorder="big")
    scanner = scan(capture, raw, capture, file=5)
    found = [(row["file"], row["packet"], row["link_type"]) for row in taken(scanner)]
    assert found == [(5, 1, 1), (5, 2, 1), (5, 3, 1), (6, 1, 101), (7, 1, 1), (7, 2, 1), (7, 3, 1)]
    totals = scanner.totals()
    assert (totals["packets"], totals["link_types"]) == (7, {b.LINK_ETHERNET: 6, b.LINK_RAW: 1})
    assert totals["captured_octets"] == 2 * sum(map(len, PACKETS)) + len(PACKETS[0]) - 14


# Cut ------------------------------------------------------------------------------------------------------------------


def edges_of(capture: bytes, sizes: list[int]) -> list[int]:
    """The places where parts of these sizes begin and end; together they must be the whole capture."""
    edges = [0, *accumulate(sizes)]
    assert edges[-1] == len(capture)
    return edges


SHORT = [Record(data, SECOND) for data in (PACKETS[0], b"", PACKETS[1])]
SECTION = [interface(), *(enhanced_packet(record.data) for record in SHORT), simple_packet(PACKETS[0]), block(77, b"?")]
SWEPT = {
    # capture, bytes of its parts in order, whether each part is a record
    "pcap": (pcap(SHORT), [24, *(16 + len(record.data) for record in SHORT)], [0, 1, 1, 1]),
    "modified": (pcap(SHORT, modified=True), [24, *(24 + len(record.data) for record in SHORT)], [0, 1, 1, 1]),
    "pcapng": (
        pcapng(*SECTION, byteorder="big") + pcapng(interface(b.LINK_RAW), old_packet(PACKETS[0][14:])),
        [28, *(len(one(">")) for one in SECTION), 28, 20, 32 + 32],
        [0, 0, 1, 1, 1, 1, 0, 0, 0, 1],
    ),
}


@pytest.mark.parametrize(("capture", "sizes", "is_record"), SWEPT.values(), ids=SWEPT)
def test_a_capture_cut_at_any_octet_gives_the_records_before_the_cut_and_damage_unless_it_is_between_two(
    capture, sizes, is_record
):
    edges, whole = edges_of(capture, sizes), rows(capture)
    assert len(whole) == sum(is_record)
    for cut in range(len(capture) + 1):
        scanner = scan(capture[:cut])
        parts = bisect_right(edges, cut) - 1  # whole parts
        packets = sum(is_record[:parts])
        assert (cut, taken(scanner)) == (cut, whole[:packets])
        if cut in edges[1:]:
            assert (cut, scanner.damage) == (cut, None)
        else:
            damage = scanner.damage
            assert damage is not None
            assert (cut, damage["packet"], damage["offset"]) == (cut, packets, edges[parts])
            assert (cut, damage["found"]) == (cut, cut - edges[parts])
            assert damage["wanted"] > damage["found"] or cut == 0


# Damaged --------------------------------------------------------------------------------------------------------------

ONE = pcap(RECORDS[:1])  # a file header and a record: 24 + 16 + 43 bytes
NG = pcapng(interface(), enhanced_packet(PACKETS[0]))  # 28 + 20 + 76 bytes
MOST_INTERFACES = 262144


def record_header(captured: int, wire: int = 60) -> bytes:
    return struct.pack("<IIII", 0, 0, captured, wire)


def framed(kind: int, length: int, body: bytes = b"", trailer: int | None = None) -> bytes:
    """A block with these values in its length fields."""
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length if trailer is None else trailer)


def section(order: int = 0x1A2B3C4D, major: int = 1, length: int = 28) -> bytes:
    return framed(0x0A0D0D0A, length, struct.pack("<IHHQ", order, major, 0, 2**64 - 1))


def enhanced(captured: int, octets: int) -> bytes:
    """An enhanced packet block that holds fewer bytes of a packet than it states."""
    return framed(6, 32 + octets, struct.pack("<5I", 0, 0, 0, captured, 60) + bytes(octets))


DAMAGED_CAPTURES = [
    # name, capture, packets before, offset, found, wanted
    ("empty", b"", 0, 0, 0, 0),
    ("not_a_capture", b"this is text", 0, 0, 0x74686973, 0),
    ("not_a_capture", b"\x1f\x8b\x08\x00" + bytes(20), 0, 0, 0x1F8B0800, 0),
    ("file_header_cut", ONE[:3], 0, 0, 3, 24),
    ("file_header_cut", ONE[:23], 0, 0, 23, 24),
    ("unsupported_version", ONE[:4] + b"\1\0\0\0" + ONE[8:], 0, 0, 1 << 16, 0),
    ("unsupported_version", ONE[:4] + b"\2\0\5\0" + ONE[8:], 0, 0, 2 << 16 | 5, 0),
    ("unsupported_version", ONE[:4] + b"\2\0\x63\0" + ONE[8:], 0, 0, 2 << 16 | 99, 0),
    ("unsupported_version", ONE[:4] + b"\3\0\0\0" + ONE[8:], 0, 0, 3 << 16, 0),
    ("unsupported_version", section(major=2), 0, 0, 2 << 16, 0),
    ("unsupported_version", NG + section(major=2), 1, 124, 2 << 16, 0),
    ("reserved_link_bits", ONE[:20] + b"\1\0\1\0" + ONE[24:], 0, 0, 0x00010001, 0),
    ("record_header_cut", ONE + bytes(8), 1, 83, 8, 16),
    ("record_header_cut", pcap(RECORDS[:1], modified=True) + bytes(23), 1, 91, 23, 24),
    ("record_cut", ONE + record_header(43) + bytes(14), 1, 83, 30, 59),
    ("caplen_too_big", ONE + record_header(262145), 1, 83, 262145, 262144),
    ("caplen_too_big", ONE + b"\xff" * 40, 1, 83, 0xFFFFFFFF, 262144),
    ("caplen_too_big", ONE[:24] + record_header(0x7FFFFFFF), 0, 24, 0x7FFFFFFF, 262144),
    ("caplen_too_big", NG + enhanced(262148, 262148), 1, 124, 262148, 262144),
    ("block_too_short", section(length=12), 0, 0, 12, 28),
    ("block_too_short", NG + framed(6, 0), 1, 124, 0, 32),
    ("block_too_short", NG + framed(6, 28, bytes(16)), 1, 124, 28, 32),
    ("block_too_short", NG + framed(2, 28, bytes(16)), 1, 124, 28, 32),
    ("block_too_short", NG + framed(3, 12), 1, 124, 12, 16),
    ("block_too_short", NG + framed(1, 16, bytes(4)), 1, 124, 16, 20),
    ("block_too_short", NG + framed(77, 8), 1, 124, 8, 12),
    ("block_too_long", NG + framed(77, 16_777_220), 1, 124, 16_777_220, 16_777_216),
    ("block_too_long", NG + framed(6, 0xFFFFFFFC), 1, 124, 0xFFFFFFFC, 16_777_216),
    ("block_too_long", section(length=0xFFFFFFFF), 0, 0, 0xFFFFFFFF, 16_777_216),
    ("block_misaligned", section(length=29), 0, 0, 29, 4),
    ("block_misaligned", NG + framed(77, 45, bytes(40)), 1, 124, 45, 4),
    ("block_trailer", NG + framed(77, 20, bytes(8), trailer=1000), 1, 124, 1000, 20),
    ("block_cut", NG + b"\6\0\0\0", 1, 124, 4, 12),
    ("block_cut", NG[:-1], 0, 48, 75, 76),
    ("no_interface", section() + enhanced(0, 0), 0, 28, 0, 0),
    ("no_interface", pcapng(interface(), enhanced_packet(b"", 0, 7)), 0, 48, 7, 1),
    ("no_interface", pcapng(interface(), old_packet(b"", 0, 1)), 0, 48, 1, 1),
    ("no_interface", pcapng(simple_packet(b"")), 0, 28, 0, 0),
    ("no_interface", NG + pcapng(enhanced_packet(b"")), 1, 152, 0, 0),
    ("too_many_interfaces", pcapng(lambda order: interface()(order) * (MOST_INTERFACES + 1)),
     0, 28 + 20 * MOST_INTERFACES, MOST_INTERFACES, MOST_INTERFACES),
    ("caplen_past_block", NG + enhanced(65536, 0), 1, 124, 65536, 0),
    ("caplen_past_block", NG + enhanced(45, 44), 1, 124, 45, 44),
    ("caplen_past_block", NG + enhanced(0xFFFFFFFF, 44), 1, 124, 0xFFFFFFFF, 44),
    ("caplen_past_block", pcapng(interface(snaplen=0), simple_packet(b"", 1500)), 0, 48, 1500, 0),
    ("byte_order_magic", section(order=0x11111111), 0, 0, 0x11111111, 0x1A2B3C4D),
    ("byte_order_magic", NG + section(order=0), 1, 124, 0, 0x1A2B3C4D),
    ("snoop_link", snoop([], 5), 0, 0, 5, 0),
    ("joined", ONE + snoop([]), 1, 83, 0, 0),
    ("joined_cut", ONE + ONE[:23], 1, 83, 23, 24),
    ("padding", ONE + bytes(32), 1, 83, 0, 0),
    ("caplen_past_record", snoop([]) + struct.pack(">IIIIII", 5, 5, 28, 0, 0, 0), 0, 16, 5, 4),
    ("record_too_long", snoop([]) + struct.pack(">IIIIII", 5, 5, 16_777_217, 0, 0, 0), 0, 16, 16_777_217, 16_777_216),
    *[
        ("tsresol", pcapng(interface(tsresol=octet), enhanced_packet(PACKETS[0])), 0, 60, octet, 0)
        for octet in (20, 0x7F, 0x80 | 64, 0xFF)
    ],
]  # fmt: skip


@pytest.mark.parametrize(("name", "capture", "packets", "offset", "found", "wanted"), DAMAGED_CAPTURES)
def test_damage_is_named_with_its_place_and_the_two_numbers_and_what_was_before_it_is_kept(
    name, capture, packets, offset, found, wanted
):
    scanner = Scanner(columns=ALL_COLUMNS)
    assert feed(scanner, [capture]) == DAMAGED
    code = DAMAGES.index(name)
    assert scanner.damage == {"code": code, "packet": packets, "offset": offset, "found": found, "wanted": wanted}
    assert len(taken(scanner)) == scanner.totals()["packets"] == packets
    assert scanner.run() == DAMAGED
    assert feed(scanner, [ONE]) != DAMAGED
    assert scanner.damage is None
    assert [row["packet"] for row in taken(scanner)] == [1]


def test_every_kind_of_damage_has_a_case():
    assert {name for name, *_ in DAMAGED_CAPTURES} == set(DAMAGES) - {"none", "too_many_strays"}  # test_resync.py


@pytest.mark.parametrize("octet", [20, 0xFF])
def test_a_resolution_that_no_clock_has_matters_only_to_packets_with_a_time(octet):
    capture = pcapng(interface(tsresol=octet), simple_packet(PACKETS[0]), interface(), enhanced_packet(b"", 0, 1))
    assert len(rows(capture)) == 2
