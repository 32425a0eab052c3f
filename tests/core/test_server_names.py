"""The name of a server: what a flow says itself, and the answer that its client was given before it."""

import pytest

import builders as b
import fluxcap
from capture_files import Record, pcap, records
from core_driver import FIVE_TUPLE, key, scan
from fluxcap._core import ANOMALIES
from named_traffic import (
    AAAA,
    ASKED,
    CLIENT,
    CNAME,
    HTTPS,
    NAME,
    PORT,
    RESOLVER,
    SERVER,
    START,
    A,
    address,
    answered,
    extension,
    hello,
    labels,
    name_of,
    names_of,
    over_ip,
    pointer,
    record,
    reply,
    request,
    segment,
    segments,
    server_name,
    syn,
    tls,
)  # fmt: skip

OTHER, NONE = "203.0.113.9", ("", "none")
DNS, SNI, HTTP = (NAME, "dns"), (NAME, "sni"), (NAME, "http")
V6_CLIENT, V6_SERVER = "2001:db8::1", "2001:db8:1::7"
HELLO = tls(hello())
TO_SERVER = segment(b"data")
V6_SEGMENT = segment(b"data", src=V6_CLIENT, dst=V6_SERVER)


def told(payload: bytes) -> tuple[str, str]:
    """What a stream that begins so tells."""
    return name_of(syn(), segment(payload))


# Answers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([answered(SERVER), TO_SERVER], DNS),
        ([TO_SERVER, answered(SERVER)], NONE),
        ([TO_SERVER, answered(SERVER), TO_SERVER], NONE),
        ([answered(OTHER), TO_SERVER], NONE),
        ([answered(OTHER, SERVER), TO_SERVER], DNS),
        ([answered(SERVER, client="192.0.2.2"), TO_SERVER], NONE),
        ([answered(SERVER), segment(b"", src=SERVER, dst=CLIENT, ports=(443, PORT))], DNS),
        ([answered(SERVER, name="old.test"), answered(SERVER), TO_SERVER], DNS),
        ([answered(SERVER, name=f"{NAME}."), TO_SERVER], DNS),
        ([answered(SERVER, name=""), TO_SERVER], NONE),
        ([answered(V6_SERVER, client=V6_CLIENT), V6_SEGMENT], DNS),
    ],
    ids=[
        "before the flow", "after it", "during it", "of another address", "of several", "of another client",
        "the server speaks first", "the newest counts", "with the dot of the root", "the root has no name", "over IPv6",
    ],
)  # fmt: skip
def test_the_answer_that_a_client_was_given_before_a_flow_names_its_server(frames, expected):
    flows = names_of(frames)
    assert flows[0 if frames[0] == TO_SERVER else -1] == expected


def test_an_answer_during_a_flow_names_its_next_row_alone():
    frames = [TO_SERVER, answered(SERVER), TO_SERVER]
    table = fluxcap.read_flows(
        pcap([Record(one, place * 10**9) for place, one in enumerate(frames)]), idle_timeout="1.5s", server_names=True
    )
    assert [name.decode() for name in table.filter(dst_port=443)["server_name"].tolist()] == ["", NAME]


def test_an_address_behind_canonical_names_has_the_name_that_was_asked_for():
    alias, last = labels("alias.example.net"), labels("a.cdn.test")
    message = reply(NAME, [record(ASKED, CNAME, alias), record(alias, CNAME, last), address(SERVER, last)])
    assert name_of(over_ip(b.udp(message, 53, PORT), RESOLVER, CLIENT), TO_SERVER) == DNS


def test_letters_of_either_case_are_one_name_for_a_canonical_name():
    message = reply(NAME, [record(ASKED, CNAME, labels("Alias.Test")), address(SERVER, labels("aLIAS.tEST"))])
    assert name_of(over_ip(b.udp(message, 53, PORT), RESOLVER, CLIENT), TO_SERVER) == DNS


@pytest.mark.parametrize(
    "message",
    [
        reply(NAME, [address(SERVER, labels("bank.test"))]),
        reply(NAME, [address(SERVER, labels(NAME.replace("www", "wwx")))]),
        reply(NAME, [address(SERVER)], flags=0x0100),
        reply(NAME, [address(SERVER)], flags=0x8183),
        reply(NAME, [address(SERVER)], flags=0xA980),
        reply(NAME, [address(SERVER)], questions=0),
        reply(NAME, [record(ASKED, A, b"\xc6\x33\x64", 1)]),
        reply(NAME, [record(ASKED, AAAA, b"\xc6\x33\x64\x07", 1)]),
        reply(NAME, [record(ASKED, A, b"\xc6\x33\x64\x07", 3)]),
        reply(NAME, [address(SERVER)], count=0),
    ],
    ids=[
        "of a name that was not asked for", "of one with another letter", "a question", "no such name", "no query",
        "without a question", "too short an A", "too short an AAAA", "of another class", "not in the answer section",
    ],
)  # fmt: skip
def test_what_is_no_answer_names_nothing(message):
    assert name_of(over_ip(b.udp(message, 53, PORT), RESOLVER, CLIENT), TO_SERVER) == NONE


def test_only_the_port_of_dns_answers():
    assert name_of(answered(SERVER, port=5353), TO_SERVER) == NONE
    assert name_of(answered(SERVER, port=5355), TO_SERVER) == NONE


def test_answers_over_tcp_count_in_any_segments():
    first, second = (reply(name, [address(to)]) for name, to in (("first.test", OTHER), (NAME, SERVER)))
    stream = b"".join(len(one).to_bytes(2, "big") + one for one in (first, second))
    ends = {"src": RESOLVER, "dst": CLIENT, "ports": (53, PORT)}
    for cut in range(1, len(stream) - 1):
        assert name_of(syn(**ends), *segments(stream, cut, **ends), TO_SERVER) == DNS, cut
        assert name_of(*segments(stream, len(first) + 2, **ends), TO_SERVER) == DNS


def test_an_answer_in_fragments_counts_when_it_is_whole():
    message = b.completed(b.udp(reply(NAME, [address(OTHER)] * 20 + [address(SERVER)]), 53, PORT), *(
        b.packed(one) for one in (RESOLVER, CLIENT)
    ))  # fmt: skip
    frames = [
        bytes(b.ethernet(b.ipv4(part, RESOLVER, CLIENT, 17, offset=at, more=more)))
        for at, more, part in b.pieces(message, 104)
    ]
    assert len(frames) > 2
    assert name_of(*frames, TO_SERVER) == DNS
    assert name_of(*reversed(frames), TO_SERVER) == DNS
    assert name_of(*frames[:-1], TO_SERVER) == NONE


# What the client says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (HELLO, SNI),
        (tls(hello(b"")), NONE),
        (tls(hello(None)), NONE),
        (tls(hello(None, before=extension(10, b"\0\2\0\x1d"))), NONE),
        (tls(hello(before=extension(51, bytes(1200)))), SNI),
        (tls(hello(after=extension(51, bytes(1200)))), SNI),
        (tls(hello(None, before=server_name(b"other", 1), after=server_name(NAME.encode()))), NONE),
        (tls(hello(None, before=extension(0, b"\0\x20\0\0\x30www"))), NONE),  # a name longer than its extension
        (tls(hello(None, before=b"\0\x0a\3\xe7", after=server_name(NAME.encode()))), NONE),  # ... than all of them
        (tls(hello(NAME.encode() + b".")), SNI),
        (tls(hello(), 9), SNI),
        (tls(hello(), 1), SNI),
        (HELLO + b"\x17\3\3\0\1x", SNI),
        (b"\x17" + HELLO[1:], NONE),
        (HELLO[:5] + b"\2" + HELLO[6:], NONE),
        (request(), HTTP),
        (request(f"{NAME}:8080"), (f"{NAME}:8080", "http")),
        (request(method="POST", version="HTTP/1.0"), HTTP),
        (request(method="VERSION-CONTROL"), HTTP),
        (request().replace(b"Host: ", b"hOST:\t ").replace(b"\r\n", b"\n"), HTTP),
        (request().replace(b"org\r", b"org \t\r"), HTTP),
        (request(more="X-Host: other\r\n"), HTTP),
        (request(more="A:b\r\n"), HTTP),
        (request("first.test", more=f"Host: {NAME}\r\n"), HTTP),
        (request(""), NONE),
        (request(None), NONE),
        (request(None) + b"Host: other\r\n", NONE),
        (request(version="HTTP/2.0"), NONE),
        (request(method="get"), NONE),
        (f"SSH-2.0-OpenSSH\r\nHost: {NAME}\r\n".encode(), NONE),
        (f"EHLO there\r\nHost: {NAME}\r\n".encode(), NONE),
    ],
)
def test_a_client_names_its_server_in_a_client_hello_or_a_request(payload, expected):
    assert told(payload) == expected
    assert name_of(segment(payload)) == expected  # of a connection that was under way


@pytest.mark.parametrize(("payload", "expected"), [(HELLO, SNI), (tls(hello(), 20), SNI), (request(), HTTP)])
def test_a_message_may_be_cut_anywhere(payload, expected):
    for cut in range(1, len(payload) - 1):
        assert name_of(syn(), *segments(payload, cut)) == expected, cut


@pytest.mark.parametrize("payload", [HELLO, tls(hello(), 20), request()])
def test_a_message_may_be_cut_into_single_bytes(payload):
    frames = segments(payload, *range(1, len(payload)))
    assert name_of(syn(), *frames)[0] == NAME


@pytest.mark.parametrize("payload", [HELLO, request()])
def test_segments_may_come_in_another_order_and_again(payload):
    one, two, three, four = segments(payload, 10, 40, 50)
    orders = [two, one, three, four], [four, three, two, one], [one, three, two, four], [one, four, one, two, three]
    for order in (*orders, [three, one, three, two, two, four]):
        assert name_of(syn(), *order)[0] == NAME, order


@pytest.mark.parametrize("at", [-10, 1 << 17])
def test_a_segment_before_a_message_or_far_behind_it_changes_nothing(at):
    one, two = segments(HELLO, 30)
    assert name_of(one, segment(b"other", at), two) == SNI


def test_what_came_in_another_order_and_is_no_message_names_nothing():
    one, two = segments(f"SSH-2.0-OpenSSH\r\nHost: {NAME}\r\n".encode(), 17)
    assert name_of(syn(), two, one) == NONE


def test_a_sequence_number_may_go_past_its_end():
    one, two = segments(HELLO, 30, start=2**32 - 11)
    assert name_of(syn(start=2**32 - 11), two, one) == SNI


def test_what_the_flow_says_is_better_than_an_answer_and_the_first_word_counts():
    other = answered(SERVER, name="asked.test")
    assert name_of(other, syn(), segment(HELLO)) == SNI
    assert name_of(syn(), segment(HELLO), segment(request("later.test"), len(HELLO))) == SNI
    assert name_of(syn(), segment(request()), segment(tls(hello(b"inside.test")), len(request()))) == HTTP


def test_a_client_says_it_at_any_port_and_over_ipv6():
    assert name_of(segment(HELLO, ports=(PORT, 8883))) == SNI
    assert name_of(segment(request(), src=V6_CLIENT, dst=V6_SERVER, ports=(PORT, 8080))) == HTTP


def test_a_hello_in_a_tunnel_counts_for_the_flow_inside():
    inner = b.ethernet(b.ipv4(b.tcp(HELLO, PORT, 443), CLIENT, SERVER))
    assert name_of(over_ip(b.udp(b.vxlan(inner), 50000, 4789), "10.0.0.1", "10.0.0.2")) == SNI


def test_a_hello_in_fragments_counts_for_its_flow():
    whole = b.completed(b.tcp(HELLO, PORT, 443), b.packed(CLIENT), b.packed(SERVER))
    frames = [
        bytes(b.ethernet(b.ipv4(part, CLIENT, SERVER, 6, offset=at, more=more)))
        for at, more, part in b.pieces(whole, 48)
    ]
    assert names_of(frames) == [SNI]
    assert names_of([*frames[1:], frames[0]]) == [SNI]


def test_a_hello_in_fragments_inside_a_tunnel_counts_and_one_around_it_does_not():
    whole = b.completed(b.tcp(HELLO, PORT, 443), b.packed(CLIENT), b.packed(SERVER))
    inner = [b.ipv4(part, CLIENT, SERVER, 6, offset=at, more=more) for at, more, part in b.pieces(whole, 96)]
    assert names_of([bytes(b.ethernet(b.ipv4(b.gre(one), "10.0.0.1", "10.0.0.2"))) for one in inner]) == [SNI]
    tunnel = b.completed(b.gre(b.ipv4(b.tcp(HELLO, PORT, 443), CLIENT, SERVER)), bytes(4), bytes(4))
    outer = [
        bytes(b.ethernet(b.ipv4(part, "10.0.0.1", "10.0.0.2", 47, offset=at, more=more)))
        for at, more, part in b.pieces(tunnel, 96)
    ]
    assert set(names_of(outer)) == {NONE}


def test_packets_that_wait_for_fragments_keep_what_they_tell():
    late, first = (
        bytes(b.ethernet(b.ipv4(part, "10.0.0.1", "10.0.0.2", 17, offset=at, more=more)))
        for at, more, part in reversed(b.pieces(b.completed(b.udp(bytes(40)), bytes(4), bytes(4)), 24))
    )
    flows = names_of([late, answered(OTHER, name="other.test"), syn(), segment(HELLO),
                      segment(b"x", dst=OTHER), first])  # fmt: skip
    assert flows == [NONE, NONE, SNI, ("other.test", "dns")]


# Names that mean harm -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        (b"a\x1b[31mb", r"a\x1b[31mb"),
        (b"a\r\nb\0c", r"a\x0d\x0ab\x00c"),
        (b"a\\x41", r"a\x5cx41"),
        (b"caf\xc3\xa9", r"caf\xc3\xa9"),
        (b'a"b,c d', r"a\x22b\x2cc\x20d"),
        (b"=cmd|calc", r"\x3dcmd|calc"),
        (b"-1", r"\x2d1"),
        (b"a-b=c", "a-b=c"),
    ],
)
def test_a_name_is_written_in_printable_letters(sent, written):
    assert told(tls(hello(sent))) == (written, "sni")


def test_a_dot_in_a_label_is_no_border():
    message = reply("xx", [address(SERVER)]).replace(b"\2xx", b"\3a.b")
    message = message.replace(pointer(12), b"\3a.b\0")
    assert name_of(over_ip(b.udp(message, 53, PORT), RESOLVER, CLIENT), TO_SERVER) == (r"a\x2eb", "dns")


def anomalies(frames: list[bytes]) -> dict[str, int]:
    """What is counted as not kept."""
    counted = scan(pcap(records(frames)), key=key(*FIVE_TUPLE, server_names=True)).totals()["anomalies"]
    return {name: count for name, count in zip(ANOMALIES, counted, strict=True) if count}


@pytest.mark.parametrize("sent", [b"a" * 256, b"\0" * 64, b"a" * 1000])
def test_a_name_that_is_too_long_is_counted_and_told(sent):
    frames = [syn(), segment(tls(hello(sent)))]
    assert anomalies(frames) == {"names_not_kept": 1}
    with pytest.warns(UserWarning, match="longer than 255 bytes"):
        assert name_of(*frames) == NONE


def test_the_longest_name_is_kept():
    assert told(tls(hello(b"a" * 255))) == ("a" * 255, "sni")


def test_heads_that_never_come_whole_make_room_and_are_counted():
    starts = [segment(HELLO[:50], ports=(port, 443)) for port in range(1000, 1000 + 1024 + 5)]
    rest = [segment(HELLO[50:], 50, ports=(port, 443)) for port in range(1000, 1000 + 1024 + 5)]
    assert anomalies(starts) == {"heads_forgotten": 5}
    with pytest.warns(UserWarning, match="5 messages"):
        assert names_of([*starts, *rest]) == [NONE] * 5 + [SNI] * 1024


def test_the_oldest_answer_makes_room_and_is_counted():
    kept, per_message = 1 << 18, 3000
    addresses = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(kept + 2)]
    frames = [answered(*addresses[at : at + per_message]) for at in range(0, len(addresses), per_message)]
    flows = [segment(b"x", dst=addresses[place]) for place in (1, 2, -1)]
    with pytest.warns(UserWarning, match="2 answers of DNS"):
        assert names_of([*frames, *flows])[-3:] == [NONE, DNS, DNS]


def test_a_hello_that_claims_to_be_longer_than_a_record_is_no_hello():
    huge = b"\1\1\0\0" + hello()[4:]
    assert told(tls(huge)) == NONE


def from_server(payload: bytes, at: int = 0) -> bytes:
    """A segment of the side that answered the SYN."""
    return over_ip(b.tcp(payload, HTTPS, PORT, seq=START + 1 + at), SERVER, CLIENT)


@pytest.mark.parametrize("evil", [tls(hello(b"evil.test")), request("evil.test")])
def test_what_the_server_sends_names_nobody(evil):
    answers = over_ip(b.tcp(b"", HTTPS, PORT, seq=START, flags=b.SYN | b.ACK), SERVER, CLIENT)
    frames = [syn(), answers, from_server(evil), segment(HELLO)]
    assert names_of(frames) == [SNI]
    assert names_of(frames[:-1]) == [NONE]


def test_who_answered_once_and_then_begins_a_connection_names_its_server():
    answers, begins = (
        over_ip(b.tcp(b"", HTTPS, PORT, seq=START, flags=flags), SERVER, CLIENT) for flags in (b.SYN | b.ACK, b.SYN)
    )
    assert names_of([syn(), answers, begins, from_server(HELLO)]) == [SNI]


def test_who_begins_a_connection_has_no_name_of_a_server():
    """The client had looked up the address that connects to it."""
    back = over_ip(b.tcp(b"", 5000, 22, flags=b.SYN), SERVER, CLIENT)
    assert names_of([answered(SERVER), back])[-1] == NONE


def test_empty_lines_before_a_request_are_passed_over():
    assert told(b"\r\n" + request()) == HTTP


def test_many_segments_in_reverse_order_are_one_hello():
    size = len(HELLO) // 12
    parts = segments(HELLO, *range(size, size * 12, size))
    assert names_of([syn(), *reversed(parts)]) == [SNI]


def test_a_message_with_more_gaps_than_are_held_is_counted_once():
    parts = segments(HELLO, *range(2, 100, 2))
    assert anomalies([syn(), *parts[:0:-2], parts[0]]) == {"heads_forgotten": 1}
