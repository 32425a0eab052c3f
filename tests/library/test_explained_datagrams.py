"""The sum of a datagram in fragments, explained on the record that completes it: word by word, from which fragment."""

import warnings
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import capture_files as files
import fluxcap
from core_driver import rows
from fluxcap.explaining.lines import sum_lines
from fluxcap.explaining.parts import Checksum
from plain_checksums import ones_sum
from real_captures import CORPUS, index, needs_corpus

DATA = bytes(range(256)) * 8  # 2,048 bytes
SUMMED = ("good", "bad", "partial")
FIELD_AT = {1: 2, 6: 16, 17: 6}


def v4(layer, size: int = 512, protocol: int = 17, **options) -> list[bytes]:
    """A message in IPv4 fragments of `size` bytes."""
    message = bytes(b.ipv4(layer))[20:]
    return [
        b.ethernet(b.ipv4(part, protocol=protocol, offset=offset, more=more, identification=7, **options))
        for offset, more, part in b.pieces(message, size)
    ]


def v6(layer, size: int = 512, protocol: int = 17) -> list[bytes]:
    message = bytes(b.ipv6(layer))[40:]
    return [
        b.ethernet(b.ipv6(b.fragment(part, offset, more, 7, next_header=protocol)))
        for offset, more, part in b.pieces(message, size)
    ]


def last(packets: list[bytes]) -> Checksum:
    """The transport checksum of the record that comes last."""
    return fluxcap.explain(files.pcap(files.records(packets)), packet=len(packets)).checksums[-1]


def adds_up(found: Checksum) -> bool:
    """Whether the words give the sum (RFC 1071), and the sum the verdict and the right value."""
    total = ones_sum(b"".join(word.value.to_bytes(2) for word in found.words))
    assert found.expected is not None
    right = (total + found.expected) % 0xFFFF == 0 and found.words[-1].sum == total
    return right and ((total + found.held) % 0xFFFF == 0) == (found.verdict == "good")


@given(st.binary(min_size=40, max_size=3000), st.integers(1, 5), st.randoms(), st.sampled_from([v4, v6]))
def test_the_words_of_any_datagram_in_any_pieces_in_any_order_are_its_bytes(data, units, random, fragmented):
    message = b.udp(data)
    size = 8 * max(units, len(data) // 800 + 1)
    packets = fragmented(message, size)
    places = list(range(len(packets)))
    random.shuffle(places)
    found = last([packets[place] for place in places])
    whole = bytes(b.ipv4(message))[20:] if fragmented is v4 else bytes(b.ipv6(message))[40:]
    summed = whole[:6] + bytes(2) + whole[8:] + bytes(len(whole) % 2)
    words = [word for word in found.words if word.packet is not None]
    assert b"".join(word.value.to_bytes(2) for word in words) == summed
    assert [word.offset for word in words] == list(range(0, len(summed), 2))
    assert [word.packet for word in words] == [places.index(2 * at // size) + 1 for at in range(len(words))]
    assert (found.verdict, adds_up(found)) == ("good", True)


@pytest.mark.parametrize(
    ("layer", "protocol", "verdict", "size"),
    [
        (b.udp(DATA, checksum="partial"), 17, "partial", 512),
        (b.udp(DATA, checksum=0x1234), 17, "bad", 512),
        (b.udp(DATA, length=1000, checksum=None), 17, "good", 512),  # RFC 9868: a surplus is not summed
        (b.tcp(DATA), 6, "good", 512),
        (b.tcp(b"data"), 6, "good", 8),  # RFC 1858 section 4: the field lies in the third fragment
        (b.icmp(DATA, 8), 1, "good", 512),
        (b.icmp(DATA, 8, checksum=1), 1, "bad", 512),
    ],
)
def test_the_sum_of_a_datagram_gives_its_verdict(layer, protocol, verdict, size):
    packets = v4(layer, size, protocol)
    found = last(packets)
    assert (found.verdict, adds_up(found)) == (verdict, True)
    at = 20 + FIELD_AT[protocol]
    assert found.held == int.from_bytes(bytes(b.ipv4(layer))[at : at + 2])
    assert rows(files.pcap(files.records(packets)))[-1]["verdict"] == verdict


@pytest.mark.parametrize(
    ("layer", "verdict"), [(b.udp(DATA, checksum=0), "absent"), (b.udp(DATA, length=9000), "bad_length")]
)
def test_a_datagram_whose_verdict_needs_no_sum_has_no_words(layer, verdict):
    found = last(v4(layer))
    assert (found.verdict, found.words, found.fragments, found.expected) == (verdict, (), (), None)


def test_a_fragment_with_a_bad_header_counts_as_it_does_for_the_verdict():
    first, *others = v4(b.udp(DATA))
    damaged = first[:24] + bytes((first[24] ^ 1,)) + first[25:]
    found = last([damaged, *others])
    assert (found.verdict, adds_up(found), len(found.fragments)) == ("good", True, 5)


def test_a_copy_of_a_fragment_is_not_among_those_that_the_words_come_from():
    first, second, *others = v4(b.udp(DATA))
    found = last([first, first, second, second, *others])
    assert [fragment.packet for fragment in found.fragments] == [1, 3, 5, 6, 7]
    assert adds_up(found)


def test_a_fragment_with_a_tunnel_in_it_is_one_of_the_datagram_around():
    # The row of the first record is that of the packet in the tunnel.
    inside = b.ethernet(b.ipv4(b.udp(DATA), "10.0.0.1", "10.0.0.2"))
    found = last(v4(b.udp(b.vxlan(inside), 40000, b.VXLAN_PORT), 1024))
    pieces = [(one.packet, one.offset, one.length) for one in found.fragments]
    assert pieces == [(1, 0, 1024), (2, 1024, 1024), (3, 2048, 58)]
    assert (found.verdict, adds_up(found)) == ("good", True)


def test_fragments_in_two_files_are_named_by_file():
    packets = v4(b.udp(DATA), 1024)
    sources = [files.pcap(files.records(some)) for some in (packets[:2], packets[2:])]
    found = fluxcap.explain(sources, packet=1, file=1).checksums[-1]
    assert [(one.packet, one.file) for one in found.fragments] == [(1, 0), (2, 0), (1, 1)]
    texts = [line.text for line in sum_lines(found, 8) if line.text.startswith("packet")]
    assert texts == [
        "packet 1 of file 0: bytes 0 to 1,023 of the datagram",
        "packet 2 of file 0: bytes 1,024 to 2,047 of the datagram",
        "packet 1 of file 1: bytes 2,048 to 2,055 of the datagram",
    ]  # fmt: skip


def texts_of(found: Checksum, shown: int) -> list[str]:
    return [line.text for line in sum_lines(found, shown) if line.word is None]


def test_the_words_that_are_not_shown_are_counted_in_each_fragment():
    found = last(v4(b.udp(b"\x01" * 1391), 800))
    assert texts_of(found, 8) == [
        "packet 1: bytes 0 to 799 of the datagram", "… 388 more words of data, up to 0x7c22",
        "packet 2: bytes 800 to 1,398 of the datagram", "… 300 words of data, up to 0xa94e",
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "fragments"), [(1480, 45), (16, 4094)])
def test_of_a_long_datagram_the_first_fragments_and_the_last_one_are_shown(size, fragments):
    found = last(v4(b.udp(b"\xff\xfe" * 32745), size))
    lines = list(sum_lines(found, 8))
    assert (len(found.fragments), len(lines) < 50) == (fragments, True)
    more = fragments - 6
    folded = next(text for text in texts_of(found, 8) if "more fragments" in text)
    assert folded.startswith(f"… {more:,} more fragments, ")
    assert texts_of(found, 8)[-2].startswith(f"packet {fragments:,}: bytes ")
    assert sum(line.word is not None for line in sum_lines(found, 0)) == len(found.words) == 6 + 65498 // 2


def test_the_lines_of_a_sum_leave_no_word_unnamed():
    found = last(v4(b.udp(DATA), 104))
    shown = list(sum_lines(found, 8))
    texts = [text for text in texts_of(found, 8) if text.startswith("…")]
    counted = sum(int(text.split()[4 if "fragments" in text else 1]) for text in texts)
    assert counted + sum(line.word is not None for line in shown) == len(found.words)


def reason(packets: list[bytes]) -> str:
    return last(packets).sentence


def test_a_datagram_that_is_never_judged_says_why():
    overlapping = [*v4(b.udp(DATA))[:2], b.ethernet(b.ipv4(DATA[:1600], protocol=17, offset=512, identification=7))]
    assert reason(overlapping).endswith("never judged: its fragments overlap.")
    assert reason(v4(b.sctp(b.sctp_data(DATA)), protocol=132)).endswith(
        "never judged: a CRC32c does not add up from fragments."
    )
    assert reason(v4(b.udp(DATA))[:-1]).endswith("fragment 4 of 4, never judged: it is not complete.")


@pytest.mark.slow
@needs_corpus
def test_the_sums_of_the_datagrams_of_every_capture_give_the_verdicts_of_their_rows():
    from fluxcap.capture.magic import is_capture

    wrong, compared = [], 0
    for row in index():
        path = CORPUS / row["path"]
        with path.open("rb") as octets:
            if not is_capture(octets.read(16)):
                continue
        for one in rows(path.read_bytes(), columns=("packet", "verdict", "expected", "checksum", "_datagram")):
            if one["_datagram"] == 0 or one["verdict"] == "fragment":
                continue
            compared += 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = fluxcap.explain(path, packet=one["packet"]).checksums[-1]
            same = found.verdict == one["verdict"] and one["checksum"] in (found.held, 0)
            if one["verdict"] in SUMMED:
                same &= adds_up(found) and one["expected"] in (found.expected, 0) and bool(found.fragments)
                pairs = pairwise(found.fragments)
                same &= all(before.offset + before.length == after.offset for before, after in pairs)
            if not same:
                wrong.append((row["path"], one["packet"]))
    assert wrong == []
    assert compared > 200
