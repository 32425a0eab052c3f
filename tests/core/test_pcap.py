"""The core reads pcap files: their kinds, versions, lengths and times."""

import struct

import pytest

import builders as b
from capture_files import PREFIX, Record, pcap
from core_driver import anomalies, of, rows, scan, taken

SECOND = 1_000_000_000
PACKETS = [b.ethernet(b.ipv4(b.udp(bytes(size)))) for size in (1, 20, 300)]
RECORDS = [Record(data, (1_700_000_000 + at) * SECOND + 123_456_000) for at, data in enumerate(PACKETS)]

both_byte_orders = pytest.mark.parametrize("byteorder", ["little", "big"])


def patched(capture: bytes, at: int, layout: str, *values: int) -> bytes:
    """A capture with fields overwritten."""
    octets = bytearray(capture)
    struct.pack_into(layout, octets, at, *values)
    return bytes(octets)


@both_byte_orders
@pytest.mark.parametrize(
    ("kind", "variant", "header"),
    [({}, "us", 16), ({"ns": True}, "ns", 16), ({"modified": True}, "us modified", 24)],
    ids=["us", "ns", "modified"],
)
def test_a_pcap_of_every_kind_gives_its_records(kind, variant, header, byteorder):
    scanner = scan(pcap(RECORDS, byteorder=byteorder, **kind))
    offset, expected = 24 + header, []
    for number, record in enumerate(RECORDS, 1):
        size = len(record.data)
        lengths = {"captured_length": size, "wire_length": size}
        expected.append({"packet": number, "time": record.time, "offset": offset, "verdict": "good", **lengths})
        offset += size + header
    found = taken(scanner)
    assert [of(row, one) for row, one in zip(found, expected, strict=True)] == expected
    form = scanner.format()
    assert (form["name"], form["variant"], form["byte_order"]) == ("pcap", variant, byteorder)
    assert scanner.damage is None
    assert anomalies(scanner) == {}


@pytest.mark.parametrize(
    ("version", "first", "second", "captured", "wire"),
    [
        # In files before 2.3, and in DG/UX tcpdump's 543.0, the wire length stands first (libpcap, sf-pcap.c).
        ((2, 0), 1500, 60, 60, 1500),
        ((2, 1), 1500, 60, 60, 1500),
        ((2, 2), 1500, 60, 60, 1500),
        ((2, 3), 1500, 60, 60, 1500),
        ((2, 3), 60, 1500, 60, 1500),
        ((2, 4), 60, 1500, 60, 1500),
        ((543, 0), 1500, 60, 60, 1500),
    ],
)
@both_byte_orders
def test_the_order_of_the_two_lengths_follows_the_version(version, first, second, captured, wire, byteorder):
    order = PREFIX[byteorder]
    capture = patched(pcap([Record(bytes(60))] * 2, byteorder=byteorder), 4, order + "HH", *version)
    for at in (24, 24 + 16 + 60):
        capture = patched(capture, at + 8, order + "II", first, second)
    assert [(row["captured_length"], row["wire_length"]) for row in rows(capture)] == [(captured, wire)] * 2


@pytest.mark.parametrize(
    ("bits", "payload"),
    [(0, 26), (0x24000000, 22), (0x14000000, 24), (0x20000000, 26), (0x04000000, 26)],
    ids=["none", "four bytes", "two bytes", "a length, but not said to be present", "present, of no length"],
)
def test_the_frame_check_sequence_that_the_link_type_field_announces_is_no_payload(bits, payload):
    # With an IPv4 total length of zero (segmentation offload) the length of the record says where the packet ends.
    frame = b.ethernet(b.ipv4(b.tcp(bytes(26)), total_length=0))
    (row,) = rows(patched(pcap([Record(frame)]), 20, "<I", bits | b.LINK_ETHERNET))
    expected = {"link_type": b.LINK_ETHERNET, "wire_length": len(frame), "payload_length": payload}
    assert of(row, expected) == expected


@pytest.mark.parametrize("snaplen", [0, 1, 46, 47, 0xFFFFFFFF])
def test_a_record_longer_than_the_snap_length_is_kept_whole_and_counted(snaplen):
    scanner = scan(pcap([Record(PACKETS[0] + bytes(4))], snaplen=snaplen))  # 47 bytes
    (row,) = taken(scanner)
    assert (row["captured_length"], row["verdict"]) == (47, "good")
    assert anomalies(scanner) == ({"captured_over_snaplen": 1} if 0 < snaplen < 47 else {})


@pytest.mark.parametrize(
    ("seconds", "fraction", "ns", "time"),
    [
        (0, 0, False, 0),
        (1, 999_999, False, 1_999_999_000),
        (1, 999_999_999, True, 1_999_999_999),
        (0x7FFFFFFF, 0, False, 2_147_483_647 * SECOND),
        (0x80000000, 0, False, 2_147_483_648 * SECOND),  # unsigned: 2038 is no end
        (0xFFFFFFFF, 999_999, False, 4_294_967_295 * SECOND + 999_999_000),  # 2106-02-07T06:28:15
        (1, 2_000_000, False, 3 * SECOND),
        (1, 0xFFFFFFFF, False, SECOND + 0xFFFFFFFF * 1000),
        (1, 0xFFFFFFFF, True, SECOND + 0xFFFFFFFF),
    ],
)
@both_byte_orders
def test_a_pcap_time_is_unsigned_seconds_and_a_fraction_that_is_added(seconds, fraction, ns, time, byteorder):
    capture = pcap([Record(PACKETS[0])], ns=ns, byteorder=byteorder)
    scanner = scan(patched(capture, 24, PREFIX[byteorder] + "II", seconds, fraction))
    assert [row["time"] for row in taken(scanner)] == [time]
    is_over = fraction >= (SECOND if ns else 1_000_000)
    assert anomalies(scanner) == ({"fraction_over_second": 1} if is_over else {})


def test_times_may_go_back_which_is_counted():
    times = [5, 3, 4, 4, 1]
    scanner = scan(pcap([Record(PACKETS[0], time * SECOND) for time in times]))
    assert [row["time"] for row in taken(scanner)] == [time * SECOND for time in times]
    totals = scanner.totals()
    assert (totals["first"], totals["last"], totals["in_order"]) == (1 * SECOND, 5 * SECOND, False)
    assert anomalies(scanner) == {"time_went_back": 2}


def test_order_is_asked_for_within_an_input_not_between_inputs():
    later, earlier = (pcap([Record(PACKETS[0], time * SECOND)]) for time in (9, 2))
    assert scan(later, earlier).totals()["in_order"]


def test_records_of_no_octets_are_records():
    scanner = scan(pcap([Record(b""), Record(b"", 0, 60), Record(PACKETS[0])]))
    found = [(row["captured_length"], row["wire_length"], row["disposition"]) for row in taken(scanner)]
    assert found == [(0, 0, "malformed"), (0, 60, "truncated_header"), (43, 43, "counted")]
    assert (scanner.totals()["packets"], scanner.totals()["wire_octets"]) == (3, 103)


def test_a_captured_length_over_the_wire_length_is_kept_as_it_is_and_counted():
    scanner = scan(patched(pcap([Record(PACKETS[1])]), 24 + 12, "<I", 10))
    (row,) = taken(scanner)
    expected = {"captured_length": 62, "wire_length": 10, "verdict": "good", "payload_length": 20}
    assert of(row, expected) == expected
    assert anomalies(scanner) == {"captured_over_wire": 1}
