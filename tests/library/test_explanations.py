"""fluxcap.explain(): the reason of each verdict, the datagram, the connection and the call of a packet."""

from typing import Any

import pytest

import builders as b
import capture_files as files
import fluxcap
from fluxcap.explaining.quiz import exercise, questions, sheet
from real_captures import SAMPLES
from verdict_cases import CASES, DATA, HEADERS, ORDER

SAMPLE_FILES = sorted(path for path in SAMPLES.iterdir() if ".pcap" in path.suffix)


def explained(*packets: bytes, packet: int = 1, snaplen: int = 262144, **options):
    records = [record.cut(snaplen) for record in files.records([b.ethernet(one) for one in packets])]
    return fluxcap.explain(files.pcap(records), packet=packet, **options)


def reason(*packets: bytes, **options) -> str:
    return explained(*packets, **options).checksums[-1].sentence


# Each with what the sentence says, taken from the RFC.
REASONS = [
    ("good", b.ipv4(b.udp(DATA)), "The pseudo-header and the message add up to 0xffff (RFC 768)."),
    ("good over IPv6", b.ipv6(b.udp(DATA)),
     "The pseudo-header and the message add up to 0xffff (RFC 8200 section 8.1)."),
    ("partial", b.ipv4(b.udp(DATA, checksum="partial")),
     "The field holds the sum of the pseudo-header, 0x8424: left to the network card (RFC 768)."),
    ("absent", b.ipv4(b.udp(DATA, checksum=0)), "The field holds zero: the sender computed none (RFC 768)."),
    ("absent in a tunnel over IPv6", b.ipv6(b.udp(DATA, 40000, 4789, checksum=0)),
     "The field holds zero: the sender computed none, as a tunnel to port 4789 may (RFC 6935, RFC 6936)."),
    ("illegal", b.ipv6(b.udp(DATA, checksum=0)),
     "The field holds zero, and UDP over IPv6 needs a checksum (RFC 8200 section 8.1)."),
    ("illegal coverage", b.ipv4(b.udp_lite(DATA, coverage=3)),
     "A coverage of 3 bytes leaves out a part of the header (RFC 3828 section 3.1)."),
    ("coverage past the end", b.ipv4(b.udp_lite(DATA, coverage=99)),
     "A coverage of 99 bytes goes past the 15 that are there (RFC 3828 section 3.1)."),
    ("no UDP-Lite checksum", b.ipv4(b.udp_lite(DATA, checksum=0)),
     "The field holds zero, and UDP-Lite needs a checksum (RFC 3828 section 3.1)."),
    ("absent SCTP", b.ipv4(b.sctp(b.sctp_data(DATA), checksum=0)),
     "The field holds zero: the sender computed none (RFC 9653)."),
    ("bad SCTP", b.ipv4(b.sctp(b.sctp_data(DATA), checksum=1)),
     "The CRC32c of the packet is another one (RFC 9260 section 6.8)."),
    ("short UDP length", b.ipv4(b.udp(DATA, length=7)),
     "The header says 7 bytes, and the shortest has 8 (RFC 768)."),
    ("long UDP length", b.ipv4(b.udp(DATA, length=16)),
     "The header says 16 bytes, and the IP packet has 15 for it (RFC 768)."),
    ("TCP offset", b.ipv4(b.tcp(DATA, data_offset=4)),
     "The header says 16 bytes, and the shortest has 20 (RFC 9293 section 3.1)."),
    ("IP length", b.ipv4(b.udp(DATA), total_length=99), "The IP header says 99 bytes, and 35 were on the wire."),
    ("ICMP", b.ipv4(b.icmp(DATA)), "The words of the message add up to 0xffff (RFC 792)."),
    ("one fragment alone", b.ipv4(b.udp(bytes(24)), more=True),
     "Covers 32 bytes of a datagram whose end is not in the capture: fragment 1 of 1, never judged: it is not"
     " complete."),
]  # fmt: skip


@pytest.mark.parametrize(("packet", "said"), [case[1:] for case in REASONS], ids=[case[0] for case in REASONS])
def test_the_reason_of_a_verdict_is_said_with_the_section_that_decides(packet, said):
    assert reason(packet) == said


@pytest.mark.parametrize("bit", range(16))
def test_one_flipped_bit_is_said_to_be_one(bit):
    right = int.from_bytes(b.ipv4(b.udp(DATA))[26:28])
    assert reason(b.ipv4(b.udp(DATA, checksum=right ^ 1 << bit))).startswith(
        f"Off by exactly 0x{1 << bit:04x}: one bit"
    )


def test_a_sum_that_differs_in_more_is_said_to_be_off_by_so_much():
    right = int.from_bytes(b.ipv4(b.udp(DATA))[26:28])
    assert reason(b.ipv4(b.udp(DATA, checksum=right - 5))) == "Off by 0xfffa (RFC 768)."


def test_a_sum_that_is_cut_says_how_many_of_its_bytes_there_are():
    assert reason(b.ipv4(b.udp(bytes(92))), snaplen=14 + 20 + 24) == (
        "The sum covers 100 bytes, of which the record has 24: cut by the snap length."
    )


def test_a_fragment_says_which_it_is_and_where_its_datagram_is_judged():
    datagram = bytes(b.ipv4(b.udp(b"\x01" * 1392)))[20:]
    first, second, third = (
        b.ipv4(datagram[start:end], protocol=17, offset=start, more=end < 1400, identification=7)
        for start, end in ((0, 800), (800, 1376), (1376, 1400))
    )
    packets = first, third, second
    assert reason(*packets, packet=2) == "Covers 24 of 1,400 bytes: fragment 3 of 3, judged on packet 3."
    last = explained(*packets, packet=3)
    assert last.checksums[-1].verdict == "good"
    assert last.delivery == "recvfrom() at UDP 192.0.2.2:50000 gives 1,392 bytes."
    assert explained(*packets, packet=2).delivery == (
        "No socket is handed anything yet: the datagram is complete with packet 3."
    )


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning", "ignore::UserWarning")
def test_the_verdicts_of_a_sample_are_those_of_its_packet_table(path):
    columns = ["packet", "verdict", "ip_verdict", "expected", "ip_expected", "depth", "disposition"]
    for row in list(zip(*fluxcap.read_packets(path, columns=columns).to_dict().values(), strict=True))[::7]:
        number, verdict, ip_verdict, expected, ip_expected, depth, disposition = map(int, row)
        found = fluxcap.explain(path, packet=number)
        assert found.disposition == fluxcap.DISPOSITIONS[disposition]
        inside = [one for one in found.checksums if one.depth == depth and one.title != "GRE"]
        of_ip = [(one.verdict, one.expected or 0) for one in inside if one.title == "IPv4 header"]
        assert of_ip == ([(fluxcap.VERDICTS[ip_verdict], ip_expected)] if ip_verdict else [])
        of_transport = [(one.verdict, one.expected or 0) for one in inside if one.title != "IPv4 header"]
        assert of_transport == ([(fluxcap.VERDICTS[verdict], expected)] if verdict else [])


EVERY_CASE: list[tuple[str, Any]] = [(str(case[0]), case[2]) for case in (*CASES, *ORDER, *HEADERS)]


@pytest.mark.parametrize("packet", [packet for _, packet in EVERY_CASE], ids=[what for what, _ in EVERY_CASE])
def test_every_packet_has_its_sentences(packet):
    found = explained(packet, snaplen=14 + 44)
    assert all(sentence.endswith(".") for sentence in [*found.sentences(), *(one.sentence for one in found.checksums)])
    assert "None" not in " ".join(found.sentences())


def test_the_pseudo_header_has_the_address_that_the_sum_was_taken_with():
    packet = next(packet for what, _, packet in CASES if "source route" in what and _ == "good")
    pseudo = explained(packet).checksums[-1].pseudo
    assert pseudo is not None
    assert pseudo.value("destination address") != explained(packet).headers[1].value("destination address")


def test_a_notebook_shows_the_drawing():
    shown = explained(b.ipv4(b.udp(DATA)))._repr_html_()
    assert shown.startswith('<div class="fluxcap-packet">')
    assert "<svg" in shown
    assert ">source port<" in shown


def test_an_outer_checksum_that_comes_true_with_the_inner_one_is_said_to():
    inner = b.ethernet(b.ipv4(b.udp(DATA, checksum="partial")))
    done = b.ethernet(b.ipv4(b.udp(DATA)))
    header = bytes.fromhex("0800000000002a00")
    right = int.from_bytes(bytes(b.ipv4(b.udp(header + bytes(done), 40000, 4789)))[26:28])
    said = "It comes true once the card has filled in the checksum inside (local checksum offload)."
    for checksum, comes_true in ((right, True), (right ^ 2, False)):
        outer = explained(b.ipv4(b.udp(header + bytes(inner), 40000, 4789, checksum=checksum))).checksums[1]
        assert outer.verdict == "bad"
        assert outer.sentence.endswith(said) == comes_true


def test_an_exercise_asks_for_fields_sums_and_verdict_and_shows_none_of_them():
    found = explained(b.ipv4(b.udp(DATA)))
    asked = {question.prompt: question for question in questions(found)}
    assert asked["UDP, length"].value == 15
    assert asked["UDP, the sum of the pseudo-header"].text == "0x8424"
    assert asked["UDP, the verdict (good, bad or partial)"].text == "good"
    blank = exercise(found)
    assert {field.text for header in blank.headers[1:] for field in header.fields} == {"?"}
    assert "UDP: 9c 40 c3 50 00 0f" in " ".join(sheet(found))


@pytest.mark.parametrize(
    ("prompt", "answer", "right"),
    [
        ("UDP, length", "15", True), ("UDP, length", " 0x0f\n", True), ("UDP, length", "0x000F", True),
        ("UDP, length", "16", False), ("UDP, length", "", False), ("UDP, length", "x", False),
        ("IPv4, protocol", "17", True), ("IPv4, protocol", "17 UDP", True), ("IPv4, protocol", "UDP", False),
        ("IPv4, source address", "192.0.2.1", True), ("IPv4, source address", "0xc0000201", True),
        ("IPv4, source address", "192.0.2.2", False), ("UDP, destination port", "50,000", True),
        ("UDP, the verdict (good, bad or partial)", "Good", True),
        ("UDP, the verdict (good, bad or partial)", "bad", False),
    ],
)  # fmt: skip
def test_an_answer_is_right_however_it_is_written(prompt, answer, right):
    asked = {question.prompt: question for question in questions(explained(b.ipv4(b.udp(DATA))))}
    assert asked[prompt].is_right(answer) == right
