"""Records in the order of time: inputs are merged, and each is sorted within a window."""

import bz2
import gzip
import random
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, simple_packet
from fluxcap.capture import merging
from fluxcap.errors import OutOfOrderWarning

MS = 10**6
FRAME = b.ethernet(b.ipv4(b.udp(b"", 1001, 1002)))
Times = list[int | None]  # of the records of an input; None: without one


def one_pcap(times: Times) -> bytes:
    return pcap([Record(FRAME, time) for time in times if time is not None], ns=True)


def one_pcapng(times: Times) -> bytes:
    """The first interface has no records, so that those of several inputs have different numbers."""
    blocks = [simple_packet(FRAME) if time is None else enhanced_packet(FRAME, time, 1) for time in times]
    return pcapng(interface(tsresol=9), interface(tsresol=9), *blocks)


def keyed(times: Times, window: int) -> list[tuple[float, bool]]:
    """What each record is sorted by, and whether it is late."""
    found, latest, key = [], float("-inf"), float("-inf")
    for time in times:
        late = time is not None and time < latest - window
        key = key if late or time is None else time
        latest = latest if time is None else max(latest, time)
        found.append((key, late))
    return found


def in_order(parts: list[Times], window: int) -> list[tuple[int, int]]:
    """Input and number of each record, in order: sorted() by time, then input, then number."""
    rows = [(k, i, n) for i, times in enumerate(parts) for n, (k, _) in enumerate(keyed(times, window), 1)]
    return [(i, n) for _, i, n in sorted(rows)]


def read(captures: list, window: int, columns: str = "file,packet", **options: object) -> fluxcap.PacketTable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fluxcap.read_packets(captures, columns=columns, order="time", reorder=window / 1e9, **options)


def rows(table: fluxcap.PacketTable) -> list[tuple[int, int]]:
    return list(zip(table["file"].tolist(), table["packet"].tolist(), strict=True))


times = st.lists(st.none() | st.integers(0, 40), max_size=30)


@given(parts=st.lists(times, min_size=1, max_size=5), window=st.integers(1, 50))
def test_records_come_by_time_then_input_then_number(parts: list[Times], window: int) -> None:
    table = read([one_pcapng(part) for part in parts], window)
    assert rows(table) == in_order(parts, window)
    late = sum(late for part in parts for _, late in keyed(part, window))
    assert (table.metadata["late"].records if late else table.metadata["late"]) == (late or None)


@given(parts=st.lists(st.lists(st.integers(0, 40), max_size=30), min_size=1, max_size=5), window=st.integers(1, 50))
def test_pcaps_come_by_time_too(parts: list[Times], window: int) -> None:
    assert rows(read([one_pcap(part) for part in parts], window)) == in_order(parts, window)


def test_of_equal_times_the_first_input_comes_first_even_where_its_record_is_as_late_as_the_window_allows():
    table = read([one_pcap([10, 5]), one_pcap([5])], 5)
    assert rows(table) == [(0, 2), (1, 1), (0, 1)]
    assert table.metadata["late"] is None


def test_a_record_keeps_what_its_file_says_of_it():
    one = pcapng(interface(101), interface(1, tsresol=9), enhanced_packet(FRAME, 20, 1), enhanced_packet(FRAME, 40, 1))
    two = pcap([Record(FRAME[14:], 30), Record(FRAME[14:], 50)], 101, ns=True)
    columns = "file,packet,time,interface,link_type,offset,src_port,disposition"
    merged = read([one, two], 1000, columns)
    plain = fluxcap.read_packets([one, two], columns=columns)
    order = [0, 2, 1, 3]
    assert merged["time"].tolist() == [20, 30, 40, 50]
    for name in merged.columns:
        assert merged[name].tolist() == plain[name][order].tolist(), name
    assert merged["interface"].tolist() == [1, 0, 1, 0]
    assert merged["link_type"].tolist() == [1, 101, 1, 101]


def test_a_file_is_a_key_and_the_filter_goes_by_the_link_type_of_each_record():
    pytest.importorskip("cypcap")
    one, two = pcap([Record(FRAME, 10), Record(FRAME, 30)], ns=True), pcap([Record(FRAME[14:], 20)], 101, ns=True)
    flows = fluxcap.read_flows([one, two], by="file,interface", where="udp port 1002", order="time")
    assert (flows["file"].tolist(), flows["packets"].tolist()) == ([0, 1], [2, 1])
    assert read([one, two], 1000, where="udp port 1003").metadata["ledger"]["filtered"][0] == 3


def test_damage_ends_one_input_and_is_named_by_its_file(tmp_path: Path):
    whole = one_pcap([10, 30, 50])
    paths = [tmp_path / "one.pcap", tmp_path / "two.pcap"]
    paths[0].write_bytes(one_pcap([20, 40])[:-1])
    paths[1].write_bytes(whole)
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        table = fluxcap.read_packets(paths, columns="file,packet", order="time")
    assert rows(table) == [(1, 1), (0, 1), (1, 2), (1, 3)]
    (damage,) = table.metadata["damage"]
    plain = fluxcap.read_packets  # the plain reading is the witness of place and words
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        assert damage == plain(paths).metadata["damage"][0]
    with pytest.raises(fluxcap.TruncatedError) as raised:
        fluxcap.read_packets(paths, columns="file,packet", order="time", on_damage="raise")
    assert raised.value.path == str(paths[0])
    assert rows(raised.value.partial) == [(1, 1), (0, 1), (1, 2)]  # one more had to be read to know what comes first


def test_what_comes_before_the_damage_of_one_input_is_let_go_before_the_damage_is_told():
    broken = one_pcap([10, 30, 50]) + b"\xff" * 40 + one_pcap([70])[24:]
    inputs = [broken, one_pcap([20, 40, 60])]
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        table = fluxcap.read_packets(inputs, columns="file,packet", order="time", reorder=1e-9)
    assert rows(table) == [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)]
    (damage,) = table.metadata["damage"]
    assert (damage.packet, damage.offset) == (3, len(one_pcap([10, 30, 50])))


def test_inputs_with_many_interfaces_are_merged():
    """Each record is of an interface of its own."""
    captures = [
        pcapng(*[interface(tsresol=9)] * 40, *(enhanced_packet(FRAME, 2 * at + odd, at) for at in range(40)))
        for odd in (0, 1)
    ]
    table = read(captures, 10, "file,interface,time")
    assert list(zip(*(table[name].tolist() for name in ("time", "file", "interface")), strict=True)) == [
        (time, time % 2, time // 2) for time in range(80)
    ]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_cut_compressed_inputs_end_alone(pack):
    captures = [pack(one_pcap(list(range(start, 100_000, 2))))[:-20] for start in (0, 1)]
    captures.append(one_pcap(list(range(0, 100_000, 1000))))
    plain = []
    for capture in captures:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain.append(fluxcap.read_packets(capture, columns="time"))
    merged = read(captures, 1000, "time,file")
    assert sorted(one.packet for one in merged.metadata["damage"]) == sorted(len(one) for one in plain[:2])
    assert merged["time"].tolist() == sorted(time for one in plain for time in one["time"].tolist())


def test_an_input_that_is_no_capture_raises_with_what_was_read():
    with pytest.raises(fluxcap.NotACaptureError):
        fluxcap.read_packets([one_pcap([1, 2]), b"no capture at all, in words"], order="time")


class Pieces:
    """A pipe that brings a few bytes at a time."""

    def __init__(self, octets: bytes, size: int) -> None:
        self.left, self.size = octets, size

    def read(self, n: int) -> bytes:
        piece, self.left = self.left[: min(n, self.size)], self.left[min(n, self.size) :]
        return piece


@given(size=st.integers(1, 200), seed=st.integers(0, 100))
def test_the_pieces_that_inputs_come_in_show_in_nothing(size, seed):
    draw = random.Random(seed)
    parts = [[draw.randrange(200) for _ in range(50)] for _ in range(3)]
    whole = read([one_pcap(part) for part in parts], 30)
    assert rows(read([Pieces(one_pcap(part), size) for part in parts], 30)) == rows(whole)


@pytest.mark.parametrize("octets", [0, 1, 100, 200_000])
def test_records_of_any_length_pass_whole(octets):
    frame = FRAME + bytes(octets)
    one, two = (pcap([Record(frame, time) for time in range(start, 40, 2)], ns=True) for start in (0, 1))
    table = read([one, two], 5, "captured_length,src_port,time")
    assert table["captured_length"].tolist() == [len(frame)] * 40
    assert set(table["src_port"].tolist()) == {1001}
    assert table["time"].tolist() == list(range(40))


def test_a_full_pool_lets_the_oldest_go_early_and_counts_what_comes_after_as_late(monkeypatch):
    monkeypatch.setattr(merging, "POOL", 2 << 20)
    frame = FRAME + bytes(100_000)
    times = [*range(1000, 1100), 0, *range(1100, 1110)]
    capture = pcap([Record(frame, time) for time in times], ns=True)
    with pytest.warns(OutOfOrderWarning, match=r"1 record .* first packet 101 .*2.0 MiB of records"):
        table = fluxcap.read_packets(capture, columns="packet", order="time", reorder="1s")
    assert len(table) == len(times)
    assert table.metadata["late"].records == 1
    assert table["packet"].tolist()[:70] == list(range(1, 71))
    monkeypatch.setattr(merging, "POOL", 64 << 20)
    assert fluxcap.read_packets(capture, columns="packet", order="time")["packet"][0] == 101


@given(
    parts=st.lists(st.lists(st.integers(0, 400), max_size=80), min_size=2, max_size=4),
    length=st.sampled_from([40_000, 250_000]),
)
def test_with_a_full_pool_nothing_is_lost_and_each_misplaced_record_is_counted(parts, length):
    frame = FRAME + bytes(length)
    captures = [pcap([Record(frame, time) for time in part], ns=True) for part in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "POOL", 2 << 20)
        table = read(captures, 100, "file,packet,time")
    assert sorted(rows(table)) == [(i, n) for i, part in enumerate(parts) for n in range(1, len(part) + 1)]
    latest, late = -1, 0
    for time in table["time"].tolist():
        late += time < latest
        latest = max(latest, time)
    assert late == (table.metadata["late"].records if table.metadata["late"] else 0)


def test_a_descending_capture_is_sorted():
    times = list(range(20_000, 0, -1))
    assert read([one_pcap(times)], 30_000, "time")["time"].tolist() == sorted(times)
