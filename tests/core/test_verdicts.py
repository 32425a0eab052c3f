"""The verdict on every kind of checksum, each case with the RFC that settles it."""

from itertools import product

import pytest

import builders as b
from capture_files import Record, pcap
from core_driver import Row, of, rows, scan
from fluxcap._core import VERDICTS
from verdict_cases import CASES, DATA, FAR4, FAR6, HEADERS, HOME6, LONG, ORDER, PARTIAL4, data_of_sum


def judged(packet: b.Layer, snaplen: int = 1 << 18) -> Row:
    """The row of an IP packet in an Ethernet frame, cut by the snap length."""
    (row,) = rows(pcap([Record(b.ethernet(packet)).cut(snaplen)]))
    return row


@pytest.mark.parametrize(("verdict", "packet"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_verdict_is_that_of_the_rfc(verdict, packet):
    assert judged(packet)["verdict"] == verdict


@pytest.mark.parametrize(
    ("transport", "network"),
    [*product((b.udp, b.tcp, b.udp_lite, b.dccp), (b.ipv4, b.ipv6)), (b.icmpv6, b.ipv6)],
)
@pytest.mark.parametrize("size", [0, 1, 7, 1400, 65000])
def test_the_folded_pseudo_header_sum_just_as_a_card_is_handed_it_is_partial(transport, network, size):
    """Linux and Windows both leave the sum of the pseudo-header of RFC 768 or RFC 8200 section 8.1 in the field."""
    row = judged(network(transport(bytes(size), checksum="partial")))
    assert row["verdict"] == "partial"
    assert judged(network(transport(bytes(size), checksum=row["checksum"] + 1)))["verdict"] == "bad"


@pytest.mark.parametrize(
    "packet",
    [
        b.ipv4(b.tcp(LONG, checksum="partial"), total_length=0),
        b.ipv6(b.tcp(LONG, checksum="partial"), payload_length=0),
        b.ipv6(b.udp(LONG, checksum="partial"), payload_length=0),
        b.ipv6(b.routing(b.udp(DATA, checksum="partial"), [FAR6], 1)),
        b.ipv4(b.udp(DATA, checksum="partial"), options=b.source_route([FAR4]), final=FAR4),
        b.ipv6(b.destination_options(b.udp(DATA, checksum="partial"), home=HOME6)),
    ],
    ids=["TCP over 65535", "TCP over 65535, IPv6", "UDP over 65535", "routing header", "source route", "home address"],
)
def test_the_partial_sum_has_the_true_length_and_the_final_addresses(packet):
    assert judged(packet)["verdict"] == "partial"


def test_a_good_sum_that_happens_to_equal_the_partial_one_is_good():
    row = judged(b.ipv4(b.udp(data_of_sum(PARTIAL4))))
    assert (row["checksum"], row["verdict"]) == (PARTIAL4, "good")


@pytest.mark.parametrize(
    ("checksum", "verdict", "expected"),
    [(None, "good", "as it is"), (0x1234, "bad", "right"), ("partial", "partial", "right"), (0, "absent", 0)],
)
def test_the_sum_that_would_be_right_is_told_where_one_was_taken(checksum, verdict, expected):
    right = int.from_bytes(b.ipv4(b.udp(DATA))[26:28])
    row = judged(b.ipv4(b.udp(DATA, checksum=checksum)))
    assert (row["verdict"], row["expected"]) == (verdict, 0 if expected == 0 else right)


def test_the_sum_of_nothing_but_zeros_is_all_ones():
    row = judged(b.ipv4(b.icmp(bytes(8), 0, 0, bytes(4), checksum=0)))
    assert (row["verdict"], row["expected"]) == ("bad", 0xFFFF)  # RFC 1071: the complement of 0 + 0 + ...


@pytest.mark.parametrize(
    ("transport", "network", "expected"),
    [
        *product((b.udp, b.udp_lite), (b.ipv4, b.ipv6), (0xFFFF,)),  # RFC 768; RFC 3828 section 3.1
        *product((b.tcp, b.dccp), (b.ipv4, b.ipv6), (0,)),  # RFC 1624 section 3
    ],
)
def test_a_sum_of_zero_is_told_as_it_is_sent_as_all_ones_where_zero_says_that_there_is_none(
    transport, network, expected
):
    data = data_of_sum(0, transport, network)
    assert judged(network(transport(data, checksum=0x1234)))["expected"] == expected


def test_the_right_crc_of_sctp_is_told():
    right = int.from_bytes(b.sctp(b.sctp_data(DATA))[8:12], "little")
    row = judged(b.ipv4(b.sctp(b.sctp_data(DATA), checksum=0x12345678)))
    assert (row["checksum"], row["expected"]) == (0x12345678, right)


# Order of judgement: absent or illegal, bad_length, fragment, truncated, good, partial, bad ---------------------------


@pytest.mark.parametrize(
    ("verdict", "packet", "snaplen"), [case[1:] for case in ORDER], ids=[case[0] for case in ORDER]
)
def test_of_several_verdicts_the_first_in_order_is_given(verdict, packet, snaplen):
    """A zero field counts whatever follows (RFC 768, 3828, 8200, 9653), and no sum makes up for a wrong length."""
    assert judged(packet, snaplen)["verdict"] == verdict


# IPv4 header and GRE --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "packet", "snaplen"), [case[1:] for case in HEADERS], ids=[case[0] for case in HEADERS]
)
def test_the_ipv4_header_has_a_verdict_of_its_own(verdict, packet, snaplen):
    assert judged(packet, snaplen)["ip_verdict"] == verdict


def test_an_ipv4_header_whose_sum_is_zero_is_good_with_zero_and_told_so():
    identification = int.from_bytes(b.ipv4(b.udp(), identification=0)[10:12])  # RFC 1624 section 3
    assert judged(b.ipv4(b.udp(), identification=identification, checksum=0))["ip_verdict"] == "good"
    assert judged(b.ipv4(b.udp(), identification=identification, checksum=0x1234))["ip_expected"] == 0


def test_the_right_sum_of_an_ipv4_header_is_told():
    right = int.from_bytes(b.ipv4(b.udp())[10:12])
    for checksum in (None, 0, 0x1234):
        row = judged(b.ipv4(b.udp(), checksum=checksum))
        expected = {"ip_checksum": right if checksum is None else checksum, "ip_expected": right}
        assert of(row, expected) == expected


def test_in_a_tunnel_the_verdicts_are_those_of_the_innermost_headers():
    inside = b.ipv4(b.udp(DATA, checksum=1), "10.0.0.1", "10.0.0.2")
    row = judged(b.ipv4(b.udp(b.vxlan(b.ethernet(inside)), 40000, b.VXLAN_PORT, checksum="partial"), checksum=1))
    assert (row["verdict"], row["ip_verdict"]) == ("bad", "good")


def test_gre_sums_are_counted_beside_the_verdict_of_the_packet_inside():
    inside = b.ipv4(b.udp(DATA), "10.0.0.1", "10.0.0.2")
    layers = [b.gre(inside, checksum="right"), b.gre(inside, checksum=1), b.gre(inside)]
    frames = [Record(b.ethernet(b.ipv4(layer))) for layer in (*layers, b.gre(inside, key=7, checksum="right"))]
    piece = b.ipv4(bytes(layers[0]), protocol=b.GRE, more=True)
    lying = b.ipv4(bytes(layers[0]), protocol=b.GRE, total_length=1000)
    scanner = scan(pcap([*frames, frames[0].cut(72), Record(b.ethernet(piece)), Record(b.ethernet(lying))]))
    counted = {name: n for name, n in zip(VERDICTS, scanner.totals()["gre_verdicts"], strict=True) if n}
    assert counted == {"good": 2, "bad": 1, "none": 1, "truncated": 1, "fragment": 1, "bad_length": 1}


def test_totals_count_verdicts_by_protocol():
    packets = [b.ipv4(b.udp(DATA, checksum=value)) for value in (None, None, 0, 1, "partial")]
    packets += [b.ipv4(b.tcp(checksum=1)), b.ipv4(b.udp(DATA), checksum=0), b.ipv6(b.udp(DATA))]
    totals = scan(pcap([Record(b.ethernet(packet)) for packet in packets])).totals()
    by_protocol = {
        protocol: {name: n for name, n in zip(VERDICTS, counts, strict=True) if n}
        for protocol, counts in totals["verdicts"].items()
    }
    assert by_protocol == {17: {"good": 4, "absent": 1, "bad": 1, "partial": 1}, 6: {"bad": 1}}
    assert totals["ip_verdicts"] == [1, 6, 0, 1, 0, 0, 0, 0, 0]
    assert totals["ip_versions"] == {4: 7, 6: 1}
