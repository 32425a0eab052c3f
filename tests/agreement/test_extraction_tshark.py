"""The extracted records of a flow are those of tshark's stream, as editcap extracts them."""

import subprocess
from pathlib import Path

import pytest

import fluxcap
from real_captures import SAMPLES
from tshark import fields, needs_tshark, tshark


@pytest.mark.slow
@needs_tshark
@pytest.mark.parametrize(
    ("name", "proto"), [("sockets.pcapng", "udp"), ("sockets.pcapng", "tcp"), ("veth-checksums-computed.pcap", "tcp")]
)
def test_the_records_of_a_flow_are_those_of_tsharks_stream(name, proto, tmp_path):
    out = tmp_path / "out"
    names = ("frame.number", f"{proto}.stream", "ip.reassembled_in", "ipv6.reassembled.in")
    frames = [line.split("\t") for line in tshark(SAMPLES / name, "-2", "-Y", "!icmp && !icmpv6", *fields(names))]
    stream_of = {number: stream for number, stream, *_ in frames if stream}
    streams = {}
    for number, own, *whole in frames:  # a fragment is in the stream of its datagram
        if stream := own or stream_of.get("".join(whole)):
            streams.setdefault(stream, []).append(number)
    table, packets = fluxcap.read_flows(SAMPLES / name, packets=["packet"])
    shown = fields(("frame.time_epoch", "frame.len", "frame.interface_id", "frame.comment", "_ws.col.Info"))
    assert streams
    for numbers in streams.values():
        table.extract(packets["flow"][int(numbers[0]) - 1], out)
        expected = tmp_path / "expected"
        form = Path(name).suffix[1:]
        subprocess.run(["editcap", "-F", form, "-r", SAMPLES / name, expected, *numbers], check=True)
        assert tshark(out, *shown) == tshark(expected, *shown)
        assert form == "pcapng" or out.read_bytes() == expected.read_bytes()
