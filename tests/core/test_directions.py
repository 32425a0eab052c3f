"""The direction of a record at its interface, and the work left to the network card, by the file or the link."""

import struct

import pytest

import builders as b
from capture_files import (
    IF_NAME,
    INTERFACE_DESCRIPTION,
    block,
    enhanced_packet,
    flags,
    interface,
    old_packet,
    option,
    pcap,
    pcapng,
    records,
    simple_packet,
)
from core_driver import flows, key, of, rows
from fluxcap import read_packets
from tshark import fields, needs_tshark, tshark

V4 = b.ipv4(b.udp(b"hello"))
FRAME = b.ethernet(V4)
# epb_flags, its bits numbered from the least significant one: 0-1 direction, 2-4 reception type, 5-8 length of the
# frame check sequence, 9 checksum not ready, 10 checksum valid, 11 segments joined or to be cut, 16-31 errors.
WORDS = [
    # word, direction, offload_flags
    (0x00000000, "unknown", 0),
    (0x00000001, "inbound", 0),
    (0x00000002, "outbound", 0),
    (0x00000003, "unknown", 0),
    (0x00000202, "outbound", 1),
    (0x00000401, "inbound", 2),
    (0x00000A02, "outbound", 5),
    (0xFFFFF1FC, "unknown", 0),
]
TOLD = [(direction, offload) for _, direction, offload in WORDS]
both_byte_orders = pytest.mark.parametrize("byteorder", ["little", "big"])
COLUMNS = ("direction", "offload_flags")


def told(capture: bytes, **options) -> list[tuple[str, int]]:
    return [(row["direction"], row["offload_flags"]) for row in rows(capture, columns=COLUMNS, **options)]


@both_byte_orders
@pytest.mark.parametrize("made", [enhanced_packet, old_packet])
@pytest.mark.parametrize("data", [FRAME + bytes(n) for n in range(4)], ids=["0", "1", "2", "3"])
def test_the_flags_of_a_packet_block_say_direction_and_offload(made, data, byteorder):
    packets = [made(data, options=[flags(word)]) for word, _, _ in WORDS]
    assert told(pcapng(interface(), *packets, byteorder=byteorder)) == TOLD


@needs_tshark
@both_byte_orders
def test_tshark_reads_the_same_directions_from_the_flags(tmp_path, byteorder):
    path = tmp_path / "flags.pcapng"
    packets = [enhanced_packet(FRAME, options=[flags(word)]) for word, _, _ in WORDS]
    path.write_bytes(pcapng(interface(), *packets, byteorder=byteorder))
    theirs = [int(line, 16) & 3 for line in tshark(path, *fields(["frame.packet_flags"]))]
    names = {0: "unknown", 1: "inbound", 2: "outbound", 3: "unknown"}
    assert [names[number] for number in theirs] == [direction for direction, _ in told(path.read_bytes())]


@both_byte_orders
def test_flags_are_found_among_other_options_and_only_where_they_are_whole(byteorder):
    comment, hashed = option(1, b"a comment"), option(3, b"\x02\1\2\3\4")
    short, long = option(2, b"\2\0"), option(2, b"\2\0\0\0\0\0\0\2")
    ended = option(0, b"")
    cases = [
        ([comment, flags(2), hashed], "outbound"),
        ([hashed, comment, flags(1)], "inbound"),
        ([comment], "unknown"),
        ([short], "unknown"),
        ([long], "unknown"),
        ([long, flags(1)], "inbound"),
        ([ended, flags(1)], "unknown"),
        ([], "unknown"),
    ]
    packets = [enhanced_packet(FRAME, options=options) for options, _ in cases]
    found = told(pcapng(interface(), *packets, byteorder=byteorder))
    assert [direction for direction, _ in found] == [direction for _, direction in cases]


def test_what_one_record_says_is_not_said_of_the_next():
    said = enhanced_packet(FRAME, options=[flags(0x202)])
    capture = pcapng(interface(), *[said, enhanced_packet(FRAME), simple_packet(FRAME), old_packet(FRAME)] * 40)
    assert told(capture) == [("outbound", 1), ("unknown", 0), ("unknown", 0), ("unknown", 0)] * 40
    assert told(capture, decap=False) == told(capture)


# Linux' "any" interface: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html
SLL_TYPES = {0: "inbound", 1: "inbound", 2: "inbound", 3: "inbound", 4: "outbound"}


@pytest.mark.parametrize(("link_type", "header"), [(b.LINK_SLL, b.sll), (b.LINK_SLL2, b.sll2)], ids=["SLL", "SLL2"])
def test_the_packet_type_of_a_cooked_header_says_the_direction(link_type, header):
    packets = records([header(V4, packet_type=kind) for kind in SLL_TYPES])
    assert [direction for direction, _ in told(pcap(packets, link_type))] == list(SLL_TYPES.values())


@needs_tshark
@pytest.mark.parametrize(("link_type", "header"), [(b.LINK_SLL, b.sll), (b.LINK_SLL2, b.sll2)], ids=["SLL", "SLL2"])
@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_libpcap_filters_by_the_same_direction(link_type, header, direction):
    pytest.importorskip("cypcap")
    capture = pcap(records([header(V4, packet_type=kind) for kind in SLL_TYPES]), link_type)
    filtered = read_packets(capture, columns="packet", where=direction)["packet"].tolist()
    ours = [number for number, (found, _) in enumerate(told(capture), 1) if found == direction]
    assert ours == filtered


def test_what_the_file_says_goes_before_the_link_header():
    packets = [enhanced_packet(b.sll(V4, packet_type=kind), options=[flags(1)]) for kind in SLL_TYPES]
    assert told(pcapng(interface(b.LINK_SLL), *packets)) == [("inbound", 0)] * len(SLL_TYPES)


def test_a_packet_in_a_tunnel_went_the_way_of_the_one_around_it():
    around = b.sll(b.ipv4(b.gre(V4)), packet_type=4)
    assert told(pcap(records([around]), b.LINK_SLL)) == [("outbound", 0)]


def test_every_piece_of_a_datagram_keeps_its_own_interface_and_direction():
    message = b.udp(bytes(64)).over(*map(b.packed, ("192.0.2.1", "192.0.2.2")))
    pieces = [
        enhanced_packet(
            b.ethernet(b.ipv4(part, protocol=b.UDP, offset=offset, more=more)),
            interface_id=at % 2,
            options=[flags(1 + at % 2)],
        )
        for at, (offset, more, part) in enumerate(b.pieces(message, 24))
    ]
    for captured in (pieces, pieces[::-1]):
        capture = pcapng(interface(), interface(), *captured)
        found = rows(capture, columns=("interface", "direction", "src_port"))
        ways = [("inbound", "outbound")[row["interface"]] for row in found]
        assert [(row["direction"], row["src_port"]) for row in found] == [(way, 40000) for way in ways]
        assert flows(capture, by=key("interface", biflow=False))[0]["packets"] == 2


def test_flows_are_keyed_by_interface_direction_and_offload():
    other = interface(name="veth1")
    packets = [
        enhanced_packet(FRAME, options=[flags(0x202)]),
        enhanced_packet(FRAME, interface_id=1, options=[flags(1)]),
        enhanced_packet(FRAME, options=[flags(2)]),
        enhanced_packet(FRAME, interface_id=1, options=[flags(1)]),
    ]
    by = key("interface", "direction", "offload_flags", biflow=False)
    found = [tuple(row[name] for name in ("interface", "direction", "offload_flags", "packets"))
             for row in flows(pcapng(interface(), other, *packets), by=by)]  # fmt: skip
    assert found == [(0, "outbound", 1, 1), (1, "inbound", 0, 2), (0, "outbound", 0, 1)]


def test_both_directions_of_a_pair_of_mac_addresses_share_a_row_whatever_stands_beside_them():
    there, back = b.ethernet(V4, src=b.MAC_A, dst=b.MAC_B), b.ethernet(V4, src=b.MAC_B, dst=b.MAC_A)
    packets = [enhanced_packet(frame, options=[flags(2)]) for frame in (there, back, back)]
    found = flows(pcapng(interface(), *packets), by=key("src_mac", "dst_mac", "direction"))
    assert [of(row, {"src_mac": 0, "direction": 0, "packets": 0, "reverse_packets": 0}) for row in found] == [
        {"src_mac": b.MAC_A, "direction": "outbound", "packets": 1, "reverse_packets": 2}
    ]


def test_the_options_of_an_interface_are_no_flags_of_its_packets():
    body = struct.pack("<HHI", b.LINK_ETHERNET, 0, 0) + option(IF_NAME, struct.pack("<I", 2))("<")
    assert told(pcapng(block(INTERFACE_DESCRIPTION, body), enhanced_packet(FRAME))) == [("unknown", 0)]


def test_an_error_that_came_in_is_about_a_flow_that_went_out():
    quoted = b.ipv4(b.udp(b"hello"), "10.0.0.1", "10.0.0.2")
    error = b.ethernet(b.ipv4(b.icmp(quoted, 3, 3, bytes(4)), "10.0.0.2", "10.0.0.1"))
    packets = [enhanced_packet(b.ethernet(quoted), options=[flags(2)]), enhanced_packet(error, options=[flags(1)])]
    found = flows(pcapng(interface(), *packets), by=key("src_ip", "direction", biflow=False))
    assert [(row["src_ip"], row["direction"], row["icmp_errors"]) for row in found] == [
        ("10.0.0.1", "outbound", 1),
        ("10.0.0.2", "inbound", 0),
    ]
