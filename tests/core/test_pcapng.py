"""The core reads pcapng files: sections, interfaces, packet blocks, times of any resolution, options."""

import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
from capture_files import (
    IF_TSOFFSET,
    IF_TSRESOL,
    INTERFACE_DESCRIPTION,
    block,
    enhanced_packet,
    interface,
    old_packet,
    option,
    pcapng,
    simple_packet,
)
from core_driver import anomalies, of, rows, scan, taken

SECOND = 1_000_000_000
NO_TIME = int(np.datetime64("NaT", "ns").view(np.int64))
LATEST, EARLIEST = 2**63 - 1, -(2**63) + 1  # ns, the limits of a time
IF_FCSLEN = 13
PACKETS = [b.ethernet(b.ipv4(b.udp(bytes(size)))) for size in (1, 20)]

both_byte_orders = pytest.mark.parametrize("byteorder", ["little", "big"])


@both_byte_orders
def test_a_pcapng_gives_the_records_of_every_kind_of_packet_block(byteorder):
    data, time = PACKETS[1], 1_700_000_000_123_456
    capture = pcapng(
        interface(b.LINK_ETHERNET),
        interface(b.LINK_RAW),
        enhanced_packet(data, time, wire_length=1500),
        simple_packet(data, wire_length=62),
        old_packet(data[14:], time, interface_id=1),
        byteorder=byteorder,
    )
    first = 28 + 20 + 20 + 28  # the bytes of section header, both interfaces, and of the first block up to its data
    expected = [
        {"packet": 1, "interface": 0, "time": time * 1000, "wire_length": 1500, "offset": first},
        {"packet": 2, "interface": 0, "time": NO_TIME, "wire_length": 62, "offset": first + 64 + 4 + 12},
        {"packet": 3, "interface": 1, "time": time * 1000, "wire_length": 48, "offset": first + 80 + 64 + 4 + 28},
    ]
    scanner = scan(capture)
    found = taken(scanner)
    assert [of(row, one) for row, one in zip(found, expected, strict=True)] == expected
    assert {(row["dst_port"], row["payload_length"]) for row in found} == {(50000, 20)}
    assert (scanner.format()["name"], scanner.format()["byte_order"]) == ("pcapng", byteorder)
    assert scanner.totals()["link_types"] == {b.LINK_ETHERNET: 2, b.LINK_RAW: 1}


def test_each_section_has_its_own_byte_order_and_its_own_interfaces():
    raw = PACKETS[0][14:]
    little = pcapng(interface(b.LINK_ETHERNET), interface(b.LINK_RAW), enhanced_packet(raw, 7, 1), byteorder="little")
    big = pcapng(interface(b.LINK_RAW, tsresol=9), enhanced_packet(raw, 7_000), simple_packet(raw), byteorder="big")
    scanner = scan(little + big + little)
    assert [(row["interface"], row["time"], row["verdict"]) for row in taken(scanner)] == [
        (1, 7_000, "good"),
        (2, 7_000, "good"),
        (2, NO_TIME, "good"),
        (4, 7_000, "good"),
    ]
    assert (scanner.format()["sections"], len(scanner.format()["interfaces"])) == (3, 5)


def test_interfaces_may_be_described_between_packets():
    capture = pcapng(
        interface(b.LINK_ETHERNET),
        enhanced_packet(PACKETS[0]),
        interface(b.LINK_RAW),
        enhanced_packet(PACKETS[0][14:], interface_id=1),
        enhanced_packet(PACKETS[0]),
    )
    assert [(row["interface"], row["link_type"], row["verdict"]) for row in rows(capture)] == [
        (0, b.LINK_ETHERNET, "good"),
        (1, b.LINK_RAW, "good"),
        (0, b.LINK_ETHERNET, "good"),
    ]


@both_byte_orders
def test_each_packet_has_the_link_type_the_clock_and_the_snap_length_of_its_own_interface(byteorder):
    frame, packet = PACKETS[1], PACKETS[1][14:]
    kinds = [
        # link type, the rest of the interface, bytes of a packet, ticks, time
        (b.LINK_ETHERNET, {"snaplen": 60, "tsresol": 6}, frame[:60], 3_000_001, 3_000_001_000),
        (b.LINK_RAW, {"tsresol": 0x80 | 10, "tsoffset": 7}, packet, 1536, 8_500_000_000),
        (b.LINK_ETHERNET, {"snaplen": 0, "tsresol": 9, "tsoffset": -2}, frame, 5, -1_999_999_995),
        (b.LINK_NULL, {"snaplen": 31, "tsresol": 12}, b.null(b.ipv4(b.udp())), 2_500, 2),
    ]
    interfaces = [interface(link_type, **described) for link_type, described, *_ in kinds]
    order = [0, 2, 1, 1, 3, 0, 2, 3]
    packets = [enhanced_packet(kinds[at][2], kinds[at][3], at, wire_length=len(frame)) for at in order]
    # The last interface appears late, right before its first packet.
    scanner = scan(pcapng(*interfaces[:3], *packets[:4], interfaces[3], *packets[4:], byteorder=byteorder))
    found = [tuple(row[name] for name in ("interface", "link_type", "time", "dst_port")) for row in taken(scanner)]
    assert found == [(at, kinds[at][0], kinds[at][4], 50000) for at in order]
    assert anomalies(scanner)["captured_over_snaplen"] == order.count(3)  # 32 bytes each
    assert [one["packets"] for one in scanner.format()["interfaces"]] == [2, 2, 2, 2]


def test_a_hundred_thousand_interfaces_are_read():
    n = 100_000
    described = interface(b.LINK_ETHERNET)("<")
    capture = pcapng(lambda order: described * n, enhanced_packet(PACKETS[0], interface_id=n - 1))
    (row,) = rows(capture)
    assert (row["interface"], row["verdict"]) == (n - 1, "good")


@both_byte_orders
def test_an_interface_is_told_as_its_block_describes_it(byteorder):
    described = interface(b.LINK_SLL, snaplen=96, tsresol=9, name="eth0", description="uplink")
    capture = pcapng(described, interface(tsresol=0x80 | 10), byteorder=byteorder)
    first, second = scan(capture).format()["interfaces"]
    expected = {"link_type": b.LINK_SLL, "snaplen": 96, "packets": 0, "name": b"eth0"}
    assert of(first, expected) == expected
    assert (first["ticks_per_second"], second["ticks_per_second"]) == (1e9, 1024)


@pytest.mark.parametrize(("snaplen", "captured"), [(0, 62), (60, 60), (62, 62), (100, 62)])
def test_the_snap_length_says_how_much_of_a_packet_a_simple_block_holds(snaplen, captured):
    kept = PACKETS[1][:captured]
    (row,) = rows(pcapng(interface(snaplen=snaplen), simple_packet(kept, wire_length=62)))
    expected = {"captured_length": captured, "wire_length": 62, "verdict": "good" if captured == 62 else "truncated"}
    assert of(row, expected) == expected


# Name resolution, interface statistics, journal, decryption secrets, custom blocks, and two unassigned types.
@pytest.mark.parametrize("kind", [4, 5, 9, 10, 0xBAD, 0x40000BAD, 0x7F, 0x80000001])
@both_byte_orders
def test_blocks_without_a_packet_are_passed(kind, byteorder):
    other = block(kind, b"anything" * 5)
    packet = enhanced_packet(PACKETS[0])
    capture = pcapng(other, interface(), other, packet, other, packet, other, byteorder=byteorder)
    assert [(row["packet"], row["verdict"]) for row in rows(capture)] == [(1, "good"), (2, "good")]


# Times ----------------------------------------------------------------------------------------------------------------

TICKS = [0, 1, 999, 1_000_001, 3_500_000_000_123_456_789, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]
DECIMAL = [pytest.param(power, 10**power, id=f"10^-{power}") for power in range(20)]
BINARY = [pytest.param(0x80 | power, 2**power, id=f"2^-{power}") for power in range(64)]


def nanoseconds(ticks: int, per_second: int, offset: int = 0) -> int:
    """The exact time, cut to whole nanoseconds; what 64 bits cannot hold is no time."""
    exact = Fraction(ticks * SECOND, per_second).__floor__() + offset * SECOND
    return exact if EARLIEST <= exact <= LATEST else NO_TIME


@pytest.mark.parametrize(("tsresol", "per_second"), DECIMAL + BINARY)
def test_every_resolution_is_right_to_the_nanosecond(tsresol, per_second):
    ticks = [*TICKS, 7 * per_second // 2 % 2**64, (1_700_000_000 * per_second + 1) % 2**64]
    for made in (enhanced_packet, old_packet):
        capture = pcapng(interface(tsresol=tsresol), *(made(b"", one) for one in ticks))
        found = [row["time"] for row in rows(capture, columns=["time"])]
        assert found == [nanoseconds(one, per_second) for one in ticks]


@both_byte_orders
@pytest.mark.parametrize("offset", [-100, 0, 1_000, 1_700_000_000, -4_000_000_000, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize(("tsresol", "per_second"), [(6, 10**6), (12, 10**12), (0x80 | 40, 2**40)])
def test_the_offset_of_an_interface_is_in_seconds_and_may_be_negative(tsresol, per_second, offset, byteorder):
    ticks = [0, 1, 5 * per_second + per_second // 2]
    described = interface(tsresol=tsresol, tsoffset=offset)
    capture = pcapng(described, *(enhanced_packet(b"", one) for one in ticks), byteorder=byteorder)
    assert [row["time"] for row in rows(capture)] == [nanoseconds(one, per_second, offset) for one in ticks]


@given(
    tsresol=st.sampled_from([*range(20), *(0x80 | power for power in range(64))]),
    offset=st.integers(-(2**63), 2**63 - 1),
    ticks=st.integers(0, 2**64 - 1),
)
def test_any_time_of_any_resolution_and_offset_is_right_to_the_nanosecond(tsresol, offset, ticks):
    per_second = 2 ** (tsresol & 0x7F) if tsresol & 0x80 else 10**tsresol
    capture = pcapng(interface(tsresol=tsresol, tsoffset=offset), enhanced_packet(b"", ticks))
    assert [row["time"] for row in rows(capture, columns=["time"])] == [nanoseconds(ticks, per_second, offset)]


def test_times_past_what_64_bits_of_nanoseconds_hold_are_counted():
    microseconds = [2**64 - 1, 2**63 // 1000 + 1, 2**63 // 1000, 0]  # the first two are past the year 2262
    late = pcapng(interface(), *(enhanced_packet(PACKETS[0], one) for one in microseconds))
    early = pcapng(interface(tsoffset=-10_000_000_000), enhanced_packet(PACKETS[0], 5))  # the year 1653
    assert [anomalies(scan(one)) for one in (late, early)] == [
        {"time_out_of_range": 2, "time_went_back": 1},
        {"time_out_of_range": 1},
    ]


def test_the_first_and_the_last_nanosecond_of_64_bits_are_times():
    ends = interface(tsresol=9, tsoffset=-(2**63) // SECOND), interface(tsresol=9)
    ticks = EARLIEST - (-(2**63) // SECOND) * SECOND
    capture = pcapng(*ends, *(enhanced_packet(PACKETS[0], *one) for one in ((ticks - 1, 0), (ticks, 0), (LATEST, 1))))
    scanner = scan(capture)
    assert [row["time"] for row in taken(scanner)] == [NO_TIME, EARLIEST, LATEST]
    assert anomalies(scanner) == {"time_out_of_range": 1}


def test_records_without_a_time_are_counted():
    capture = pcapng(interface(), simple_packet(PACKETS[0]), enhanced_packet(PACKETS[0], 7), simple_packet(PACKETS[0]))
    assert anomalies(scan(capture)) == {"without_time": 2}


# Options --------------------------------------------------------------------------------------------------------------


def described(options: bytes) -> bytes:
    """A capture of one interface with these options and one packet a second and a half after the epoch, in us."""
    body = struct.pack("<HHI", b.LINK_ETHERNET, 0, 0) + options
    return pcapng(block(INTERFACE_DESCRIPTION, body), enhanced_packet(PACKETS[0], 1_500_000))


NANOSECONDS = option(IF_TSRESOL, b"\x09")("<")
TEN_SECONDS = option(IF_TSOFFSET, struct.pack("<q", 10))("<")


@pytest.mark.parametrize(
    ("options", "time", "odd"),
    [
        pytest.param(NANOSECONDS, 1_500_000, {}, id="no end of options"),
        pytest.param(NANOSECONDS + bytes(4), 1_500_000, {}, id="an end of options"),
        pytest.param(bytes(4) + NANOSECONDS, 1_500_000_000, {}, id="options after the end are none"),
        pytest.param(option(2988, b"unknown!!")("<") + NANOSECONDS, 1_500_000, {}, id="an unknown option"),
        pytest.param(NANOSECONDS + TEN_SECONDS + b"\x02\x00\xff\xff" + b"name", 10_001_500_000,
                     {"option_overrun": 1}, id="an option past the block: those before it count"),
        pytest.param(b"\x02\x00\xff\xff" + NANOSECONDS, 1_500_000_000, {"option_overrun": 1},
                     id="an option past the block: those after it are its bytes"),
        pytest.param(option(IF_TSRESOL, b"")("<"), 1_500_000_000, {"tsresol_length": 1}, id="resolution of no byte"),
        pytest.param(option(IF_TSRESOL, b"\x09\0\0\0")("<"), 1_500_000_000, {"tsresol_length": 1},
                     id="resolution of four bytes"),
        pytest.param(option(IF_TSOFFSET, bytes(3) + b"\1")("<"), 1_500_000_000, {}, id="offset of four bytes"),
    ],
)  # fmt: skip
def test_options_of_an_interface_that_are_odd_leave_its_packets_as_they_are(options, time, odd):
    scanner = scan(described(options))
    assert [(row["time"], row["verdict"]) for row in taken(scanner)] == [(time, "good")]
    assert anomalies(scanner) == odd


def test_options_of_a_packet_block_that_run_past_it_are_counted_and_its_packet_is_as_it_was():
    overrunning = b"\x01\x00\xff\xff" + b"cut"
    head = struct.pack("<5I", 0, 0, 5, 44, 44)
    scanner = scan(pcapng(interface(), block(6, head + PACKETS[0] + overrunning)))
    assert [(row["captured_length"], row["verdict"]) for row in taken(scanner)] == [(44, "good")]
    assert anomalies(scanner) == {"option_overrun": 1}


@pytest.mark.parametrize("octets", [0, 2, 4])
def test_the_frame_check_sequence_of_an_interface_is_no_payload_and_other_interfaces_have_none(octets):
    frame = b.ethernet(b.ipv4(b.tcp(bytes(26)), total_length=0))
    body = struct.pack("<HHI", b.LINK_ETHERNET, 0, 0) + option(IF_FCSLEN, bytes((octets,)))("<")
    packets = [enhanced_packet(frame, interface_id=at) for at in (0, 1, 0)]
    capture = pcapng(block(INTERFACE_DESCRIPTION, body), interface(), *packets)
    assert [row["payload_length"] for row in rows(capture)] == [26 - octets, 26, 26 - octets]
