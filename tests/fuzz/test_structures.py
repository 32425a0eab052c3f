"""A few captures by structure, read in every way: the generator runs, and what it asserts holds.

`tests/fuzz/run SECONDS` reads more of them, with sanitizers."""

import random

import pytest

from capture_pieces import pieces
from drive import drive_number
from structures import LINKS, capture


@pytest.mark.parametrize("number", range(12))
def test_every_reading_function_reads_captures_by_structure(number):
    drive_number("tests", number)


def test_a_number_is_the_same_capture_in_every_run():
    assert capture(random.Random("tests/1")) == capture(random.Random("tests/1"))


def test_captures_by_structure_have_packets_of_every_link_type():
    captures = [capture(random.Random(number)) for number in range(600)]
    kinds = {int.from_bytes(one[20:24], "little") for one in captures if one[:4] != b"\n\r\r\n"}
    assert kinds == set(LINKS)
    assert all(any(packet for packet, _ in pieces(one)) for one in captures)
