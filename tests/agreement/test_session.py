"""Tables of a recording show what the programs of samples/programs.py did while it was made.

The tests write each scenario down a second time, as the calls of its sockets.
"""

import pytest

import fluxcap
import programs
import recorded
from recorded_hosts import TCP, UDP, Calls, Session, calls
from recordings import recording

pytestmark = pytest.mark.recorded

CLIENTS, UNIT = 50, 10
OPENED = [("bind", 0), ("listen", 0)]


def asked(size: int) -> tuple[Calls, Calls]:
    """The calls of both ends of a connection over which a client asked for bytes: see ask() and answer_requests()."""
    line = len(b"%d\n" % size)
    client = [("connect", 0), ("connected", 0), ("write", line), ("read", size)]
    return client, [("accept", 0), ("read", line), ("write", size)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return recording("session.pcap", tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="module", params=["IPv4", "IPv6"])
def session(request, path) -> Session:
    family = request.param == "IPv6"
    client, server = (addresses[family] for addresses in recorded.ADDRESSES)
    return Session(path, fluxcap.read_sockets(path).to_pandas().to_dict("records"), client, server)


def test_fifty_clients_of_a_listener_each_asked_and_were_answered(session):
    listener = session.socket(TCP, session.server, programs.REQUEST_PORT)
    sizes = [UNIT * place for place in range(1, CLIENTS + 1)]
    clients = session.clients_of(programs.REQUEST_PORT)[:CLIENTS]
    assert (listener["role"], listener["role_basis"]) == ("listener", "syn")
    # One more for the scenario `reset`.
    assert listener["peers"] == listener["connections"] == listener["accepted"] == CLIENTS + 1
    assert (listener["refused"], listener["unanswered"], listener["open"], listener["rst"]) == (0, 0, 0, 0)
    assert listener["fin"] == CLIENTS
    assert listener["sent_payload_bytes"] == sum(sizes) + 5
    for size, client in zip(sizes, clients, strict=True):
        ours, theirs = asked(size)
        # ExitStack closes the last connection first; the order of calls within a connection is always the same.
        assert session.both_lives(programs.REQUEST_PORT, client) == (
            [*ours, ("close (FIN)", 0)],
            [*theirs, ("end of file", 0), ("close (FIN)", 0)],
        )
        row = session.socket(TCP, *client)
        assert (row["role"], row["connections"], row["accepted"], row["fin"]) == ("connector", 1, 1, 1)
        assert (row["sent_payload_bytes"], row["received_payload_bytes"]) == (ours[2][1], size)


def test_a_listener_is_opened_once(session):
    events = session.life(session.server, programs.REQUEST_PORT)
    assert calls(events)[:2] == OPENED
    assert calls(events[2:]).count(("bind", 0)) == 0
    inferred = {event["call"] for event in events if event["evidence"] == "inferred"}
    assert inferred == {"bind", "listen", "accept", "read"}
    assert {"write", "end of file", "close (FIN)"} < {event["call"] for event in events} - inferred


def test_a_reset_is_no_farewell(session):
    (*_, client) = session.clients_of(programs.REQUEST_PORT)
    ours, theirs = asked(5)
    assert session.both_lives(programs.REQUEST_PORT, client) == (
        [*ours, ("close (RST)", 0)],
        [*theirs, ("connection reset", 0)],
    )
    row = session.socket(TCP, *client)
    assert (row["rst"], row["fin"], row["open"], row["accepted"]) == (1, 0, 0, 1)


def test_a_half_closed_connection_brings_the_answer(session):
    (client,) = session.clients_of(programs.COUNT_PORT)
    assert session.both_lives(programs.COUNT_PORT, client) == (
        [
            *(("connect", 0), ("connected", 0), ("write", 1000), ("shutdown (FIN)", 0)),
            *(("read", 2000), ("end of file", 0), ("close", 0)),
        ],
        [("accept", 0), ("read", 1000), ("end of file", 0), ("write", 2000), ("close (FIN)", 0)],
    )
    row = session.socket(TCP, session.server, programs.COUNT_PORT)
    assert (row["role"], row["fin"], row["rst"], row["open"]) == ("listener", 1, 0, 0)


def test_refused_ports_are_nobodys(session):
    row = session.socket(TCP, session.server, programs.CLOSED_PORT)
    assert (row["role"], row["connections"], row["refused"], row["accepted"], row["rst"]) == ("none", 1, 1, 0, 1)
    clients = dict(zip(("TCP", "UDP"), session.clients_of(programs.CLOSED_PORT), strict=True))
    assert session.both_lives(programs.CLOSED_PORT, clients["TCP"]) == (
        [("connect", 0), ("connection refused", 0)],
        [("refuse", 0)],
    )
    assert session.both_lives(programs.CLOSED_PORT, clients["UDP"]) == (
        [("sendto", 8), ("port unreachable", 0)],
        [("refuse", 8)],
    )
    row = session.socket(UDP, session.server, programs.CLOSED_PORT)
    assert (row["role"], row["refused"], row["unreachable"], row["received_packets"]) == ("datagram", 1, 1, 1)
    assert session.socket(UDP, *clients["UDP"])["unreachable"] == 0


def test_a_full_backlog_leaves_the_next_connection_unanswered(session):
    *waiting, left_out = session.clients_of(programs.NEGLECTED_PORT)
    assert len(waiting) == programs.BACKLOG + 1
    row = session.socket(TCP, session.server, programs.NEGLECTED_PORT)
    assert (row["role"], row["connections"], row["accepted"], row["unanswered"]) == ("listener", 3, 2, 1)
    assert (row["refused"], row["fin"], row["rst"], row["open"]) == (0, 0, 0, 2)
    for client in waiting:  # the kernel shakes hands for a program that never calls accept()
        assert session.both_lives(programs.NEGLECTED_PORT, client) == (
            [("connect", 0), ("connected", 0), ("close (FIN)", 0)],
            [("accept", 0), ("end of file", 0)],
        )
    assert session.both_lives(programs.NEGLECTED_PORT, left_out) == (
        [("connect", 0), ("unanswered", 0)],
        [("unanswered", 0)],
    )
    connect, unanswered = session.life(*left_out)
    assert connect["records"] == unanswered["records"] == 2  # SYNs
    row = session.socket(TCP, *left_out)
    assert (row["role"], row["unanswered"], row["accepted"], row["received_packets"]) == ("connector", 1, 0, 0)


def test_datagrams_are_echoed(session):
    sizes = (0, 1, 17, 64, 1400)
    (client,) = session.clients_of(programs.ECHO_PORT)
    ours, theirs = session.both_lives(programs.ECHO_PORT, client)
    assert ours == [call for size in sizes for call in (("sendto", size), ("recvfrom", size))]
    assert theirs == [call for size in sizes for call in (("recvfrom", size), ("sendto", size))]
    assert ("bind", 0) in calls(session.life(session.server, programs.ECHO_PORT))
    for socket in (client, (session.server, programs.ECHO_PORT)):
        row = session.socket(UDP, *socket)
        assert (row["role"], row["connections"], row["accepted"], row["unanswered"]) == ("datagram", 1, 0, 0)
        assert row["sent_packets"] == row["received_packets"] == len(sizes)
        assert row["sent_payload_bytes"] == row["received_payload_bytes"] == sum(sizes)


def test_connections_say_the_same(session):
    frame = fluxcap.read_connections(session.path).to_pandas()
    ours = frame[(frame["src_ip"] == session.client) & (frame["protocol"] == TCP)]
    assert set(ours["direction_basis"]) == {"syn"}
    counted = ours.groupby(["dst_port", "state"], observed=True).size().to_dict()
    assert counted == {
        (programs.REQUEST_PORT, "SF"): CLIENTS,
        (programs.REQUEST_PORT, "RSTO"): 1,
        (programs.COUNT_PORT, "SF"): 1,
        (programs.CLOSED_PORT, "REJ"): 1,
        (programs.NEGLECTED_PORT, "S2"): programs.BACKLOG + 1,
        (programs.NEGLECTED_PORT, "S0"): 1,
    }
    by_state = ours.set_index(["dst_port", "state"])
    (left_out,) = by_state.loc[[(programs.NEGLECTED_PORT, "S0")]].to_dict("records")
    assert (left_out["history"], left_out["packets"], left_out["retransmitted"]) == ("S", 2, 1)
    # A half close shows in the letters: the originator's FIN comes before the responder's data.
    (half,) = by_state.loc[[(programs.COUNT_PORT, "SF")]].to_dict("records")
    assert half["history"].index("F") < half["history"].index("d") < half["history"].index("f")
    assert (half["payload_bytes"], half["reverse_payload_bytes"]) == (1000, 2000)
    udp = frame[(frame["src_ip"] == session.client) & (frame["protocol"] == UDP)].set_index("dst_port")
    assert udp["state"].to_dict() == {programs.CLOSED_PORT: "S0", programs.ECHO_PORT: "SF"}
    assert udp["unreachable"].to_dict() == {programs.CLOSED_PORT: 1, programs.ECHO_PORT: 0}


def test_nobody_else_took_part(session):
    ours = [row for row in session.sockets if row["address"] in (session.client, session.server)]
    clients = CLIENTS + len(("half_close", "reset")) + len(("TCP refused", "UDP refused")) + 3 + len(("echo",))
    servers = len(("request", "count", "neglected", "TCP closed", "UDP closed", "echo"))
    assert len(ours) == clients + servers
    assert len(session.sockets) == 2 * len(ours)
