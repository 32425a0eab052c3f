"""Reading on behind damage: which records are found again, and that no other bytes are taken for records."""

from __future__ import annotations

import itertools
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture_files import (
    ByteOrder,
    Record,
    pcap,
    rewrapped,
)
from core_driver import ALL_COLUMNS, FIVE_TUPLE, feed, key, taken
from damaged_captures import (
    a_record,
    bytes_accounted,
    damaged,
    file_header,
    overwritten,
    places,
    resync,
)
from fluxcap._core import RecordFinder, Scanner
from strategies import captures, dialogue_frames, fragment_frames, simple_frames
from whole_readings import LONG, ONE, again, read

SECOND = 1_000_000_000
T0 = 1_700_000_000
ORDERS: tuple[ByteOrder, ...] = ("little", "big")


def talk(n: int, seed: int = 1) -> list[Record]:
    """Packets of random bytes, some milliseconds apart."""
    draw = random.Random(seed)
    return [Record(draw.randbytes(draw.choice([40, 60, 61, 300])), T0 * SECOND + at * 7_000_000) for at in range(n)]


CAPTURES = {
    f"{name}, {order}": pcap(talk(20), byteorder=order, **kind)
    for order in ORDERS
    for name, kind in {"us": {}, "ns": {"ns": True}, "modified": {"modified": True}}.items()
} | {f"pcapng, {order}": rewrapped(talk(20), byteorder=order) for order in ORDERS}


@pytest.mark.parametrize("how", ["random", "zeros", "ones"])
@pytest.mark.parametrize("capture", CAPTURES.values(), ids=CAPTURES)
def test_a_record_whose_header_is_destroyed_is_the_only_one_that_is_lost(capture, how):
    whole = places(capture)
    for number, lost in enumerate(whole):
        broken = overwritten(capture, lost.start, lost.data, how, random.Random(number))
        reading = resync(broken)
        expected = [place.data for place in whole if place != lost]
        assert [offset for offset, _ in reading.records] == expected
        if lost != whole[-1] or reading.damage is None:
            assert reading.strays == [(lost.start, number, lost.end - lost.start)]
            assert reading.damage is None
        else:
            assert (reading.strays, reading.damage[1]) == ([], lost.start)


@pytest.mark.parametrize("capture", CAPTURES.values(), ids=CAPTURES)
def test_several_places_of_one_capture_may_be_damaged(capture):
    whole = places(capture)
    lost = whole[3], whole[9], whole[15]
    broken = capture
    for place in lost:
        broken = overwritten(broken, place.start, place.data, "ones", random.Random(0))
    reading = resync(broken)
    assert [offset for offset, _ in reading.records] == [place.data for place in whole if place not in lost]
    assert [(at, n) for at, n, _ in reading.strays] == [(lost[0].start, 3), (lost[1].start, 8), (lost[2].start, 13)]


@pytest.mark.parametrize("capture", CAPTURES.values(), ids=CAPTURES)
def test_no_byte_that_is_no_record_is_taken_for_one(capture):
    draw = random.Random(2)
    header = file_header(capture)
    for _ in range(300):
        octets, _, starts = damaged(capture, draw)
        reading = resync(octets)
        assert {offset for offset, _ in reading.records} <= starts
        if not capture.startswith(b"\n\r\r\n"):
            assert bytes_accounted(octets, header, reading)


BROKEN = {
    "a length": (8, b"\xff" * 4),
    "a length that leads to the record after the next": (8, struct.pack("<I", 60 + 76)),
    "a length that is shorter than the packet": (8, struct.pack("<I", 31)),
    "both lengths": (8, struct.pack("<II", 60 + 76, 60 + 76)),
}


@pytest.mark.parametrize(("at", "other"), BROKEN.values(), ids=BROKEN)
def test_a_length_that_is_wrong_costs_one_record(at, other):
    capture = pcap([Record(bytes(range(60)), (T0 + second) * SECOND) for second in range(12)])
    whole = places(capture)
    start = whole[5].start + at
    reading = resync(capture[:start] + other + capture[start + len(other) :])
    if other == BROKEN["both lengths"][1]:  # a packet of this length may have been there
        assert len(reading.records) == 11
    else:
        assert [offset for offset, _ in reading.records] == [one.data for one in whole if one != whole[5]]


@pytest.mark.parametrize("at", [0, 4, 12])
def test_a_header_with_a_wrong_time_or_wire_length_still_leads_to_the_next_record(at):
    capture = pcap(talk(12))
    start = places(capture)[5].start + at
    reading = resync(capture[:start] + b"\x21\xa5\x3f\x21" + capture[start + 4 :])
    assert [offset for offset, _ in reading.records] == [place.data for place in places(capture)]
    assert (reading.strays, reading.damage) == ([], None)


# In pieces ------------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    capture=captures(st.one_of(dialogue_frames, simple_frames, fragment_frames)),
    times=st.integers(1, 20),
    seed=st.integers(0, 2**32),
    wounds=st.integers(1, 4),
    sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=4),
    threads=st.lists(st.integers(1, 8), min_size=1, max_size=6),
)
def test_pieces_and_threads_do_not_show_where_a_capture_is_damaged(capture, times, seed, wounds, sizes, threads):
    octets, draw = again(capture, times), random.Random(seed)
    for _ in range(wounds if places(octets) else 0):
        at = draw.randrange(24, len(octets))
        octets = overwritten(octets, at, at + draw.choice([1, 4, 16]), draw.choice(["random", "zeros"]), draw)
    options = {"key": key(*FIVE_TUPLE), "columns": ALL_COLUMNS, "resync": True}
    expected = read(octets, [len(octets)], ONE, **options)
    assert read(octets, sizes, itertools.cycle(threads), **options) == expected


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("name", CAPTURES)
def test_a_long_capture_is_the_same_in_pieces_and_for_threads(name, threads):
    octets = again(CAPTURES[name], 300)
    draw = random.Random(3)
    for place in draw.sample(places(octets), 9):
        octets = overwritten(octets, place.start, place.data, "random", draw)
    options = {"key": key(*FIVE_TUPLE), "resync": True}
    expected = read(octets, [len(octets)], ONE, **options)
    assert len(expected["strays"]) >= 8
    assert read(octets, [70_000], itertools.repeat(threads), **options) == expected


def test_a_section_of_no_byte_order_is_not_read_and_the_next_one_is():
    section = CAPTURES["pcapng, little"]
    unknown = section[:8] + b"?" + section[9:]  # in the magic that tells the byte order
    reading = resync(section + unknown + unknown + section)
    found = [place.data for place in places(section)]
    assert [offset for offset, _ in reading.records] == found + [3 * len(section) + at for at in found]


# A header of zeros is what damage leaves most often: with resynchronising it is not a record.
SOUND = {
    name: capture
    for name, capture in LONG.items()
    if read(capture, [len(capture)], ONE)["damage"] is None and name != "zeros that are a record"
}
ODD = {
    "captured over wire": pcap([Record(bytes(60 + at), (T0 + at) * SECOND, 50) for at in range(9)]),
    "fractions over a second": pcap(
        [Record(bytes(60), (T0 + at) * SECOND + 999_999_999) for at in range(9)], ns=True
    ).replace(b"\x4d\x3c\xb2\xa1", b"\xd4\xc3\xb2\xa1"),
    "cut to different lengths": pcap([Record(bytes(60 + at), (T0 + at) * SECOND, 1000) for at in range(9)]),
    "days apart": pcap([Record(bytes(60 + at), (T0 + at * 100_000) * SECOND, 60 + at) for at in range(9)]),
    "days apart and cut": pcap([Record(bytes(60 + at), (T0 + at * 100_000) * SECOND, 1000) for at in range(9)]),
    "one without a byte": pcap([*talk(4), Record(b"", (T0 + 1) * SECOND), *talk(4)]),
}


@pytest.mark.parametrize("capture", [*SOUND.values(), *ODD.values()], ids=[*SOUND, *ODD])
def test_a_sound_capture_is_read_as_it_is_without_resynchronising(capture):
    options = {"key": key(*FIVE_TUPLE), "columns": ALL_COLUMNS}
    plain = read(capture, [len(capture)], ONE, **options)
    assert read(capture, [len(capture)], ONE, **options, resync=True) == plain


# What looks like records, and is not ----------------------------------------------------------------------------------


FILLINGS = [b"\0", b"\xff", struct.pack("<II", 6, 32), struct.pack("<I", 0x01010101)]


@pytest.mark.parametrize("filling", FILLINGS)
@pytest.mark.parametrize("capture", [CAPTURES["us, little"], CAPTURES["pcapng, little"]], ids=["pcap", "pcapng"])
def test_bytes_that_repeat_for_megabytes_are_no_records(capture, filling):
    header = 24 if capture[:4] != b"\n\r\r\n" else 0
    behind = capture[header:]
    reading = resync(capture + filling * (3_000_000 // len(filling)) + behind)
    n = len(places(capture))
    assert len(reading.records) == 2 * n
    ((at, packet, size),) = reading.strays
    assert (at, packet, size) == (len(capture), n, 3_000_000 // len(filling) * len(filling))
    assert len(resync(capture + filling * (3_000_000 // len(filling))).records) == n


def nested(second: int, n: int = 9, magic: int = 0xA1B2C3D4) -> bytes:
    header = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    return header + b"".join(a_record(second + at, bytes([at % 256]) * 40) for at in range(n))


INSIDE = {
    "all of it": nested(T0) + b"----boundary",
    "its end, long ago": nested(T0 - 10**7),
    "its end, without a file header": nested(T0 - 10**7)[24:],
    "its middle": nested(T0)[30:-7],
    "of nanoseconds": nested(T0, magic=0xA1B23C4D) + b"----boundary",
    "longer than others": nested(T0, n=900) + b"x",
}


@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE)
@pytest.mark.parametrize("ng", [False, True], ids=["pcap", "pcapng"])
def test_a_capture_in_a_packet_is_not_read_where_the_header_of_the_packet_is_lost(inside, ng):
    around = [*talk(8), Record(bytes(54) + inside, T0 * SECOND), *talk(12)]
    capture = rewrapped(around) if ng else pcap(around)
    whole = places(capture)
    for how in ("random", "zeros", "ones"):
        reading = resync(overwritten(capture, whole[8].start, whole[8].data, how, random.Random(4)))
        assert [offset for offset, _ in reading.records] == [one.data for one in whole if one != whole[8]]


def test_of_a_capture_in_a_packet_that_is_like_the_one_around_it_nothing_is_promised_but_the_bytes():
    """Its records end where the packet does and are of the same time: they could be those of the file."""
    around = [*talk(8), Record(bytes(54) + nested(T0)[24:], T0 * SECOND), *talk(12)]
    capture = pcap(around)
    whole = places(capture)
    broken = overwritten(capture, whole[8].start, whole[8].data, "ones", random.Random(4))
    reading = resync(broken)
    assert {one.data for one in whole if one != whole[8]} <= {offset for offset, _ in reading.records}
    assert bytes_accounted(broken, 24, reading)


# Captures joined ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CAPTURES)
def test_behind_damage_a_capture_that_cat_joined_is_read_on_whatever_its_kind(name):
    first, second = CAPTURES["us, little"], CAPTURES[name]
    lost = places(first)[15]
    for capture in (first, overwritten(first, lost.start, lost.data, "ones", random.Random(0))):
        reading = resync(capture + second)
        assert len(reading.records) == 40 - (capture is not first)
        assert [(at, size) for at, _, size in reading.strays] == [(lost.start, lost.end - lost.start)] * (
            capture is not first
        )
        assert (reading.joined, reading.damage) == (1, None)


@pytest.mark.parametrize("behind", ["", *CAPTURES])
def test_an_odd_record_is_believed_before_another_capture_as_at_the_end_of_the_input(behind):
    odd = bytearray(pcap([Record(b"\x45" * 60, T0 * SECOND)]))
    odd[24 + 12 : 24 + 16] = struct.pack("<I", 3_000_000)  # a wire length that no packet has
    reading = resync(bytes(odd) + CAPTURES.get(behind, b""))
    assert len(reading.records) == 1 + 20 * bool(behind)
    assert (reading.strays, reading.damage) == ([], None)


def test_joined_captures_of_different_link_types_are_not_mixed():
    first, second = CAPTURES["us, little"], pcap(talk(3000), link_type=101)
    for lost in (places(first)[15], places(first)[-1]):
        broken = overwritten(first, lost.start, lost.data, "ones", random.Random(0))
        scanner = Scanner(columns=("link_type",), resync=True)
        feed(scanner, [broken + second])
        assert [row["link_type"] for row in taken(scanner)] == [1] * 19 + [101] * 3000


def test_many_beginnings_of_captures_of_another_kind_hide_no_record():
    """Each could be one that goes on to the end, so only the first ones are followed."""
    inside = b"".join(nested(T0, 0, 0xA1B23C4D) + b"-" for _ in range(30))
    around = [*talk(8), Record(inside, T0 * SECOND), *talk(12)]
    capture = pcap(around)
    whole = places(capture)
    reading = resync(overwritten(capture, whole[8].start, whole[8].data, "ones", random.Random(4)))
    assert [offset for offset, _ in reading.records] == [one.data for one in whole if one != whole[8]]
    assert (reading.joined, len(reading.strays), reading.damage) == (0, 1, None)


def test_records_before_a_gap_in_time_are_found_where_the_last_one_of_them_was_cut():
    before = [Record(bytes([at]) * (50 + at), (T0 + at) * SECOND, 200) for at in range(5)]
    later = [Record(bytes([at]) * (50 + at), (T0 + 10**6 + at) * SECOND) for at in range(5)]
    capture = pcap([*talk(4), *before, *later])
    whole = places(capture)
    reading = resync(overwritten(capture, whole[3].start, whole[3].data, "ones", random.Random(0)))
    assert [offset for offset, _ in reading.records] == [one.data for one in whole if one != whole[3]]


# Limits ---------------------------------------------------------------------------------------------------------------


def test_after_too_many_places_the_reading_ends_and_says_so():
    chain = pcap([Record(b"\x45" * 30, T0 * SECOND)] * 4)[24:]
    reading = resync(pcap([]) + (chain + b"\xff" * 16) * 65_538)
    assert len(reading.strays) == 65_536
    assert reading.damage is not None
    assert reading.damage[0] == "too_many_strays"


# From any offset ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capture", CAPTURES.values(), ids=CAPTURES)
def test_from_any_offset_the_next_record_is_found(capture):
    finder = RecordFinder(capture)
    starts = [place.start for place in places(capture)]
    for at in range(starts[0], starts[-1] + 1):
        assert finder.find(capture, at) == (next(one for one in starts if one >= at),) * 2
    assert finder.find(capture, starts[-1] + 1) == (None, len(capture))


def test_a_search_in_a_part_of_a_capture_says_how_far_it_came():
    capture = pcap(talk(30_000))
    finder = RecordFinder(capture[:24])
    part = capture[: finder.needs + 1_000]
    assert finder.find(part, 500, ended=False)[0] in [place.start for place in places(capture)]
    zeros = bytes(3 * finder.needs)
    found, searched = finder.find(zeros, 0, ended=False)
    assert found is None
    assert len(zeros) - finder.needs < searched <= len(zeros)
    with pytest.raises(ValueError, match="head"):
        RecordFinder(b"plain text, and more of it")
