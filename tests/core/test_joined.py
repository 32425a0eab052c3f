"""Captures with something behind their last record: another capture, as `cat` puts it there, or zeros."""

import io
import itertools
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
from capture_files import PREFIX, ByteOrder, Record, enhanced_packet, interface, pcap, pcapng, rewrapped, snoop
from core_driver import ALL_COLUMNS, feed, key, rows, scan, taken
from fluxcap._core import DAMAGED, DAMAGES, UNLIKE, WANTS_INPUT, Copier, Scanner
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


def parts(*captures: bytes) -> list[dict]:
    """The rows of captures that are read one by one, as parts of one input: its packets, its bytes."""
    made = []
    for at, capture in enumerate(captures):
        before, octets = len(made), sum(map(len, captures[:at]))
        for row in rows(capture):
            made.append({**row, "packet": row["packet"] + before, "offset": row["offset"] + octets})
    return made


def but_interface(made: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "interface"} for row in made]


@pytest.mark.parametrize("second", SECOND_ONES)
@pytest.mark.parametrize("first", FIRST)
def test_a_capture_behind_another_is_read_on_whatever_its_kind_but_snoop(first, second):
    joined = FIRST[first] + SECOND_ONES[second]
    scanner = scan(joined)
    found = taken(scanner)
    if "snoop" in (first, second):
        assert found == rows(FIRST[first])
        assert damage(joined) == damage(joined, pieces=1) == ("joined", len(RECORDS), len(FIRST[first]))
        return
    assert but_interface(found) == but_interface(parts(FIRST[first], SECOND_ONES[second]))
    assert scanner.totals()["packets"] == len(found)
    assert damage(joined) is damage(joined, pieces=1) is None
    sections = first in PCAPNGS and second in PCAPNGS
    assert scanner.joined == ((0, 0, 0) if sections else (1, len(RECORDS), len(FIRST[first])))


@pytest.mark.parametrize("joins", [True, False])
@pytest.mark.parametrize("second", PCAPS)
@pytest.mark.parametrize("first", PCAPS)
def test_a_copy_is_joined_as_its_input_is_or_refuses_a_second_header_that_differs(first, second, joins):
    copier, copy = Copier(joins=joins), b""
    copier.begin(np.arange(1, 2 * len(RECORDS) + 1, dtype=np.uint64))
    source = io.BytesIO(PCAPS[first] + PCAPS[second])
    state = WANTS_INPUT
    while state == WANTS_INPUT and (n := source.readinto(copier.space()[:50])):
        copier.advance(n)
        state = copier.run()
        copy += copier.kept()
    if joins:
        assert (state, copy) == (WANTS_INPUT, source.getvalue())
    elif first == second:
        assert (state, copy) == (WANTS_INPUT, PCAPS[first] + PCAPS[second][24:])
    else:
        assert state == UNLIKE


KINDS = st.builds(
    lambda n, kind, byteorder, link: pcap(RECORDS[:n], link, byteorder=byteorder, **kind),
    st.integers(0, len(RECORDS)),
    st.sampled_from([{}, {"ns": True}, {"modified": True}, {"snaplen": 96}, {"snaplen": 0}]),
    st.sampled_from(ORDERS),
    st.sampled_from([1, 101, 113]),
)


@given(st.lists(KINDS | st.sampled_from(list(PCAPNGS.values())), min_size=1, max_size=9), st.data())
def test_any_captures_joined_are_their_records_one_after_the_other(captures, data):
    joined = b"".join(captures)
    scanner = Scanner(columns=ALL_COLUMNS, resync=data.draw(st.booleans()))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(joined)), max_size=6)))
    feed(scanner, [joined[a:b] for a, b in itertools.pairwise([0, *cuts, len(joined)])])
    assert but_interface(taken(scanner)) == but_interface(parts(*captures))
    assert (scanner.damage, scanner.strays()) == (None, [])
    both = [a[:4] == b[:4] == b"\n\r\r\n" for a, b in itertools.pairwise(captures)]  # sections
    assert scanner.joined[0] == len(captures) - 1 - sum(both)


def test_parts_that_differ_in_link_type_unit_or_snap_length_are_interfaces_of_their_own():
    kinds = [pcap(RECORDS), pcap(RECORDS), pcap(RECORDS, 101), pcap(RECORDS, ns=True), pcap(RECORDS, snaplen=96)]
    scanner = scan(b"".join(kinds))
    assert [row["interface"] for row in taken(scanner)] == [0] * 6 + [1] * 3 + [2] * 3 + [3] * 3
    described = scanner.format()["interfaces"]
    assert [one["link_type"] for one in described] == [1, 101, 1, 1]
    assert [one["ticks_per_second"] for one in described] == [1e6, 1e6, 1e9, 1e6]
    assert [one["snaplen"] for one in described] == [262144, 262144, 262144, 96]
    assert [one["packets"] for one in described] == [6, 3, 3, 3]


def test_more_interfaces_than_one_input_may_have_are_refused():
    most = 262_144
    scanner = scan(b"".join(pcap([], snaplen=1 + at % 2) for at in range(most + 1)), columns=())
    found = scanner.damage
    assert found is not None
    assert (DAMAGES[found["code"]], found["offset"], found["wanted"]) == ("too_many_interfaces", 24 * most, most)


def test_a_part_whose_link_type_field_cannot_be_is_refused_where_it_begins():
    first, second = pcap(RECORDS), bytearray(pcap(RECORDS))
    second[22] = 1  # bit 16
    for pieces in (0, 1):
        assert damage(first + bytes(second), pieces) == ("reserved_link_bits", len(RECORDS), len(first))


@pytest.mark.parametrize("size", range(1, 24))
@pytest.mark.parametrize("second", ["us, little", "us, big", "ns, little"])
def test_a_part_that_ends_in_its_file_header_is_cut_there(size, second):
    first = pcap(RECORDS)
    name = "joined_cut" if size >= 16 else "record_header_cut"
    for pieces in (0, 1):
        assert damage(first + PCAPS[second][:size], pieces) == (name, len(RECORDS), len(first))


def test_every_record_may_be_the_last_one_before_another_capture():
    for n in range(len(RECORDS) + 1):
        first = pcap(RECORDS[:n])
        assert len(rows(first + PCAPS["us, little"])) == n + len(RECORDS)


@pytest.mark.parametrize("zone", [1, 100, 200_000])
def test_a_second_capture_is_recognised_however_its_time_zone_compares_with_what_is_left(zone):
    first = pcap(RECORDS)
    for second in (with_header("little", zone=zone), with_header("little", zone=zone)[:24]):
        assert damage(first + second) is damage(first + second, pieces=1) is None
        assert scan(first + second).joined == (1, len(RECORDS), len(first))


def test_a_capture_inside_a_packet_is_a_packet():
    """A file transfer: also where the packet ends with the file header, or just behind it."""
    for inner in (pcap(RECORDS), pcap([]), pcap([])[:16], rewrapped(RECORDS)):
        for around in (pcap([Record(inner, SECOND)] * 3), pcap([Record(b"x" + inner, SECOND)] * 3)):
            assert (len(rows(around)), scan(around).joined[0]) == (3, 0)


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
    "a capture of the other byte order": pcap(MANY, byteorder="big", ns=True),
    "a capture of another link type": pcap(MANY, 101, modified=True),
    "many captures": pcap(RECORDS) * 3000,
    "captures of two kinds in turn": (pcap(RECORDS) + pcap(RECORDS, byteorder="big")) * 1500,
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
    of_behind = rows(BEHIND[behind], columns=("packet",)) if "capture" in behind else []
    assert (expected["state"] == DAMAGED) == (behind in ("zeros", "a few zeros"))
    assert expected["totals"]["packets"] == len(MANY) + len(of_behind) + (behind == "a record of zeros")
    assert read(octets, [70_000], itertools.repeat(threads), **options) == expected
    assert read_file(path, threads, **options) == expected
