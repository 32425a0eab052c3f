"""What an input may be: paths, globs, directories, streams, bytes."""

import gzip
import io
import os
import random
import sys
import threading
import warnings
from pathlib import Path

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records, rewrapped
from fluxcap.capture import inputs

FRAME = fluxcap.segment(b"hello", ("192.0.2.1", 4000), ("192.0.2.2", 53))
CAPTURE = pcap(records([FRAME] * 3))


def octets(item: inputs.Input) -> bytes:
    """All bytes of an input, read through a small buffer."""
    out, buffer = b"", bytearray(7)
    with item.open() as opened:
        while n := opened.readinto(memoryview(buffer)):
            out += buffer[:n]
    return out


def names(captures) -> list[str]:
    return [item.name for item in inputs.expand(captures)]


class Trickle(io.RawIOBase):
    """A stream that cannot seek and gives one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        piece, self._left = self._left[:1], self._left[1:]
        buffer[: len(piece)] = piece
        return len(piece)


class OnlyRead:
    """The smallest possible file object."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, n: int) -> bytes:
        return self._file.read(n)


@pytest.mark.parametrize(
    "make",
    [
        bytes,
        bytearray,
        memoryview,
        lambda data: memoryview(data).cast("H") if len(data) % 2 == 0 else memoryview(data),
        io.BytesIO,
        lambda data: io.BufferedReader(Trickle(data)),
        Trickle,
        OnlyRead,
    ],
)
def test_octets_and_open_files_hold_what_they_are_given(make):
    data = bytes(range(256)) * 20
    (item,) = inputs.expand(make(data))
    assert octets(item) == data


def test_a_path_is_read_by_its_content_whatever_it_is_called(tmp_path):
    path = tmp_path / "capture.txt"
    path.write_bytes(CAPTURE)
    for given in (path, str(path)):
        (item,) = inputs.expand(given)
        assert (item.name, item.size, item.once) == (str(path), len(CAPTURE), False)
        assert octets(item) == CAPTURE


def test_an_open_file_is_read_from_where_it_stands_and_left_open(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"skipped" + CAPTURE)
    with path.open("rb") as file:
        file.seek(len(b"skipped"))
        assert octets(inputs.expand(file)[0]) == CAPTURE
        assert not file.closed


def test_standard_input_is_a_dash(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CAPTURE)))
    (item,) = inputs.expand("-")
    assert (item.name, item.once) == ("<stdin>", True)
    assert octets(item) == CAPTURE


def test_a_fifo_is_read_once_and_from_its_start(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    if os.fork() == 0:
        path.write_bytes(CAPTURE)
        os._exit(0)
    scan = fluxcap.scan_packets(path)
    assert sum(map(len, scan)) == 3
    with pytest.raises(ValueError, match="only once"):
        iter(scan)
    os.wait()


@pytest.fixture
def tree(tmp_path) -> Path:
    """A directory with b.pcap, a.pcap, sub/c.pcap and three files that are not captures."""
    (tmp_path / "sub").mkdir()
    for name in ("b.pcap", "a.pcap", "sub/c.pcap"):
        (tmp_path / name).write_bytes(CAPTURE)
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "empty").touch()
    (tmp_path / "sub" / "page.html.gz").write_bytes(b"\x1f\x8b broken")
    return tmp_path


def test_a_glob_gives_its_matches_sorted(tree):
    assert names(f"{tree}/*.pcap") == [f"{tree}/a.pcap", f"{tree}/b.pcap"]
    assert names(f"{tree}/**/*.pcap") == [f"{tree}/{name}" for name in ("a.pcap", "b.pcap", "sub/c.pcap")]
    assert names(f"{tree}/**/[cp]*") == [f"{tree}/sub/c.pcap", f"{tree}/sub/page.html.gz"]


def test_rotated_files_come_in_the_order_in_which_people_count(tmp_path):
    rotated = [
        "cap.pcap",
        "cap.pcap1",
        "cap.pcap2",
        "cap.pcap10",
        "day9.pcap",
        "day10.pcap",
        "x_00002_1.pcap",
        "x_00010_0.pcap",
    ]
    for name in reversed(rotated):
        (tmp_path / name).write_bytes(CAPTURE)
    for captures in (tmp_path, str(tmp_path / "*"), str(tmp_path / "**" / "*")):
        assert [Path(name).name for name in names(captures)] == rotated


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path):
    (tmp_path / "x[1].pcap").write_bytes(CAPTURE)
    assert names(tmp_path / "x[1].pcap") == [f"{tmp_path}/x[1].pcap"]


def test_a_directory_gives_all_files_below_it_sorted(tree):
    expected = ("a.pcap", "b.pcap", "empty", "notes.txt", "sub/c.pcap", "sub/page.html.gz")
    assert names(tree) == [f"{tree}/{name}" for name in expected]


def test_files_of_a_directory_that_are_no_captures_are_skipped_with_one_warning(tree):
    with pytest.warns(UserWarning, match="skipped files that are not captures: 3") as caught:
        table = fluxcap.read_packets(tree, columns=["file", "packet"])
    assert len(caught) == 1
    assert table.metadata["inputs"] == [f"{tree}/{name}" for name in ("a.pcap", "b.pcap", "sub/c.pcap")]
    assert table.metadata["skipped"] == [f"{tree}/{name}" for name in ("empty", "notes.txt", "sub/page.html.gz")]
    assert table["file"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_directory_without_any_capture_is_no_capture(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(fluxcap.NotACaptureError, match="none of the 1 files"):
        fluxcap.read_flows(tmp_path)


def test_a_file_that_is_asked_for_by_name_is_not_skipped(tree):
    with pytest.raises(fluxcap.NotACaptureError, match="text"):
        fluxcap.read_flows([tree / "a.pcap", tree / "notes.txt"])


def test_lists_are_read_in_the_order_given_nested_or_not(tree):
    given = [tree / "b.pcap", [CAPTURE, f"{tree}/a*"]]
    assert names(given) == [f"{tree}/b.pcap", "<bytes>", f"{tree}/a.pcap"]
    assert names(iter(given)) == names(given)


@pytest.mark.parametrize(
    ("captures", "error"),
    [
        ("/nowhere/x.pcap", FileNotFoundError),
        ("/nowhere/*.pcap", FileNotFoundError),
        ("", FileNotFoundError),
        ("https://example.org/x.pcap", FileNotFoundError),
        ([], ValueError),
        (io.StringIO("text"), TypeError),
        (7, TypeError),
        ([None], TypeError),
    ],
)
def test_what_is_no_input_is_refused_before_anything_is_read(captures, error):
    with pytest.raises(error):
        inputs.expand(captures)


def test_a_link_to_itself_and_a_device_that_never_ends_are_no_captures(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        fluxcap.read_flows(tmp_path / "loop")
    for device, what in (("/dev/null", "empty"), ("/dev/zero", "00 00 00 00")):
        with pytest.raises(fluxcap.NotACaptureError, match=what):
            fluxcap.read_flows(device)


def test_files_of_several_formats_are_read_as_one_capture_in_order(tmp_path):
    (tmp_path / "b.pcapng").write_bytes(rewrapped(records([FRAME]), byteorder="big"))
    (tmp_path / "a.pcap.gz").write_bytes(gzip.compress(CAPTURE))
    (tmp_path / "c").write_bytes(pcap(records([FRAME[14:]]), b.LINK_RAW, byteorder="big", ns=True))
    for given in (tmp_path, f"{tmp_path}/*"):
        table = fluxcap.read_packets(given, columns=["file", "packet", "link_type", "verdict"])
        assert table["file"].tolist() == [0, 0, 0, 1, 2]
        assert table["packet"].tolist() == [1, 2, 3, 1, 1]
        assert table["link_type"].tolist() == [1, 1, 1, 1, b.LINK_RAW]
        assert set(table["verdict"].tolist()) == {fluxcap.VERDICTS.index("good")}
        assert fluxcap.read_flows(given)["packets"].tolist() == [5]


def test_a_datagram_whose_fragments_are_in_two_files_is_put_together():
    datagram = b.ipv4(b.udp(bytes(range(64)), 4000, 53))[20:]
    pieces = [b.ipv4(part, protocol=b.UDP, offset=at, more=more) for at, more, part in b.pieces(datagram, 24)]
    captures = [pcap(records([piece]), b.LINK_RAW) for piece in pieces]
    table = fluxcap.read_packets(captures, columns=["src_port", "verdict"])
    assert table["src_port"].tolist() == [4000, 4000, 4000]
    assert [fluxcap.VERDICTS[code] for code in table["verdict"]] == ["fragment", "fragment", "good"]


def test_an_empty_directory_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        inputs.expand(tmp_path)


def test_a_stream_that_has_nothing_to_give_yet_is_an_error_and_not_an_end():
    class Starved(io.RawIOBase):
        def readinto(self, buffer):
            return None

    with pytest.raises(BlockingIOError):
        fluxcap.read_flows(Starved())


def test_a_read_error_midway_keeps_what_was_read():
    class Failing(Trickle):
        def readinto(self, buffer):
            n = super().readinto(buffer)
            if n == 0:
                raise OSError(5, "Input/output error")
            return n

    with pytest.warns(fluxcap.DamagedCaptureWarning, match="Input/output error"):
        table = fluxcap.read_flows(Failing(CAPTURE))
    assert table["packets"].tolist() == [3]
    assert table.metadata["damage"] == [("<file>", 3, len(CAPTURE), "Input/output error")]


def test_bytes_that_their_owner_changes_meanwhile_are_read_as_they_come():
    octets = bytearray(pcap(records([b.ethernet(b.ipv4(b.udp(bytes(at))))[: at or 9] for at in range(300)])))
    ended = threading.Event()

    def scribble() -> None:
        draw = random.Random(1)
        while not ended.is_set():
            octets[draw.randrange(24, len(octets))] = draw.randrange(256)

    owner = threading.Thread(target=scribble)
    owner.start()
    try:
        for _ in range(50):
            with warnings.catch_warnings(action="ignore"):
                tables = [fluxcap.read_packets(octets, on_damage="resync"), fluxcap.read_flows(octets)]
                flows = fluxcap.FlowAggregator()
                flows.feed(octets)
            for table in (*tables, flows.result()):
                assert sum(records for records, _ in table.metadata["ledger"].values()) == table.metadata["packets"]
    finally:
        ended.set()
        owner.join()


def test_bytes_cannot_be_made_shorter_by_their_owner_while_they_are_read():
    octets = bytearray(pcap(records([FRAME] * 50)))
    tables = iter(fluxcap.scan_packets(octets, batch_size=10))
    next(tables)
    with pytest.raises(BufferError):
        octets.clear()
    assert sum(map(len, tables)) == 40


def test_two_stars_follow_no_link_so_that_one_to_a_parent_repeats_nothing(tree):
    # Followed, two links would make 2^40 paths until the kernel refuses to follow more.
    for name in ("up", "again"):
        (tree / name).symlink_to(tree, target_is_directory=True)
    plain = sorted(str(path) for path in tree.rglob("*") if path.is_file())
    assert names(str(tree / "**")) == plain
    assert names(str(tree / "**" / "*.pcap")) == [path for path in plain if path.endswith(".pcap")]


def test_two_stars_are_any_number_of_folders_but_hidden_ones(tmp_path, monkeypatch):
    paths = ["1.pcap", "a/2.pcap", "a/b/3.pcap", "a/b/c.txt", ".hidden/4.pcap", "a/.5.pcap"]
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.chdir(tmp_path)
    assert names("**/*.pcap") == ["1.pcap", "a/2.pcap", "a/b/3.pcap"]
    assert names("a/**/*.pcap") == ["a/2.pcap", "a/b/3.pcap"]
    assert names("**/b/**") == ["a/b/3.pcap", "a/b/c.txt"]
    assert names("**/.5*") == ["a/.5.pcap"]


def test_a_file_object_is_never_lent_memory_that_it_could_keep():
    kept = []

    class Keeping:
        def __init__(self, data: bytes) -> None:
            self.left = data

        def readinto(self, buffer) -> int:
            kept.append(buffer)
            for earlier in kept[:-1]:  # if the buffer did not own its memory, others use it by now
                earlier[:] = b"\xff" * len(earlier)
            n = min(len(buffer), 700, len(self.left))
            buffer[:n], self.left = self.left[:n], self.left[n:]
            return n

    capture = pcap(records([b.ethernet(b.ipv4(b.udp(bytes(200))))] * 50))
    assert fluxcap.read_packets(Keeping(capture)) == fluxcap.read_packets(io.BytesIO(capture))
    assert len(kept) > 5
    assert all(memoryview(buffer).obj is not None for buffer in kept)  # it owns its memory
