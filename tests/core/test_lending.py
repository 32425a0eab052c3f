"""Bytes that are lent to the core are read where they lie, with the same result as copied bytes."""

from __future__ import annotations

import gzip
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import pcap, records
from core_driver import ALL_COLUMNS, FIVE_TUPLE, key
from fluxcap._core import DAMAGED, FLOWS_FULL, ROWS_FULL, Scanner
from strategies import captures, dialogue_frames, fragment_frames, odd_frames, tunnelled_frames
from whole_readings import LONG, ONE, again, everything, filled, numbered, octets, read

WINDOW = 1 << 18
PARTIAL = b.ethernet(b.ipv4(b.udp(b"?", 40000, 53, checksum="partial"), "192.0.2.1", "192.0.2.2"))


def lent(capture: bytes, sizes: list[int], threads: list[int], ways: list[bool], **options: Any) -> dict[str, Any]:
    """All results of a scanner for a capture in pieces of these sizes; a piece is lent where its turn is true."""
    scanner = Scanner(**options)
    rows: list[dict[str, bytes]] = []
    counts, turns = itertools.cycle(threads), itertools.cycle(ways)
    scanner.begin()
    begin, state = 0, -1

    def run() -> int:
        n = next(counts)
        while (state := scanner.run(n)) == ROWS_FULL:
            rows.append(octets(scanner.take()))
        return state

    for size in filled(sizes):
        if begin >= len(capture) or state in (DAMAGED, FLOWS_FULL):
            break
        piece = bytearray(capture[begin : begin + size])
        if next(turns):
            at = 0
            while at < len(piece) and state not in (DAMAGED, FLOWS_FULL):
                at = scanner.lend(piece, at)
                state = run()
            begin += len(piece)
        else:
            space = scanner.space()
            n = min(len(piece), len(space))
            space[:n] = piece[:n]
            scanner.advance(n)
            begin += n
            state = run()
        # The lender may drop the memory: the core must copy what it still needs.
        del piece
    if state not in (DAMAGED, FLOWS_FULL):
        scanner.finish()
        state = run()
    return everything(scanner, state, rows)


@settings(max_examples=150, deadline=None)
@given(
    capture=captures(st.one_of(dialogue_frames, fragment_frames, tunnelled_frames, odd_frames)),
    times=st.integers(1, 40),
    cut=st.integers(0, 40),
    sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=4),
    threads=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    ways=st.lists(st.booleans(), min_size=1, max_size=5),
    row_limit=st.sampled_from([0, 40]),
)
def test_lent_octets_are_read_as_copied_ones_are(capture, times, cut, sizes, threads, ways, row_limit):
    longer = again(capture, times)
    longer = longer[: len(longer) - cut]
    options = {"key": key(*FIVE_TUPLE), "columns": ALL_COLUMNS, "row_limit": row_limit}
    assert lent(longer, sizes, threads, ways, **options) == read(longer, [len(longer) or 1], ONE, **options)


@pytest.mark.parametrize("size", [1000, 4096, 70_000, WINDOW, 1 << 19])
@pytest.mark.parametrize("name", LONG)
def test_long_captures_are_lent_in_pieces_of_any_size(name, size):
    options = {"key": key(*FIVE_TUPLE)}
    assert lent(LONG[name], [size], [1], [True], **options) == read(LONG[name], [WINDOW], ONE, **options)


def test_a_record_may_begin_many_pieces_before_it_ends():
    capture = pcap(records([*numbered(10), bytes(WINDOW), *numbered(10), bytes(200_000)]))
    options = {"key": key(*FIVE_TUPLE)}
    assert lent(capture, [5000], [1], [True], **options) == read(capture, [WINDOW], ONE, **options)


def test_a_compressed_capture_is_read_repaired_and_demultiplexed_as_a_plain_one(tmp_path):
    plain, packed = tmp_path / "a.pcap", tmp_path / "a.pcap.gz"
    plain.write_bytes(again(pcap(records([*numbered(900), *[PARTIAL] * 3])), 20))
    packed.write_bytes(gzip.compress(plain.read_bytes(), 0))
    assert packed.stat().st_size > 1 << 20  # decompressed by a thread of its own
    assert fluxcap.read_flows(packed) == fluxcap.read_flows(plain)
    fluxcap.repair(plain, tmp_path / "plain")
    fluxcap.repair(packed, tmp_path / "packed")
    assert (tmp_path / "packed").read_bytes() == (tmp_path / "plain").read_bytes() != plain.read_bytes()
    fluxcap.demux(plain, tmp_path / "from plain")
    fluxcap.demux(packed, tmp_path / "from packed")
    found = {path.name: path.read_bytes() for path in (tmp_path / "from packed").glob("udp*")}
    assert found == {path.name: path.read_bytes() for path in (tmp_path / "from plain").glob("udp*")}
    assert found


def test_bytes_that_are_lent_are_as_before_when_a_file_is_read_behind_them(tmp_path):
    """Several threads put what a window ends with where the bytes before it lie."""
    frames = numbered(9000)
    capture = pcap(records(frames))
    path = tmp_path / "capture"
    path.write_bytes(capture)
    scanner = Scanner(key=key(*FIVE_TUPLE))
    scanner.begin()
    beginning = capture[:1000]
    kept = bytearray(beginning)
    scanner.lend(beginning, 0)
    with path.open("rb", buffering=0) as file:
        scanner.read(file.fileno(), 2)
    assert beginning == kept
    assert scanner.totals()["packets"] == len(frames)
