"""Many fragments: datagrams in any number of pieces, 2,048 of them under way, identities that recur."""

import random
import struct
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import Record, pcap, records
from core_driver import FIVE_TUPLE, anomalies, flows, key, rows, scan, taken
from delivered_directory import demuxed

LINK_RAW = 101
UNDER_WAY = 2048
ENDS = "192.0.2.1", "192.0.2.2"
SECOND = 1_000_000_000


def in_pieces(port, size, data=b"", identification=7, ends=ENDS):
    """A UDP message from this port, to the next one, in IPv4 fragments; its bytes tell which piece is which."""
    src, dst = ends
    message = b.udp(data or bytes([port % 251]) * 1608, port, port + 1).over(b.packed(src), b.packed(dst))
    return [
        b.ipv4(part, src, dst, b.UDP, identification=identification, offset=at, more=more)
        for at, more, part in b.pieces(message, size)
    ]


def read(packets, **options):
    return rows(pcap(records(packets), LINK_RAW), **options)


def told(packets):
    """The source port and the verdict of each record."""
    return [(row["src_port"], row["verdict"]) for row in read(packets)]


def verified(port, n):
    return [(port, "fragment")] * (n - 1) + [(port, "good")]


def shuffled(packets):
    return random.Random(1).sample(packets, len(packets))


ORDERS = {
    "in order": list,
    "backwards": lambda packets: packets[::-1],
    "every other one first": lambda packets: packets[1::2] + packets[::2],
    "shuffled": shuffled,
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [121, 1000, 8000])
def test_a_datagram_is_verified_however_many_pieces_it_has(n, order):
    packets = ORDERS[order](in_pieces(1111, 8, random.Random(n).randbytes(8 * n - 8)))
    assert told(packets) == verified(1111, n)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [3, 120, 121, 500])
def test_a_complete_datagram_leaves_its_identification_to_the_next_one(n, order):
    one, other = (ORDERS[order](in_pieces(port, 8, random.Random(port).randbytes(8 * n - 8))) for port in (1111, 3333))
    assert told(one + other) == verified(1111, n) + verified(3333, n)


def test_a_datagram_that_contradicts_itself_leaves_its_identification_once_all_of_it_has_come():
    first, second, *others = in_pieces(1111, 512)
    overlapping = b.ipv4(bytes(512), *ENDS, b.UDP, identification=7, offset=504, more=True)
    spoiled = told([first, overlapping, second, *others, *in_pieces(3333, 512)[::-1]])
    assert spoiled == [(1111, "fragment")] * 5 + verified(3333, 4)


def test_another_first_fragment_begins_another_datagram():
    first, *lost = in_pieces(1111, 512)
    assert told([first, lost[0], *in_pieces(3333, 512)]) == [(1111, "fragment")] * 2 + verified(3333, 4)


def test_where_two_datagrams_are_under_way_under_one_identification_nothing_is_called_bad():
    one, other = (in_pieces(port, 808) for port in (1111, 3333))
    assert [verdict for _, verdict in told([one[0], other[0], one[1]])] == ["fragment"] * 3


def test_a_first_fragment_without_ports_keeps_nobody_waiting():
    first, second, third = in_pieces(1111, 808, bytes(1700))
    cut = [Record(second, 0), Record(first, 1).cut(22), Record(third, 2)]
    scanner = scan(pcap(cut, LINK_RAW))
    assert [row["disposition"] for row in taken(scanner)] == ["orphan_fragment", "truncated_header", "orphan_fragment"]
    assert "fragments_not_held" not in anomalies(scanner)


def test_a_datagram_longer_than_any_length_field_says_is_never_verified():
    parts = [b.ipv4(bytes(65000), *ENDS, b.UDP, offset=0, more=True), b.ipv4(bytes(800), *ENDS, b.UDP, offset=65000)]
    assert [row["verdict"] for row in read(parts)] == ["absent", "fragment"]


@given(st.randoms(use_true_random=False), st.integers(1, 3), st.integers(1, 4))
def test_every_fragment_has_the_ports_of_its_own_datagram(random, identifications, reuses):
    # For each identification one datagram after the other, its pieces in any order, some of them twice.
    lines = []
    for identification in range(identifications):
        line = []
        for reuse in range(reuses):
            port = 1000 * (identification + 1) + reuse
            data = b"".join(struct.pack(">4H", port, unit, 0, 0) for unit in range(random.randrange(2, 20)))
            packets = in_pieces(port, 8 * random.randrange(1, 5), data, identification)
            random.shuffle(packets)
            for packet in packets + random.sample(packets, random.randrange(len(packets))):
                line.append((packet, port))
        lines.append(line)
    turns = [place for place, line in enumerate(lines) for _ in line]
    random.shuffle(turns)
    sources = [iter(line) for line in lines]
    mixed = [next(sources[turn]) for turn in turns]
    found = told([packet for packet, _ in mixed])
    assert [port for port, _ in found] == [port for _, port in mixed]
    ports = {port for _, port in mixed}
    assert sorted(port for port, verdict in found if verdict == "good") == sorted(ports)


# Many at once ---------------------------------------------------------------------------------------------------------


def under_way(n):
    """Datagrams of two fragments each: all first fragments, then all second ones."""
    pairs = [in_pieces(1024 + place, 808, identification=place) for place in range(n)]
    return [first for first, _ in pairs], [last for _, last in pairs]


def test_all_of_2048_datagrams_are_under_way_at_once():
    firsts, others = under_way(UNDER_WAY)
    scanner = scan(pcap(records([*firsts, *others]), LINK_RAW))
    found = taken(scanner)
    assert sum(row["verdict"] == "good" for row in found) == UNDER_WAY
    assert {row["disposition"] for row in found} == {"counted"}
    assert anomalies(scanner) == {}


def test_one_more_makes_the_oldest_one_give_up_its_place():
    firsts, others = under_way(UNDER_WAY + 3)
    scanner = scan(pcap(records([*firsts, *others[3:]]), LINK_RAW), columns=("src_port", "verdict"))
    good = [row["src_port"] for row in taken(scanner) if row["verdict"] == "good"]
    assert good == [1024 + place for place in range(3, UNDER_WAY + 3)]
    assert anomalies(scanner) == {"datagrams_evicted": 3}


def test_datagrams_that_are_over_keep_none_from_being_under_way():
    over = [packet for place in range(5000) for packet in in_pieces(9, 808, identification=10_000 + place)]
    firsts, others = under_way(UNDER_WAY)
    found = told([*firsts[:1000], *over, *firsts[1000:], *others])
    assert sum(verdict == "good" for _, verdict in found) == 5000 + UNDER_WAY


def test_every_reading_of_more_than_can_be_under_way_gives_the_same_table(tmp_path):
    firsts, others = under_way(3000)
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap(records(shuffled([*firsts, *others])), LINK_RAW))
    first = fluxcap.read_flows(path)
    tables = [fluxcap.read_flows(path, threads=threads) for threads in (1, 2, 3) * 3]
    assert [table == first for table in tables] == [True] * 9
    packets = fluxcap.read_packets(path)
    assert all(fluxcap.read_packets(path) == packets for _ in range(3))


def test_what_is_delivered_of_many_datagrams_is_all_of_them(tmp_path):
    firsts, others = under_way(UNDER_WAY)
    delivery = demuxed(pcap(records([*firsts, *others]), LINK_RAW), tmp_path / "out")
    assert len(delivery.messages) == UNDER_WAY


# Within a depth -------------------------------------------------------------------------------------------------------


def test_fragments_are_matched_within_their_tunnel_depth():
    outside, inside = in_pieces(1111, 808), in_pieces(3333, 808)
    mixed = chain(*((packet, b.ipv4(b.gre(held))) for packet, held in zip(outside, inside, strict=True)))
    found = [(row["depth"], row["src_port"], row["verdict"]) for row in read(mixed)]
    assert found[::2] == [(0, *one) for one in verified(1111, 2)]
    assert found[1::2] == [(1, *one) for one in verified(3333, 2)]


def test_a_fragment_in_a_tunnel_completes_nothing_outside_of_it(tmp_path):
    first, *others = in_pieces(1111, 808)
    mixed = [first, *(b.ipv4(b.gre(other)) for other in others)]
    assert [row["disposition"] for row in read(mixed)] == ["counted", "orphan_fragment"]
    assert demuxed(pcap(records(mixed), LINK_RAW), tmp_path / "out").messages == []


def test_flows_of_fragments_at_two_depths_are_apart():
    packets = [*in_pieces(1111, 808), *(b.ipv4(b.gre(held)) for held in in_pieces(3333, 808))]
    found = flows(pcap(records(packets), LINK_RAW), by=key(*FIVE_TUPLE))
    assert [(flow["src_port"], flow["packets"], flow["good"]) for flow in found] == [(1111, 2, 1), (3333, 2, 1)]
