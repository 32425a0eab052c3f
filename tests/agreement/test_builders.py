"""Two other readers, dpkt and tshark (if installed), read packets of the builders as they were meant."""

import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path

import dpkt
import pytest

import builders as b
from capture_files import (
    ByteOrder,
    Record,
    block,
    enhanced_packet,
    interface,
    old_packet,
    option,
    pcap,
    pcapng,
    records,
    rewrapped,
    simple_packet,
)
from oracle import observe
from plain_checksums import crc32c, ones_sum

CHECKSUM_STATUS = {"0": "bad", "1": "good", "2": "unverified", "3": "absent", "4": "illegal"}
TSHARK_CHECKS = ("ip.check_checksum", "udp.check_checksum", "tcp.check_checksum", "udplite.check_checksum")
FIELDS = ("udp", "tcp", "sctp", "dccp", "icmp", "icmpv6", "igmp", "gre")  # UDP-Lite is among "udp"

Statuses = dict[str, list[str]]  # of one packet's checksums by field, outermost first

HELLO = b.udp(b"hello")
IN_IP = b.ipv4(b.tcp())
IN_FRAME = b.ethernet(IN_IP)
HOPS = ["2001:db8::7", "2001:db8::8"]
CHANGED = bytearray(b.ipv4(HELLO))
CHANGED[-1] ^= 1

# A packet, and the checksum in it that tshark must find good.
PACKETS: dict[str, tuple[b.Layer, str]] = {
    "udp over ipv4": (b.ipv4(HELLO), "udp"),
    "udp over ipv6": (b.ipv6(HELLO), "udp"),
    "udp of no payload": (b.ipv4(b.udp()), "udp"),
    "udp of even length": (b.ipv6(b.udp(b"even")), "udp"),
    "tcp over ipv4": (b.ipv4(b.tcp(b"hello", flags=b.SYN | b.ACK, options=b"\x02\x04\x05\xb4")), "tcp"),
    "tcp over ipv6": (b.ipv6(b.tcp(b"hello")), "tcp"),
    "sctp over ipv4": (b.ipv4(b.sctp(b.sctp_data(b"hello"))), "sctp"),
    "sctp over ipv6": (b.ipv6(b.sctp(b.sctp_data(b"hello"))), "sctp"),
    "dccp covering part": (b.ipv4(b.dccp(b"covered, not covered", coverage=2)), "dccp"),
    "dccp covering all": (b.ipv6(b.dccp(b"covered")), "dccp"),
    "udp-lite covering part": (b.ipv4(b.udp_lite(b"covered, not covered", coverage=12)), "udp"),
    "udp-lite covering all": (b.ipv6(b.udp_lite(b"covered")), "udp"),
    "icmp": (b.ipv4(b.icmp(b"hello")), "icmp"),
    "icmpv6": (b.ipv6(b.icmpv6(b"hello")), "icmpv6"),
    "igmp": (b.ipv4(b.igmp()), "igmp"),
    "gre with its own checksum": (b.ipv4(b.gre(IN_IP, checksum="right", key=7, sequence=1)), "gre"),
    "ipv4 source route": (b.ipv4(HELLO, options=b.source_route(["192.0.2.8", "192.0.2.9"]), final="192.0.2.9"), "udp"),
    "ipv6 options": (b.ipv6(b.hop_by_hop(b.destination_options(HELLO))), "udp"),
    "ipv6 home address": (b.ipv6(b.destination_options(HELLO, home="2001:db8::9")), "udp"),
    "ipv6 routing header of type 0": (b.ipv6(b.routing(HELLO, HOPS, segments_left=1)), "udp"),
    "ipv6 segment routing header": (b.ipv6(b.routing(HELLO, HOPS, segments_left=1, kind=4)), "udp"),
    "authentication header": (b.ipv6(b.authentication(HELLO)), "udp"),
    "vlan tags": (b.vlan(b.vlan(IN_IP, 7), 8, tpid=b.ETHERTYPE_SERVICE_VLAN), "tcp"),
    "mpls": (b.mpls(IN_IP, 16, 17), "tcp"),
    "pppoe": (b.pppoe(IN_IP), "tcp"),
    "snap": (b.llc_snap(IN_IP), "tcp"),
    "ipv6 in ipv4": (b.ipv4(b.ipv6(b.tcp())), "tcp"),
    "ipv4 in ipv6": (b.ipv6(IN_IP), "tcp"),
    "ethernet in gre": (b.ipv4(b.gre(IN_FRAME)), "tcp"),
    "vxlan": (b.ipv4(b.udp(b.vxlan(IN_FRAME), dst_port=b.VXLAN_PORT)), "tcp"),
    "geneve": (b.ipv4(b.udp(b.geneve(IN_FRAME, options=bytes(4)), dst_port=b.GENEVE_PORT)), "tcp"),
    "gtp-u": (b.ipv4(b.udp(b.gtp_u(IN_IP, sequence=3), dst_port=b.GTP_U_PORT)), "tcp"),
}
LINKED: dict[str, tuple[int, bytes]] = {
    "ethernet": (b.LINK_ETHERNET, b.ethernet(b.ipv6(HELLO))),
    "sll": (b.LINK_SLL, b.sll(b.ipv6(HELLO))),
    "sll2": (b.LINK_SLL2, b.sll2(b.ipv6(HELLO))),
    "null": (b.LINK_NULL, b.null(b.ipv6(HELLO))),
    "ppp": (b.LINK_PPP, b.ppp(b.ipv6(HELLO))),
    "raw": (b.LINK_RAW, b.ipv6(HELLO)),
    "a changed datagram": (b.LINK_RAW, bytes(CHANGED)),
}


def judged(capture: bytes, directory: Path) -> list[Statuses]:
    """tshark's statuses of the checksums of each packet."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    path = directory / "capture"
    path.write_bytes(capture)
    preferences = [word for name in TSHARK_CHECKS for word in ("-o", f"{name}:TRUE")]
    preferences += ["-o", "udplite.ignore_checksum_coverage:FALSE", "-o", "sctp.checksum:CRC 32c"]
    fields = [word for field in FIELDS for word in ("-e", f"{field}.checksum.status")]
    command = [tshark, "-r", str(path), *preferences, "-T", "fields", *fields]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    cells = (dict(zip(FIELDS, line.split("\t"), strict=True)) for line in output.splitlines())
    return [
        {field: [CHECKSUM_STATUS[code] for code in codes.split(",") if code] for field, codes in row.items()}
        for row in cells
    ]


@pytest.fixture(scope="module")
def by_tshark(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Statuses]:
    """tshark's judgement of every packet of PACKETS and LINKED, from one capture of them all."""
    framed = {name: (b.LINK_ETHERNET, b.ethernet(packet)) for name, (packet, _) in PACKETS.items()} | LINKED
    interfaces = [interface(link_type) for link_type, _ in framed.values()]
    packets = [enhanced_packet(frame, 0, place) for place, (_, frame) in enumerate(framed.values())]
    rows = judged(pcapng(*interfaces, *packets), tmp_path_factory.mktemp("tshark"))
    return dict(zip(framed, rows, strict=True))


def test_ones_sum_is_that_of_rfc_1071_section_3() -> None:
    assert ones_sum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2
    assert ones_sum(b"\x01") == 0x0100
    assert ones_sum(b"\xff\xff" * 70000) == 0xFFFF


def test_crc32c_is_that_of_its_published_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("name", PACKETS)
def test_tshark_finds_the_checksum_good(name: str, by_tshark: dict[str, Statuses]) -> None:
    _, field = PACKETS[name]
    assert by_tshark[name][field] == ["good"]


@pytest.mark.parametrize("name", LINKED)
def test_tshark_reads_every_link_layer(name: str, by_tshark: dict[str, Statuses]) -> None:
    assert by_tshark[name]["udp"] == ["bad" if name == "a changed datagram" else "good"]


def test_dpkt_reads_back_every_field() -> None:
    segment = b.tcp(b"data", 1025, 80, seq=7, ack=9, flags=b.PSH | b.ACK, window=512, options=b"\x01\x01\x01")
    ip = dpkt.ip.IP(b.ipv4(segment, "192.0.2.7", "192.0.2.9", tos=4, identification=77, ttl=3, dont_fragment=True))
    assert (str(ip_address(ip.src)), str(ip_address(ip.dst))) == ("192.0.2.7", "192.0.2.9")
    assert (ip.tos, ip.id, ip.ttl, ip.df, ip.mf, ip.offset, ip.p, ip.len) == (4, 77, 3, 1, 0, 0, b.TCP, 48)
    tcp = ip.data
    assert (tcp.sport, tcp.dport, tcp.seq, tcp.ack, tcp.flags, tcp.win) == (1025, 80, 7, 9, 0x18, 512)
    assert (bytes(tcp.opts), tcp.data) == (b"\x01\x01\x01\x00", b"data")


@pytest.mark.parametrize(
    ("packet", "verdict"),
    [
        (b.ipv4(b.udp(b"x")), "good"),
        (b.ipv4(b.udp(b"x", checksum="partial")), "partial"),
        (b.ipv6(b.tcp(b"x", checksum="partial")), "partial"),
        (b.ipv4(b.udp(b"x", checksum=0)), "absent"),
        (b.ipv6(b.udp(b"x", checksum=0)), "illegal"),
        (b.ipv6(b.icmpv6(b"x", checksum=1)), "bad"),
        (b.ipv4(b.sctp(b.sctp_data(b"x"), checksum=1)), "bad"),
    ],
)
def test_a_checksum_argument_sets_the_verdict(packet: bytes, verdict: str) -> None:
    (seen,) = observe(pcap(records([b.ethernet(packet)])))
    assert seen is not None
    assert seen.verdict == verdict


def test_a_udp_checksum_that_comes_out_as_zero_is_sent_as_ones() -> None:
    without = int.from_bytes(b.udp(b"\0\0").over(bytes(4), bytes(4))[6:8])
    segment = b.udp(without.to_bytes(2)).over(bytes(4), bytes(4))
    assert segment[6:8] == b"\xff\xff"


def test_fragments_join_to_the_datagram_they_were_cut_from() -> None:
    datagram = b.udp(bytes(range(200))).over(b.packed("2001:db8::1"), b.packed("2001:db8::2"))
    cut = [b.ipv6(b.fragment(piece, at, more, next_header=b.UDP)) for at, more, piece in b.pieces(datagram, 64)]
    headers = [dpkt.ip6.IP6(packet).extension_hdrs[b.FRAGMENT] for packet in cut]
    assert [(header.frag_off * 8, header.m_flag) for header in headers] == [(0, 1), (64, 1), (128, 1), (192, 0)]
    assert b"".join(packet[48:] for packet in cut) == datagram


@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("unit", [1, 1000], ids=["ns", "us"])
def test_pcap_and_pcapng_hold_the_same_records(byteorder: ByteOrder, unit: int) -> None:
    packets = records([b.ethernet(b.ipv4(b.udp(bytes(size)))) for size in range(9)], step=123456 * unit)
    packets[3] = packets[3].cut(44)
    as_pcap = observe(pcap(packets, byteorder=byteorder, ns=unit == 1))
    assert as_pcap == observe(rewrapped(packets, byteorder=byteorder))
    assert [one.time for one in as_pcap if one] == [packet.time for packet in packets]
    assert as_pcap[3] is not None
    assert (as_pcap[3].captured_length, as_pcap[3].wire_length, as_pcap[3].verdict) == (44, 45, "truncated")


def test_a_pcapng_time_is_in_the_units_and_offset_of_its_interface() -> None:
    data = b.ethernet(b.ipv4(b.udp()))
    interfaces = interface(tsresol=0, tsoffset=100), interface(tsresol=0x80 | 10)
    seen = observe(pcapng(*interfaces, enhanced_packet(data, 5, 0), enhanced_packet(data, 512, 1)))
    assert [one.time for one in seen if one] == [105_000_000_000, 500_000_000]


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_tshark_reads_every_packet_block_and_skips_the_rest(byteorder: ByteOrder, tmp_path: Path) -> None:
    data = b.ethernet(b.ipv4(b.udp(b"hello")))
    comment = option(1, b"a comment")("<" if byteorder == "little" else ">") + bytes(4)
    local_use = block(0x80000001, b"anything")
    blocks = (
        interface(name="eth0", description="a name"),
        local_use,
        enhanced_packet(data),
        simple_packet(data),
        old_packet(data),
    )
    capture = pcapng(*blocks, byteorder=byteorder, options=comment)
    assert [row["udp"] for row in judged(capture + pcapng(interface()), tmp_path)] == [["good"]] * 3


def test_the_modified_pcap_header_is_read_by_tshark(tmp_path: Path) -> None:
    packets = [Record(b.ethernet(b.ipv4(b.udp(b"hello"))))] * 3
    assert [row["udp"] for row in judged(pcap(packets, modified=True), tmp_path)] == [["good"]] * 3
