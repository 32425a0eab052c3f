"""Who sent partial and bad checksums: by address, MAC address, interface and direction, as far as captures say."""

import json

import pytest

import builders as b
import fluxcap
from capture_files import enhanced_packet, flags, interface, pcap, pcapng, records
from fluxcap.reports.origins import Origin
from real_captures import CORPUS, SAMPLES, needs_corpus
from tshark import VERIFY, fields, needs_tshark, tshark

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"
MAC_A, MAC_B = b.MAC_A.hex(":"), b.MAC_B.hex(":")
OUT, IN, NOT_READY = 2, 1, 0x200
BY = ("by_address", "by_mac", "by_interface", "by_direction")


def frame(src: str, checksum=None, mac: bytes = b.MAC_A, ip_checksum: int | None = None) -> bytes:
    return b.ethernet(b.ipv4(b.udp(b"hello", checksum=checksum), src, "192.0.2.1", checksum=ip_checksum), src=mac)


def sent(at: int, word: int, *frame_options, **more):
    options = [flags(word)] if word else []
    return enhanced_packet(frame(*frame_options, **more), interface_id=at, options=options)


CAPTURE = pcapng(
    interface(name="veth0"),
    interface(),
    sent(0, OUT | NOT_READY, A, "partial"),
    sent(0, OUT, A),
    sent(0, OUT, A, "partial"),
    sent(1, IN, B, 0x1234, mac=b.MAC_B),
    sent(1, IN, B, mac=b.MAC_B),
    sent(1, IN, C, ip_checksum=0xBEEF, mac=b.MAC_B),
    sent(1, 0, "10.0.0.9", mac=b"\2clean"),
)


def test_origins_are_those_of_partial_and_bad_checksums_and_all_that_they_sent_is_counted():
    report = fluxcap.read_checksums(CAPTURE)
    assert report.by_address == (
        Origin(A, 3, 1, 2, 0, 0, 1), Origin(B, 2, 1, 0, 1, 0, 0), Origin(C, 1, 1, 0, 0, 1, 0)
    )  # fmt: skip
    assert report.by_mac == (Origin(MAC_A, 3, 1, 2, 0, 0, 1), Origin(MAC_B, 3, 2, 0, 1, 1, 0))
    assert report.by_interface == (Origin("veth0", 3, 1, 2, 0, 0, 1), Origin("1", 4, 3, 0, 1, 1, 0))
    assert report.by_direction == (Origin("outbound", 3, 1, 2, 0, 0, 1), Origin("inbound", 3, 2, 0, 1, 1, 0))
    assert report.sources == ((A, 3, 2, 0),)


def test_what_is_common_to_all_partial_and_to_all_bad_ones_is_in_their_sentences():
    report = fluxcap.read_checksums(CAPTURE)
    assert report.offload == (
        f"All 2 partial checksums come from {A} ({MAC_A}), outbound on interface veth0: "
        "captured on the sender before the network card filled them in."
    )
    assert report.blame == f"The only bad transport checksum comes from {B} ({MAC_B}), inbound on interface 1."


def test_partial_ones_that_came_in_were_sent_on_the_same_machine():
    capture = pcapng(interface(name="veth1"), *[sent(0, IN, A, "partial")] * 2)
    assert fluxcap.read_checksums(capture).offload == (
        f"All 2 partial checksums come from {A} ({MAC_A}), inbound on interface veth1: "
        "sent on the machine they were captured on, where no network card fills them in."
    )


@pytest.mark.parametrize(
    ("packets", "said"),
    [
        ([sent(0, OUT, A, "partial"), sent(0, IN, B, "partial")], f"{A} and {B}, all by MAC address {MAC_A}, on"),
        ([sent(0, OUT, A, "partial"), sent(0, OUT, B, "partial", b.MAC_B)], f"{A} and {B}, outbound on interface"),
        ([sent(0, OUT, A, "partial"), sent(0, OUT, A, "partial", b.MAC_B)], f"{A}, outbound on interface veth0:"),
        ([sent(0, OUT, A, "partial"), sent(1, OUT, A, "partial")], f"{A} ({MAC_A}), outbound:"),
        ([sent(0, 0, A, "partial", bytes(6))], f"{A}, on interface veth0:"),
        ([sent(2, 0, A, "partial")], f"{A} ({MAC_A}):"),
        ([sent(3, 0, A, "partial")], f"{A} ({MAC_A}), on interface \\x1b[1m:"),
    ],
)  # fmt: skip
def test_what_only_some_have_is_left_out_of_the_sentence(packets, said):
    interfaces = [
        interface(name=name) for name in ("veth0", "eth1", r"\Device\NPF_{6D450361-5208-494E}\ ".strip(), "\x1b[1m")
    ]
    offload = fluxcap.read_checksums(pcapng(*interfaces, *packets)).offload
    assert offload.partition(" from ")[2].startswith(said)


def test_an_interface_of_one_name_is_one_in_all_files_and_a_pcap_names_none():
    rotated = [pcapng(interface(name="eth0"), interface(), sent(at, 0, A, 0x1234)) for at in (0, 0, 1)]
    rotated.append(pcapng(interface(name="eth0"), sent(0, 0, A), sent(0, 0, A)))
    report = fluxcap.read_checksums([*rotated, pcap(records([frame(A, 0x1234)]))])
    assert [(one.name, one.packets, one.bad) for one in report.by_interface] == [("eth0", 4, 2), ("1", 1, 1)]
    assert [(one.name, one.bad) for one in report.by_address] == [(A, 4)]
    assert report.blame == f"All 4 bad transport checksums come from {A} ({MAC_A})."


def cooked(index: int) -> bytes:
    return b.sll2(b.ipv4(b.udp(b"hello", checksum=0x1234), A, "192.0.2.1"), index=index)


SLL2, ETHERNET = interface(b.LINK_SLL2, name="any"), interface(name="eth0")


@pytest.mark.parametrize(
    ("capture", "named"),
    [
        (pcapng(SLL2, interface(b.LINK_SLL2, name="lo"), enhanced_packet(cooked(1))), ["1"]),
        (pcapng(SLL2, enhanced_packet(cooked(3))), ["3"]),
        (pcap(records([cooked(3)]), link_type=b.LINK_SLL2), ["3"]),
        (pcapng(SLL2, ETHERNET, enhanced_packet(cooked(3)), sent(1, 0, B, 0x1234)), ["3"]),
        (pcapng(ETHERNET, SLL2, sent(0, 0, B, 0x1234), enhanced_packet(cooked(1), interface_id=1)), ["1"]),
        ([pcapng(SLL2, enhanced_packet(cooked(0))), pcapng(ETHERNET, sent(0, 0, B, 0x1234))], ["0", "eth0"]),
    ],
    ids=[
        "an interface of the file has that number",
        "no interface of the file has that number",
        "a pcap",
        "an interface without such a header has a number that may be from one",
        "the number is that of the interface with such a header",
        "another file has no such header",
    ],
)
def test_an_index_of_the_kernel_in_a_cooked_header_names_no_interface_of_the_file(capture, named):
    assert [one.name for one in fluxcap.read_checksums(capture).by_interface] == named


def test_an_index_of_the_kernel_is_in_the_sentence_as_a_number():
    blame = fluxcap.read_checksums(pcapng(SLL2, ETHERNET, enhanced_packet(cooked(1)))).blame
    assert blame == f"The only bad transport checksum comes from {A} ({MAC_A}), inbound."  # eth0 has that number too
    blame = fluxcap.read_checksums(pcapng(SLL2, enhanced_packet(cooked(3)))).blame
    assert blame == f"The only bad transport checksum comes from {A} ({MAC_A}), inbound on interface 3."


@pytest.mark.parametrize("capture", [pcap([]), pcap(records([frame(A)])), pcap(records([frame(A, 0)]))])
def test_a_capture_in_which_nothing_is_wrong_has_no_origins(capture):
    report = fluxcap.read_checksums(capture)
    assert [getattr(report, name) for name in BY] == [()] * 4
    assert (report.blame, report.offload, report.hints) == (None, None, ())


def test_origins_go_to_json():
    told = json.loads(json.dumps(fluxcap.read_checksums(CAPTURE).to_dict()))
    assert told["by_direction"][1] == {
        "name": "inbound", "packets": 3, "good": 2, "partial": 0, "bad": 1, "ip_bad": 1, "not_ready": 0
    }  # fmt: skip
    assert [len(told[name]) for name in BY] == [3, 2, 2, 2]
    assert told["blame"].startswith("The only bad transport checksum")


def test_bad_records_say_where_they_came_from():
    bad = fluxcap.read_checksums(CAPTURE).bad
    assert [octets.tobytes() for octets in bad["src_mac"]] == [b.MAC_B, b.MAC_B]
    assert (bad["interface"].tolist(), bad["direction"].tolist()) == ([1, 1], [1, 1])


@needs_tshark
@pytest.mark.parametrize("name", ["any-interface-sll.pcap", "any-interface-sll2.pcap"])
def test_packets_by_direction_are_those_that_tshark_says_were_sent_by_us(name):
    outgoing = [line == "4" for line in tshark(SAMPLES / name, *fields(["sll.pkttype"]), "-Y", "ip or ipv6")]
    ways = {one.name: one.packets for one in fluxcap.read_checksums(SAMPLES / name).by_direction}
    assert ways == {"outbound": sum(outgoing), "inbound": len(outgoing) - sum(outgoing)}


@needs_corpus
@needs_tshark
def test_bad_segments_of_a_real_capture_come_from_the_address_that_tshark_sees_them_come_from():
    path = CORPUS / "nfstream+nfstream/tests/pcaps/anydesk-2.pcap"
    names = ["eth.src", "ip.src", "tcp.checksum.status"]
    lines = [line.split("\t") for line in tshark(path, *VERIFY, "-Y", "tcp", *fields(names))]
    bad = {(mac, address) for mac, address, status in lines if status == "0"}
    report = fluxcap.read_checksums(path)
    assert bad == {(report.by_mac[0].name, report.by_address[0].name)}
