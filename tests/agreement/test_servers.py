"""Tables of a recording of nginx and curl, iperf3 and dig show what samples/servers.py had them do."""

import pytest

import fluxcap
import recorded
import servers
from recorded_hosts import TCP, UDP, Session
from recordings import recording

pytestmark = pytest.mark.recorded


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return recording("servers.pcap", tmp_path_factory.mktemp("servers"), "nginx", "curl", "iperf3", "dig")


@pytest.fixture(scope="module", params=["IPv4", "IPv6"])
def session(request, path) -> Session:
    family = request.param == "IPv6"
    client, server = (addresses[family] for addresses in recorded.ADDRESSES)
    return Session(path, fluxcap.read_sockets(path).to_pandas().to_dict("records"), client, server)


def test_curl_fetches_two_pages_of_nginx_over_one_connection(session):
    listener = session.socket(TCP, session.server, servers.WEB_PORT)
    assert (listener["role"], listener["connections"], listener["accepted"], listener["open"]) == ("listener", 1, 1, 0)
    (client,) = session.clients_of(servers.WEB_PORT)
    ours, theirs = session.both_lives(servers.WEB_PORT, client)
    assert [call for call, _ in ours] == ["connect", "connected", "write", "read", "write", "read", "close (FIN)"]
    assert [call for call, _ in theirs] == ["accept", "read", "write", "read", "write", "end of file", "close (FIN)"]
    fetched = [octets for call, octets in ours if call == "read"]
    for octets, size in zip(fetched, servers.PAGES.values(), strict=True):
        assert 0 < octets - size < 400  # the answer's header
    assert sum(fetched) == listener["sent_payload_bytes"]


def test_iperf3_measures_over_a_connection_beside_the_one_it_talks_over(session):
    listener = session.socket(TCP, session.server, servers.MEASURED_PORT)
    assert (listener["role"], listener["connections"], listener["accepted"], listener["open"]) == ("listener", 2, 2, 0)
    talking, measured = session.clients_of(servers.MEASURED_PORT)
    ours, theirs = session.both_lives(servers.MEASURED_PORT, measured)
    sent = servers.COOKIE + servers.MEASURED
    assert ours[:2] == [("connect", 0), ("connected", 0)]
    assert sum(octets for call, octets in ours if call == "write") == sent
    assert sum(octets for call, octets in theirs if call == "read") == sent
    assert session.socket(TCP, *measured)["sent_payload_bytes"] == sent
    assert {call for call, _ in session.both_lives(servers.MEASURED_PORT, talking)[0]} >= {"write", "read"}


def test_dig_asks_where_nobody_answers(session):
    (client,) = session.clients_of(servers.NAME_PORT)
    ours, theirs = session.both_lives(servers.NAME_PORT, client)
    assert ours == [("sendto", session.socket(UDP, *client)["sent_payload_bytes"]), ("port unreachable", 0)]
    assert theirs == [("refuse", ours[0][1])]
    asked = session.socket(UDP, session.server, servers.NAME_PORT)
    assert (asked["refused"], asked["unreachable"], asked["sent_packets"]) == (1, 1, 0)
