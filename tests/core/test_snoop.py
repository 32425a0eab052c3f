"""snoop, the format of Solaris (RFC 1761): what pcap says of the same records, and what is wrong with a file."""

import struct

import pytest

import builders as b
import fluxcap
from capture_files import Record, pcap, records, snoop
from core_driver import anomalies, feed, rows, scan
from fluxcap._core import DAMAGES, Scanner
from packet_cases import V4, V6
from tshark import fields, needs_tshark, tshark

FRAMES = [b.ethernet(V4), b.ethernet(V6) + b"xyz", b.ethernet(b"\0\1\x08\0" + bytes(24), 0x0806)]
RECORDS = [*records(FRAMES), Record(FRAMES[0]).cut(40)._replace(time=1_700_000_001_000_000_000)]
FILE_HEADER, HEADER = 16, 24
OFFSETS_DIFFER = {"offset"}


def without_offset(capture: bytes) -> list[dict]:
    return [{name: value for name, value in row.items() if name not in OFFSETS_DIFFER} for row in rows(capture)]


@pytest.mark.parametrize(
    ("datalink", "link_type"), [(0, 1), (4, 1), (2, 6), (8, 10), (9, 0), (14, 0), (0x80000005, 226)]
)
@pytest.mark.parametrize("pad", [None, 0, 1, 6, 100], ids=str)
def test_a_snoop_file_says_what_a_pcap_of_its_records_says(datalink, link_type, pad):
    made = snoop(RECORDS, datalink, pad=pad)
    assert without_offset(made) == without_offset(pcap(RECORDS, link_type))
    assert scan(made).format()["interfaces"][0]["link_type"] == link_type


def test_the_offset_is_that_of_the_data():
    made = snoop(RECORDS)
    assert [made[row["offset"] :].startswith(one.data) for row, one in zip(rows(made), RECORDS, strict=True)] == [
        True
    ] * 4
    assert (scan(made).format()["name"], scan(made).format()["byte_order"]) == ("snoop", "big")


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_pieces_in_which_a_file_comes_show_in_nothing(size):
    made = snoop(RECORDS)
    scanner = Scanner(columns=("packet", "time", "src_ip"))
    feed(scanner, [made[at : at + size] for at in range(0, len(made), size)])
    whole = scan(made, columns=("packet", "time", "src_ip"))
    assert [bytes(memoryview(column)) for column in scanner.take().values()] == [
        bytes(memoryview(column)) for column in whole.take().values()
    ]


@pytest.mark.parametrize(
    ("drops", "dropped"),
    [([0, 0, 0, 0], 0), ([0, 3, 3, 10], 10), ([5], 5), ([5, 2, 4, 4], 7), ([2**32 - 1], 2**32 - 1)],
)
def test_records_that_the_machine_dropped_are_counted(drops, dropped):
    made = snoop(RECORDS, drops=[*drops, *[drops[-1]] * 4])
    assert anomalies(scan(made)).get("dropped_before", 0) == dropped
    assert fluxcap.read_info(made).anomalies.get("dropped_before", 0) == dropped


def test_drops_are_counted_anew_in_each_file():
    assert anomalies(scan(snoop(RECORDS[:1], drops=[3]), snoop(RECORDS[:1], drops=[4])))["dropped_before"] == 7


def changed(at: int, value: int) -> bytes:
    """A file of two records, in whose second record header a number is another one; `at`: offset there."""
    made = bytearray(snoop(RECORDS[:2]))
    second = FILE_HEADER + HEADER + len(FRAMES[0]) + -len(FRAMES[0]) % 4
    struct.pack_into(">I", made, second + at, value)
    return bytes(made)


N = len(FRAMES[1])
DAMAGED = [
    # what, file, records before, found, wanted
    ("file_header_cut", snoop([])[:-1], 0, 15, 16),
    ("unsupported_version", b"snoop\0\0\0" + struct.pack(">II", 3, 4), 0, 3 << 16, 0),
    ("snoop_link", snoop([], 5), 0, 5, 0),
    ("snoop_link", snoop([], 2**32 - 1), 0, 2**32 - 1, 0),
    ("not_a_capture", b"snoopy!!" + bytes(16), 0, 0x736E6F6F, 0),
    ("record_header_cut", snoop(RECORDS)[: FILE_HEADER + 23], 0, 23, 24),
    ("record_cut", snoop(RECORDS[:1])[:-1], 0, None, None),
    ("caplen_too_big", changed(4, 262145), 1, 262145, 262144),
    ("caplen_past_record", changed(4, N + 4), 1, N + 4, N + -N % 4),
    ("caplen_past_record", changed(8, 23), 1, N, 0),
    ("caplen_past_record", changed(8, 0), 1, N, 0),
    ("record_too_long", changed(8, 2**32 - 1), 1, 2**32 - 1, 1 << 24),
    ("record_cut", changed(8, 1 << 24), 1, None, 1 << 24),
]


@pytest.mark.parametrize("case", DAMAGED, ids=[f"{place} {case[0]}" for place, case in enumerate(DAMAGED)])
def test_damage_is_named_and_what_came_before_is_kept(case):
    what, made, before, found, wanted = case
    scanner = scan(made)
    damage = scanner.damage
    assert (DAMAGES[damage["code"]], damage["packet"]) == (what, before)
    assert found in (None, damage["found"])
    assert wanted in (None, damage["wanted"])
    assert len(rows(made)) == before


def test_lengths_and_fractions_that_cannot_be_are_counted():
    assert anomalies(scan(changed(0, 1))) == {"captured_over_wire": 1}
    assert anomalies(scan(changed(20, 1_000_000))) == {"fraction_over_second": 1}


def test_flows_are_extracted_into_a_snoop_file(tmp_path):
    first, second = tmp_path / "1.snoop", tmp_path / "2.snoop"
    first.write_bytes(snoop(RECORDS, drops=[1, 2, 3, 4]))
    second.write_bytes(snoop(RECORDS[:1]))
    flows = fluxcap.read_flows([first, second])
    flows.extract(0, tmp_path / "one.snoop")
    made = (tmp_path / "one.snoop").read_bytes()
    kept = [RECORDS[0], RECORDS[3], RECORDS[0]]
    assert made == snoop(kept, drops=[1, 4, 0])


def test_snoop_files_of_different_links_do_not_fit_into_one(tmp_path):
    first, second = tmp_path / "1.snoop", tmp_path / "2.snoop"
    first.write_bytes(snoop(RECORDS[:1]))
    second.write_bytes(snoop(RECORDS[:1], 0))
    with pytest.raises(ValueError, match="do not fit into one file"):
        fluxcap.read_flows([first, second]).extract(0, tmp_path / "one.snoop")


def test_a_directory_and_compression_find_snoop_files(tmp_path):
    import gzip

    (tmp_path / "a.snoop.gz").write_bytes(gzip.compress(snoop(RECORDS)))
    assert fluxcap.read_info(tmp_path).packets == 4


def test_a_snoop_file_is_repaired_in_its_format(tmp_path):
    left = b.ethernet(b.ipv4(b.udp(b"hello", 1, 53, checksum="partial")))
    right = b.ethernet(b.ipv4(b.udp(b"hello", 1, 53)))
    fluxcap.repair(snoop(records([left])), tmp_path / "new.snoop")
    assert (tmp_path / "new.snoop").read_bytes() == snoop(records([right]))


COLUMNS = {"frame.number": "packet", "frame.len": "wire_length", "frame.cap_len": "captured_length",
           "udp.srcport": "src_port", "udp.dstport": "dst_port"}  # fmt: skip


@needs_tshark
@pytest.mark.parametrize("datalink", [0, 4])
@pytest.mark.parametrize("pad", [None, 1, 6])
def test_tshark_reads_the_same(datalink, pad, tmp_path):
    path = tmp_path / "capture.snoop"
    path.write_bytes(snoop(RECORDS, datalink, pad=pad))
    seen = [line.split("\t") for line in tshark(path, *fields([*COLUMNS, "frame.time_epoch"]))]
    packets = rows(path.read_bytes())
    assert [[int(cell or 0) for cell in line[:-1]] for line in seen] == [
        [row[name] for name in COLUMNS.values()] for row in packets
    ]
    assert [round(float(line[-1]) * 1e6) for line in seen] == [row["time"] // 1000 for row in packets]
