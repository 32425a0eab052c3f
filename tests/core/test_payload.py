"""The first bytes of packets and of flows: which they are, and whose."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import command_line
import fluxcap
from capture_files import Record, pcap, records
from real_captures import SAMPLES
from strategies import captures, dialogue_frames, fragment_frames, icmp_errors, simple_frames, tunnelled_frames

DATA = bytes(range(1, 41))
FROM, TO = "192.0.2.1", "192.0.2.2"
NO_PAYLOAD = ("truncated_header", "malformed")  # what is there of the header that is not whole is no payload
UDP4 = b.ipv4(b.udp(DATA, 4000, 53), FROM, TO)
frames = st.one_of(simple_frames, dialogue_frames, icmp_errors, fragment_frames, tunnelled_frames)


def payloads(packets: fluxcap.PacketTable) -> list[bytes]:
    """The payload of each row without the zeros behind it."""
    assert not packets["payload"][np.arange(packets["payload"].shape[1]) >= packets["payload_captured"][:, None]].any()
    return [bytes(row[:n]) for row, n in zip(packets["payload"], packets["payload_captured"].tolist(), strict=True)]


CASES = {  # a frame, where its payload begins, and the payload
    "UDP": (b.ethernet(UDP4), 42, DATA),
    "TCP with options": (b.ethernet(b.ipv4(b.tcp(DATA, options=bytes(8)))), 62, DATA),
    "UDP in IPv6 behind options": (b.ethernet(b.ipv6(b.hop_by_hop(b.udp(DATA)))), 70, DATA),
    "behind a VLAN tag": (b.ethernet(b.vlan(UDP4, 7)), 46, DATA),
    "SCTP": (b.ethernet(b.ipv4(b.sctp(DATA))), 46, DATA),
    "ICMP": (b.ethernet(b.ipv4(b.icmp(DATA))), 42, DATA),
    "of the innermost packet": (b.ethernet(b.ipv4(b.gre(UDP4))), 66, DATA),
    "of a protocol without ports": (b.ethernet(b.ipv4(DATA, protocol=253)), 34, DATA),
    "a UDP length that leaves a trailer out": (b.ethernet(b.ipv4(b.udp(DATA, length=18))), 42, DATA[:10]),
    "behind padding of Ethernet": (b.ethernet(b.ipv4(b.udp(b"ab"))) + bytes(16), 42, b"ab"),
    "a fragment behind the first": (b.ethernet(b.ipv4(DATA, protocol=17, offset=64)), 34, DATA),
    "no payload": (b.ethernet(b.ipv4(b.tcp())), 54, b""),
    "no IP": (b.ethernet(DATA, 0x0806), 0, b""),
}


@pytest.mark.parametrize("n", [1, 7, 40, 64])
@pytest.mark.parametrize("case", CASES)
def test_the_payload_is_what_stands_behind_the_headers(case, n):
    frame, at, data = CASES[case]
    packets = fluxcap.read_packets(pcap(records([frame])), payload=n)
    assert packets["payload"].shape == (1, n)
    assert packets["payload"].dtype == np.uint8
    assert payloads(packets) == [data[:n]]
    assert packets["payload_offset"].tolist() == [at]


def test_what_the_snap_length_has_cut_is_not_there():
    record = Record(b.ethernet(UDP4), 1_000).cut(52)
    packets = fluxcap.read_packets(pcap([record]), payload=64)
    assert payloads(packets) == [DATA[:10]]
    assert packets["payload_length"].tolist() == [len(DATA)]


@settings(max_examples=150)
@given(captures(frames))
def test_bytes_are_those_of_the_record_even_if_it_was_held_back(capture):
    """Fragments that come before the first one wait, and records behind them too."""
    packets = fluxcap.read_packets(capture, columns="offset,captured_length,payload_length,disposition", payload=100)
    ends = packets["offset"] + packets["captured_length"]
    headers_end = np.isin(packets["disposition"], [fluxcap.DISPOSITIONS.index(one) for one in NO_PAYLOAD])
    for row, data in enumerate(payloads(packets)):
        begin = int(packets["offset"][row] + packets["payload_offset"][row])
        n = min(int(packets["payload_length"][row]), max(int(ends[row]) - begin, 0), 100)
        is_there = packets["payload_offset"][row] and not headers_end[row]
        assert data == (capture[begin : begin + n] if is_there else b"")


PLANS: list[dict[str, Any]] = [
    *({}, {"interval": 0.0001}, {"idle_timeout": 0.0001}),
    {"features": True, "splt": 2, "activity": True},
]


def joined(packets: fluxcap.PacketTable, rows: int, n: int) -> list[bytes]:
    """The first bytes of flows, from those of their packets."""
    made = [b""] * rows
    for flow, data in zip(packets["flow"].tolist(), payloads(packets), strict=True):
        if flow >= 0:
            made[flow] += data
    return [data[:n] for data in made]


@settings(max_examples=100)
@given(captures(frames), st.sampled_from([1, 5, 60]), st.sampled_from(PLANS))
def test_the_payload_of_a_flow_is_that_of_its_packets_one_after_the_other(capture, n, options):
    flows, packets = fluxcap.read_flows(capture, payload=n, packets=True, **options)
    assert payloads(flows) == joined(packets, len(flows), n)
    assert fluxcap.read_flows(capture, payload=n, threads=4, **options) == flows


@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
@pytest.mark.parametrize("options", [{}, {"where": "udp"}, {"by": "hosts"}, {"semantics": "zeek"}, {"dedupe": True}])
def test_flows_of_samples_have_the_bytes_of_their_packets(options):
    if "where" in options:
        pytest.importorskip("cypcap")
    for path in sorted(SAMPLES.glob("*.pcap*")):
        flows, packets = fluxcap.read_flows(path, payload=50, packets=True, **options)
        assert payloads(flows) == joined(packets, len(flows), 50), path


def test_a_result_in_the_middle_takes_nothing_from_the_end():
    """Held records are counted for a partial result, and go on waiting."""
    pieces = b.pieces(b.udp(DATA, 4000, 53).over(b.packed(FROM), b.packed(TO)), 16)
    late = [b.ethernet(b.ipv4(data, FROM, TO, 17, identification=7, offset=at, more=more)) for at, more, data in pieces]
    capture = pcap(records([*reversed(late), b.ethernet(UDP4)]))
    aggregator = fluxcap.FlowAggregator(payload=64)
    for at in range(0, len(capture), 30):
        aggregator.feed(capture[at : at + 30])
        aggregator.result()
    aggregator.close()
    assert aggregator.result() == fluxcap.read_flows(capture, payload=64)
    assert sum(map(len, payloads(aggregator.result()))) == 64


ENDS = [
    ((FROM, TO), ("203.0.113.9", "198.51.100.255")),
    (("2001:db8::1", "2001:db8::2"), ("2001:db8:ffff::9", "2001:db8::ffff")),
]


def readdressed(protocol: str, ends: tuple[str, str], ports: tuple[int, int]) -> bytes:
    """A packet of which just the ends are chosen."""
    version = b.ipv6 if ":" in ends[0] else b.ipv4
    if protocol == "icmp":  # an error about a packet the other way
        quoted = version(b.udp(DATA, *ports), *reversed(ends))
        error = b.icmpv6(quoted, 1, 4, bytes(4)) if ":" in ends[0] else b.icmp(quoted, 3, 3, bytes(4), checksum=0)
        return b.ethernet(version(error, *ends))
    return b.ethernet(version(getattr(b, protocol)(DATA, *ports), *ends))


@pytest.mark.parametrize("start", ["ip", "payload"])
@pytest.mark.parametrize("protocol", ["udp", "tcp", "udp_lite", "sctp", "icmp"])
@pytest.mark.parametrize("ends", ENDS)
def test_masked_bytes_do_not_tell_who_talks(ends, protocol, start):
    """Two packets that differ in addresses and ports, and in the sums over these, have the same masked bytes."""
    one, other = readdressed(protocol, ends[0], (1000, 53)), readdressed(protocol, ends[1], (65535, 443))
    read = lambda masked: fluxcap.read_packets(  # noqa: E731
        pcap(records([one, other])), payload=fluxcap.Payload(200, start=start, masked=masked)
    )["payload"]
    if start == "ip" or protocol == "icmp":
        assert bytes(read(False)[0]) != bytes(read(False)[1])
    assert bytes(read(True)[0]) == bytes(read(True)[1])
    assert protocol == "icmp" or DATA in bytes(read(True)[0])


QUOTES = {  # of a packet of IPv6: what an error may quote
    "behind options": lambda udp, ends: b.ipv6(b.hop_by_hop(udp), *ends),
    "a fragment": lambda udp, ends: b.ipv6(b.fragment(udp, 0, True), *ends),
    "in a tunnel": lambda udp, ends: b.ipv6(b.gre(b.ipv6(udp, *ends))),
    "behind an authentication header": lambda udp, ends: b.ipv6(b.authentication(udp), *ends),
}


@pytest.mark.parametrize("quote", QUOTES)
def test_masked_bytes_do_not_tell_what_an_error_quotes_behind_any_headers(quote):
    masked = []
    for ends in (("2001:db8::1", "2001:db8::2"), ("2001:db8:ffff::9", "2001:db8::ffff")):
        quoted = QUOTES[quote](b.udp(DATA, *((1000, 53) if ends[0].endswith("1") else (65535, 443))), ends)
        frame = b.ethernet(b.ipv6(b.icmpv6(quoted, 1, 4, bytes(4)), "2001:db8::7", "2001:db8::8"))
        packets = fluxcap.read_packets(pcap(records([frame])), payload=fluxcap.Payload(200, "ip", True))
        masked.append(bytes(packets["payload"][0]))
    assert masked[0] == masked[1]


@pytest.mark.parametrize("gateway", ["203.0.113.7", "198.51.100.9"])
def test_masked_redirects_do_not_tell_the_gateway(gateway):
    message = b.icmp(bytes(UDP4)[:28], 5, 1, b.packed(gateway))
    packets = fluxcap.read_packets(
        pcap(records([b.ethernet(b.ipv4(message))])), payload=fluxcap.Payload(200, "ip", True)
    )
    assert b.packed(gateway) not in bytes(packets["payload"][0])
    assert packets["payload"][0][20] == 5


def test_masked_redirects_over_ipv6_tell_neither_the_target_nor_the_destination():
    target, destination = (b.packed(one) for one in ("2001:db8:7::9", "2001:db8:8::9"))
    message = b.icmpv6(target + destination, 137, 0, bytes(4))  # RFC 4861 section 4.5
    packets = fluxcap.read_packets(
        pcap(records([b.ethernet(b.ipv6(message))])), payload=fluxcap.Payload(200, "ip", True)
    )
    shown = bytes(packets["payload"][0])
    assert shown[40] == 137
    assert not any(shown[42:44] + shown[48:80])


@pytest.mark.parametrize("captured", range(15, 43))
@pytest.mark.parametrize("version", [b.ipv4, b.ipv6])
def test_header_bytes_of_a_cut_packet_are_no_payload_and_masked(version, captured):
    frame = b.ethernet(version(b.tcp(DATA, 0x1111, 0x2222)))
    record = Record(frame, 1_000).cut(captured + (20 if version is b.ipv6 else 0))
    asked = [fluxcap.Payload(200), fluxcap.Payload(200, "ip", True)]
    plain, masked = (fluxcap.read_packets(pcap([record]), payload=one) for one in asked)
    assert not plain["payload"].any()
    assert b"\x11" not in bytes(masked["payload"][0])


def test_an_authentication_header_is_no_payload():
    frames = [b.ethernet(version(b.authentication(b.udp(DATA)))) for version in (b.ipv4, b.ipv6)]
    assert payloads(fluxcap.read_packets(pcap(records(frames)), payload=64)) == [DATA, DATA]
    unknown = b.ethernet(b.ipv4(b.authentication(b.Layer(DATA, None, 253))))
    assert payloads(fluxcap.read_packets(pcap(records([unknown])), payload=64)) == [DATA]


def test_masking_zeroes_just_what_tells():
    packets = fluxcap.read_packets(pcap(records([b.ethernet(UDP4)])), payload=fluxcap.Payload(100, "ip", True))
    expected = bytearray(UDP4)
    for place in (*range(10, 24), *range(26, 28)):  # the checksum, addresses and ports; the checksum of UDP
        expected[place] = 0
    assert payloads(packets) == [bytes(expected)]
    assert packets["payload_offset"].tolist() == [14]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (-1, "payload is 0 to 9216 bytes, not -1"),
        (9217, "payload is 0 to 9216 bytes, not 9217"),
        (fluxcap.Payload(4, "link"), "start is 'payload' or 'ip', not 'link'"),  # type: ignore[arg-type]
    ],
)
def test_what_there_is_not_is_refused(payload, message):
    for read in (fluxcap.read_flows, fluxcap.read_packets, fluxcap.scan_packets):
        with pytest.raises(ValueError, match=message):
            read(SAMPLES / "office.pcap", payload=payload)


def test_a_column_of_payload_that_is_not_asked_for_says_how_to_ask():
    with pytest.raises(ValueError, match="say payload=64"):
        fluxcap.read_packets(SAMPLES / "office.pcap", columns="packet,payload")


def test_flows_with_payload_do_not_merge():
    flows = fluxcap.read_flows(SAMPLES / "office.pcap", payload=8)
    with pytest.raises(ValueError, match="tables with payload do not merge"):
        fluxcap.merge([flows, flows])


def command(*arguments: Any) -> str:
    done = command_line.fluxcap(*map(str, arguments))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_write_hexadecimal_digits(tmp_path):
    capture = tmp_path / "one.pcap"
    capture.write_bytes(pcap(records([b.ethernet(UDP4)])))
    assert (
        command("packets", capture, "--payload", 4, "--columns", "packet,payload") == "packet\tpayload\n1\t01020304\n"
    )
    (row,) = json.loads(command("flows", capture, "--payload", "4,ip,masked", "-f", "json"))["rows"]
    assert (row["payload"], row["payload_captured"]) == ("45000044", 4)


@pytest.mark.parametrize("n", [1, 12])
def test_parquet_has_bytes_of_fixed_size_batch_by_batch(n, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("arro3.io")
    packets = fluxcap.read_packets(SAMPLES / "sockets.pcapng", payload=n)
    fluxcap.scan_packets(SAMPLES / "sockets.pcapng", payload=n, batch_size=7).write(tmp_path / "p.parquet")
    column = pq.read_table(tmp_path / "p.parquet")["payload"]
    assert str(column.type) == f"fixed_size_binary[{n}]"
    assert column.to_pylist() == [bytes(row) for row in packets["payload"]]
    flows = fluxcap.read_flows(SAMPLES / "sockets.pcapng", payload=n)
    flows.write(tmp_path / "f.parquet")
    assert fluxcap.FlowTable.from_parquet(tmp_path / "f.parquet") == flows


def test_dataframes_have_the_bytes():
    for name in ("polars", "pandas"):
        pytest.importorskip(name)
    packets = fluxcap.read_packets(SAMPLES / "sockets.pcapng", payload=5)
    expected = [bytes(row) for row in packets["payload"]]
    assert packets.to_polars()["payload"].to_list() == expected
    assert packets.to_pandas()["payload"].tolist() == expected
    scan = fluxcap.scan_packets(SAMPLES / "sockets.pcapng", payload=5)
    assert scan.lazy().select("payload").collect()["payload"].to_list() == expected
