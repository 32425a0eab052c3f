"""Inputs that come next are decompressed while the current one is counted, and no result shows that."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcap
from capture_files import pcap, records
from fluxcap.capture import compression
from fluxcap.capture.ahead import belt, next_inputs
from fluxcap.capture.ahead.next_inputs import InputsAhead
from fluxcap.capture.inputs import Input, expand
from fluxcap.capture.meter import METER
from fluxcap.errors import CaptureError, DamagedCaptureWarning
from fluxcap.plan.processors import AHEAD, ahead_for
from threads_beside import PATIENCE, threads_left

lz4_frame = pytest.importorskip("lz4.frame")
zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


COMPRESSORS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "lz4": lz4_frame.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
DAMAGES = {
    "whole": lambda octets: octets,
    "cut": lambda octets: octets[: len(octets) * 2 // 3],
    "changed": lambda octets: octets[: len(octets) // 2] + b"\xff\x00\xff" + octets[len(octets) // 2 + 3 :],
    "a wrong check": lambda octets: octets[:-1] + bytes([octets[-1] ^ 0x55]),
    "more behind it": lambda octets: octets + b"garbage",
    "twice": lambda octets: octets + octets,
    "empty": lambda octets: b"",
}


def frame(n: int, size: int = 200) -> bytes:
    """A datagram of one of a dozen flows."""
    return fluxcap.segment(bytes([n % 256]) * size, ("192.0.2.1", 4000 + n % 12), ("192.0.2.2", 53))


def capture(first: int, packets: int, cut: int = 0) -> bytes:
    """A capture of these packets, which lacks so many bytes at its end."""
    octets = pcap(records([frame(n) for n in range(first, first + packets)]))
    return octets[: len(octets) - cut]


def folder(path: Path, files: list[bytes]) -> list[str]:
    """The names of new files with these contents."""
    names = [path / f"{number}.pcap" for number in range(len(files))]
    for name, octets in zip(names, files, strict=True):
        name.write_bytes(octets)
    return [str(name) for name in names]


def outcome(read: Any, src: Any, **options: Any) -> tuple[Any, ...]:
    """All that a caller learns: what is returned or raised, the metadata of it, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        error, tables = None, None
        try:
            tables = read(src, **options)
        except Exception as raised:
            error, tables = raised, getattr(raised, "partial", None)
    if not isinstance(tables, (tuple, list)):
        tables = [tables]
    whole = [(table and table.to_dict(), table and table.metadata) for table in tables]
    return repr(whole), type(error), str(error), [(w.category, str(w.message)) for w in caught]


def batches(src: Any, **options: Any) -> list[Any]:
    return list(fluxcap.scan_packets(src, batch_size=7, **options))


def both(src: Any, **options: Any) -> tuple[Any, ...]:
    return fluxcap.read_flows(src, packets=True, **options)


READINGS = [
    (fluxcap.read_flows, {}),
    (fluxcap.read_flows, {"max_flows": 5}),
    (fluxcap.read_flows, {"max_memory": 5000}),
    (fluxcap.read_flows, {"order": "time"}),
    (fluxcap.read_flows, {"on_damage": "raise"}),
    (fluxcap.read_packets, {}),
    (fluxcap.read_packets, {"on_damage": "raise"}),
    (fluxcap.read_connections, {}),
    (fluxcap.read_sockets, {}),
    (batches, {}),
    (both, {}),
]

one_file = st.tuples(
    st.integers(0, 60),
    st.sampled_from([0, 0, 0, 5, 230]),
    st.sampled_from(list(COMPRESSORS)),
    st.sampled_from(["whole"] * 6 + list(DAMAGES)),
)


@settings(max_examples=100, deadline=None)
@given(
    files=st.lists(one_file, min_size=1, max_size=6),
    reading=st.sampled_from(READINGS),
    ahead=st.integers(1, 7),
    large=st.sampled_from([0, 1 << 20]),
    piece=st.sampled_from([50, 1000, 1 << 19]),
    pieces=st.integers(1, 3),
    from_directory=st.booleans(),
)
def test_any_number_ahead_gives_what_reading_in_turn_gives(
    tmp_path_factory, files, reading, ahead, large, piece, pieces, from_directory
):
    read, options = reading
    path = tmp_path_factory.mktemp("captures")
    octets = [
        DAMAGES[damage](COMPRESSORS[codec](capture(60 * number, packets, cut)))
        for number, (packets, cut, codec, damage) in enumerate(files)
    ]
    names = folder(path, octets)
    src: Any = path if from_directory else names
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compression, "LARGE", large)
        in_turn = outcome(read, src, ahead=0, **options)
        patch.setattr(next_inputs, "PIECE", piece)
        patch.setattr(next_inputs, "ROOM", piece * pieces)
        assert outcome(read, src, ahead=ahead, **options) == in_turn


# Each of the rest reads files that are compressed, of some PACKETS each ----------------------------------------------

PACKETS = 300
FILES = 5


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    return folder(tmp_path, [gzip.compress(capture(PACKETS * n, PACKETS)) for n in range(FILES)])


class Decompressing:
    """Stands for decompressed_here() in the threads: notes what it makes, and calls `then` after each piece."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, then: Any = lambda path: None) -> None:
        self.octets: dict[str, int] = {}
        self._then = then
        monkeypatch.setattr(next_inputs, "decompressed_here", self._make)

    def _make(self, source: Any, codec: Any, path: str, size: int | None) -> Iterator[bytes]:
        self.octets[path] = 0
        for octets in compression.decompressed_here(source, codec, path, size):
            self.octets[path] += len(octets)
            yield octets
            self._then(path)


def settled(measure: Any) -> Any:
    """The value once it no longer changes."""
    before, now = None, measure()
    while before != now:
        time.sleep(0.1)
        before, now = now, measure()
    return now


def begun(src: Any, **options: Any) -> Any:
    """A scan of these inputs that has given its first batch."""
    scan = iter(fluxcap.scan_packets(src, batch_size=10, **options))
    next(scan)
    return scan


@pytest.mark.parametrize("ahead", [0, 1, 3, 9])
def test_so_many_inputs_are_ahead_of_the_current_one_and_no_more(ahead, names, monkeypatch):
    made = Decompressing(monkeypatch)
    with closing(begun(names, ahead=ahead)) as scan:
        assert settled(lambda: sorted(made.octets)) == names[1 : 1 + ahead]
        for _ in range(PACKETS // 10):  # into the second input
            next(scan)
        assert settled(lambda: sorted(made.octets)) == (names[1 : 2 + ahead] if ahead else [])


def test_what_waits_of_an_input_is_bounded(names, monkeypatch):
    piece, pieces = 1000, 5
    monkeypatch.setattr(compression, "STEP", 100)
    monkeypatch.setattr(next_inputs, "PIECE", piece)
    monkeypatch.setattr(next_inputs, "ROOM", piece * pieces)
    made = Decompressing(monkeypatch)
    with closing(begun(names, ahead=2)):
        waiting = settled(lambda: list(made.octets.values()))
    assert len(waiting) == 2
    assert all(piece * (pieces - 1) <= octets <= piece * (pieces + 1) + 100 for octets in waiting)


def test_small_pieces_are_joined_since_each_takes_the_room_of_a_large_one(names, monkeypatch):
    monkeypatch.setattr(compression, "STEP", 10)
    sizes: list[int] = []
    put = belt.Belt.put
    monkeypatch.setattr(belt.Belt, "put", lambda its, piece: sizes.append(len(piece)) or put(its, piece))
    assert fluxcap.read_flows(names[:2]).metadata["packets"] == 2 * PACKETS
    assert sizes == [len(capture(0, PACKETS))]


def test_an_input_that_cannot_be_opened_fails_in_its_turn(names, monkeypatch):
    there = fluxcap.scan_packets(names, batch_size=10)
    Path(names[3]).unlink()
    batches = iter(there)
    for _ in range(3 * PACKETS // 10):
        next(batches)
    with pytest.raises(FileNotFoundError) as caught:
        next(batches)
    assert caught.value.filename == names[3]
    assert threads_left() == 0


def test_an_input_that_can_be_opened_only_in_its_turn_is_read_then(names, monkeypatch):
    """As where the process has no file descriptor left while several are open."""
    there = Input.stored

    def stored(item: Input) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise OSError("too many open files")
        return there(item)

    monkeypatch.setattr(Input, "stored", stored)
    assert fluxcap.read_flows(names).metadata["packets"] == FILES * PACKETS


def failing_at(path: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the thread fail in this input behind its first thousand bytes."""

    def fail(current: str) -> None:
        if current == path:
            raise error("the rest")

    monkeypatch.setattr(compression, "STEP", 1000)
    Decompressing(monkeypatch, fail)


IN_STEP = (1000 - 24) // (16 + len(frame(0)))  # packets


def test_memory_that_runs_out_for_a_later_input_is_no_damage_and_comes_after_all_before_it(names, monkeypatch):
    failing_at(names[2], MemoryError, monkeypatch)
    batches = iter(fluxcap.scan_packets(names, batch_size=10, ahead=4))
    for _ in range(2 * PACKETS // 10):
        assert len(next(batches)) == 10
    with pytest.raises(MemoryError):
        next(batches)
    assert threads_left() == 0


def test_a_read_error_of_a_later_input_is_its_damage(names, monkeypatch):
    failing_at(names[2], OSError, monkeypatch)
    with pytest.warns(DamagedCaptureWarning, match=f"{names[2]}.* the rest"):
        table = fluxcap.read_packets(names, ahead=4)
    assert [damage.path for damage in table.metadata["damage"]] == [names[2]]
    assert len(table) == (FILES - 1) * PACKETS + IN_STEP


@pytest.mark.parametrize("error", [MemoryError, OSError, ValueError])
def test_an_error_behind_the_end_of_the_reading_is_never_met(error, names, monkeypatch):
    failing_at(names[2], error, monkeypatch)
    with pytest.warns(UserWarning, match="max_flows") as caught:
        table = fluxcap.read_flows(names, max_flows=3, ahead=4)
    assert (len(table), table.metadata["damage"], len(caught)) == (3, [], 1)
    assert threads_left() == 0


def test_where_no_thread_can_be_started_inputs_are_read_in_turn(names, monkeypatch):
    def none(work: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(next_inputs, "start", none)
    assert fluxcap.read_flows(names).metadata["packets"] == FILES * PACKETS


def test_files_that_are_not_compressed_start_no_thread(tmp_path, monkeypatch):
    names = folder(tmp_path, [capture(0, 9)] * 4)
    monkeypatch.setattr(next_inputs, "start", None)
    assert fluxcap.read_flows(names).metadata["packets"] == 36


def test_a_pipe_is_not_read_before_its_turn(names):
    out, into = os.pipe()
    os.write(into, gzip.compress(capture(0, 10)))
    os.close(into)
    with open(out, "rb", buffering=0) as pipe:
        scan = begun([names[0], pipe, names[1]], ahead=3)
        time.sleep(0.1)
        os.set_blocking(out, False)
        assert pipe.read(2) == b"\x1f\x8b"  # gzip
        scan.close()


def test_a_fifo_is_not_opened_before_its_turn(names, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with closing(begun([names[0], str(fifo), names[1]], ahead=3)):
        time.sleep(0.1)
        with pytest.raises(OSError, match="No such device"):  # nobody has it open for reading
            os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)


def test_inputs_that_are_still_coming_are_not_asked_for_early(names):
    asked = []

    def coming() -> Iterator[Input]:
        for item in expand(names):
            asked.append(item.name)
            yield item

    inputs = coming()
    with closing(InputsAhead(inputs, 3)) as ahead, ahead.open(next(inputs)):
        time.sleep(0.1)
    assert asked == names[:1]


def broken_off(names: list[str]) -> None:
    begun(names, ahead=3).close()


def limited(names: list[str]) -> None:
    with pytest.warns(UserWarning, match="max_flows"):
        fluxcap.read_flows(names, max_flows=1, ahead=3)


def damaged(names: list[str]) -> None:
    Path(names[1]).write_bytes(gzip.compress(capture(0, 100, cut=1)))
    with pytest.raises(CaptureError):
        fluxcap.read_flows(names, on_damage="raise", ahead=3)


def not_a_capture(names: list[str]) -> None:
    Path(names[1]).write_bytes(gzip.compress(b"text" * 100_000))
    assert fluxcap.read_flows(str(Path(names[1]).parent), ahead=3).metadata["skipped"] == [names[1]]


def whole(names: list[str]) -> None:
    assert fluxcap.read_flows(names, ahead=3).metadata["packets"] == FILES * PACKETS


def merged(names: list[str]) -> None:
    assert fluxcap.read_flows(names, ahead=3, order="time").metadata["packets"] == FILES * PACKETS


@pytest.mark.parametrize("read", [broken_off, limited, damaged, not_a_capture, whole, merged])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_however_reading_ends_the_threads_do(read, names, monkeypatch):
    monkeypatch.setattr(next_inputs, "PIECE", 100)
    monkeypatch.setattr(next_inputs, "ROOM", 100)
    monkeypatch.setattr(compression, "STEP", 100)
    read(names)
    assert threads_left() == 0


@pytest.mark.parametrize("at", [1, 2, 4])
def test_ctrl_c_while_threads_decompress_keeps_the_packets_in_order_and_is_no_damage(at, names, monkeypatch):
    """The signal comes while a thread is at the input `at`; the reader may be at any input up to that."""
    coming = [names[at]]

    def interrupt(path: str) -> None:
        if path in coming:
            coming.remove(path)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    Decompressing(monkeypatch, interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets jobs in the background ignore it
    try:
        table = fluxcap.read_packets(names, columns="packet,file,src_port", on_interrupt="return", ahead=2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (table.metadata["interrupted"], table.metadata["damage"]) == (True, [])
    assert table.metadata["packets"] == len(table) <= (at + 1) * PACKETS
    assert table["packet"].tolist() == [1 + n % PACKETS for n in range(len(table))]
    assert table["file"].tolist() == [n // PACKETS for n in range(len(table))]
    assert threads_left() == 0


def test_a_forked_child_reads_the_inputs_after_the_current_one_by_itself(names):
    scan = begun(names, ahead=3)
    child = os.fork()
    if child == 0:
        try:
            os._exit(sum(len(batch) for batch in scan) == FILES * PACKETS - 10)
        finally:
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    scan.close()


def test_a_child_forked_while_an_input_comes_from_a_thread_is_told_so(names):
    scan = begun(names, ahead=3)
    for _ in range(PACKETS // 10):  # into the second input
        next(scan)
    child = os.fork()
    if child == 0:
        try:
            for _ in scan:
                pass
        except RuntimeError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    scan.close()


def test_a_scan_left_open_does_not_keep_the_interpreter_from_ending(names):
    program = (
        "import builtins, fluxcap, sys\n"
        "scan = iter(fluxcap.scan_packets(sys.argv[1:], batch_size=10, ahead=3))\n"
        "builtins.kept = iter(fluxcap.scan_packets(sys.argv[1:], batch_size=10, ahead=3))\n"
        "print(len(next(scan)), len(next(builtins.kept)))"
    )
    done = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "10 10\n", "")


def test_the_meter_counts_all_inputs_once(names):
    before = METER.octets
    fluxcap.read_flows(names, ahead=3)
    assert METER.octets - before == sum(Path(name).stat().st_size for name in names)


def test_a_thread_is_busy_while_it_decompresses_and_not_while_it_waits_for_room(names, monkeypatch):
    monkeypatch.setattr(next_inputs, "ROOM", next_inputs.PIECE)
    monkeypatch.setattr(compression, "STEP", 100)
    go_on = threading.Semaphore(0)
    made = Decompressing(monkeypatch, lambda path: go_on.acquire())
    inputs = expand(names)
    with closing(InputsAhead(inputs, 3)) as ahead:
        with ahead.open(inputs[0]):
            assert settled(lambda: len(made.octets)) == 3
            assert ahead.busy() == 3
            go_on.release(1_000_000)
            assert settled(ahead.busy) == 0
        go_on.release(1_000_000)


def test_without_a_number_it_is_one_a_processor_up_to_a_bound(monkeypatch):
    for processors, ahead in ((1, 1), (2, 2), (64, AHEAD)):
        monkeypatch.setattr("os.sched_getaffinity", lambda process, n=processors: set(range(n)))
        assert (ahead_for(None), ahead_for(0), ahead_for(100)) == (ahead, 0, 100)


def test_fewer_than_none_are_refused(names):
    with pytest.raises(ValueError, match="ahead is at least 0, not -1"):
        fluxcap.read_flows(names, ahead=-1)
