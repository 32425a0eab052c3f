"""Work in a thread ahead of the reader: in order, a bounded amount, and with an end in any case."""

import gzip
import io
import subprocess
import sys
import threading
import time
import zlib
from contextlib import closing

import pytest

import fluxcap
from capture_files import pcap, records
from fluxcap.capture.ahead import belt
from fluxcap.capture.ahead.one_input import PIECE, PIECES, STEPS, Ahead
from fluxcap.errors import NotACaptureError, TruncatedError
from threads_beside import PATIENCE, threads_left

lz4_frame = pytest.importorskip("lz4.frame")


PACKET = fluxcap.segment(bytes(1000), ("192.0.2.1", 4000), ("192.0.2.2", 53))
PACKETS = 3000
CAPTURE = pcap(records([PACKET] * PACKETS))
COMPRESSED = gzip.compress(CAPTURE, compresslevel=0)  # 3 MB: half a dozen pieces


class Counted(io.BytesIO):
    """A stream that notes how much was read, and by which threads."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.threads: set[int] = set()

    def readinto(self, buffer) -> int:
        self.threads.add(threading.get_ident())
        return super().readinto(buffer)

    readinto1 = readinto


class Copying:
    """Work that gives its pieces back, and notes its thread and its amount."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.octets = 0

    def __call__(self, pieces):
        for piece in pieces:
            self.threads.add(threading.get_ident())
            self.octets += len(piece)
            yield bytes(piece)


def taken(made, size: int) -> bytes:
    """The first bytes made."""
    octets = b""
    while len(octets) < size:
        octets += next(made)
    return octets


def settled(measure) -> int:
    """The value once it no longer changes."""
    before, now = -1, measure()
    while before != now:
        time.sleep(0.1)
        before, now = now, measure()
    return now


def test_the_work_is_done_by_a_thread_that_never_touches_the_source():
    source, work = Counted(COMPRESSED), Copying()
    assert b"".join(Ahead(source, work)) == COMPRESSED
    assert source.threads == {threading.get_ident()}
    assert len(work.threads) == 1
    assert work.threads != source.threads


@pytest.mark.parametrize(
    ("capture", "threads"),
    [
        (gzip.compress(CAPTURE), 0),
        (COMPRESSED, 1),
        (io.BytesIO(gzip.compress(CAPTURE)), 1),
        (io.BytesIO(lz4_frame.compress(CAPTURE)), 0),
    ],
    ids=["small", "large", "of unknown size", "of unknown size, fast to decompress"],
)
def test_a_thread_is_started_only_where_it_saves_more_than_it_costs(capture, threads, monkeypatch):
    started = []

    class Known(threading.Thread):
        def start(self):
            started.append(self.name)
            super().start()

    monkeypatch.setattr(belt, "Thread", Known)
    assert fluxcap.read_flows(capture).metadata["packets"] == PACKETS
    assert started == ["fluxcap-ahead"] * threads


def test_it_is_ahead_of_the_reader_by_a_bounded_number_of_steps():
    source, work = Counted(bytes(100 * PIECE)), Copying()
    with closing(iter(Ahead(source, work))) as made:
        next(made)
        assert settled(lambda: work.octets) <= (STEPS + 1) * PIECE
        assert source.tell() <= work.octets + PIECES * PIECE


def test_little_that_becomes_much_is_ahead_no_further():
    """The endless output of a decompression bomb."""
    made_of_it = 0

    def inflate(pieces):
        nonlocal made_of_it
        for piece in pieces:
            for _ in range(1000):
                made_of_it += len(piece)
                yield bytes(piece)

    with closing(iter(Ahead(io.BytesIO(bytes(10 * PIECE)), inflate))) as made:
        next(made)
        assert settled(lambda: made_of_it) <= (STEPS + 1) * PIECE


def test_work_that_gives_nothing_for_most_pieces_goes_on_to_the_end():
    def last(pieces):
        *_, piece = pieces
        yield bytes(piece)

    assert b"".join(Ahead(io.BytesIO(bytes(100 * PIECE + 5)), last)) == bytes(5)


class Failing(Counted):
    """A stream that fails at its end."""

    error: type[BaseException] = OSError

    def readinto(self, buffer) -> int:
        n = super().readinto(buffer)
        if n == 0:
            raise self.error("the disk is gone")
        return n

    readinto1 = readinto


@pytest.mark.parametrize("pieces", [1, 20])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_of_the_source_comes_after_what_was_made_of_the_pieces_before_it(pieces, error):
    source = Failing(bytes(pieces * PIECE))
    source.error = error
    octets = iter(Ahead(source, Copying()))
    assert taken(octets, pieces * PIECE) == bytes(pieces * PIECE)
    with pytest.raises(error, match="the disk is gone"):
        next(octets)


@pytest.mark.parametrize("pieces", [1, 20])
def test_an_error_of_the_work_comes_after_what_it_made(pieces):
    def broken(arriving):
        yield from Copying()(arriving)
        raise ValueError("no more of this")

    octets = iter(Ahead(io.BytesIO(bytes(pieces * PIECE)), broken))
    assert taken(octets, pieces * PIECE) == bytes(pieces * PIECE)
    with pytest.raises(ValueError, match="no more of this"):
        next(octets)


@pytest.mark.parametrize("end", [len(COMPRESSED), len(COMPRESSED) // 2])
def test_ctrl_c_on_a_compressed_stream_keeps_what_had_come_and_is_no_damage(end):
    source = Failing(COMPRESSED[:end])
    source.error = KeyboardInterrupt
    table = fluxcap.read_flows(source, on_interrupt="return")
    assert (table.metadata["interrupted"], table.metadata["damage"]) == (True, [])
    there = len(zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(COMPRESSED[:end]))
    assert table.metadata["packets"] == (there - 24) // (16 + len(PACKET))


def broken_off():
    batches = iter(fluxcap.scan_packets(COMPRESSED, batch_size=10))
    assert len(next(batches)) == 10


def limited():
    other = fluxcap.segment(b"", ("192.0.2.1", 4000), ("192.0.2.2", 54))
    capture = gzip.compress(pcap(records([PACKET, other, *[PACKET] * PACKETS])), compresslevel=0)
    with pytest.warns(UserWarning, match="max_flows"):
        assert len(fluxcap.read_flows(capture, max_flows=1)) == 1


def damaged():
    with pytest.raises(TruncatedError):
        fluxcap.read_flows(gzip.compress(CAPTURE[:-1], compresslevel=0), on_damage="raise")


def no_capture():
    with pytest.raises(NotACaptureError):
        fluxcap.read_flows(gzip.compress(b"text" * 1_000_000, compresslevel=0))


def read_whole():
    assert fluxcap.read_flows(COMPRESSED).metadata["packets"] == PACKETS


@pytest.mark.parametrize("read", [broken_off, limited, damaged, no_capture, read_whole])
def test_however_reading_ends_the_thread_does(read):
    read()
    assert threads_left() == 0


def test_a_scan_left_open_does_not_keep_the_interpreter_from_ending(tmp_path):
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(COMPRESSED)
    program = (
        "import builtins, fluxcap, sys, threading\n"
        "scan = iter(fluxcap.scan_packets(sys.argv[1], batch_size=10))\n"
        "builtins.kept = iter(fluxcap.scan_packets(sys.argv[1], batch_size=10))\n"
        "print(len(next(scan)), len(next(builtins.kept)), threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "10 10 3\n", "")
