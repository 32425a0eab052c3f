"""Datagrams in fragments whose checksum was left to the card: the last piece completes it, the first holds it."""

import itertools
import random

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from repaired_captures import partial, repaired

A, B = "192.0.2.1", "192.0.2.2"
A6, B6 = "2001:db8::1", "2001:db8::2"


def fragments(version, checksum, *, size=96, identification=1, header=None, over=b.udp):
    """The packets of a datagram of 200 bytes in pieces."""
    src, dst = (A, B) if version == 4 else (A6, B6)
    datagram = over(bytes(range(200)), checksum=checksum)
    pieces = b.pieces(datagram.over(b.packed(src), b.packed(dst)), size)
    if version == 4:
        facts = {"protocol": datagram.protocol, "identification": identification, "checksum": header}
        return [b.ipv4(octets, src, dst, offset=at, more=more, **facts) for at, more, octets in pieces]
    return [b.ipv6(b.fragment(octets, at, more, identification, datagram.protocol), src, dst)
            for at, more, octets in pieces]  # fmt: skip


def capture(packets):
    return pcap(records(map(b.ethernet, packets)))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("over", [b.udp, b.tcp])
@pytest.mark.parametrize("version", [4, 6])
def test_the_field_in_the_first_piece_is_completed_whatever_order_they_come_in(version, over, order, out):
    left, right = (fragments(version, c, over=over) for c in ("partial", None))
    octets, done = repaired(capture([left[place] for place in order]), out)
    assert octets == capture([right[place] for place in order])
    assert done == (3, 1, 1, 0)
    assert partial(octets) == 0


def test_the_header_of_every_piece_is_completed_too(out):
    left, right = (fragments(4, c, header=h) for c, h in (("partial", 0), (None, None)))
    assert repaired(capture(left), out) == (capture(right), (3, 3, 1, 3))


def test_first_pieces_that_have_left_the_window_are_found_in_the_file(out):
    between = [b.ipv4(b.udp(bytes(1400)))] * 400
    left, right = (fragments(4, c) for c in ("partial", None))
    octets, _ = repaired(capture([*left[:1], *between, *left[1:], *between]), out)
    assert octets == capture([*right[:1], *between, *right[1:], *between])


@pytest.mark.parametrize("order", ["aabbcc", "abcabc", "abcabcabc", "aaaaabc", "cbacba", "abccba", "bcaa"])
def test_every_copy_of_the_first_piece_is_completed(order, out):
    left, right = (fragments(4, c) for c in ("partial", None))
    octets, done = repaired(capture([left["abc".index(piece)] for piece in order]), out)
    assert octets == capture([right["abc".index(piece)] for piece in order])
    assert done.checksums == order.count("a")
    assert partial(octets) == 0


def test_many_datagrams_at_once_do_not_mix(out):
    left, right = ([fragments(4 if i % 2 else 6, c, identification=i) for i in range(40)] for c in ("partial", None))
    places = [(i, piece) for i in range(40) for piece in range(3)]
    random.Random(1).shuffle(places)
    octets, done = repaired(capture([left[i][piece] for i, piece in places]), out)
    assert octets == capture([right[i][piece] for i, piece in places])
    assert done.checksums == 40


def test_an_identification_that_is_in_use_again_is_another_datagram(out):
    good, left, right = fragments(4, None), fragments(4, "partial", size=104), fragments(4, None, size=104)
    assert repaired(capture([*good, *left, *good]), out)[0] == capture([*good, *right, *good])


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_datagram_that_never_is_complete_stays_as_it_is(missing, out):
    packets = fragments(4, "partial")
    del packets[missing]
    assert repaired(capture(packets), out)[0] == capture(packets)


def test_a_bad_one_stays_as_it_is(out):
    packets = fragments(4, 0xBAD)
    assert repaired(capture(packets), out)[0] == capture(packets)


# Fragments and tunnels ------------------------------------------------------------------------------------------------


def tunnels(checksum, around):
    """The pieces of a datagram, each in a tunnel of its own."""
    frames = map(b.ethernet, fragments(4, checksum))
    return [b.ipv4(b.udp(b.vxlan(frame), dst_port=b.VXLAN_PORT, checksum=around), "10.0.0.1") for frame in frames]


def test_pieces_inside_tunnels_without_a_checksum_are_completed(out):
    octets, done = repaired(capture(tunnels("partial", 0)), out)
    assert octets == capture(tunnels(None, 0))
    assert done.checksums == 1


def test_pieces_inside_tunnels_with_a_checksum_stay_as_they_are(out):
    packets = capture(tunnels("partial", None))
    assert repaired(packets, out)[0] == packets


def tunnel_in_pieces(inside, around, surplus=200):
    """A whole packet in the first piece of a tunnel's datagram, and a surplus after it."""
    frame = b.ethernet(b.ipv4(b.udp(b"inside", checksum=inside), "10.0.0.1", "10.0.0.2"))
    src, dst = b.packed(A), b.packed(B)
    datagram = b.udp(b.vxlan(frame + bytes(surplus)), dst_port=b.VXLAN_PORT, checksum=around).over(src, dst)
    return [b.ipv4(octets, A, B, b.UDP, offset=at, more=more) for at, more, octets in b.pieces(datagram, 104)]


def test_a_packet_inside_the_first_piece_is_completed_where_no_checksum_is_over_it(out):
    octets, done = repaired(capture(tunnel_in_pieces("partial", 0)), out)
    assert octets == capture(tunnel_in_pieces(None, 0))
    assert done.checksums == 1


@pytest.mark.parametrize("around", [None, "partial"])
def test_where_one_is_that_is_completed_alone(around, out):
    octets, _ = repaired(capture(tunnel_in_pieces("partial", around)), out)
    assert octets == capture(tunnel_in_pieces("partial", None))
    assert fluxcap.read_checksums(octets, decap=False).verdicts[b.UDP]["good"] == 1
