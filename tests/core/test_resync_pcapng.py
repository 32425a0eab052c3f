"""Reading on behind damage in pcapng: blocks of every kind, sections, and interfaces that are or are not there."""

from __future__ import annotations

import itertools
import random
import struct

import pytest

from capture_files import (
    PREFIX,
    Block,
    ByteOrder,
    block,
    enhanced_packet,
    interface,
    old_packet,
    pcapng,
    simple_packet,
)
from core_driver import FIVE_TUPLE, key
from damaged_captures import overwritten, places, resync
from fluxcap._core import RecordFinder
from whole_readings import ONE, read

ORDERS: tuple[ByteOrder, ...] = ("little", "big")


def mixed(n: int) -> list[Block]:
    """So many packets of random bytes, in packet blocks of each kind in turn."""
    draw = random.Random(1)
    kinds = itertools.cycle([enhanced_packet, old_packet, simple_packet])
    return [kind(draw.randbytes(draw.choice([40, 60, 61, 300]))) for kind, _ in zip(kinds, range(n), strict=False)]


@pytest.mark.parametrize("order", ORDERS)
def test_blocks_of_every_kind_are_the_same_in_pieces_and_for_threads(order):
    blocks = mixed(200)
    for at in range(0, 200, 10):
        blocks[at:at] = [block(0x0BAD, bytes(at))]
    capture = pcapng(interface(), *blocks, byteorder=order) * 20
    unknown = enhanced_packet(bytes(60), interface_id=7)
    broken = capture + pcapng(interface(), *blocks[:90], unknown, *blocks[90:], byteorder=order)
    options = {"key": key(*FIVE_TUPLE), "resync": True}
    for octets, packets, strays in ((capture, 4000, 0), (broken, 4200, 1)):
        expected = read(octets, [len(octets)], ONE, **options)
        assert read(octets, [70_000], itertools.repeat(4), **options) == expected
        assert (expected["totals"]["packets"], len(expected["strays"])) == (packets, strays)


def packets(n: int, index: int = 0) -> list[Block]:
    return [enhanced_packet(bytes([at]) * 60, at, index) for at in range(n)]


def test_a_packet_of_an_interface_that_is_not_there_is_passed_over():
    reading = resync(pcapng(interface(), *packets(4), *packets(1, 7), *packets(4)))
    assert len(reading.records) == 8
    assert [size for _, _, size in reading.strays] == [len(pcapng(*packets(1))) - len(pcapng())]


def test_after_the_description_of_an_interface_is_lost_the_next_section_is_read():
    described, head = len(pcapng(interface())), len(pcapng())
    first = pcapng(interface(), *packets(4), interface(101), *packets(4))
    broken = first[:head] + b"\xff" * (described - head) + first[described:] + pcapng(interface(101), *packets(5))
    reading = resync(broken)
    assert len(reading.records) == 5
    assert min(offset for offset, _ in reading.records) > len(first)


def test_after_a_section_header_is_lost_no_packet_is_of_an_interface_of_the_section_before():
    first, second, third = (pcapng(interface(link), *packets(5)) for link in (1, 101, 12))
    for how in ("ones", "random", "zeros"):
        broken = overwritten(first + second + third, len(first), len(first) + 28, how, random.Random(1))
        reading = resync(broken)
        assert [offset < len(first) for offset, _ in reading.records] == [True] * 5 + [False] * 5
        assert min(offset for offset, _ in reading.records[5:]) > len(first + second)


def test_a_block_longer_than_any_record_is_read():
    capture = pcapng(interface(), *packets(4), block(0x0BAD, bytes(800_000)), *packets(4))
    assert len(resync(capture).records) == 8


def with_trailer(made: Block, length: int) -> Block:
    """A block with another length at its end."""
    return lambda order: made(order)[:-4] + struct.pack(order + "I", length)


def with_captured_length(made: Block, length: int) -> Block:
    """A packet block of which more, or fewer, bytes were captured than it has."""
    return lambda order: made(order)[:20] + struct.pack(order + "I", length) + made(order)[24:]


ENDINGS = {
    "a few bytes": lambda order: b"\6\0\0\0\1",
    "a section of no byte order": lambda order: block(0x0A0D0D0A, b"?" * 16)(order),
    "a block that ends otherwise": with_trailer(enhanced_packet(bytes(60)), 4),
    "a packet longer than its block": with_captured_length(enhanced_packet(bytes(60)), 1000),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_blocks_between_damage_and_what_is_no_block_are_read(ending, order):
    """Nothing leads to them: the length at the end of the block before is destroyed too."""
    capture = pcapng(interface(), *packets(12), byteorder=order)
    whole = places(capture)
    lost = whole[3]
    broken = overwritten(capture, lost.start, lost.end, "ones", random.Random(0))
    reading = resync(broken + ending(PREFIX[order]))
    assert [offset for offset, _ in reading.records] == [one.data for one in whole if one != lost]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_fewer_blocks_than_are_believed_are_not_read_before_what_is_no_block(ending, order):
    capture = pcapng(interface(), *packets(6), byteorder=order)
    whole = places(capture)
    broken = overwritten(capture, whole[3].start, whole[3].end, "ones", random.Random(0))
    reading = resync(broken + ending(PREFIX[order]))
    assert [offset for offset, _ in reading.records] == [one.data for one in whole[:3]]


NOT_SOUND = {
    "an interface that is not there": enhanced_packet(bytes(60), interface_id=7),
    "an interface that is not there, obsolete": old_packet(bytes(60), interface_id=7),
    "another length at the end": with_trailer(enhanced_packet(bytes(60)), 4),
    "more bytes than it has": with_captured_length(enhanced_packet(bytes(60)), 1000),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("damaged_block", NOT_SOUND.values(), ids=NOT_SOUND)
def test_damage_in_the_middle_of_a_long_section_is_found_by_threads_too(damaged_block, order):
    blocks = mixed(4000)
    blocks[2000:2000] = [damaged_block]
    octets = pcapng(interface(), *blocks, byteorder=order)
    options = {"key": key(*FIVE_TUPLE), "resync": True}
    expected = read(octets, [len(octets)], ONE, **options)
    assert (expected["totals"]["packets"], len(expected["strays"])) == (4000, 1)
    assert read(octets, [70_000], itertools.repeat(4), **options) == expected


def test_a_head_with_many_interfaces_is_the_head_of_all_their_records():
    head = pcapng(*(interface() for _ in range(40)))
    capture = head + pcapng(*(packet for index in range(40) for packet in packets(1, index)))[28:]
    finder = RecordFinder(head)
    starts = [place.start for place in places(capture)]
    assert [finder.find(capture, start - 1)[0] for start in starts] == starts
