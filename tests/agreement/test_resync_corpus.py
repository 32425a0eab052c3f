"""Real captures with damage: how much is lost, and that nothing is invented."""

from __future__ import annotations

import bisect
import random
import struct
from collections import defaultdict
from pathlib import Path

import pytest

from capture_pieces import SECTION_HEADER, pieces
from core_driver import scan
from damaged_captures import bytes_accounted, damaged, file_header, overwritten, places, resync
from fluxcap._core import RecordFinder
from real_captures import CORPUS, FOLDER, SAMPLES, needs_corpus

LARGEST = 300_000  # bytes: there are some thousand smaller ones
MAGICS = {magic.to_bytes(4, order) for magic in (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34) for order in ("little", "big")}
# Made by fuzzers of their programs: a record of zeros, and lengths that contradict each other.
NOT_SOUND = {"icmp6_mobileprefix_asan.pcap", "hncp_prefix-oobr.pcap"}


def sound(folder: Path) -> list[tuple[Path, bytes]]:
    """The captures that are read to their ends, with three records or more, and no other capture joined to them."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > LARGEST or path.name in NOT_SOUND:
            continue
        octets = path.read_bytes()
        if octets[:4] not in MAGICS | {SECTION_HEADER}:
            continue
        scanner = scan(octets, columns=())
        if scanner.damage is None and not scanner.joined[0] and scanner.totals()["packets"] > 2:
            found.append((path, octets))
    return found


REAL = sound(CORPUS if FOLDER else SAMPLES)


def test_a_sound_capture_is_read_as_it_is_without_resynchronising():
    for path, octets in REAL:
        reading = resync(octets)
        assert (reading.strays, reading.damage, len(reading.records)) == ([], None, len(places(octets))), path


def follows_packets(octets: bytes, number: int) -> bool:
    """Is no description of an interface or section among the bytes from packet to packet here?"""
    whole = places(octets)
    return whole[number - 1].end == whole[number].start and whole[number].end == whole[number + 1].start


@pytest.mark.parametrize("how", ["random", "zeros", "ones"])
def test_a_capture_with_a_header_destroyed_in_the_middle_loses_three_more_records_at_most(how):
    draw = random.Random(1)
    for path, octets in REAL:
        whole = places(octets)
        number = len(whole) // 2
        if not follows_packets(octets, number):
            continue
        lost = whole[number]
        broken = overwritten(octets, lost.start, lost.data, how, draw)
        reading = resync(broken)
        found = {offset for offset, _ in reading.records}
        assert found <= {place.data for place in whole if place != lost}, path
        assert len(found) >= len(whole) - 4, path
        if not octets.startswith(SECTION_HEADER):
            assert bytes_accounted(broken, file_header(octets), reading), path


@needs_corpus
def test_of_ten_thousand_damages_none_makes_a_record():
    draw = random.Random(2)
    for _ in range(10_000):
        path, octets = draw.choice(REAL)
        broken = damaged(octets, draw)
        reading = resync(broken.octets)
        assert {offset for offset, _ in reading.records} <= broken.starts, (path, broken.kind)
        if not octets.startswith(SECTION_HEADER):
            assert bytes_accounted(broken.octets, 24, reading), (path, broken.kind)


def joined(captures: list[bytes]) -> tuple[bytes, list[int]]:
    """The records of captures of one kind in one file, and where a reading of it can begin."""
    if captures[0].startswith(SECTION_HEADER):
        octets = b"".join(captures)
        kinds, at, starts = (1, 2, 3, 6, 0x0A0D0D0A), 0, []
        for _, one in pieces(octets):
            if struct.unpack("<I", one[:4])[0] in kinds:
                starts.append(at)
            at += len(one)
        return octets, starts
    snaplen = struct.pack("<I" if captures[0][3] == 0xA1 else ">I", 262_144)  # as the longest of them may have
    octets = captures[0][:16] + snaplen + captures[0][20:24] + b"".join(one[24:] for one in captures)
    return octets, [place.start for place in places(octets)]


def kinds() -> dict[bytes, list[bytes]]:
    """The captures by magic number, those of Ethernet; sections of this byte order."""
    found = defaultdict(list)
    for _, octets in REAL:
        if octets.startswith(SECTION_HEADER):
            if b"\x1a\x2b\x3c\x4d" not in octets:
                found[SECTION_HEADER].append(octets)
        elif struct.unpack("<I" if octets[3] == 0xA1 else ">I", octets[20:24])[0] == 1:
            found[octets[:4]].append(octets)
    return found


def test_from_any_offset_of_captures_joined_the_next_record_is_found():
    draw = random.Random(3)
    for captures in kinds().values():
        octets, starts = joined(draw.sample(captures, min(100, len(captures))))
        finder = RecordFinder(octets[:4096])
        for _ in range(1000):
            at = draw.randrange(24, starts[-1])
            assert finder.find(octets, at)[0] == starts[bisect.bisect_left(starts, at)], at


def test_places_are_those_that_the_core_finds():
    """The oracle of these tests, seen to agree on sound captures."""
    for path, octets in REAL[:200]:
        assert [offset for offset, _ in resync(octets).records] == [place.data for place in places(octets)], path
