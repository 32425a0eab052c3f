"""Readings that begin in the middle of a capture, with an index beside it and without one."""

from __future__ import annotations

import bz2
import datetime
import gzip
import io
import os
import struct
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import fluxcap
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, simple_packet, snoop
from capture_pieces import pieces
from fluxcap.plan.places import place_of
from object_server import Behaviour, serving

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SAMPLES = Path(__file__).parents[2] / "samples"
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
COLUMNS = "packet,time,captured_length,interface,link_type,offset,src_ip,src_port,verdict"


def frame(number: int) -> bytes:
    """Ethernet, IPv4 and UDP, with the number in the payload; checksums are not right."""
    payload = struct.pack("!I", number) * (1 + number % 7)
    udp = struct.pack("!4H", 1000 + number % 50, 53, 8 + len(payload), 1) + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number & 0xFFFF, 0, 64, 17, 0, bytes(4), bytes(4))
    return bytes(12) + b"\x08\x00" + ip + udp


RECORDS = [Record(frame(number), START + number * 1_000_000) for number in range(300)]
TWO_INTERFACES = [
    enhanced_packet(one.data, one.time // (1000 if place % 2 else 1), place % 2) for place, one in enumerate(RECORDS)
]
SECTIONS = pcapng(interface(tsresol=9), interface(tsresol=6), *TWO_INTERFACES[:100]) + pcapng(
    interface(tsresol=9, name="later"), interface(tsresol=6), *TWO_INTERFACES[100:], byteorder="big"
)
LATE_INTERFACE = pcapng(
    interface(tsresol=9),
    *(enhanced_packet(one.data, one.time) for one in RECORDS[:200]),
    interface(101, tsresol=9),
    *(enhanced_packet(one.data[14:], one.time, 1) for one in RECORDS[200:]),
)
CAPTURES = {
    "pcap": pcap(RECORDS),
    "nanoseconds": pcap(RECORDS, ns=True),
    "big endian": pcap(RECORDS, byteorder="big"),
    "modified": pcap(RECORDS, modified=True),
    "snoop": snoop(RECORDS),
    "two sections, two interfaces": SECTIONS,
    "an interface in the middle": LATE_INTERFACE,
    "without times": pcapng(interface(), *(simple_packet(one.data) for one in RECORDS)),
}


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr("fluxcap.plan.sizes.LEAST", 1)


def rest(whole, packet):
    """The rows from this packet on."""
    return {name: values[whole["packet"] >= packet] for name, values in whole.to_dict().items()}


def same(table, rows):
    return all(np.array_equal(table[name], values) for name, values in rows.items())


# The same rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("octets", CAPTURES.values(), ids=CAPTURES)
def test_the_rows_from_a_packet_on_are_those_of_the_whole_capture(octets, indexed, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(octets)
    if indexed:
        assert fluxcap.index(path, every=1000)[0].checkpoints > 5
    whole = fluxcap.read_packets(octets, columns=COLUMNS)
    assert len(whole) == len(RECORDS)
    for packet in (1, 2, 57, 100, 101, 201, 202, 299, 300):
        assert same(fluxcap.read_packets(path, columns=COLUMNS, at=packet), rest(whole, packet)), packet
        scan = fluxcap.scan_packets(path, columns=COLUMNS, at=packet, batch_size=70)
        assert np.array_equal(np.concatenate([part["packet"] for part in scan]), np.arange(packet, 301))


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("octets", [CAPTURES["nanoseconds"], SECTIONS, LATE_INTERFACE], ids=["pcap", "two", "late"])
def test_the_rows_from_a_time_on_begin_with_the_first_packet_of_that_time_or_later(octets, indexed, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(octets)
    if indexed:
        fluxcap.index(path, every=1000)
    for number in (0, 1, 56, 199, 200, 299):
        for time, first in ((RECORDS[number].time, number + 1), (RECORDS[number].time - 1, number + 1)):
            made = fluxcap.read_packets(path, columns="packet", at=np.datetime64(time, "ns"))
            assert made["packet"].tolist() == list(range(first, 301))


@pytest.mark.parametrize("indexed", [False, True])
def test_where_time_goes_back_a_reading_begins_at_the_first_packet_that_is_late_enough(indexed, tmp_path):
    times = [START + (number * 37 % 300) * SECOND for number in range(300)]
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([Record(frame(number), time) for number, time in enumerate(times)]))
    if indexed:
        fluxcap.index(path, every=500)
    for time in (START, START + 150 * SECOND, START + 298 * SECOND, START + 299 * SECOND):
        first = next(place for place, one in enumerate(times) if one >= time)
        made = fluxcap.read_packets(path, columns="packet", at=np.datetime64(time, "ns"))
        assert made["packet"][0] == first + 1


@pytest.mark.parametrize("name", ["session.pcap", "sockets.pcapng", "two-sections-two-byte-orders.pcapng"])
def test_samples_from_every_packet_on(name, tmp_path):
    path = tmp_path / name
    path.write_bytes((SAMPLES / name).read_bytes())
    fluxcap.index(path, every=200)
    whole = fluxcap.read_packets(path, columns="packet,time,interface,offset,captured_length,src_ip")
    for packet in range(1, len(whole) + 1, max(1, len(whole) // 40)):
        made = fluxcap.read_packets(path, columns="packet,time,interface,offset,captured_length,src_ip", at=packet)
        assert same(made, rest(whole, packet)), packet


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_what_can_only_be_read_from_its_beginning_is_read_up_to_the_place(compress, tmp_path):
    octets = CAPTURES["pcap"]
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(compress(octets))
    wanted = rest(fluxcap.read_packets(octets, columns=COLUMNS), 250)
    for src in (path, octets, io.BytesIO(octets), [octets]):
        assert same(fluxcap.read_packets(src, columns=COLUMNS, at=250), wanted)


def test_each_of_several_captures_is_read_from_the_time_on(tmp_path):
    for part in range(3):
        path = tmp_path / f"{part}.pcap"
        path.write_bytes(pcap(RECORDS[part * 100 : part * 100 + 100]))
        fluxcap.index(path, every=1000)
    time = np.datetime64(RECORDS[150].time, "ns")
    made = fluxcap.read_packets(tmp_path, columns="file,packet", at=time)
    assert made["file"].tolist() == [1] * 50 + [2] * 100
    assert made["packet"].tolist() == [*range(51, 101), *range(1, 101)]
    with pytest.raises(ValueError, match="numbered in each of the 3 inputs"):
        fluxcap.read_packets(tmp_path, at=7)
    with pytest.raises(ValueError, match="numbered in each of the 3 inputs"):
        fluxcap.scan_packets(tmp_path, at=7)


def test_behind_the_last_packet_there_is_no_row_and_that_is_said():
    made = fluxcap.read_packets(CAPTURES["pcap"], at=301)
    assert len(made) == 0
    assert made.metadata["hints"] == ["nothing is left to read behind 300 packets"]


def test_fragments_whose_first_one_lies_before_are_said():
    octets = (SAMPLES / "datagram-in-fragments.pcap").read_bytes()
    whole = fluxcap.read_packets(octets, columns="packet,fragment_offset,src_port")
    later = int(whole["packet"][np.flatnonzero(whole["fragment_offset"])[0]])
    made = fluxcap.read_packets(octets, columns="packet,src_port", at=later)
    assert made["src_port"][0] == 0 != whole["src_port"][later - 1]
    assert any("the first fragment of the datagram may lie before" in hint for hint in made.metadata["hints"])
    assert not any("may lie before" in hint for hint in fluxcap.read_packets(octets).metadata["hints"])


# The index ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pcap", "big endian", "modified", "two sections, two interfaces"])
def test_an_index_has_the_places_of_records(name, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(CAPTURES[name])
    made = fluxcap.index(path, every=1000)[0]
    assert made.path == f"{path}.fluxcap-index.parquet"
    assert made.packets == len(RECORDS)
    starts, at = [], 0
    for is_packet, octets in pieces(CAPTURES[name]):
        starts += [at] * is_packet
        at += len(octets)
    table = pq.read_table(made.path)
    assert table.schema.names == ["packet", "offset", "newest", "headers"]
    assert all(value.decode() for value in table.schema.metadata.values())  # as Parquet has it
    assert len(table) == made.checkpoints > 10
    offsets, packets = table["offset"].to_pylist(), table["packet"].to_pylist()
    assert [starts[packet - 1] for packet in packets] == offsets
    assert all(after - before >= 1000 for before, after in zip([0, *offsets], offsets, strict=False))
    newest = table["newest"].cast(pa.int64()).to_pylist()
    assert newest == [RECORDS[packet - 2].time for packet in packets]


def test_with_an_index_only_the_place_and_what_is_behind_it_is_fetched(tmp_path):
    pytest.importorskip("aiohttp")
    packets = [Record(bytes(1400), START + number * SECOND) for number in range(4000)]
    octets = pcap(packets)
    path = tmp_path / "x.pcap"
    path.write_bytes(octets)
    index = Path(fluxcap.index(path, every=1 << 16)[0].path).read_bytes()
    with serving({"/x.pcap": octets, "/x.pcap.fluxcap-index.parquet": index}) as server:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made = fluxcap.read_packets(f"{server.url}/x.pcap", columns="packet", at=3900)
        assert made["packet"].tolist() == list(range(3900, 4001))
        assert server.sent < len(octets) // 10
    with serving({"/x.pcap": octets, "/x.pcap.fluxcap-index.parquet": index}, Behaviour(ranges=False)) as server:
        made = fluxcap.read_packets(f"{server.url}/x.pcap", columns="packet", at=3900)
        assert made["packet"].tolist() == list(range(3900, 4001))


THREADS = """
import os, sys, fluxcap, pyarrow.parquet
begun = len(os.listdir("/proc/self/task"))
assert len(fluxcap.read_packets(sys.argv[1], at=5))
print(len(os.listdir("/proc/self/task")) - begun)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads where Linux lists them")
def test_no_thread_that_reads_an_index_is_left_when_the_process_ends(tmp_path):
    """One that frees memory of Python then aborts the process."""
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap(Record(frame(number), START + number) for number in range(10)))
    fluxcap.index(path)
    done = subprocess.run([sys.executable, "-c", THREADS, path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"]


def test_an_index_is_written_beside_an_object_of_a_store():
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/indexed/x.pcap", CAPTURES["pcap"])
    try:
        made = fluxcap.index("memory://indexed", every=1000)
        assert [one.path for one in made] == ["memory:///indexed/x.pcap.fluxcap-index.parquet"]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            packets = fluxcap.read_packets("memory://indexed", columns="packet", at=290)
        assert packets["packet"].tolist() == list(range(290, 301))
    finally:
        store.rm("/indexed", recursive=True)


def touched(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + path.read_bytes()[24:])


def of_another_version(path: Path) -> None:
    index = f"{path}.fluxcap-index.parquet"
    table = pq.read_table(index)
    metadata = {name: value.replace(b'"version": 1', b'"version": 9') for name, value in table.schema.metadata.items()}
    pq.write_table(table.replace_schema_metadata(metadata), index)


def overwritten(path: Path) -> None:
    Path(f"{path}.fluxcap-index.parquet").write_bytes(b"PAR1 no index PAR1")


def without_metadata(path: Path) -> None:
    pq.write_table(pa.table({"packet": [1]}), f"{path}.fluxcap-index.parquet")


def with_rows(path: Path, **columns: list[int]) -> None:
    index = f"{path}.fluxcap-index.parquet"
    table = pq.read_table(index)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values * len(table), pa.uint64()))
    pq.write_table(table, index)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (partial(with_rows, packet=[0]), "it cannot be read"),
        (partial(with_rows, offset=[1 << 60]), "it cannot be read"),
        (partial(with_rows, headers=[1 << 60]), "it cannot be read"),
        (touched, "x.pcap has changed since it was made"),
        (grown, "x.pcap has changed since it was made"),
        (of_another_version, "another version of fluxcap has made it"),
        (overwritten, "it cannot be read"),
        (without_metadata, "it cannot be read"),
    ],
)
def test_an_index_that_is_not_of_this_capture_is_said_and_not_used(change, said, tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(CAPTURES["pcap"])
    fluxcap.index(path, every=1000)
    change(path)
    with pytest.warns(UserWarning, match=said):
        made = fluxcap.read_packets(path, columns="packet", at=290)
    assert made["packet"][0] == 290


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_compressed_captures_have_no_index(compress, tmp_path):
    path = tmp_path / "x.pcap.packed"
    path.write_bytes(compress(CAPTURES["pcap"]))
    with pytest.raises(ValueError, match="decompress it to index it"):
        fluxcap.index(path)
    (tmp_path / "y.pcap").write_bytes(CAPTURES["pcap"])
    with pytest.warns(UserWarning, match="decompress it to index it"):
        assert [one.path for one in fluxcap.index(tmp_path)] == [f"{tmp_path}/y.pcap.fluxcap-index.parquet"]


@pytest.mark.parametrize("src", [CAPTURES["pcap"], io.BytesIO(CAPTURES["pcap"])], ids=["bytes", "file"])
def test_what_has_no_name_has_no_index(src):
    with pytest.raises(ValueError, match="no place beside it"):
        fluxcap.index(src)


def test_an_index_is_no_capture_of_a_directory_or_a_glob(tmp_path):
    (tmp_path / "x.pcap").write_bytes(CAPTURES["pcap"])
    fluxcap.index(tmp_path)
    for src in (tmp_path, f"{tmp_path}/*"):
        assert fluxcap.read_info(src).metadata["skipped"] == []
        assert fluxcap.read_info(src).metadata["inputs"] == [f"{tmp_path}/x.pcap"]


def test_an_index_ends_where_its_capture_is_damaged(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(CAPTURES["pcap"][:-5])
    with pytest.warns(fluxcap.DamagedCaptureWarning, match="cut short"):
        assert fluxcap.index(path, every=1000)[0].packets == 299
    with pytest.warns(fluxcap.DamagedCaptureWarning) as caught:
        made = fluxcap.read_packets(path, columns="packet", at=298)
    assert made["packet"].tolist() == [298, 299]
    damage = caught[0].message.error
    assert (damage.packet, damage.offset) == (299, len(CAPTURES["pcap"]) - 16 - len(RECORDS[-1].data))


def test_a_late_record_has_its_number_in_the_file(tmp_path):
    times = [START + number * SECOND for number in range(300)]
    times[280] = START
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([Record(frame(number), time) for number, time in enumerate(times)]))
    assert fluxcap.read_packets(path, at=200).metadata["late"].packet == 281


# Places ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "packet", "time"),
    [
        (1, 1, None),
        ("17", 17, None),
        ("1970-01-01", None, 0),
        ("1970-01-02T00:00", None, 86_400 * SECOND),
        ("1970-01-01 00:00:01", None, SECOND),
        ("1970-01-01T00:00:01.000000001Z", None, SECOND + 1),
        ("1970-01-01T01:00:00.5+01:00", None, SECOND // 2),
        (np.datetime64("1970-01-01T00:00:01.000000002"), None, SECOND + 2),
        (datetime.datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=datetime.UTC), None, SECOND + 5000),
    ],
)
def test_a_place_is_a_number_or_a_time(at, packet, time):
    assert place_of(at) == (packet, time)


@pytest.mark.parametrize("at", [0, -1, "", "soon", "2026-13-01", "9999-01-01", 1.5, True, 1 << 64])
def test_what_is_no_place_is_refused(at):
    with pytest.raises((ValueError, TypeError), match="at"):
        fluxcap.read_packets(CAPTURES["pcap"], at=at)


@pytest.mark.parametrize("other", [{"order": "time"}])
def test_a_place_is_in_a_capture_as_it_stands(other):
    with pytest.raises(ValueError, match="as it stands"):
        fluxcap.read_packets(CAPTURES["pcap"], at=7, **other)
