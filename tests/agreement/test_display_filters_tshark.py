"""A display filter that is translated for advice accepts in tcpdump's language the packets that tshark accepts."""

from pathlib import Path

import pytest

import fluxcap
from fluxcap.plan.display_filters import translated
from tshark import needs_tshark, tshark

pytestmark = needs_tshark

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize(
    "expression",
    [
        "ip.src == 192.0.2.53",
        "ip.dst==198.51.100.0/24",
        "ip.addr eq 192.0.2.20",
        "!(ip.addr == 192.0.2.20)",
        "ip.addr != 192.0.2.20",
        "tcp.port == 443",
        "udp.dstport==53 or tcp.srcport == 443",
        "dns && ip.src==192.0.2.107",
        "tcp.flags.syn == 1 and tcp.flags.ack == 0",
        "tcp.flags.reset==1",
        "tcp and (frame.len > 100 || tcp.dstport == 22)",
        "frame.len <= 74 and not udp",
        "eth.src == 02:00:00:00:00:01",
    ],
)
def test_a_translated_filter_accepts_what_tshark_accepts(expression):
    capture = SAMPLES / "office.pcap"
    accepted = tshark(capture, "-Y", expression, "-T", "fields", "-e", "frame.number")
    ours = translated(expression)
    assert ours
    packets = fluxcap.read_packets(capture, columns=["packet", "disposition"], where=ours)
    filtered = fluxcap.DISPOSITIONS.index("filtered")
    kept = packets["packet"][packets["disposition"] != filtered]
    assert kept.tolist() == [int(number) for number in accepted]


@pytest.mark.parametrize(
    "expression",
    [
        "udp",  # tcpdump has the same word
        "tcp port 80",
        'http.host == "a"',
        "tcp.analysis.retransmission",
        "tcp.len > 0",
        "ip.src ~ 192",
        "ip.src == 192.0.2.1 and foo",
        "foo",
        "",
    ],
)
def test_what_has_no_counterpart_is_not_translated(expression):
    assert translated(expression) is None
