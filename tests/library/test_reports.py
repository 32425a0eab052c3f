"""The reports of read_checksums() and read_info()."""

import gzip
import json

import pytest

import builders as b
import fluxcap
from capture_files import enhanced_packet, interface, old_packet, pcap, pcapng, records

SECOND = 1_000_000_000
A, B, C, D = (f"10.0.0.{host}" for host in (1, 2, 3, 4))
MAC = b.MAC_A.hex(":")
UDP_CHECKSUM = slice(14 + 20 + 6, 14 + 20 + 8)  # after the Ethernet and IPv4 headers
IP_CHECKSUM = slice(14 + 10, 14 + 12)


def udp(src: str = A, dst: str = B, checksum=None, ip_checksum: int | None = None) -> bytes:
    return b.ethernet(b.ipv4(b.udp(b"hello", 4000, 53, checksum=checksum), src, dst, checksum=ip_checksum))


def counts(**nonzero: int) -> dict[str, int]:
    return dict.fromkeys(fluxcap.VERDICTS, 0) | nonzero


def number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")


RIGHT = udp()
PACKETS = [
    RIGHT,
    udp(checksum=0x1234),
    udp(A, checksum="partial"),
    udp(C, checksum="partial"),
    udp(A, checksum="partial"),
    udp(checksum=0),
    udp(ip_checksum=0xBEEF),
    b.ethernet(b.ipv6(b.udp(b"hello", 4000, 53, checksum=0))),
    b.ethernet(b.ipv4(b.tcp(b"GET", 4000, 80, checksum=0x1234), A, B)),
    b.ethernet(b.ipv4(b.gre(b.ipv4(b.udp(b"x"), C, D), checksum="right"), A, B)),
    b.ethernet(b"\0\1\x08\0\6\4\0\1" + bytes(20), 0x0806),
]
CAPTURE = pcap(records(PACKETS, start=10 * SECOND, step=SECOND // 5))
UDP_COUNTS = counts(good=3, bad=1, partial=3, absent=1, illegal=1)
TCP_COUNTS = counts(bad=1)


def test_a_checksum_report_counts_every_verdict_by_protocol():
    report = fluxcap.read_checksums(CAPTURE)
    assert report.packets == len(PACKETS)
    assert report.verdicts == {b.TCP: TCP_COUNTS, b.UDP: UDP_COUNTS}
    assert {name: n for name, n in report.ip_verdicts.items() if n and name != "none"} == {"good": 8, "bad": 1}
    assert report.gre_verdicts["good"] == 1
    assert report.metadata["packets"] == len(PACKETS)


def test_bad_records_are_listed_with_the_sums_found_and_expected():
    report = fluxcap.read_checksums(CAPTURE)
    bad = report.bad
    assert report.bad_records == len(bad) == 4
    assert bad["packet"].tolist() == [2, 7, 8, 9]
    assert [fluxcap.VERDICTS[code] for code in bad["verdict"]] == ["bad", "good", "illegal", "bad"]
    assert [fluxcap.VERDICTS[code] for code in bad["ip_verdict"]] == ["good", "bad", "none", "good"]
    assert bad["checksum"].tolist()[:3] == [0x1234, number(RIGHT[UDP_CHECKSUM]), 0]
    assert bad["expected"].tolist()[:2] == [number(RIGHT[UDP_CHECKSUM])] * 2
    assert (bad["ip_checksum"][1], bad["ip_expected"][1]) == (0xBEEF, number(RIGHT[IP_CHECKSUM]))
    assert bad["offset"].tolist()[0] == 24 + 16 + len(RIGHT) + 16
    assert bad["src_port"].tolist() == [4000] * 4


@pytest.mark.parametrize("list_limit", [0, 1, 4095, 4096, 5000])
def test_the_list_is_cut_at_its_limit_and_the_count_is_not(list_limit):
    many = pcap(records([udp(checksum=0x1234)] * 9001))
    report = fluxcap.read_checksums(many, list_limit=list_limit)
    assert report.bad_records == 9001
    assert report.bad["packet"].tolist() == list(range(1, list_limit + 1))


def test_a_negative_limit_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        fluxcap.read_checksums(CAPTURE, list_limit=-1)


def test_senders_of_partial_checksums_are_named_most_of_them_first():
    report = fluxcap.read_checksums(CAPTURE)
    assert report.sources == ((A, 7, 2, 2), (C, 2, 1, 0))
    assert report.offload == (
        f"All 3 partial checksums come from 10.0.0.1 and 10.0.0.3, all by MAC address {MAC}: "
        "captured on the sender before the network card filled them in."
    )


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ([], None),
        ([A], f"The only partial checksum comes from 10.0.0.1 ({MAC}): captured on"),
        ([A, A], f"All 2 partial checksums come from 10.0.0.1 ({MAC}): captured on"),
        (
            [A, A, A, B, B, C],
            f"All 6 partial checksums come from 10.0.0.1, 10.0.0.2 and 10.0.0.3, all by MAC address {MAC}: captured on",
        ),
        (
            [A, B, C, C, D, D],
            "All 6 partial checksums come from 4 sources, most of them 10.0.0.3, 10.0.0.4 and 10.0.0.1, all by MAC",
        ),
        ([A] * 1234, f"All 1,234 partial checksums come from 10.0.0.1 ({MAC}): captured on"),
    ],
)
def test_offload_is_explained_in_one_sentence(sources, sentence):
    capture = pcap(records([RIGHT, *(udp(src, "10.9.9.9", "partial") for src in sources)]))
    offload = fluxcap.read_checksums(capture).offload
    assert offload == sentence if sentence is None else offload.startswith(sentence)


def test_a_checksum_report_goes_to_json():
    told = json.loads(json.dumps(fluxcap.read_checksums(CAPTURE).to_dict()))
    assert told["verdicts"]["17"] == UDP_COUNTS
    assert told["bad_records"] == 4
    assert told["bad"][0]["src_ip"] == A
    assert told["bad"][0]["verdict"] == "bad"
    assert told["bad"][0]["time"] == "1970-01-01T00:00:10.200000000Z"
    assert told["bad"][0]["checksum"] == 0x1234
    assert told["sources"][0] == {"address": A, "packets": 7, "partial": 2, "bad": 2}


# Info -----------------------------------------------------------------------------------------------------------------


def test_info_sums_up_a_capture():
    info = fluxcap.read_info(CAPTURE)
    octets = sum(map(len, PACKETS))
    assert (info.packets, info.captured_octets, info.wire_octets) == (11, octets, octets)
    assert (info.first, info.last, info.duration) == (10 * SECOND, 12 * SECOND, 2 * SECOND)
    assert (info.packets_per_second, info.octets_per_second) == (5.5, octets / 2)
    assert info.in_order is True
    assert info.link_types == {1: 11}
    assert info.ip_versions == {0: 1, 4: 9, 6: 1}
    assert info.protocols == {b.TCP: 1, b.UDP: 9}
    assert info.verdicts == {b.TCP: TCP_COUNTS, b.UDP: UDP_COUNTS}
    assert info.ledger["non_ip"] == (1, len(PACKETS[-1]))
    assert {name for name, n in info.reasons.items() if n} == {"none"}
    assert not any(info.anomalies.values())


def test_info_tells_the_inputs_apart(tmp_path):
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(gzip.compress(CAPTURE))
    section = pcapng(
        interface(1, snaplen=100, tsresol=9, name="eth0"),
        interface(101, name="tun0"),
        enhanced_packet(RIGHT, 5),
        enhanced_packet(RIGHT[14:], 7, interface_id=1),
        old_packet(RIGHT, 6),
        byteorder="big",
    )
    first, second = fluxcap.read_info([path, section + section]).inputs
    assert (first.name, first.size, first.compression) == (str(path), path.stat().st_size, "gzip")
    assert (first.format, first.variant, first.byte_order, first.packets) == ("pcap", "us", "little", 11)
    assert (second.name, second.size, second.compression) == ("<bytes>", 2 * len(section), "")
    assert (second.format, second.variant, second.byte_order, second.sections) == ("pcapng", "", "big", 2)
    assert (second.packets, second.captured_octets) == (6, 6 * len(RIGHT) - 2 * 14)
    described = [(one.name, one.link_type, one.snaplen, one.packets) for one in second.interfaces]
    assert described == [("eth0", 1, 100, 2), ("tun0", 101, 262144, 1)] * 2
    assert [one.ticks_per_second for one in second.interfaces] == [1e9, 1e6] * 2


def test_info_says_when_time_goes_back():
    info = fluxcap.read_info(pcap([*records([RIGHT], start=9 * SECOND), *records([RIGHT], start=7 * SECOND)]))
    assert info.in_order is False
    assert info.duration == 2 * SECOND
    assert info.anomalies["time_went_back"] == 1


def test_a_capture_of_one_moment_has_no_rates():
    info = fluxcap.read_info(pcap(records([RIGHT])))
    assert (info.duration, info.packets_per_second, info.octets_per_second) == (0, None, None)


def test_info_without_packets_is_all_zeros_and_no_times():
    info = fluxcap.read_info(CAPTURE[:24])
    assert (info.packets, info.first, info.last, info.protocols, info.link_types) == (0, None, None, {}, {})


def test_info_of_a_damaged_input_is_that_of_what_was_read():
    with pytest.raises(fluxcap.TruncatedError) as caught:
        fluxcap.read_info(CAPTURE[:-1], on_damage="raise")
    info = caught.value.partial
    assert [(one.format, one.packets) for one in info.inputs] == [("pcap", len(PACKETS) - 1)]
    assert info.metadata["damage"][0].packet == len(PACKETS) - 1


def test_info_goes_to_json():
    told = json.loads(json.dumps(fluxcap.read_info(CAPTURE).to_dict()))
    assert told["packets"] == 11
    assert told["duration"] == 2 * SECOND
    assert told["inputs"][0]["interfaces"][0]["link_type"] == 1
    assert told["verdicts"]["17"] == UDP_COUNTS
    assert told["damage"] == told["skipped"] == []
