"""The life of a socket, from hand-made segments and datagrams.

What each is is RFC 9293's; what a call does to the wire is what Linux does, as recordings in test_session.py show.
"""

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from client_and_server import (
    CLIENT,
    CLIENT_PORT,
    PORT,
    SERVER,
    A,
    F,
    R,
    S,
    client,
    datagram,
    opened,
    segment,
    server,
    unreachable,
)

LAST = (1 << 32) - 1  # sequence number

Calls = list[tuple[str, int]]


def life(packets: list[bytes], socket: str = f"{SERVER}:{PORT}") -> fluxcap.LifeTable:
    return fluxcap.read_life(pcap(records(packets)), socket)


def told(packets: list[bytes], socket: str = f"{SERVER}:{PORT}") -> Calls:
    frame = life(packets, socket).to_pandas()
    return list(zip(frame["call"], frame["octets"], strict=True))


ACCEPTED = [("bind", 0), ("listen", 0), ("accept", 0)]
CONNECTED = [("connect", 0), ("connected", 0)]
# Segments after the handshake, and the calls of both sides.
CASES = {
    "data that follows data is one write": (
        [server(A, 901, 100), server(A, 1001, 50), client(A, 101)],
        [("write", 150)],
        [("read", 150)],
    ),
    "data the other way begins another": (
        [server(A, 901, 1), client(A, 101, 2), server(A, 902, 3)],
        [("write", 1), ("read", 2), ("write", 3)],
        [("read", 1), ("write", 2), ("read", 3)],
    ),
    "what is sent again was written once": (
        [server(A, 901, 100), server(A, 901, 100), server(A, 951, 60)],
        [("write", 110)],
        [("read", 110)],
    ),
    "what comes out of order was written once": (
        [server(A, 1001, 100), server(A, 901, 100), server(A, 1101, 1)],
        [("write", 201)],
        [("read", 201)],
    ),
    "a keep-alive is no write": ([client(A, 101, 5), client(A, 105), client(A, 105, 1)], [("read", 5)], [("write", 5)]),
    "a SYN in the open connection is nothing": (
        [client(A, 101, 5), client(S, 7777), client(A, 106, 5)],
        [("read", 10)],
        [("write", 10)],
    ),
    "a SYN that is answered opens another": (
        [client(A, 101, 5), client(S, 7777), server(S | A, 8888), client(A, 7778)],
        [("read", 5), ("accept", 0)],
        [("write", 5), ("connect", 0), ("connected", 0)],
    ),
    "both close, the server first": (
        [server(F | A, 901), client(F | A, 101)],
        [("close (FIN)", 0)],
        [("end of file", 0), ("close (FIN)", 0)],
    ),
    "a farewell that is sent again is one": (
        [server(F | A, 901), server(F | A, 901), client(F | A, 101), client(F | A, 101)],
        [("close (FIN)", 0)],
        [("end of file", 0), ("close (FIN)", 0)],
    ),
    "the last data with the farewell": (
        [server(F | A, 901, 7), client(F | A, 101)],
        [("write", 7), ("close (FIN)", 0)],
        [("read", 7), ("end of file", 0), ("close (FIN)", 0)],
    ),
    "data after a farewell: it was for writing only": (
        [client(F | A, 101), server(A, 901, 7), server(F | A, 908)],
        [("end of file", 0), ("write", 7), ("close (FIN)", 0)],
        [("shutdown (FIN)", 0), ("read", 7), ("end of file", 0), ("close", 0)],
    ),
    "data after a farewell that is reset: it was for good": (
        [client(F | A, 101), server(A, 901, 7), client(R, 102)],
        [("end of file", 0), ("write", 7), ("connection reset", 0)],
        [("close (FIN)", 0), ("read", 7), ("reset", 0)],
    ),
    "a reset in the midst": ([client(R | A, 101)], [("connection reset", 0)], [("close (RST)", 0)]),
    "several resets are one": ([client(R | A, 101), client(R, 101)], [("connection reset", 0)], [("close (RST)", 0)]),
    "a segment whose checksum is bad is dropped": (
        [server(A, 901, 9, checksum=0x0BAD), server(A, 901, 9)],
        [("bad checksum", 9), ("write", 9)],
        [("bad checksum", 9), ("read", 9)],
    ),
}


@pytest.mark.parametrize(("packets", "servers", "clients"), CASES.values(), ids=CASES)
def test_after_the_handshake(packets, servers, clients):
    assert told([*opened(), *packets]) == [*ACCEPTED, *servers]
    assert told([*opened(), *packets], f"{CLIENT}:{CLIENT_PORT}") == [*CONNECTED, *clients]


def test_sequence_numbers_begin_again_after_the_last():
    packets = [*opened(ours=LAST - 5), client(A, LAST - 4, 10), client(A, 5, 10)]
    assert told(packets) == [*ACCEPTED, ("read", 20)]


FAR = 3 << 29  # bytes


def test_a_sequence_number_far_ahead_is_believed_when_it_is_acknowledged():
    stray = [*opened(), client(A, 101 + FAR, 10), server(A, 901, ack=40), client(A, 101, 7)]
    assert told(stray) == [*ACCEPTED, ("read", 7)]
    lost = [*opened(), client(A, 101 + FAR, 10), client(A, 111 + FAR, 10), server(A, 901, ack=111 + FAR)]
    assert told(lost) == [*ACCEPTED, ("read", FAR + 20)]
    one_way = [client(A, 101, 10), client(A, 111 + FAR, 10)]
    assert told(one_way) == [("read", FAR + 20)]


# Without a complete handshake: calls of the server, calls of the client.
ATTEMPTS = {
    "refused": ([client(S, 1), server(R | A, 0)], [("refuse", 0)], [("connect", 0), ("connection refused", 0)]),
    "not answered": ([client(S, 1), client(S, 1)], [("unanswered", 0)], [("connect", 0), ("unanswered", 0)]),
    "answered, and never acknowledged": ([client(S, 1), server(S | A, 5)], ACCEPTED[:2], CONNECTED),
    "given up": (
        [client(S, 1), server(S | A, 5), client(R, 2)],
        [*ACCEPTED[:2], ("connection reset", 0)],
        [*CONNECTED, ("close (RST)", 0)],
    ),
    "under way before the capture": (
        [server(A, 900, 5), client(A, 100, 6)],
        [("write", 5), ("read", 6)],
        [("read", 5), ("write", 6)],
    ),
    "data with the SYN": (
        [client(S, 1, 8), server(S | A, 5)],
        [("read", 8), *ACCEPTED[:2]],
        [("connect", 0), ("write", 8), ("connected", 0)],
    ),
    "again over the same ports": (
        [*opened(), client(R, 101), *opened(5000, 6000), client(A, 5001, 3)],
        [*ACCEPTED, ("connection reset", 0), ("accept", 0), ("read", 3)],
        [*CONNECTED, ("close (RST)", 0), *CONNECTED, ("write", 3)],
    ),
    "refused twice": (
        [client(S, 1), server(R | A, 0), client(S, 7), server(R | A, 0)],
        [("refuse", 0)] * 2,
        [("connect", 0), ("connection refused", 0)] * 2,
    ),
}


@pytest.mark.parametrize(("packets", "servers", "clients"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_how_a_connection_begins(packets, servers, clients):
    assert told(packets) == servers
    assert told(packets, f"{CLIENT}:{CLIENT_PORT}") == clients


DATAGRAMS = {
    "asked and answered": (
        [datagram(False, 3), datagram(True, 4), datagram(True, 0)],
        [("recvfrom", 3), ("bind", 0), ("sendto", 4)],
        [("sendto", 3), ("recvfrom", 4)],
    ),
    "the port is nobody's": (
        [datagram(False, 3), unreachable(datagram(False, 3))],
        [("refuse", 3)],
        [("sendto", 3), ("port unreachable", 0)],
    ),
    "still nobody's": (
        [datagram(False, 3), unreachable(datagram(False, 3)), datagram(False, 4), unreachable(datagram(False, 4))],
        [("refuse", 7)],
        [("sendto", 3), ("port unreachable", 0), ("sendto", 4), ("port unreachable", 0)],
    ),
    "nobody's any more": (
        [datagram(False, 3), datagram(False, 4), unreachable(datagram(False, 4))],
        [("recvfrom", 3), ("refuse", 4)],
        [("sendto", 7), ("port unreachable", 0)],
    ),
    "the answer comes too late": (
        [datagram(False, 3), datagram(True, 4), unreachable(datagram(True, 4), SERVER)],
        [("recvfrom", 3), ("bind", 0), ("sendto", 4), ("port unreachable", 0)],
        [("sendto", 3), ("refuse", 4)],
    ),
    "a bad checksum": (
        [datagram(False, 3, checksum=0x0BAD), datagram(False, 3)],
        [("bad checksum", 3), ("recvfrom", 3)],
        [("bad checksum", 3), ("sendto", 3)],
    ),
}


@pytest.mark.parametrize(("packets", "servers", "clients"), DATAGRAMS.values(), ids=DATAGRAMS)
def test_datagrams(packets, servers, clients):
    assert told(packets) == servers
    assert told(packets, f"{CLIENT}:{CLIENT_PORT}") == clients


def test_a_socket_that_refuses_itself_on_one_host_is_told_apart():
    """On the loopback interface both addresses are one: the error is about the last datagram."""
    one = b.ipv4(b.udp(b"abc", CLIENT_PORT, PORT), SERVER, SERVER)
    packets = [b.ethernet(one), unreachable(b.ethernet(one), SERVER)]
    assert told(packets) == [("refuse", 3)]
    assert told(packets, f"{SERVER}:{CLIENT_PORT}") == [("sendto", 3), ("port unreachable", 0)]


def test_a_connection_refused_by_icmp():
    packets = [client(S, 1), unreachable(client(S, 1))]
    assert told(packets) == [("refuse", 0)]
    assert told(packets, f"{CLIENT}:{CLIENT_PORT}") == [("connect", 0), ("connection refused", 0)]


def test_an_established_connection_does_not_believe_icmp():
    packets = [*opened(), unreachable(client(A, 101)), client(A, 101, 5)]
    assert told(packets) == [*ACCEPTED, ("read", 5)]


def test_each_call_names_the_record_that_shows_it_and_those_it_took():
    table = life([*opened(), client(A, 101, 5), client(A, 106, 5), server(F | A, 901)])
    assert table["packet"].tolist() == [2, 2, 3, 4, 6]
    assert table["records"].tolist() == [1, 1, 1, 2, 1]
    assert (table["time"] % 1_000_000_000 // 1_000_000).tolist() == [1, 1, 2, 3, 5]
    seen = table.to_pandas().set_index("call")["evidence"].to_dict()
    assert seen == {**dict.fromkeys(("bind", "listen", "accept", "read"), "inferred"), "close (FIN)": "seen"}


def test_unanswered_stands_where_the_last_attempt_was():
    table = life([client(S, 1), *[segment("192.0.2.9", SERVER, 9, PORT, S, 1, 0)] * 2, client(S, 1), *opened()[1:]])
    frame = table.to_pandas()
    assert frame["call"].tolist() == ["unanswered", "bind", "listen", "accept"]
    assert (frame["packet"][0], frame["records"][0], frame["peer_address"][0]) == (3, 2, "192.0.2.9")


def test_protocols_peers_and_files_are_kept_apart():
    two = [pcap(records([*opened(), datagram(False, 2)])), pcap(records([client(A, 101, 5)]))]
    frame = fluxcap.read_life(two, f"{SERVER}:{PORT}").to_pandas()
    assert frame["protocol"].tolist() == [6, 6, 6, 17, 6]
    assert frame["file"].tolist() == [0, 0, 0, 0, 1]
    assert frame["peer_port"].tolist() == [0, 0, *[CLIENT_PORT] * 3]


def test_bad_checksums_can_be_ignored():
    capture = pcap(records([*opened(), client(A, 101, 5, checksum=0x0BAD)]))
    calls = fluxcap.read_life(capture, f"{SERVER}:{PORT}", ignore_checksums=True).to_pandas()["call"].tolist()
    assert calls == ["bind", "listen", "accept", "read"]


def test_ipv6_in_brackets():
    packet = b.ethernet(b.ipv6(b.udp(b"abc", 5, 6), "2001:db8::1", "2001:db8::2"))
    assert told([packet], "[2001:db8::2]:6") == [("recvfrom", 3)]
    assert told([packet], "[2001:DB8:0::1]:5") == [("sendto", 3)]


@pytest.mark.parametrize(
    "socket", ["", "80", ":80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "a:80"]
)
def test_what_is_no_socket_is_refused(socket):
    with pytest.raises(ValueError, match=r"write ADDRESS:PORT"):
        life([], socket)


def test_a_socket_that_took_no_part_has_no_life():
    assert told(opened(), "192.0.2.2:81") == []


def test_what_came_before_damage_is_there():
    cut = pcap(records([*opened(), client(A, 101, 5)]))[:-1]
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        assert len(fluxcap.read_life(cut, f"{SERVER}:{PORT}")) == 3
    with pytest.raises(fluxcap.TruncatedError) as caught:
        fluxcap.read_life(cut, f"{SERVER}:{PORT}", on_damage="raise")
    assert len(caught.value.partial) == 3
