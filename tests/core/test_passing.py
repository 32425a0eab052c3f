"""Records that are passed by their framing alone: in whatever pieces the bytes come, and past damage."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies as drawn
from capture_files import enhanced_packet, interface, pcap, pcapng, records
from capture_pieces import pieces
from core_driver import scan
from fluxcap._core import Scanner, Walker

FRAMES = records([bytes([number] * (20 + number)) for number in range(60)])
CAPTURE = pcap(FRAMES)


def fed(window, octets, size):
    """Put the next bytes into a window; the end where there are none."""
    n = min(size, len(window.space()), len(octets))
    window.space()[:n] = octets[:n]
    window.advance(n)
    if not n:
        window.finish()
    return octets[n:]


def starts(capture):
    """Where each record begins, and the headers before it."""
    at, headers, found = 0, b"", []
    for is_packet, octets in pieces(capture):
        if is_packet:
            found.append((at, headers))
        elif octets[:4] in (b"\n\r\r\n", b"\1\0\0\0", b"\0\0\0\1") or not capture.startswith(b"\n\r\r\n"):
            headers += octets
        at += len(octets)
    return found


@given(capture=drawn.captures(drawn.simple_frames), every=st.integers(1, 400), size=st.integers(1, 500))
def test_places_and_headers_are_those_of_the_file_in_whatever_pieces_it_comes(capture, every, size):
    walker, left, found, goal, ended = Walker(), capture, [], every, False
    while not ended:
        ended = not left
        left = fed(walker, left, size)
        while walker.walk(goal):
            found.append((walker.packets, walker.position, bytes(walker.headers)))
            goal = walker.position + every
    wanted, goal = [], every
    for number, (at, headers) in enumerate(starts(capture)):
        if at >= goal:
            wanted.append((number, at, headers))
            goal = at + every
    assert found == wanted


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 16])
@pytest.mark.parametrize("packet", [1, 2, 30, 60])
def test_what_was_passed_is_counted_nowhere(packet, size):
    scanner, left = Scanner(columns=("packet", "offset")), CAPTURE
    scanner.begin()
    while (passed := scanner.pass_to(packet)) is None:
        left = fed(scanner, left, size)
    assert passed == packet - 1
    while left:
        scanner.run()
        left = fed(scanner, left, size)
    scanner.run()
    totals, rows = scanner.totals(), scanner.take()
    assert totals["packets"] == 61 - packet
    assert list(memoryview(rows["packet"])) == list(range(packet, 61))
    assert memoryview(rows["offset"])[0] == starts(CAPTURE)[packet - 1][0] + 16


def test_a_reading_goes_on_at_any_place_behind_the_headers():
    for number, (at, headers) in enumerate(starts(CAPTURE)):
        scanner = Scanner(columns=("packet",))
        scanner.begin()
        fed(scanner, headers, len(headers))
        assert scanner.pass_to() is None
        scanner.go_on(at, number)
        fed(scanner, CAPTURE[at:], len(CAPTURE))
        scanner.run()
        assert list(memoryview(scanner.take()["packet"])) == list(range(number + 1, 61))


def test_bytes_that_were_not_read_are_not_left_behind():
    scanner = Scanner()
    scanner.begin()
    fed(scanner, CAPTURE, 100)
    with pytest.raises(ValueError, match="are left"):
        scanner.go_on(0, 0)


def test_a_walk_ends_at_damage_and_says_where():
    lengths = list(accumulate((len(octets) for _, octets in pieces(CAPTURE))))
    broken = bytearray(CAPTURE)
    broken[lengths[9] + 8 : lengths[9] + 12] = b"\xff" * 4
    walker = Walker()
    fed(walker, bytes(broken), len(broken))
    assert not walker.walk(len(broken))
    assert (walker.packets, walker.damage["packet"], walker.damage["offset"]) == (9, 9, lengths[9])


def test_damage_is_passed_where_it_is_read_past():
    lengths = list(accumulate((len(octets) for _, octets in pieces(CAPTURE))))
    broken = bytearray(CAPTURE)
    broken[lengths[9] : lengths[9] + 16] = b"\xff" * 16
    scanner = Scanner(columns=("packet", "offset"), resync=True)
    scanner.begin()
    fed(scanner, bytes(broken), len(broken))
    scanner.finish()
    assert scanner.pass_to(40) == 39
    scanner.run()
    whole = scan(bytes(broken), columns=("packet", "offset"), resync=True).take()
    rows = scanner.take()
    assert list(memoryview(rows["offset"])) == list(memoryview(whole["offset"]))[39:]


def test_more_interfaces_than_there_is_room_for_are_passed():
    capture = pcapng(*(interface(tsresol=9) for _ in range(40)), enhanced_packet(b"x" * 60, 5, 39))
    walker = Walker()
    fed(walker, capture, len(capture))
    assert not walker.walk(len(capture))
    assert bytes(walker.headers) == starts(capture)[0][1]
    assert (walker.packets, walker.newest) == (1, 5)
