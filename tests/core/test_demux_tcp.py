"""TCP streams: bytes in order, each once, for any order of segments."""

import io
from itertools import count, groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
from capture_files import pcap, records
from delivered_directory import demuxed

CLIENT, SERVER = "192.0.2.1", "192.0.2.2"
ISN = 0xFFFFFFF0  # the sequence numbers wrap after 15 bytes
numbers = count()


def segment(position, data=b"", flags=b.ACK, isn=ISN, back=False, **options):
    """From the client, or back to it; position 0 is that of the first byte after the SYN."""
    ports = (80, 40000) if back else (40000, 80)
    ends = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    seq = (isn + 1 + position) & 0xFFFFFFFF
    return b.ethernet(b.ipv4(b.tcp(data, *ports, seq=seq, flags=flags, **options), *ends))


def syn(isn=ISN, **options):
    return segment(-1, flags=b.SYN, isn=isn, **options)


def fin(position, data=b"", **options):
    return segment(position, data, b.FIN | b.ACK, **options)


def streams(tmp_path, *frames, **options):
    return demuxed(pcap(records(frames)), tmp_path / f"{next(numbers)}", **options)


CASES = {  # frames of the client; the stream; gaps; the counts that are not zero
    "in order": ([syn(), segment(0, b"abc"), segment(3, b"def"), fin(6)], b"abcdef", [], {}),
    "sent again": ([syn(), segment(0, b"abc"), segment(0, b"abc"), fin(3)], b"abc", [], {"retransmitted": 1}),
    "sent again, otherwise": ([syn(), segment(0, b"abc"), segment(0, b"XYZ"), fin(3)], b"abc", [],
                              {"retransmitted": 1, "conflicting": 1}),
    "the end of one is in the next": ([syn(), segment(0, b"abcd"), segment(2, b"cdef"), fin(6)], b"abcdef", [],
                                      {"overlapping": 1}),
    "in disorder": ([syn(), segment(3, b"def"), segment(0, b"abc"), fin(6)], b"abcdef", [], {"out_of_order": 1}),
    "in disorder, held ones differ": (
        [syn(), segment(3, b"def"), segment(2, b"cXYZ"), segment(0, b"ab"), fin(6)], b"abcdef", [],
        {"out_of_order": 2, "overlapping": 1, "conflicting": 1}),
    "over what is held": ([syn(), segment(2, b"c"), segment(4, b"e"), segment(0, b"ABCDEF"), fin(6)], b"ABcDeF", [],
                          {"out_of_order": 2, "overlapping": 1, "conflicting": 1}),
    "the SYN again": ([syn(), syn(), segment(0, b"abc"), fin(3)], b"abc", [], {"retransmitted": 1}),
    "data on the SYN": ([segment(-1, b"abc", b.SYN), segment(3, b"def"), fin(6)], b"abcdef", [], {}),
    "data on the FIN": ([syn(), segment(0, b"abc"), fin(3, b"def")], b"abcdef", [], {}),
    "the FIN comes first": ([syn(), fin(3, b"def"), segment(0, b"abc")], b"abcdef", [], {"out_of_order": 1}),
    "after the FIN": ([syn(), segment(0, b"abc"), fin(3), segment(3, b"XYZ")], b"abc", [], {"after_end": 3}),
    "over the FIN": ([syn(), fin(3), segment(0, b"abcXYZ")], b"abc", [], {"after_end": 3}),
    "held, and then behind the FIN": ([syn(), segment(4, b"XYZ"), fin(3), segment(0, b"abc")], b"abc", [],
                                      {"after_end": 3, "out_of_order": 1}),
    "keep-alives": ([syn(), segment(0, b"abc"), segment(2), segment(2, b"\0"), segment(3, b"def"), fin(6)], b"abcdef",
                    [], {"keep_alives": 2}),
    "a hole": ([syn(), segment(0, b"abc"), segment(8, b"def"), fin(11)], b"abcdef", [(3, 5)], {"out_of_order": 1}),
    "a hole before the FIN": ([syn(), segment(0, b"abc"), fin(7)], b"abc", [(3, 4)], {}),
    "a hole at the start": ([syn(), segment(4, b"abc"), fin(7)], b"abc", [(0, 4)], {"out_of_order": 1}),
    "far outside any window": ([syn(), segment(0, b"abc"), segment(1 << 30 | 4, b"XYZ"), fin(3)], b"abc", [],
                               {"out_of_window": 1}),
    "a bad checksum": ([syn(), segment(0, b"abc"), segment(0, b"XYZ", checksum=1), fin(3)], b"abc", [],
                       {"refused": 1}),
    "a checksum left to the card": ([syn(), segment(0, b"abc", checksum="partial"), fin(3)], b"abc", [], {}),
    "a data offset past the end": ([syn(), segment(0, b"abc", data_offset=15), segment(0, b"abc"), fin(3)], b"abc", [],
                                   {"refused": 1}),
}  # fmt: skip
COUNTS = ("retransmitted", "overlapping", "conflicting", "out_of_order", "out_of_window", "keep_alives", "after_end",
          "refused", "cut")  # fmt: skip


@pytest.mark.parametrize(("frames", "octets", "gaps", "counts"), CASES.values(), ids=CASES)
def test_a_stream_has_each_octet_once_and_in_order_and_says_what_was_odd(frames, octets, gaps, counts, tmp_path):
    delivery = streams(tmp_path, *frames)
    stream = delivery.stream()
    assert stream["data"] == octets
    assert delivery.gaps_of(stream) == gaps
    assert {name: stream[name] for name in COUNTS if stream[name]} == counts
    assert (stream["began"], stream["ended"], stream["packets"]) == ("syn", "fin", len(frames))


segments = st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=20)), max_size=25)


@pytest.mark.slow
@given(segments, st.integers(0, 0xFFFFFFFF), st.integers(0, 90))
def test_of_any_segments_the_first_octet_for_a_position_is_in_the_stream_and_the_rest_is_gaps(
    tmp_path_factory, drawn, isn, length
):
    there = {}
    for start, octets in drawn:
        for position, octet in enumerate(octets, start):
            there.setdefault(position, octet)
    end = max(length, max(there, default=-1) + 1)
    frames = [syn(isn), *(segment(start, octets, isn=isn) for start, octets in drawn), fin(end, isn=isn)]
    delivery = streams(tmp_path_factory.mktemp("demux"), *frames)
    stream = delivery.stream()
    assert stream["data"] == bytes(there[position] for position in sorted(there))
    at, gaps = 0, []
    for known, run in groupby(range(end), there.__contains__):
        size = len(list(run))
        gaps += [] if known else [(at, size)]
        at += size if known else 0
    assert delivery.gaps_of(stream) == gaps


@pytest.mark.slow
@given(st.binary(min_size=1, max_size=300), st.data())
def test_any_order_of_the_pieces_of_a_stream_some_of_them_twice_gives_it_back(tmp_path_factory, octets, data):
    cuts = sorted({0, len(octets), *data.draw(st.lists(st.integers(0, len(octets)), max_size=12))})
    pieces = list(pairwise(cuts))
    wider = [(max(0, start - 3), end + 3) for start, end in pieces]
    order = data.draw(st.permutations(pieces + data.draw(st.lists(st.sampled_from(pieces + wider), max_size=6))))
    frames = [syn(), *(segment(start, octets[start:end]) for start, end in order), fin(len(octets))]
    delivery = streams(tmp_path_factory.mktemp("demux"), *frames)
    assert (delivery.stream()["data"], delivery.gaps, delivery.stream()["conflicting"]) == (octets, [], 0)


def test_bytes_that_a_snap_length_cut_from_what_is_held_do_not_differ_from_any(tmp_path):
    """They are missing in the stream, also where the segment is sent again behind them."""
    frames = [syn(), segment(3, b"defghi"), segment(6, b"GHI"), segment(0, b"abc"), fin(9)]
    captured = records(frames)
    captured[1] = captured[1].cut(len(captured[1].data) - 4)  # "de" is left
    delivery = demuxed(pcap(captured), tmp_path / "out")
    stream = delivery.stream()
    assert (stream["data"], delivery.gaps_of(stream)) == (b"abcde", [(5, 4)])
    assert {name: stream[name] for name in COUNTS if stream[name]} == {"retransmitted": 1, "out_of_order": 1}


def test_both_directions_are_streams_of_one_connection_and_one_may_end_before_the_other(tmp_path):
    back = {"back": True, "isn": 7}
    delivery = streams(
        tmp_path, syn(), segment(-1, flags=b.SYN | b.ACK, **back), segment(0, b"?"), fin(1),
        segment(0, b"answer", **back), segment(6, b", later", **back),
    )  # fmt: skip
    first, second = delivery.streams
    assert (first["data"], first["side"], first["ended"], first["file"]) == (b"?", "a", "fin", "tcp-000001-a.bin")
    assert (second["data"], second["side"], second["ended"]) == (b"answer, later", "b", "open")
    assert first["number"] == second["number"]
    assert (second["src_ip"], second["src_port"], second["dst_ip"], second["dst_port"]) == (SERVER, 80, CLIENT, 40000)


def test_a_stream_that_was_under_way_begins_with_the_first_octets_seen(tmp_path):
    delivery = streams(tmp_path, segment(500), segment(500, b"abc"), segment(503, b"def"))
    stream = delivery.stream()
    assert (stream["data"], stream["began"], stream["ended"], delivery.gaps) == (b"abcdef", "midstream", "open", [])


def test_octets_before_the_first_ones_of_a_stream_under_way_are_outside_of_it(tmp_path):
    delivery = streams(tmp_path, segment(500, b"abc"), segment(498, b"YZab"), segment(490, b"WX"), segment(503, b"def"))
    stream = delivery.stream()
    assert (stream["data"], stream["outside_octets"], stream["out_of_window"]) == (b"abcdef", 4, 1)


def test_a_reset_ends_a_stream(tmp_path):
    delivery = streams(tmp_path, syn(), segment(0, b"abc"), segment(3, b"why", b.RST), segment(3, b"XYZ"))
    stream = delivery.stream()
    assert (stream["data"], stream["ended"], stream["after_end"]) == (b"abc", "rst", 3)


def test_a_reset_from_outside_the_window_does_not(tmp_path):
    delivery = streams(tmp_path, syn(), segment(0, b"abc"), segment(1 << 31, flags=b.RST), segment(3, b"def"))
    assert (delivery.stream()["data"], delivery.stream()["out_of_window"]) == (b"abcdef", 1)


def test_another_initial_sequence_number_is_another_connection(tmp_path):
    one, other, back = 1000, 5_000_000, {"back": True}
    delivery = streams(
        tmp_path,
        syn(one), segment(-1, flags=b.SYN | b.ACK, isn=1, **back), segment(0, b"one", isn=one),
        segment(0, b"1", isn=1, **back),
        syn(other), segment(-1, flags=b.SYN | b.ACK, isn=2, **back), segment(0, b"other", isn=other),
        segment(0, b"2", isn=2, **back),
    )  # fmt: skip
    found = [(stream["number"], stream["side"], stream["data"]) for stream in delivery.streams]
    assert sorted(found) == [(1, "a", b"one"), (1, "b", b"1"), (2, "a", b"other"), (2, "b", b"2")]


def test_a_connection_is_another_one_if_only_the_end_of_the_other_direction_was_seen_before(tmp_path):
    last = fin(0, b"bye", isn=7, back=True)
    delivery = streams(tmp_path, last, syn(5_000_000), segment(0, b"new", isn=5_000_000))
    found = [(stream["number"], stream["data"], stream["ended"]) for stream in delivery.streams]
    assert found == [(1, b"bye", "fin"), (2, b"new", "open")]


def test_a_connection_begins_when_its_syn_is_acknowledged_even_if_the_answer_was_not_captured(tmp_path):
    one, other, back = 1000, 5_000_000, {"back": True}
    delivery = streams(
        tmp_path,
        syn(one), segment(-1, flags=b.SYN | b.ACK, isn=1, ack=one + 1, **back), segment(0, b"one", isn=one, ack=2),
        segment(0, b"1", isn=1, ack=one + 4, **back),
        syn(other), segment(0, b"2", isn=9_000_000, ack=other + 1, **back),
        segment(0, b"other", isn=other, ack=9_000_002),
    )  # fmt: skip
    found = [(stream["number"], stream["side"], stream["data"]) for stream in delivery.streams]
    assert sorted(found) == [(1, "a", b"one"), (1, "b", b"1"), (2, "a", b"other"), (2, "b", b"2")]


def test_what_waits_for_octets_is_delivered_when_its_ports_are_used_anew(tmp_path):
    delivery = streams(tmp_path, syn(1), segment(4, b"late", isn=1), syn(9000), segment(0, b"new", isn=9000))
    old, new = delivery.streams
    assert (old["data"], delivery.gaps_of(old), new["data"]) == (b"late", [(0, 4)], b"new")


def test_octets_that_the_snap_length_cut_are_a_gap(tmp_path):
    whole = records([syn(), segment(0, b"abcdef"), segment(6, b"ghi"), fin(9)])
    delivery = demuxed(pcap([record.cut(57) for record in whole]), tmp_path / "d")
    stream = delivery.stream()
    assert (stream["data"], delivery.gaps_of(stream)) == (b"abcghi", [(3, 3)])


def test_out_of_order_octets_that_the_snap_length_cut_are_one_too(tmp_path):
    whole = records([syn(), segment(6, b"ghijkl"), segment(0, b"abcdef"), fin(12)])
    delivery = demuxed(pcap([record.cut(57) for record in whole]), tmp_path / "d")
    stream = delivery.stream()
    assert (stream["data"], delivery.gaps_of(stream)) == (b"abcghi", [(3, 3), (6, 3)])


def test_a_header_that_the_snap_length_cut_delivers_nothing_and_is_counted(tmp_path):
    whole = records([syn(), segment(0, b"abc")])
    delivery = demuxed(pcap([whole[0], whole[1].cut(44)]), tmp_path / "d")
    assert (delivery.stream()["octets"], delivery.stream()["cut"]) == (0, 1)


def test_keep_bad_delivers_what_a_kernel_would_drop(tmp_path):
    delivery = streams(tmp_path, syn(), segment(0, b"abc", checksum=1), keep_bad=True)
    assert (delivery.stream()["data"], delivery.stream()["refused"]) == (b"abc", 0)


def test_a_segment_in_fragments_is_one_segment(tmp_path):
    octets = bytes(range(64))
    whole = b.tcp(octets, 40000, 80, seq=ISN + 1).over(b.packed(CLIENT), b.packed(SERVER))
    parts = [
        b.ethernet(b.ipv4(part, CLIENT, SERVER, b.TCP, offset=at, more=more)) for at, more, part in b.pieces(whole, 16)
    ]
    delivery = streams(tmp_path, syn(), *reversed(parts), segment(64, b"end"))
    assert delivery.stream()["data"] == octets + b"end"


def test_where_the_input_is_cut_into_pieces_shows_in_nothing(tmp_path):
    frames = [syn(), *(segment(at, bytes([at % 251]) * 7) for at in (7, 0, 21, 14, 28)), fin(35)]
    whole = streams(tmp_path, *frames)
    capture = pcap(records(frames))

    class Slow(io.BytesIO):
        def readinto1(self, buffer):
            return super().readinto(buffer[:3])

    in_pieces = demuxed(Slow(capture), tmp_path / "slow")
    assert in_pieces.streams == whole.streams
