"""A file that the core reads itself gives the same as its bytes, with any number of threads."""

from __future__ import annotations

import io
import signal
import struct
import threading

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import block, enhanced_packet, interface, pcap, pcapng, records
from core_driver import ALL_COLUMNS, FIVE_TUPLE, key
from fluxcap._core import VERDICTS, Scanner
from fluxcap.capture.filters import compiler
from real_captures import CORPUS, index, needs_corpus
from strategies import captures, dialogue_frames, odd_frames, tunnelled_frames
from whole_readings import LONG, ONE, again, numbered, read, read_file

WINDOW = 1 << 18  # bytes that are read at once,
BEGINNING = 4096  # ... behind those that one thread reads
SOME = 1 << VERDICTS.index("bad") | 1 << VERDICTS.index("fragment")

FRAMES = numbered(9000)
MANY_FLOWS = pcap(records(numbered(20_000)))


def long_frame(port: int, payload: bytes) -> bytes:
    return b.ethernet(b.ipv4(b.udp(payload.ljust(958, b"\xff"), port, 53), "192.0.2.1", "192.0.2.2"))


def shadowed(shadow: bytes) -> list[bytes]:
    """Frames of 1,000 bytes with a header in each payload that leads to the one in the next: whoever takes one of them
    for a record finds no other one to the end of the file. From most places on they come first."""
    return [long_frame(port, bytes(700) + shadow) for port in range(2000)]


PCAP_SHADOW = struct.pack("<4I", 1_700_000_000, 0, 1000, 1000)
PCAPNG_SHADOW = struct.pack("<I7I", 1032, 6, 1032, 0, 0, 1, 1000, 1000)  # the end of a block, and another one

# Records and blocks around the size of the window.
LARGE = {
    "records as large as a window": pcap(
        records([bytes(WINDOW - 16), bytes(WINDOW), *FRAMES[:4000], bytes(WINDOW)] * 3)
    ),
    "records that end with the window": pcap(records([bytes(WINDOW // 64 - 16)] * 640)),
    "a record that ends with what one thread reads": pcap(records([bytes(BEGINNING - 24 - 16), *FRAMES])),
    "a record that ends with the first window": pcap(records([bytes(BEGINNING), bytes(WINDOW - 24 - 32), *FRAMES])),
    "blocks larger than a window": pcapng(
        interface(1),
        *map(enhanced_packet, FRAMES),
        block(0x0A, bytes(5 * WINDOW)),
        *map(enhanced_packet, FRAMES),
    ),
    "a block after block": pcapng(interface(1), *[block(0x0A, bytes(WINDOW + 4))] * 7, *map(enhanced_packet, FRAMES)),
    "a record cut at the end of a window": pcap(records([bytes(WINDOW // 64 - 16)] * 640))[: 5 * WINDOW],
    "a whole number of windows": pcap(records([bytes(WINDOW // 64 - 24 - 16), *[bytes(WINDOW // 64 - 16)] * 320])),
    "a header that says too much": MANY_FLOWS + b"\xff" * 16 + bytes(3 * WINDOW),
    "beside each chain of records another one": pcap(records(shadowed(PCAP_SHADOW))),
    "beside each chain of blocks another one": pcapng(
        interface(1), *(enhanced_packet(frame, ticks=1) for frame in shadowed(PCAPNG_SHADOW))
    ),
    "a capture in each packet": pcap(records([long_frame(port, pcap(records(FRAMES[:12]))) for port in range(2000)])),
    "a section in each packet": pcapng(
        interface(1),
        *(
            enhanced_packet(long_frame(port, pcapng(interface(1), *map(enhanced_packet, FRAMES[:8]))))
            for port in range(2000)
        ),
    ),
    "no record": pcap([]),
    "nothing": b"",
    "no capture": bytes(4 * WINDOW),
}
FILES = LARGE | {name: again(capture, 8) for name, capture in LONG.items()}


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("name", FILES)
def test_a_file_reads_as_its_octets_do(name, threads, tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(FILES[name])
    options = {
        "key": key(*FIVE_TUPLE, idle_timeout=500_000),
        "columns": ALL_COLUMNS,
        "verdicts": SOME,
        "row_limit": 100,
    }
    assert read_file(path, threads, **options) == read(FILES[name], [WINDOW], ONE, **options)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    capture=captures(st.one_of(dialogue_frames, tunnelled_frames, odd_frames)),
    cut=st.integers(0, 40),
    threads=st.integers(1, 8),
    row_limit=st.sampled_from([0, 1000]),
    most=st.sampled_from([0, 2]),
)
def test_any_file_reads_as_its_octets_do(capture, cut, threads, row_limit, most, tmp_path):
    longer = again(capture, 1 + 6 * WINDOW // len(capture))
    longer = longer[: len(longer) - cut]
    path = tmp_path / "capture"
    path.write_bytes(longer)
    options = {
        "key": key(*FIVE_TUPLE, max_flows=most),
        "columns": ALL_COLUMNS,
        "verdicts": SOME,
        "row_limit": row_limit,
    }
    assert read_file(path, threads, **options) == read(longer, [len(longer)], ONE, **options)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limit=st.one_of(
        st.builds(dict, max_flows=st.integers(1, 20_000)), st.builds(dict, max_memory=st.integers(1 << 20, 8 << 20))
    ),
    threads=st.integers(2, 16),
)
@example(limit={"max_flows": 6000}, threads=16)
def test_a_table_that_is_full_at_any_record_is_that_of_one_thread(limit, threads, tmp_path):
    """Other threads may still examine what lies behind the limit when the table is taken."""
    path = tmp_path / "capture"
    path.write_bytes(MANY_FLOWS)
    options = {"key": key(*FIVE_TUPLE, **limit)}
    assert read_file(path, threads, **options) == read(MANY_FLOWS, [WINDOW], ONE, **options)


def test_a_filter_does_not_mind_who_reads(tmp_path):
    pytest.importorskip("cypcap")
    path = tmp_path / "capture"
    path.write_bytes(FILES["mixed"])
    options = {"key": key(*FIVE_TUPLE), "where": compiler("udp and src portrange 1024-2000 or icmp")}
    found = read_file(path, 3, **options)
    assert found == read(FILES["mixed"], [WINDOW], ONE, **options)
    assert found["totals"]["packets"] > found["totals"]["dispositions"][0][0] > 0


def test_a_file_that_grows_beyond_its_end_is_read_to_where_it_ended_then(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(FILES["plain"])
    scanner = Scanner(key=key(*FIVE_TUPLE))
    scanner.begin()
    with path.open("rb", buffering=0) as file, path.open("ab", buffering=0) as more:
        scanner.read(file.fileno(), 2)
        assert scanner.octets == len(FILES["plain"])
        more.write(FILES["plain"][24:])
    assert scanner.totals()["packets"] == 8 * 3000


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_cannot_be_read_is_an_error_and_what_came_before_is_kept(threads, tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(FILES["plain"])
    scanner = Scanner(key=key(*FIVE_TUPLE))
    scanner.begin()
    space = scanner.space()
    space[:WINDOW] = FILES["plain"][:WINDOW]
    scanner.advance(WINDOW)
    with path.open("ab", buffering=0) as unreadable, pytest.raises(OSError, match="Bad file descriptor"):
        scanner.read(unreadable.fileno(), threads)
    scanner.finish()
    scanner.run()
    expected = read(FILES["plain"][:WINDOW], [WINDOW], ONE, key=key(*FIVE_TUPLE))
    assert scanner.totals() == expected["totals"]
    assert scanner.damage == expected["damage"]


def test_paths_are_read_by_the_core_and_other_inputs_as_they_come(tmp_path, monkeypatch):
    path = tmp_path / "capture"
    path.write_bytes(FILES["mixed"])
    expected = fluxcap.read_flows(FILES["mixed"])
    read_by = []

    class Watched(io.FileIO):
        def readinto(self, buffer, /):
            read_by.append(len(buffer))
            return super().readinto(buffer)

    monkeypatch.setattr("fluxcap.capture.inputs.open", lambda name, *_, **__: Watched(name), raising=False)
    assert fluxcap.read_flows(path) == fluxcap.read_flows(path, threads=2) == expected
    assert max(read_by) < WINDOW  # only the bytes that tell the format
    with path.open("rb") as file:
        assert fluxcap.read_flows(file) == expected


# A signal may come after a file was opened and before `with` has it: such a file is closed when nothing names it.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_the_reading_of_files(threads, tmp_path, monkeypatch):
    path = tmp_path / "capture"
    path.write_bytes(pcap(records(numbered(50_000))))
    times = 2000  # some seconds without the signal
    timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])

    def opened(name, *_, **__):
        if timer.ident is None:
            timer.start()
        return io.FileIO(name)

    monkeypatch.setattr("fluxcap.capture.inputs.open", opened, raising=False)
    try:
        table = fluxcap.read_flows([path] * times, threads=threads, on_interrupt="return")
    finally:
        timer.cancel()
    assert table.metadata["interrupted"]
    assert 0 < table.metadata["packets"] < times * 50_000


@pytest.mark.slow
@needs_corpus
def test_real_captures_read_from_files_as_from_octets(tmp_path):
    different = []
    for at, row in enumerate(index()):
        capture = (CORPUS / row["path"]).read_bytes()
        path = tmp_path / "capture"
        path.write_bytes(capture)
        if read_file(path, 1 + at % 3, key=key(*FIVE_TUPLE)) != read(capture, [WINDOW], ONE, key=key(*FIVE_TUPLE)):
            different.append(row["path"])
    assert different == []
