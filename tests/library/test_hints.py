"""Hints at the causes of bad checksums: one on records with the cause, none on records that only look like it."""

import json
import random
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import pcap, records
from fluxcap._core import REASONS
from fluxcap.reports.checksums import EXAMINED
from fluxcap.reports.hints import Hint
from plain_checksums import ones_sum, pseudo_header
from real_captures import CORPUS, needs_corpus
from tshark import VERIFY, fields, needs_tshark, tshark

A, B, C = "10.0.0.1", "192.0.2.9", "203.0.113.77"
A6, B6 = "2001:db8::1", "2001:db8::2"
IP = 14  # bytes of Ethernet before it
L4 = IP + 20


def hints(frames, **options) -> list[Hint]:
    return list(fluxcap.read_checksums(pcap(records(frames)), **options).hints)


def kinds(frames) -> list[tuple[str, str, int, int | None]]:
    return [(hint.kind, hint.header, hint.records, hint.difference) for hint in hints(frames)]


def datagram(n: int, src: str = A, dst: str = B, src_port: int = 4000, **options) -> bytes:
    """The nth datagram of a flow; all have different sums."""
    payload = struct.pack(">I", n * 0x9E3779B1 % (1 << 32)) + b"payload"
    return b.ethernet(b.ipv4(b.udp(payload, src_port, 53, **options), src, dst, identification=n % 0x10000))


def patched(frame: bytes, at: int, octets: bytes) -> bytes:
    """A frame with some bytes overwritten, its checksum not updated."""
    return frame[:at] + octets + frame[at + len(octets) :]


def with_sum(frame: bytes, change: int) -> bytes:
    """A frame whose UDP checksum is off by this much."""
    field = struct.unpack_from(">H", frame, L4 + 6)[0]
    return patched(frame, L4 + 6, struct.pack(">H", (field + change - 1) % 0xFFFF + 1))


def off(before: bytes, after: bytes) -> int:
    """How much a sum of the one differs from a sum of the other (RFC 1624: m' - m)."""
    return (ones_sum(after) - ones_sum(before)) % 0xFFFF


# Rewritten ------------------------------------------------------------------------------------------------------------


def test_an_address_rewritten_without_updating_sums_makes_the_same_difference_in_both_headers():
    frames = [patched(datagram(n), IP + 12, b.packed(C)) for n in range(4)]
    by = off(b.packed(A), b.packed(C))
    assert kinds(frames) == [("rewritten", "transport", 4, by), ("rewritten", "IPv4", 4, by)]
    transport, _ = hints(frames)
    assert transport.of_flows == ((b.UDP, C, 4000, B, 53),)
    assert transport.in_packets == ((0, 1), (0, 2), (0, 3))
    assert (transport.flows, transport.examined) == (1, 4)
    assert transport.text == (
        f"4 of 4 bad transport checksums differ from the right one by {by:#06x}, as if addresses or ports had been"
        f" rewritten without updating it (RFC 1624); UDP {C}:4000 > {B}:53, first in packet 1."
    )


def test_where_only_the_header_checksum_was_updated_only_the_other_is_bad():
    frames = []
    for n in range(3):
        frame = patched(patched(datagram(n), IP + 12, b.packed(C)), IP + 10, bytes(2))
        frames.append(patched(frame, IP + 10, struct.pack(">H", 0xFFFF - ones_sum(frame[IP:L4]))))
    assert kinds(frames) == [("rewritten", "transport", 3, off(b.packed(A), b.packed(C)))]


def test_a_rewritten_port_shows_in_the_transport_checksum_alone():
    frames = [patched(datagram(n), L4, struct.pack(">H", 61000)) for n in range(3)]
    assert kinds(frames) == [("rewritten", "transport", 3, (61000 - 4000) % 0xFFFF)]


def test_a_time_to_live_counted_down_without_updating_shows_in_the_header_checksum_alone():
    frames = [patched(datagram(n), IP + 8, bytes([datagram(n)[IP + 8] - 1])) for n in range(3)]
    assert kinds(frames) == [("rewritten", "IPv4", 3, (-0x0100) % 0xFFFF)]


def test_flows_with_the_same_difference_are_one_hint_and_short_ones_go_with_it():
    there = [with_sum(datagram(n), 777) for n in range(3)]
    others = [with_sum(datagram(9, src_port=port), 777) for port in (5000, 6000)]
    (hint,) = hints([*others, *there])
    assert (hint.kind, hint.records, hint.flows, len(hint.of_flows)) == ("rewritten", 5, 3, 3)
    assert " and 2 more, first in packet 1." in hint.text


def test_flows_with_two_differences_are_two_hints_the_larger_first():
    few = [with_sum(datagram(n), 777) for n in range(3)]
    many = [with_sum(datagram(n, src_port=5000), 999) for n in range(4)]
    assert kinds([*few, *many]) == [("rewritten", "transport", 4, 999), ("rewritten", "transport", 3, 777)]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([with_sum(datagram(n), 777) for n in range(2)], id="two records"),
        pytest.param([with_sum(datagram(1), 777)] * 9, id="one record, nine times"),
        pytest.param([with_sum(datagram(n), 777) for n in (1, 2)] * 9, id="two records, nine times"),
        pytest.param([with_sum(datagram(n), 777 + n % 2) for n in range(9)], id="two differences in one flow"),
        pytest.param(
            [with_sum(datagram(n, src_port=port), port) for n in range(2) for port in (777, 999)],
            id="two flows of two records, a difference each",
        ),
        pytest.param(
            [with_sum(datagram(5, src=f"10.0.0.{n}"), 777) for n in range(9)], id="pairs of addresses, a record each"
        ),
        pytest.param([datagram(n, checksum=0x1234) for n in range(9)], id="the same sum whatever it is of"),
        pytest.param([datagram(n) for n in range(9)], id="all good"),
        pytest.param([datagram(n, checksum="partial") for n in range(9)], id="all partial"),
        pytest.param([datagram(n, checksum=0) for n in range(9)], id="all absent"),
        pytest.param([], id="nothing"),
    ],
)
def test_what_only_looks_like_a_constant_difference_is_no_hint(frames):
    assert hints(frames) == []


# One bit --------------------------------------------------------------------------------------------------------------

COVERED = [*range(IP + 12, IP + 20), *range(L4, L4 + 4), *range(L4 + 6, len(datagram(0)))]  # without the length


@given(st.sampled_from(COVERED), st.integers(0, 7), st.integers(0, 0xFFFF))
@example(L4, 0, 2148)  # the sum of this datagram is that of its pseudo-header
def test_a_flipped_bit_in_whatever_is_covered_is_a_hint(at, bit, n):
    frame = datagram(n)
    flipped = patched(frame, at, bytes([frame[at] ^ 1 << bit]))
    found = [hint for hint in hints([flipped]) if hint.header == "transport"]
    if flipped[L4 + 6 : L4 + 8] == bytes(2) or ones_sum(frame[L4 + 6 : L4 + 8]) == 0xFFFF:
        return  # a field that is now zero (no sum), or one of two equal zeros
    pseudo = flipped[IP + 12 : IP + 20] + bytes([0, b.UDP])
    if int.from_bytes(flipped[L4 + 6 : L4 + 8]) in (ones_sum(pseudo), ones_sum(pseudo + flipped[L4 + 4 : L4 + 6])):
        return  # by chance the sum of the pseudo-header, without or with the length: partial
    assert [(hint.kind, hint.records) for hint in found] == [("one bit", 1)]
    change = 1 << bit + 8 * (1 - at % 2)
    # A change of the field changes the found sum; a change of covered bytes changes the right sum, the other way.
    assert found[0].difference in (change % 0xFFFF, -change % 0xFFFF)


def test_flipped_bits_of_different_places_are_one_hint_without_a_difference():
    frames = [patched(datagram(n), L4 + 8 + n, bytes([datagram(n)[L4 + 8 + n] ^ 0x10])) for n in range(4)]
    (hint,) = hints(frames)
    assert (hint.kind, hint.records, hint.difference) == ("one bit", 4, None)
    assert "differ from the right one by different amounts, as a single flipped bit" in hint.text


@pytest.mark.parametrize("seed", range(20))
def test_random_sums_are_no_hint_although_a_few_of_them_are_off_by_one_bit(seed):
    draw = random.Random(seed)
    frames = [datagram(n, src_port=1024 + draw.randrange(40), checksum=draw.randrange(1, 0x10000)) for n in range(3000)]
    assert hints(frames) == []


# The length, and zeros ------------------------------------------------------------------------------------------------


def without_length(src: str, dst: str, protocol: int) -> int:
    return ones_sum(pseudo_header(b.packed(src), b.packed(dst), protocol, 0))


@pytest.mark.parametrize(
    ("made", "protocol"), [(b.tcp, b.TCP), (b.udp, b.UDP)], ids=["TCP", "UDP"]
)  # UDP: Windows' UDP segmentation offload
@pytest.mark.parametrize(("network", "src", "dst"), [(b.ipv4, A, B), (b.ipv6, A6, B6)], ids=["IPv4", "IPv6"])
def test_a_pseudo_header_summed_without_its_length_is_segmentation_offload_and_no_hint(
    made, protocol, network, src, dst
):
    value = without_length(src, dst, protocol)
    frames = [b.ethernet(network(made(bytes(2000 + n), checksum=value), src, dst)) for n in range(5)]
    frames.append(b.ethernet(network(made(bytes(2000), checksum="partial"), src, dst)))
    report = fluxcap.read_checksums(pcap(records(frames)))
    assert {name: n for name, n in report.verdicts[protocol].items() if n} == {"partial": 6}
    assert (report.hints, report.bad_records) == ((), 0)
    assert report.offload is not None
    assert report.offload.endswith("Segmentation offload: 5 to be cut up by the card.")
    packets = fluxcap.read_packets(pcap(records(frames)), columns=["reason"])
    assert [REASONS[code] for code in packets["reason"]] == ["segmentation_offload"] * 5 + ["none"]


def test_icmpv6_is_never_cut_up_so_its_sum_without_a_length_stays_bad():
    frame = b.ethernet(b.ipv6(b.icmpv6(bytes(70), checksum=without_length(A6, B6, b.ICMPV6)), A6, B6))
    assert fluxcap.read_checksums(pcap(records([frame]))).bad_records == 1


def test_an_address_rewritten_in_flows_of_one_packet_each_is_found_over_the_pair_of_addresses():
    frames = [patched(datagram(n, src_port=4000 + n), IP + 12, b.packed(C)) for n in range(3)]
    updated = [  # only the checksum of the header was updated
        patched(patched(one, IP + 10, bytes(2)), IP + 10, struct.pack(">H", 0xFFFF - ones_sum(
            patched(one, IP + 10, bytes(2))[IP:L4]))) for one in frames
    ]  # fmt: skip
    by = off(b.packed(A), b.packed(C))
    assert kinds(updated) == [("rewritten", "transport", 3, by)]
    assert kinds(updated[:2]) == []


def test_a_single_packet_with_the_same_difference_in_both_headers_had_an_address_rewritten():
    by = off(b.packed(A), b.packed(C))
    single = patched(datagram(1), IP + 12, b.packed(C))
    assert kinds([single]) == [("rewritten", "transport", 1, by), ("rewritten", "IPv4", 1, by)]
    other = patched(single, IP + 10, b"\x12\x34")
    assert kinds([other]) == []


def test_a_field_left_at_zero_through_a_flow_is_never_filled_in():
    frames = [b.ethernet(b.ipv4(b.tcp(bytes([n] * 7), checksum=0), A, B)) for n in range(1, 4)]
    assert kinds(frames) == [("never filled in", "transport", 3, None)]
    assert hints(frames[:2]) == []
    assert hints([frames[0]] * 5) == []


def test_the_other_zero_is_told_from_a_wrong_sum():
    silent = b.ethernet(b.ipv4(b.icmp(b"", 0, 0, bytes(4), checksum=0), A, B))
    report = fluxcap.read_checksums(pcap(records([silent])))
    assert report.bad["expected"].tolist() == [0xFFFF]
    assert [(hint.kind, hint.records, hint.difference) for hint in report.hints] == [("other zero", 1, 0)]


@needs_tshark
def test_tshark_wants_the_other_zero_too(tmp_path):
    path = tmp_path / "zeros.pcap"
    path.write_bytes(pcap(records([b.ethernet(b.ipv4(b.icmp(b"", 0, 0, bytes(4), checksum=0), A, B))])))
    assert [line for line in tshark(path, "-V") if "Checksum: 0x0000" in line and "should be 0xffff" in line]


def test_a_cyclic_redundancy_check_gives_no_hint():
    frames = [b.ethernet(b.ipv4(b.sctp(b.sctp_data(bytes([n]))), A, B)) for n in range(9)]
    flipped = [patched(frame, L4 + 8, bytes([frame[L4 + 8] ^ 1])) for frame in frames]
    assert fluxcap.read_checksums(pcap(records(flipped))).bad_records == len(frames)
    assert hints(flipped) == []


# The report -----------------------------------------------------------------------------------------------------------


def test_hints_are_looked_for_in_the_first_bad_records_however_few_are_listed():
    frames = [with_sum(datagram(n), 777) for n in range(5)] * (EXAMINED // 5 + 1)
    for list_limit in (0, 3):
        (hint,) = hints(frames, list_limit=list_limit)
        assert hint.records == hint.examined == EXAMINED


def test_hints_go_to_json():
    report = fluxcap.read_checksums([pcap(records([datagram(1)])), pcap(records([with_sum(datagram(2), 0x100)]))])
    (told,) = json.loads(json.dumps(report.to_dict()))["hints"]
    assert told == {
        "kind": "one bit",
        "header": "transport",
        "records": 1,
        "examined": 1,
        "difference": 0x100,
        "flows": 1,
        "of_flows": [{"protocol": 17, "src_ip": A, "src_port": 4000, "dst_ip": B, "dst_port": 53}],
        "in_packets": [{"file": 1, "packet": 1}],
        "text": report.hints[0].text,
    }


# Real captures --------------------------------------------------------------------------------------------------------


@needs_corpus
@needs_tshark
@pytest.mark.parametrize(
    "path", ["nfstream+nfstream/tests/pcaps/anydesk-2.pcap", "zeek+zeek/testing/btest/Traces/krb/kerberos_tso.pcapng"]
)
def test_large_sends_of_windows_are_those_that_tshark_finds_bad(path):
    names = ["ip.src", "ip.dst", "tcp.checksum", "tcp.checksum.status"]
    lines = [line.split("\t") for line in tshark(CORPUS / path, *VERIFY, "-Y", "tcp", *fields(names))]
    bad = [int(found, 16) == without_length(src, dst, b.TCP) for src, dst, found, status in lines if status == "0"]
    reasons = fluxcap.read_packets(CORPUS / path, columns=["reason"])["reason"]
    assert (reasons == REASONS.index("segmentation_offload")).sum() == sum(bad) > 0


@needs_corpus
@pytest.mark.parametrize("path", sorted((CORPUS / "zeek+zeek/testing/btest/Traces/chksums").glob("*.pcap")), ids=str)
def test_a_sum_that_is_simply_wrong_gives_no_hint(path):
    assert fluxcap.read_checksums(path).hints == ()
