"""Captures made to cost memory, time or trust: demux() stays within its limits and accounts for everything."""

import random
import subprocess
import sys

import pytest

import builders as b
from capture_files import pcap, records
from delivered_directory import demuxed, lines, read

LINK_RAW = 101
HALF_OPEN = 50_000
SEGMENTS = 30_000
MEASURED = """
import resource, sys
import fluxcap
fluxcap.demux(sys.argv[1], sys.argv[2] + "-small")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fluxcap.demux(sys.argv[3], sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def raw(seq, data=b"", flags=b.ACK, src=1, src_port=1000):
    """A segment over IPv4 without a link header, made faster than the builders do, its checksums left to the card."""
    address = (10 << 24 | src).to_bytes(4)
    head = b"\x45\0" + (40 + len(data)).to_bytes(2) + b"\0\0\0\0\x40\x06\0\0" + address + b"\x0a\xff\xff\xff"
    pseudo = sum(map(int.from_bytes, (address[:2], address[2:], b"\x0a\xff", b"\xff\xff"))) + 6 + 20 + len(data)
    checksum = pseudo % 0xFFFF or 0xFFFF
    ports = src_port.to_bytes(2) + b"\0\x50"
    rest = (seq % (1 << 32)).to_bytes(4) + b"\0\0\0\0\x50" + bytes((flags,)) + b"\xff\xff"
    return head + ports + rest + checksum.to_bytes(2) + b"\0\0" + data


def stream(*positions, data=b"x"):
    """A SYN, then these bytes at these positions."""
    return [raw(0, flags=b.SYN), *(raw(position + 1, data) for position in positions)]


def growth(frames, folder):
    """KiB of memory beyond that of a small capture."""
    small, large = folder / "small.pcap", folder / "large.pcap"
    small.write_bytes(pcap(records(frames[:10]), LINK_RAW))
    large.write_bytes(pcap(records(frames), LINK_RAW))
    command = [sys.executable, "-c", MEASURED, small, folder / "out", large]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
def test_half_open_connections_take_some_hundred_octets_each_and_no_file(tmp_path):
    frames = [
        raw(number, flags=b.SYN, src=number // 60_000 + 1, src_port=number % 60_000) for number in range(HALF_OPEN)
    ]
    assert growth(frames, tmp_path) * 1024 < HALF_OPEN * 1500
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.ndjson"]
    assert len(lines(tmp_path / "out" / "index.ndjson")) == HALF_OPEN + 1


ORDERS = {
    "at random over 1 GB": lambda: random.Random(1).sample(range(1 << 30), SEGMENTS),
    "every other one": lambda: range(1, 2 * SEGMENTS, 2),
    "backwards": lambda: range(1 << 29, (1 << 29) - 2 * SEGMENTS, -2),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_single_octets_out_of_order_are_all_delivered_or_counted_and_the_gaps_add_up(order, tmp_path):
    positions = list(order())
    delivery = demuxed(pcap(records(stream(*positions)), LINK_RAW), tmp_path / "out")
    (one,) = delivery.streams
    assert one["octets"] + one["gap_octets"] == max(positions) + 1
    assert one["octets"] + one["retransmitted"] + one["keep_alives"] == SEGMENTS
    assert one["data"] == b"x" * one["octets"]


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_memory_does_not_grow_with_them(order, tmp_path):
    assert growth(stream(*order()), tmp_path) < 40 << 10


def test_sequence_numbers_that_jump_are_taken_within_a_window_or_counted(tmp_path):
    draw = random.Random(2)
    frames = [raw(0, flags=b.SYN), *(raw(draw.getrandbits(32), bytes(100)) for _ in range(5000))]
    delivery = demuxed(pcap(records(frames), LINK_RAW), tmp_path / "out")
    (one,) = delivery.streams
    assert one["octets"] > 0
    assert one["octets"] // 100 + one["out_of_window"] + one["retransmitted"] + one["overlapping"] >= 5000


@pytest.mark.slow
def test_what_all_streams_hold_together_is_limited_and_the_oldest_are_given_up_with_a_gap(tmp_path):
    streams, segments, size = 200, 16, 65_000  # a MiB each
    frames = [
        raw(seq, bytes(size) if seq else b"", b.ACK if seq else b.SYN, src=number + 1)
        for number in range(streams)
        for seq in (0, *range(11, 11 + size * segments, size))
    ]
    assert growth(frames, tmp_path) < 110 << 10
    found = [(one["octets"], one["gap_octets"]) for one in read(tmp_path / "out").streams]
    assert found == [(size * segments, 10)] * streams


def test_an_overlap_that_disagrees_never_changes_what_was_first(tmp_path):
    draw = random.Random(3)
    there = {}
    frames = [raw(0, flags=b.SYN)]
    for _ in range(3000):
        start, octets = draw.randrange(5000), draw.randbytes(draw.randrange(1, 60))
        frames.append(raw(start + 1, octets))
        for position, octet in enumerate(octets, start):
            there.setdefault(position, octet)
    delivery = demuxed(pcap(records(frames), LINK_RAW), tmp_path / "out")
    (one,) = delivery.streams
    assert one["data"] == bytes(there[position] for position in sorted(there))
    assert one["conflicting"] > 2500


def test_fragments_of_many_datagrams_that_are_never_complete_take_a_fixed_amount_of_memory(tmp_path):
    def piece(number):
        head = b"\x45\0" + (20 + 1480).to_bytes(2) + number.to_bytes(2) + b"\x20\x00\x40\x11\0\0"
        return head + b"\x0a\0\0\x01\x0a\0\0\x02" + bytes(1480)

    assert growth([piece(number) for number in range(40_000)], tmp_path) < 60 << 10
