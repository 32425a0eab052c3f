"""Checksums left to the network card are completed, and nothing else is touched.

Each packet is built twice, with the pseudo-header's sum in the field and with the right value: repairing the first
capture has to give the second, byte for byte.
"""

import gzip
import io
import struct
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
import three_flows
from capture_files import Record, interface, pcap, pcapng, records, rewrapped, simple_packet
from fluxcap._core import Repairer
from fluxcap.capture.magic import is_capture
from real_captures import CORPUS, SAMPLES, index, needs_corpus
from repaired_captures import partial, repaired
from strategies import captures, fragment_frames, odd_frames, simple_frames, tunnelled_frames
from verdict_cases import pseudo_sum

A, B = "192.0.2.1", "192.0.2.2"
BAD = 0xBAD
VERDICTS = ("verdict", "ip_verdict")


def inner(checksum, header=None):
    return b.ethernet(b.ipv4(b.udp(b"inside", checksum=checksum), "198.51.100.1", "198.51.100.2", checksum=header))


def vxlan(frame, checksum):
    return b.ipv4(b.udp(b.vxlan(frame), dst_port=b.VXLAN_PORT, checksum=checksum))


def offloaded(build):
    """The packet in the kernel of its sender: the outer sum becomes right when the inner one is filled in."""
    left, right = build("partial"), build(None)
    size = len(inner(None))
    return right[:-size] + left[-size:]


# Functions that make a packet with a given kind of transport checksum and of IPv4 header checksum.
PACKETS = {
    "udp": lambda c, h: b.ipv4(b.udp(b"hello", checksum=c), checksum=h),
    "udp of an odd length": lambda c, h: b.ipv4(b.udp(b"hello!", checksum=c), checksum=h),
    "udp, without data": lambda c, h: b.ipv4(b.udp(checksum=c), checksum=h),
    "udp over IPv6": lambda c, _: b.ipv6(b.udp(b"hello", checksum=c)),
    "udp, surplus behind its length": lambda c, h: b.ipv4(b.udp(b"hello", length=10, checksum=c), checksum=h),
    "tcp": lambda c, h: b.ipv4(b.tcp(b"hello", checksum=c), checksum=h),
    "tcp over IPv6": lambda c, _: b.ipv6(b.tcp(b"hello", options=bytes(8), checksum=c)),
    "udp-lite": lambda c, h: b.ipv4(b.udp_lite(b"hello", coverage=9, checksum=c), checksum=h),
    "dccp": lambda c, h: b.ipv4(b.dccp(b"hello", coverage=1, checksum=c), checksum=h),
    "icmpv6": lambda c, _: b.ipv6(b.icmpv6(b"hello", checksum=c)),
    "source route": lambda c, h: b.ipv4(b.udp(checksum=c), options=b.source_route([B]), final=B, checksum=h),
    "routing header": lambda c, _: b.ipv6(b.routing(b.udp(checksum=c), ["2001:db8::9"], segments_left=1)),
    "home address": lambda c, _: b.ipv6(b.destination_options(b.tcp(checksum=c), home="2001:db8::9")),
    "VLAN tags": lambda c, h: b.vlan(b.vlan(b.ipv4(b.udp(checksum=c), checksum=h), 7), 8),
    "MPLS": lambda c, h: b.mpls(b.ipv4(b.udp(checksum=c), checksum=h), 16, 17),
    "header alone": lambda _, h: b.ipv4(b.icmp(b"hello"), checksum=h),
    "header around a good checksum": lambda _, h: b.ipv4(b.udp(b"hello"), checksum=h),
    "header around a bad checksum": lambda _, h: b.ipv4(b.udp(b"hello", checksum=BAD), checksum=h),
    "header around what is no IP protocol": lambda _, h: b.ipv4(b"?", protocol=253, checksum=h),
    "4in6": lambda c, h: b.ipv6(b.ipv4(b.udp(checksum=c), checksum=h)),
    "IP in IP, both headers": lambda c, h: b.ipv4(b.ipv4(b.udp(checksum=c), checksum=h), checksum=h),
    "GRE": lambda c, h: b.ipv4(b.gre(b.ipv4(b.tcp(b"hello", checksum=c), checksum=h), key=7)),
    "VXLAN, all left": lambda c, h: vxlan(inner(c, h), c),
    "VXLAN, the outer one left": lambda c, _: vxlan(inner(None), c),
    "VXLAN, the outer one left and a bad one inside": lambda c, _: vxlan(inner(BAD), c),
    "VXLAN, no outer one": lambda c, _: vxlan(inner(c), 0),
    "VXLAN, the outer one bad": lambda c, _: vxlan(inner(c), BAD),
    "VXLAN, the outer one right as it is": lambda c, _: vxlan(inner(c), None),
    "GENEVE in VXLAN": lambda c, h: vxlan(
        b.ethernet(b.ipv4(b.udp(b.geneve(inner(c, h)), dst_port=b.GENEVE_PORT, checksum=c))), c
    ),
    "VXLAN, the outer one comes true": lambda c, _: (
        offloaded(lambda one: vxlan(inner(one), None)) if c else vxlan(inner(c), None)
    ),
    "GRE with a checksum that comes true": lambda c, _: (
        offloaded(lambda one: b.ipv4(b.gre(inner(one), 0x6558, checksum="right")))
        if c
        else b.ipv4(b.gre(inner(None), 0x6558, checksum="right"))
    ),
}
LEFT, RIGHT = ([b.ethernet(build(c, h), 0x0800 if type(build(c, h)) is bytes else None) for build in PACKETS.values()]
               for c, h in (("partial", 0), (None, None)))  # fmt: skip
UNTOUCHED = {
    "bad": b.ipv4(b.udp(b"hello", checksum=BAD), checksum=BAD),
    "absent": b.ipv4(b.udp(b"hello", checksum=0)),
    "illegal": b.ipv6(b.udp(b"hello", checksum=0)),
    "zero in TCP": b.ipv4(b.tcp(b"hello", checksum=0)),
    "bad length": b.ipv4(b.udp(b"hello", length=500, checksum="partial")),
    "zero in ICMP, which has no pseudo-header": b.ipv4(b.icmp(b"hello", checksum=0)),
    "what an error quotes": b.ipv4(b.icmp(b.ipv4(b.udp(b"hello", checksum="partial"), checksum=0), kind=3)),
    "inside a GRE checksum that is right as it is": b.ipv4(b.gre(inner("partial"), 0x6558, checksum="right")),
}


@pytest.mark.parametrize("name", PACKETS)
def test_what_was_left_to_the_card_is_what_the_card_would_have_sent(name, out):
    place = list(PACKETS).index(name)
    left, right = (pcap(records([frames[place]])) for frames in (LEFT, RIGHT))
    assert left != right
    octets, done = repaired(left, out)
    assert octets == right
    assert (done.packets, done.repaired) == (1, 1)
    assert partial(octets) == 0


SENT = bytes(3000)  # the payload that the card was to cut up
WITHOUT = {4: pseudo_sum(A, B, b.TCP, 0), 6: pseudo_sum("2001:db8::1", "2001:db8::2", b.TCP, 0)}
SEGMENTED = {
    # as handed to the card, as it should be
    "TCP": (b.ipv4(b.tcp(SENT, checksum=WITHOUT[4])), b.ipv4(b.tcp(SENT))),
    "no IPv4 length, header summed so": (
        b.ipv4(b.tcp(SENT, checksum=WITHOUT[4]), total_length=0),
        b.ipv4(b.tcp(SENT)),
    ),
    "no IPv4 length, header not summed": (
        b.ipv4(b.tcp(SENT, checksum=WITHOUT[4]), total_length=0, checksum=0),
        b.ipv4(b.tcp(SENT)),
    ),
    "no IPv4 length, sum with the length": (
        b.ipv4(b.tcp(SENT, checksum="partial"), total_length=0),
        b.ipv4(b.tcp(SENT)),
    ),
    "no IPv6 length, sum with the length": (
        b.ipv6(b.tcp(SENT, checksum="partial"), payload_length=0),
        b.ipv6(b.tcp(SENT)),
    ),
    "no IPv6 length": (b.ipv6(b.tcp(SENT, checksum=WITHOUT[6]), payload_length=0), b.ipv6(b.tcp(SENT))),
    "no IPv4 length in a tunnel": (
        b.ipv4(b.gre(b.ipv4(b.tcp(SENT, checksum=WITHOUT[4]), total_length=0))),
        b.ipv4(b.gre(b.ipv4(b.tcp(SENT)))),
    ),
    "more than a length can say": (  # the length stays at zero, as in BIG TCP
        b.ipv4(b.tcp(bytes(70000), checksum=WITHOUT[4]), total_length=0),
        b.ipv4(b.tcp(bytes(70000)), total_length=0),
    ),
}


@pytest.mark.parametrize("name", SEGMENTED)
def test_a_segment_that_the_card_was_to_cut_up_gets_its_checksum_and_its_length(name, out):
    left, right = (pcap(records([b.ethernet(one)])) for one in SEGMENTED[name])
    octets, done = repaired(left, out)
    assert octets == right
    assert done.repaired == 1


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_was_not_left_to_the_card_stays_as_it_is(name, out):
    capture = pcap(records([b.ethernet(UNTOUCHED[name])]))
    assert repaired(capture, out) == (capture, (1, 0, 0, 0))


def test_what_was_cut_by_the_snap_length_cannot_be_completed(out):
    capture = pcap([one.cut(60) for one in records([b.ethernet(b.ipv4(b.udp(bytes(99), checksum="partial")))])])
    assert repaired(capture, out) == (capture, (1, 0, 0, 0))


def test_a_sum_of_zero_is_sent_as_its_other_form_by_udp(out):
    # The word that makes the sum all ones: RFC 768.
    short = b.ipv4(b.udp(bytes(2)))
    word = struct.pack(">H", struct.unpack_from(">H", short, 26)[0])
    left, right = (b.ethernet(b.ipv4(b.udp(word, checksum=c))) for c in ("partial", None))
    assert right[40:42] == b"\xff\xff"
    assert repaired(pcap(records([left])), out)[0] == pcap(records([right]))


def test_the_counts_are_of_fields_and_of_records(out):
    frames = [b.ethernet(vxlan(inner("partial", 0), "partial")), b.ethernet(b.ipv4(b.udp(checksum="partial"))), *RIGHT]
    assert repaired(pcap(records(frames)), out)[1] == (2 + len(RIGHT), 2, 3, 1)


# Capture files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [
    pcap,
    lambda packets: pcap(packets, ns=True, byteorder="big"),
    lambda packets: pcap(packets, modified=True),
    rewrapped,
    lambda packets: rewrapped(packets, byteorder="big"),
], ids=["pcap", "big-endian ns", "modified", "pcapng", "big-endian pcapng"])  # fmt: skip
def test_a_capture_of_any_format_keeps_all_else_octet_for_octet(wrap, out):
    octets, done = repaired(wrap(records(LEFT)), out)
    assert octets == wrap(records(RIGHT))
    assert done.repaired == done.packets == len(LEFT)


@pytest.mark.parametrize("shape", three_flows.SHAPES)
def test_blocks_and_options_that_are_not_known_stay(shape, out):
    capture = three_flows.SHAPES[shape]
    left = capture
    for frame in three_flows.FRAMES:
        port = struct.unpack_from(">H", frame, 34)[0]
        udp = b.udp(frame[42:], port, 53, checksum="partial")
        pseudo = b.ipv4(udp, A, B, identification=0, dont_fragment=True)
        left = left.replace(frame, b.ethernet(pseudo))
    assert left != capture
    assert repaired(left, out)[0] == capture


def test_the_length_that_a_section_states_stays_true(out):
    blocks = rewrapped(records(LEFT))
    stated = blocks[:16] + struct.pack("<q", len(blocks) - 28) + blocks[24:]
    assert repaired(stated, out)[0][:24] == stated[:24]


def test_records_that_are_longer_than_the_window_come_whole(out):
    left, right = ([Record(frame + bytes(200_000)) for frame in frames] for frames in (LEFT[:5], RIGHT[:5]))
    assert repaired(pcap(left), out)[0] == pcap(right)


def test_blocks_without_a_captured_length_are_repaired_all_the_same(out):
    left, right = (pcapng(interface(), *map(simple_packet, frames)) for frames in (LEFT, RIGHT))
    assert repaired(left, out)[0] == right


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_copy_does_not_depend_on_the_pieces_that_the_input_comes_in(size):
    repairer, copy = Repairer(), bytearray()
    repairer.begin()
    source = io.BytesIO(pcap(records(LEFT)))
    n = 1
    while n:
        n = source.readinto(repairer.space()[:size])
        repairer.advance(n) if n else repairer.finish()
        while repairer.run():
            copy += repairer.mended()
    assert copy == pcap(records(RIGHT))


def test_a_compressed_capture_is_written_without_its_compression(out):
    assert repaired(gzip.compress(pcap(records(LEFT))), out)[0] == pcap(records(RIGHT))


def test_an_open_file_is_read_from_where_it_stands(out):
    file = io.BytesIO(b"?" + pcap(records(LEFT)))
    file.seek(1)
    assert fluxcap.repair(file, out).repaired == len(LEFT)


@given(
    st.lists(st.tuples(st.sampled_from(range(len(LEFT))), st.booleans()), max_size=80),
    st.sampled_from([pcap, rewrapped]),
)
@settings(deadline=None)
def test_of_any_mixture_of_records_just_those_left_to_the_card_change(chosen, wrap):
    repairer = Repairer()
    repairer.begin()
    capture = wrap(records((LEFT if left else RIGHT)[place] for place, left in chosen))
    repairer.space()[: len(capture)] = capture
    repairer.advance(len(capture))
    copy = b""
    while repairer.run():
        copy += repairer.mended()
    assert copy == wrap(records(RIGHT[place] for place, _ in chosen))
    assert repairer.repaired[0] == sum(left for _, left in chosen)


@given(captures(st.one_of(simple_frames, tunnelled_frames, fragment_frames, odd_frames)))
@settings(deadline=None)
def test_of_any_capture_what_was_partial_is_good_and_every_other_verdict_is_what_it_was(capture):
    with tempfile.TemporaryDirectory() as folder:
        octets, _ = repaired(capture, Path(folder, "out"))
    for decap in (True, False):
        before, after = (fluxcap.read_packets(one, columns=VERDICTS, decap=decap) for one in (capture, octets))
        for name in VERDICTS:
            partial_ones = before[name] == fluxcap.VERDICTS.index("partial")
            assert (after[name] == np.where(partial_ones, fluxcap.VERDICTS.index("good"), before[name])).all()


# Damage and refusals --------------------------------------------------------------------------------------------------


def test_a_damaged_capture_is_copied_up_to_the_damage_with_a_warning(out):
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        done = fluxcap.repair(pcap(records(LEFT))[:-1], out)
    assert done.packets == len(LEFT) - 1
    assert out.read_bytes() == pcap(records(RIGHT[:-1]))


@pytest.mark.parametrize("capture", [pcap(records(LEFT))[:-1], b"no capture"])
def test_no_file_is_left_where_damage_is_an_error(capture, out):
    with pytest.raises(fluxcap.CaptureError):
        fluxcap.repair(capture, out, on_damage="raise")
    assert list(out.parent.iterdir()) == []


def test_neither_the_input_nor_a_device_is_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="would be overwritten"):
        fluxcap.repair(path, path)
    with pytest.raises(ValueError, match="not a regular file"):
        fluxcap.repair(path, "/dev/null")
    with pytest.raises(ValueError, match="one capture is repaired at a time"):
        fluxcap.repair([path, path], "out")
    assert path.read_bytes() == before


# Real captures --------------------------------------------------------------------------------------------------------


def check(capture, out):
    """Repair a capture; gives the number of repaired records. At most two bytes differ for each checksum, and two more
    if the length of an IPv4 header was left to the card with its checksum (segmentation offload)."""
    octets, done = repaired(capture, out)
    if done.repaired:
        assert partial(octets) == 0
    before = capture.read_bytes()
    if is_capture(before):  # and not compressed
        changed = sum(one != other for one, other in zip(before, octets, strict=False))
        assert bool(done.repaired) <= changed <= 2 * (done.checksums + 2 * done.ip_checksums)
        assert before.startswith(octets[-1:], len(octets) - 1)
    return done.repaired


@pytest.mark.parametrize("capture", sorted(SAMPLES.glob("*.pcap*")), ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
def test_after_the_repair_of_a_sample_nothing_is_partial(capture, out):
    check(capture, out)


@pytest.mark.slow
@needs_corpus
def test_after_the_repair_of_any_real_capture_nothing_is_partial(out):
    done = 0
    for row in index():
        with warnings.catch_warnings(action="ignore"):
            try:
                done += check(CORPUS / row["path"], out) > 0
            except fluxcap.CaptureError:
                continue  # unreadable
    assert done >= 400
