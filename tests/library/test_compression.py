"""Compressed inputs: recognised by content, read to the last readable byte, in little memory."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import warnings
import zlib
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcap
from capture_files import pcap, records
from fluxcap.capture import compression
from fluxcap.capture.ahead import one_input
from fluxcap.errors import DamagedCaptureWarning, NotACaptureError, UnsupportedError
from fluxcap.plan import processors

lz4_frame = pytest.importorskip("lz4.frame")
zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

PACKET = fluxcap.segment(bytes(range(200)), ("192.0.2.1", 4000), ("192.0.2.2", 53))
PACKETS = 500  # the capture is longer than one step of decompression and than the tail
CAPTURE = pcap(records([PACKET] * PACKETS))
RECORD = 16 + len(PACKET)

COMPRESSORS = {
    "gzip": gzip.compress,
    "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
    "lz4": lambda data: lz4_frame.compress(data, content_checksum=True),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


@pytest.fixture(scope="module", autouse=True, params=["in place", "in a thread"])
def step(request):
    """The step of decompression, with and without a thread of its own (lz4 only without)."""
    in_thread = request.param == "in a thread"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compression, "LARGE", 0 if in_thread else sys.maxsize)
        patch.setattr(one_input, "PIECE", 100 if in_thread else one_input.PIECE)
        yield compression.STEP_LARGE if in_thread else compression.STEP


def use_zlib(monkeypatch):
    """Read gzip with the standard library, as if isal were not installed."""
    monkeypatch.setitem(sys.modules, "isal.igzip_lib", None)


@pytest.fixture(params=["isal", "zlib"])
def gzip_library(request, monkeypatch):
    if request.param == "zlib":
        use_zlib(monkeypatch)


@pytest.fixture(params=["gzip by zlib", *COMPRESSORS])
def compress(request, monkeypatch):
    if request.param == "gzip by zlib":
        use_zlib(monkeypatch)
    return COMPRESSORS[request.param.removesuffix(" by zlib")]


class Pieces(io.RawIOBase):
    """A stream that gives its bytes in pieces of these sizes, repeated in turn."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes, self._turn = memoryview(data), sizes, 0

    def readinto(self, buffer) -> int:
        n = min(self._sizes[self._turn % len(self._sizes)], len(buffer), len(self._data))
        buffer[:n], self._data = self._data[:n], self._data[n:]
        self._turn += 1
        return n


def packets(capture) -> int:
    return fluxcap.read_flows(capture).metadata["packets"]


def test_every_compression_gives_the_same_table_as_the_plain_file(compress):
    assert fluxcap.read_packets(compress(CAPTURE)) == fluxcap.read_packets(CAPTURE)


@pytest.mark.parametrize("name", COMPRESSORS)
@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_however_the_compressed_octets_come_the_table_is_the_same(name, sizes):
    assert packets(Pieces(COMPRESSORS[name](CAPTURE), sizes)) == PACKETS


@pytest.mark.parametrize("padding", [b"", bytes(4), bytes(512), bytes(1 << 17)])
def test_members_one_after_the_other_and_padding_are_one_input(compress, padding):
    middle = 24 + 10 * RECORD + 7
    joined = compress(CAPTURE[:middle]) + padding + compress(b"") + compress(CAPTURE[middle:]) + padding
    assert packets(joined) == PACKETS


def test_thousands_of_tiny_members_are_one_input():
    assert packets(b"".join(gzip.compress(CAPTURE[at : at + 50]) for at in range(0, len(CAPTURE), 50))) == PACKETS


def test_a_stream_that_is_cut_gives_every_record_that_was_decompressed(compress):
    data = compress(CAPTURE)
    with pytest.warns(DamagedCaptureWarning, match="cut short .* ends too early") as caught:
        table = fluxcap.read_flows(data[:-1])  # the last byte is part of a check in every format
    assert table.metadata["packets"] == PACKETS
    assert caught[0].message.error.offset == len(CAPTURE)


def test_a_whole_lz4_block_is_read_though_nothing_follows_it():
    end_mark_and_check = 8  # https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
    with pytest.warns(DamagedCaptureWarning, match="ends too early"):
        assert packets(COMPRESSORS["lz4"](CAPTURE)[:-end_mark_and_check]) == PACKETS


def test_a_wrong_check_at_the_end_takes_no_record_with_it(compress):
    data = bytearray(compress(CAPTURE))
    data[-1] ^= 0x55
    with pytest.warns(DamagedCaptureWarning, match="is damaged"):
        table = fluxcap.read_flows(Pieces(data, [1000]))  # also from a stream, which cannot be read again
    assert table.metadata["packets"] == PACKETS
    assert [tuple(one)[1:3] for one in table.metadata["damage"]] == [(PACKETS, len(CAPTURE))]


def test_octets_after_the_compressed_data_are_damage_after_all_records(compress):
    with pytest.warns(DamagedCaptureWarning, match="is damaged"):
        assert packets(compress(CAPTURE) + b"garbage" * 20) == PACKETS


@pytest.mark.parametrize("cut", range(40))
def test_wherever_a_gzip_stream_is_cut_the_records_before_are_read_or_it_is_no_capture(cut, gzip_library):
    made = [fluxcap.segment(bytes([n]) * n, ("192.0.2.1", 4000), ("192.0.2.2", 53)) for n in range(40)]
    data = gzip.compress(pcap(records(made)))
    end = len(data) * cut // 40
    there = len(gzip_prefix(data[:end]))
    if there < 24:
        with pytest.raises(NotACaptureError):
            fluxcap.read_flows(data[:end])
        return
    begins = list(accumulate((16 + len(packet) for packet in made), initial=24))
    complete = sum(begin <= there for begin in begins[1:])
    with pytest.warns(DamagedCaptureWarning) as caught:
        assert packets(data[:end]) == complete
    assert caught[0].message.error.offset == begins[complete]


def gzip_prefix(data: bytes) -> bytes:
    """The content of a cut gzip stream by the reader of the standard library."""
    out, file = b"", gzip.GzipFile(fileobj=io.BytesIO(data))
    try:
        while octet := file.read1(1):
            out += octet
    except EOFError:
        pass
    return out


def test_damage_in_the_middle_costs_no_more_than_a_step(step, gzip_library):
    data = bytearray(gzip.compress(b"".join([CAPTURE[:24], *[CAPTURE[24:]] * 20]), compresslevel=0))
    where = len(data) // 2
    # Stored blocks are five bytes of header and the data; a wrong length in one is an error there.
    block = data.index(b"\xff\xff\x00\x00", where)
    data[block + 2] ^= 0x01
    with pytest.warns(DamagedCaptureWarning, match="is damaged"):
        table = fluxcap.read_flows(bytes(data))
    there = block - 10 - 5 * (block // 65535)  # without the headers of the file and of the blocks
    assert (there - 24 - step) // RECORD <= table.metadata["packets"] <= (there - 24) // RECORD


@pytest.mark.parametrize("outer", COMPRESSORS)
@pytest.mark.parametrize("inner", COMPRESSORS)
def test_one_layer_is_read_and_a_second_one_named(outer, inner):
    twice = COMPRESSORS[outer](COMPRESSORS[inner](CAPTURE))
    with pytest.raises(NotACaptureError, match=f"{inner} data inside {outer} data"):
        fluxcap.read_flows(twice)


@pytest.mark.parametrize("content", [b"", b"plain text"])
def test_compressed_data_that_hold_no_capture_are_no_capture(compress, content):
    with pytest.raises(NotACaptureError, match="text" if content else "empty"):
        fluxcap.read_flows(compress(content))


def test_a_magic_number_with_nothing_behind_it_is_no_capture(gzip_library):
    for codec in compression.CODECS:
        with pytest.raises(NotACaptureError):
            fluxcap.read_flows(codec.magic)


@pytest.mark.parametrize(
    ("name", "modules"), [("zstd", ["compression.zstd", "backports.zstd"]), ("lz4", ["lz4.frame"])]
)
def test_a_library_that_is_missing_is_named_with_how_to_install_it(name, modules, monkeypatch):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnsupportedError, match=f"{name} compressed") as caught:
        fluxcap.read_flows(COMPRESSORS[name](CAPTURE))
    assert f"`pip install 'fluxcap[{name}]'`" in caught.value.help


def test_a_bomb_is_read_in_constant_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    empty_record = bytes(8) + (1 << 18).to_bytes(4, "little") * 2 + bytes(1 << 18)
    with gzip.open(path, "wb") as file:
        file.write(CAPTURE[:24])
        for _ in range(1000):
            file.write(empty_record)
    program = (
        "import fluxcap, sys\n"
        "print(fluxcap.read_flows(sys.argv[1]).metadata['packets'])\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", program, str(path)]
    count, _, kilobytes, _ = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(count) == 1000
    assert int(kilobytes) < 100_000


def skippable(kind: int, content: bytes) -> bytes:
    """A skippable frame (RFC 8878 section 3.1.2)."""
    return (0x184D2A50 + kind).to_bytes(4, "little") + len(content).to_bytes(4, "little") + content


@pytest.mark.parametrize("name", ["zstd", "lz4"])
@pytest.mark.parametrize("frames", [[b""], [b"x" * 7], [bytes(200_000), b"y"]], ids=["empty", "one", "two"])
def test_skippable_frames_before_between_and_behind_hold_nothing_of_the_capture(name, frames):
    padding = b"".join(skippable(15 * at, content) for at, content in enumerate(frames))
    half = 24 + RECORD * (PACKETS // 2)
    compress = COMPRESSORS[name]
    data = padding + compress(CAPTURE[:half]) + padding + compress(CAPTURE[half:]) + padding
    assert fluxcap.read_flows(data) == fluxcap.read_flows(CAPTURE)


def test_skippable_frames_without_a_frame_are_no_capture():
    with pytest.raises(NotACaptureError):
        fluxcap.read_flows(skippable(3, b"nothing") * 2)
    with pytest.raises(NotACaptureError):
        fluxcap.read_flows(skippable(3, b"cut short")[:-1])


def with_dictionary(data: bytes, octets: int) -> bytes:
    """The same xz data with another dictionary size in its header: section 5.3.1 of the format."""
    bits = next(bits for bits in range(41) if (2 | bits & 1) << (bits // 2 + 11) >= octets or bits == 40)
    header = bytearray(data[12 : 12 + (data[12] + 1) * 4])
    assert header[2:4] == b"\x21\x01"  # LZMA2, with one byte of properties
    header[4] = bits
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    return data[:12] + bytes(header) + data[12 + len(header) :]


def test_xz_data_that_take_more_memory_than_allowed_are_refused_by_name():
    data = lzma.compress(CAPTURE)
    assert fluxcap.read_flows(with_dictionary(data, 128 << 20)) == fluxcap.read_flows(CAPTURE)
    with pytest.raises(UnsupportedError, match="256 MiB") as caught:
        fluxcap.read_flows(with_dictionary(data, 1 << 32))
    assert "xz -dc" in caught.value.help


@pytest.mark.parametrize("name", COMPRESSORS)
def test_memory_that_runs_out_while_decompressing_is_no_damage(name, monkeypatch):
    class Poor:
        eof, needs_input, unused_data = False, True, b""

        def decompress(self, data, max_length=-1):
            raise MemoryError

    codec = next(codec for codec in compression.CODECS if codec.name == name)
    poor = [one._replace(new=Poor) if one is codec else one for one in compression.CODECS]
    monkeypatch.setattr(compression, "CODECS", tuple(poor))
    with pytest.raises(MemoryError):
        fluxcap.read_flows(COMPRESSORS[name](CAPTURE))


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("stop", ["limit", "damage"])
def test_what_stops_the_reading_first_does_so_with_any_number_of_threads(stop, threads, monkeypatch):
    """The thread that counts can be behind the decompressor, which fails just after."""
    monkeypatch.setattr(processors, "OCTETS_A_THREAD", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(threads)))
    packets = [fluxcap.segment(bytes(900), ("192.0.2.1", 1 + at), ("192.0.2.2", 53)) for at in range(300)]
    capture = pcap(records(packets))
    at = len(capture) - 3 * (len(packets[0]) + 16)
    if stop == "damage":
        capture = capture[:at] + b"\xff" * 16 + capture[at + 16 :]
    options = {"max_flows": 297} if stop == "limit" else {}
    data = gzip.compress(capture)[:-1]  # cut right behind the last record
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = fluxcap.read_flows(data, threads=threads, **options)
    assert len(table) == 297
    assert table.metadata["flows_full"] == (stop == "limit")
    assert [damage.offset for damage in table.metadata["damage"]] == ([at] if stop == "damage" else [])
    assert len(caught) == 1


def test_a_child_forked_while_a_thread_decompresses_is_told_so(step):
    """The thread is only a bounded number of steps ahead, so that it has not finished."""
    data = zstd.compress(pcap(records([PACKET] * 30_000)))
    scan = iter(fluxcap.scan_packets(data, batch_size=10))
    next(scan)
    child = os.fork()
    if child == 0:
        try:
            for _ in scan:
                pass
        except RuntimeError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (7 if step == compression.STEP_LARGE else 0)
