"""A limit on the memory of sockets and streams: those that fit are complete, packets for further ones are counted."""

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from command_line import fluxcap as run
from delivered_directory import demuxed

BOUND = "1M"
STOPPED = "stopped at max_memory"
SOCKETS = 4_000
CLIENT, SERVER = "192.0.2.1", "192.0.2.2"
# Two messages to each socket: all first ones, then all second ones.
MESSAGES = [b.ethernet(b.ipv4(b.udp(b"%06d" % at, 9, 1 + at % SOCKETS), CLIENT, SERVER)) for at in range(2 * SOCKETS)]


def segment(port, seq, flags, data=b"", ack=0, back=False):
    ends = (80, port) if back else (port, 80)
    hosts = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    return b.ethernet(b.ipv4(b.tcp(data, *ends, seq=seq, ack=ack, flags=flags), *hosts))


def connection(port, isn, data, answer=500):
    """A client that says something, is answered with the same, and resets."""
    return [
        segment(port, isn, b.SYN),
        segment(port, answer, b.SYN | b.ACK, ack=isn + 1, back=True),
        segment(port, isn + 1, b.ACK, data, ack=answer + 1),
        segment(port, answer + 1, b.ACK, data, ack=isn + 1 + len(data), back=True),
        segment(port, isn + 1 + len(data), b.RST | b.ACK, ack=answer + 1 + len(data)),
    ]


def test_sockets_that_fit_get_all_their_messages_and_further_ones_none(tmp_path):
    with pytest.warns(UserWarning, match=STOPPED):
        done = fluxcap.demux(pcap(records(MESSAGES)), tmp_path / "out", max_memory=BOUND)
    with pytest.warns(UserWarning, match=STOPPED):
        delivery = demuxed(pcap(records(MESSAGES)), tmp_path / "again", max_memory=BOUND)
    n = done.sockets
    assert 1000 < n < SOCKETS
    assert [socket["data"] for socket in delivery.sockets] == [b"%06d%06d" % (at, at + SOCKETS) for at in range(n)]
    assert (done.left_out, done.left_out_octets) == (2 * (SOCKETS - n), 12 * (SOCKETS - n))
    assert (done.metadata["limit"], done.metadata["packets"]) == ("max_memory", 2 * SOCKETS)
    said = {name: delivery.capture[name] for name in ("limit", "left_out", "left_out_octets")}
    assert said == {"limit": "max_memory", "left_out": done.left_out, "left_out_octets": done.left_out_octets}


def test_a_bound_that_is_not_reached_changes_nothing(tmp_path):
    frames = [frame for port in range(1, 300) for frame in connection(port, 7, b"x%d" % port)]
    bounded, free = (demuxed(pcap(records(frames)), tmp_path / f"{at}", max_memory=at) for at in ("1G", None))
    assert bounded == free
    assert (free.capture["left_out"], free.capture["limit"]) == (0, "")


def test_connections_that_fit_are_whole_streams(tmp_path):
    ports = range(1, 3000)
    frames = [frame for port in ports for frame in connection(port, 7, b"%06d" % port)]
    with pytest.warns(UserWarning, match=STOPPED):
        delivery = demuxed(pcap(records(frames)), tmp_path / "out", max_memory=BOUND)
    streams = delivery.streams
    assert [stream["data"] for stream in streams] == [b"%06d" % (1 + at // 2) for at in range(len(streams))]
    assert sum(stream["octets"] for stream in streams) + delivery.capture["left_out_octets"] == 12 * len(ports)
    assert sum(stream["packets"] for stream in streams) + delivery.capture["left_out"] == 5 * len(ports)


def test_a_connection_in_the_place_of_another_one_is_left_out_whole(tmp_path):
    """The first connections fill the table. Then the same ports are used again, for which there is no room either."""
    first = [frame for port in range(1, 3000) for frame in connection(port, 7, b"first")]
    with pytest.warns(UserWarning, match=STOPPED):
        before = demuxed(pcap(records(first)), tmp_path / "before", max_memory=BOUND)
    again = [frame for port in range(1, 3000) for frame in connection(port, 70_000_000, b"second")]
    with pytest.warns(UserWarning, match=STOPPED):
        after = demuxed(pcap(records(first + again)), tmp_path / "after", max_memory=BOUND)
    assert after.streams == before.streams
    assert after.capture["left_out"] == before.capture["left_out"] + len(again)
    assert after.capture["left_out_octets"] == before.capture["left_out_octets"] + 2 * len(b"second") * 2999


def test_a_connection_that_an_acknowledgment_tells_is_left_out_whole(tmp_path):
    """Its SYN comes into a connection that is open, so that it may be a stray one."""
    n = 3000
    opened = [frame for port in range(1, n) for frame in connection(port, 7, b"first")[:4]]
    again = [frame for port in range(1, n) for frame in connection(port, 70_000_000, b"second", 90_000_000)[:4]]
    with pytest.warns(UserWarning, match=STOPPED):
        before = demuxed(pcap(records(opened)), tmp_path / "before", max_memory=BOUND)
    with pytest.warns(UserWarning, match=STOPPED):
        after = demuxed(pcap(records(opened + again)), tmp_path / "after", max_memory=BOUND)
    assert [stream["data"] for stream in after.streams] == [stream["data"] for stream in before.streams]
    assert sum(stream["packets"] for stream in after.streams) + after.capture["left_out"] == 8 * (n - 1)
    assert sum(stream["octets"] for stream in after.streams) + after.capture["left_out_octets"] == 22 * (n - 1)


def test_one_port_that_is_used_again_and_again_stays_within_the_bound(tmp_path):
    times = 3000
    frames = [frame for at in range(times) for frame in connection(9, 1 + at * 1_000_000, b"%06d" % at)]
    with pytest.warns(UserWarning, match=STOPPED):
        delivery = demuxed(pcap(records(frames)), tmp_path / "out", max_memory=BOUND)
    streams = delivery.streams
    assert 1000 < len(streams) < 2 * times
    assert all(stream["data"] == b"%06d" % (stream["number"] - 1) for stream in streams)
    assert sum(stream["octets"] for stream in streams) + delivery.capture["left_out_octets"] == 12 * times


def test_a_capture_of_each_flow_stops_where_the_flows_take_more(tmp_path):
    with pytest.warns(UserWarning, match=STOPPED):
        split = fluxcap.demux(pcap(records(MESSAGES)), tmp_path / "out", form="pcap", max_memory=BOUND)
    assert 1000 < split.flows == split.records < SOCKETS
    assert split.metadata["limit"] == "max_memory"


def test_what_is_no_size_is_refused_before_a_directory_is_made(tmp_path):
    for form in ("octets", "pcap"):
        with pytest.raises(ValueError, match="max_memory"):
            fluxcap.demux(pcap(records(MESSAGES[:3])), tmp_path / "out", form=form, max_memory="x")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["octets", "pcap"])
def test_the_command_delivers_what_fits_and_exits_with_4(form, tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap(records(MESSAGES)))
    done = run("demux", "--as", form, "--max-memory", BOUND, "-o", tmp_path / "out", path)
    assert done.returncode == 4
    assert "--max-memory: " in done.stderr
    assert STOPPED in done.stderr
    assert (tmp_path / "out" / "index.ndjson").exists()
