"""A message as a packet agrees with the builders of the tests, dpkt, tshark and a textbook header."""

import struct
from ipaddress import ip_address

import dpkt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import pcap, records
from plain_checksums import ones_sum, pseudo_header
from tshark import VERIFY, fields, needs_tshark, tshark

A, B = ("192.0.2.1", 40000), ("192.0.2.2", 50000)
A6, B6 = ("2001:db8::1", 40000), ("2001:db8::2", 50000)
ENDS = [(A, B), (A6, B6)]
LONGEST = {("udp", 4): 65507, ("tcp", 4): 65495, ("udp", 6): 65527, ("tcp", 6): 65515}

ports = st.integers(0, 65535)
ends = st.one_of(
    *(st.tuples(*[st.tuples(st.ip_addresses(v=version).map(str), ports)] * 2) for version in (4, 6)),
)  # fmt: skip
tcp_fields = st.fixed_dictionaries(
    {"seq": st.integers(0, 2**32 - 1), "ack": st.integers(0, 2**32 - 1), "flags": st.integers(0, 255), "window": ports}
)


def built(message, src, dst, *, transport=b.udp, ttl=64, **ip):
    """The same packet by the builders of the tests."""
    segment = transport(message, src[1], dst[1])
    if ip_address(src[0]).version == 4:
        return b.ethernet(b.ipv4(segment, src[0], dst[0], ttl=ttl, **ip))
    return b.ethernet(b.ipv6(segment, src[0], dst[0], hop_limit=ttl))


def test_a_header_that_others_worked_out():
    # The example of an IPv4 header checksum in many textbooks: 115 bytes of UDP, 192.168.0.1 to 192.168.0.199.
    octets = fluxcap.segment(bytes(87), ("192.168.0.1", 1), ("192.168.0.199", 2), link="raw")
    assert octets[:20].hex(" ", 2) == "4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7"


@given(st.binary(max_size=300), ends, st.integers(0, 255))
@example(b"", (A, B), 64)
@settings(deadline=None)
def test_udp_is_what_the_builders_make(message, ends, ttl):
    expected = built(message, *ends, ttl=ttl, identification=0, dont_fragment=True)
    assert fluxcap.segment(message, *ends, ttl=ttl) == expected


@given(st.binary(max_size=300), ends, tcp_fields, st.integers(0, 65535))
@settings(deadline=None)
def test_tcp_is_what_the_builders_make(message, ends, given, identification):
    octets = fluxcap.segment(message, *ends, protocol="tcp", identification=identification, **given)
    assert octets == built(message, *ends, transport=lambda *one: b.tcp(*one, **given), identification=identification)


@given(st.binary(max_size=300), ends, st.sampled_from(["udp", "tcp"]))
@settings(deadline=None)
def test_the_sums_are_those_of_five_lines(message, ends, protocol):
    packet = fluxcap.segment(message, *ends, protocol=protocol, link="raw")
    src, dst = (ip_address(address).packed for address, _ in ends)
    above = packet[20:] if len(src) == 4 else packet[40:]
    number = {"udp": 17, "tcp": 6}[protocol]
    assert ones_sum(pseudo_header(src, dst, number, len(above)) + above) == 0xFFFF
    assert len(src) == 16 or ones_sum(packet[:20]) == 0xFFFF


@given(st.binary(max_size=300), ends, st.sampled_from(["udp", "tcp"]))
@settings(deadline=None)
def test_dpkt_reads_the_message_and_makes_the_same_octets(message, ends, protocol):
    octets = fluxcap.segment(message, *ends, protocol=protocol)
    frame = dpkt.ethernet.Ethernet(octets)
    segment = frame.data.data
    assert (segment.data, segment.sport, segment.dport) == (message, ends[0][1], ends[1][1])
    segment.sum = 0  # these two are what it computes
    if ip_address(ends[0][0]).version == 4:
        frame.data.sum = 0
    assert bytes(frame) == octets


def test_a_sum_of_zero_is_sent_as_its_other_form_by_udp_alone():
    for protocol, field in (("udp", 26), ("tcp", 36)):
        sum_of_nothing = fluxcap.segment(bytes(2), A, B, protocol=protocol, link="raw")[field : field + 2]
        octets = fluxcap.segment(sum_of_nothing, A, B, protocol=protocol, link="raw")
        assert octets[field : field + 2] == (b"\xff\xff" if protocol == "udp" else b"\0\0")


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_the_longest_message_fills_a_packet_and_one_octet_more_is_refused(protocol, ends):
    longest = LONGEST[protocol, ip_address(ends[0][0]).version]
    packet = fluxcap.segment(bytes(longest), *ends, protocol=protocol, link="raw")
    assert 65535 in (struct.unpack_from(">H", packet, at)[0] for at in (2, 4))
    with pytest.raises(ValueError, match=rf"a message of {longest + 1:,} bytes .* holds {longest:,}"):
        fluxcap.segment(bytes(longest + 1), *ends, protocol=protocol)


@needs_tshark
def test_tshark_finds_lengths_and_checksums_right(tmp_path):
    capture = tmp_path / "made.pcap"
    made = [(protocol, ends, size) for protocol in ("udp", "tcp") for ends in ENDS for size in (0, 1, 2, 999, 65495)]
    octets = bytes(range(251)) * 300
    frames = [fluxcap.segment(octets[:size], *ends, protocol=protocol) for protocol, ends, size in made]
    capture.write_bytes(pcap(records(frames)))
    names = ("ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "udp.length", "tcp.len")
    said = [line.split("\t") for line in tshark(capture, *VERIFY, *fields(names))]
    right = {"udp": lambda size: ["1", "", str(size + 8), ""], "tcp": lambda size: ["", "1", "", str(size)]}
    assert said == [["1" if ends is ENDS[0] else "", *right[protocol](size)] for protocol, ends, size in made]
    assert tshark(capture, "-Y", "_ws.expert.severity >= 0x600000 && !tcp.analysis.flags") == []


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"src": ("192.0.2.1", -1)}, "source port is 0 to 65535, not -1"),
        ({"dst": ("192.0.2.2", 65536)}, "destination port is 0 to 65535, not 65536"),
        ({"src": A6}, "different versions"),
        ({"src": ("localhost", 1)}, "localhost"),
        ({"protocol": "sctp"}, "'udp' or 'tcp'"),
        ({"link": "ppp"}, "'ethernet' or 'raw'"),
        ({"ttl": 256}, "ttl is 0 to 255"),
        ({"identification": 65536}, "identification is 0 to 65535"),
        ({"seq": 2**32}, "seq is 0 to 4294967295"),
        ({"ack": -1}, "ack is 0 to"),
        ({"flags": 256}, "flags is 0 to 255"),
        ({"window": 65536}, "window is 0 to 65535"),
    ],
)
def test_what_no_field_can_hold_is_refused(given, word):
    with pytest.raises(ValueError, match=word):
        fluxcap.segment(b"hello", **{"src": A, "dst": B, **given})


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_message_is_any_octets(kind):
    assert fluxcap.segment(kind(b"hello"), A, B) == fluxcap.segment(b"hello", A, B)
