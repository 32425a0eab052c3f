"""Messages put back into segments: demux of the muxed capture gives the same messages."""

import tempfile
from ipaddress import ip_address
from pathlib import Path

import dpkt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import Record, pcap, records, rewrapped
from muxed_captures import carried, delivered, there_and_back
from real_captures import SAMPLES

A, B = "192.0.2.1", "192.0.2.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
START = 1_700_000_000_000_000_000

ends = st.sampled_from([(A, B), (B, A), (A, "198.51.100.7"), (A6, B6), (B6, A6), ("::ffff:192.0.2.1", B6)])
ports = st.sampled_from([0, 53, 7007, 40000, 65535])
messages = st.tuples(st.binary(max_size=30), ports, ports, ends, st.sampled_from([b.udp, b.udp_lite]))
moments = st.integers(0, 2**32 * 10**9 - 1)


@given(st.lists(st.tuples(messages, moments), max_size=20))
@example([((b"", 53, 53, (A, B), b.udp), 0), ((b"", 53, 53, (A, B), b.udp), 2**32 * 10**9 - 1)])
@settings(max_examples=60, deadline=None)
def test_demultiplexing_what_was_multiplexed_is_what_it_was_made_of(sent):
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder, "x")
        fluxcap.demux(rewrapped([Record(carried(message), time) for message, time in sent]), directory)
        done, again = there_and_back(directory)
        assert done == (len(sent), sum(len(message[0]) for message, _ in sent), 0)
        assert list(delivered(again)) == list(delivered(directory))
        assert [message[-1] for message in delivered(again)] == [message[0] for message, _ in sent]
        names = sorted(path.name for path in directory.iterdir())
        assert names == sorted(path.name for path in again.iterdir())
        for name in names:  # the index also has the name of the capture
            assert name == "index.ndjson" or (directory / name).read_bytes() == (again / name).read_bytes()


def written(tmp_path, frames, **options):
    """A directory of these frames' messages."""
    directory = tmp_path / "x"
    fluxcap.demux(pcap(frames, ns=True), directory, **options)
    return directory


@pytest.mark.parametrize("name", ["sockets.pcapng", "udp-lite-partial-coverage.pcap", "cut-at-60-octets.pcap"])
def test_of_a_recording_every_message_comes_back(name, tmp_path):
    directory = tmp_path / "x"
    fluxcap.demux(SAMPLES / name, directory)
    done, again = there_and_back(directory)
    assert done.messages > 5
    assert list(delivered(again)) == list(delivered(directory))


@pytest.mark.parametrize("version", [4, 6])
def test_the_longest_message_goes_into_one_packet(version, tmp_path):
    src, dst, longest = (A, B, 65507) if version == 4 else (A6, B6, 65527)
    octets = (bytes(range(251)) * 262)[:longest]
    done, again = there_and_back(written(tmp_path, records([carried((octets, 1, 2, (src, dst), b.udp))])))
    assert done == (1, longest, 0)
    assert [message[-1] for message in delivered(again)] == [octets]


def test_octets_that_the_snap_length_cut_are_missing_again(tmp_path):
    directory = written(tmp_path, [one.cut(60) for one in records([b.ethernet(b.ipv4(b.udp(bytes(range(99)))))])])
    _, again = there_and_back(directory)
    assert list(delivered(again)) == list(delivered(directory))
    assert [message[-2:] for message in delivered(again)] == [(81, bytes(range(18)))]


def test_messages_whose_checksum_was_not_good_get_one_that_is(tmp_path):
    frames = [b.ethernet(b.ipv4(b.udp(b"hello", checksum=checksum))) for checksum in ("partial", 0, 0xBAD)]
    directory = written(tmp_path, records(frames), keep_bad=True)
    done, _ = there_and_back(directory)
    assert done.messages == 3
    assert fluxcap.read_checksums(directory.with_suffix(".pcap")).verdicts[b.UDP]["good"] == 3


def test_streams_are_counted_and_left_out(tmp_path):
    frames = [b.ethernet(b.ipv4(b.tcp(b"hello"))), b.ethernet(b.ipv4(b.udp(b"hello")))]
    done, _ = there_and_back(written(tmp_path, records(frames)))
    assert done == (1, 5, 1)


def test_more_sockets_than_files_may_be_open_at_once(tmp_path):
    frames = [carried((bytes([n % 251]), 9, port, (A, B), b.udp)) for n in range(2) for port in range(1000, 1400)]
    directory = written(tmp_path, records(frames))
    _, again = there_and_back(directory)
    assert list(delivered(again)) == list(delivered(directory))
    assert len(list(delivered(again))) == 800


def test_more_than_is_written_at_once_comes_whole(tmp_path):
    frame = carried((bytes(60_000), 1, 2, (A, B), b.udp))
    directory = written(tmp_path, records([frame] * 100))
    assert fluxcap.mux(directory, tmp_path / "out").octets == 100 * 60_000
    assert (tmp_path / "out").stat().st_size == 24 + 100 * (16 + len(frame))


def test_dpkt_reads_times_addresses_and_messages(tmp_path):
    frames = records([carried((b"hello", 1000, 53, (A, B), b.udp))] * 3, START + 7)
    directory = written(tmp_path, frames)
    fluxcap.mux(directory, tmp_path / "out.pcap")
    with (tmp_path / "out.pcap").open("rb") as file:
        read = [(time, dpkt.ethernet.Ethernet(octets)) for time, octets in dpkt.pcap.Reader(file)]
    assert [int(time * 10**9) for time, _ in read] == [one.time for one in frames]
    assert [(f.data.src, f.data.dst, f.data.data.dport, f.data.data.data) for _, f in read] == [
        (ip_address(A).packed, ip_address(B).packed, 53, b"hello")
    ] * 3
