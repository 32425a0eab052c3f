"""Fragments of a part of a capture: in no flow, and each with its place among the flows."""

import pytest

import builders as b
from capture_files import pcap, records
from core_driver import as_rows, scan
from fluxcap._core import WAITED

KEY = {"fields": [(name, 32, 128) for name in ("protocol", "src_ip", "src_port", "dst_ip", "dst_port")],
       "biflow": True, "idle_timeout": 0, "active_timeout": 0, "interval": 0, "max_flows": 0}  # fmt: skip
ENDS = b.packed("192.0.2.1"), b.packed("192.0.2.2")


def whole(port):
    return b.ethernet(b.ipv4(b.udp(b"x" * 40, port, 53)))


def pieces(port, number=7):
    """The frames of a datagram in two fragments."""
    datagram = b.udp(b"x" * 40, port, 53).over(*ENDS)
    return [
        b.ethernet(b.ipv4(datagram[:24], protocol=b.UDP, identification=number, more=True)),
        b.ethernet(b.ipv4(datagram[24:], protocol=b.UDP, identification=number, offset=24)),
    ]


@pytest.mark.parametrize("repeated", [1, 500])
def test_a_fragment_has_the_number_of_flows_before_it(repeated):
    """Also in another batch than those, and where the lane has taken the batches before."""
    first, second = pieces(3000)
    frames = [*[whole(1000)] * repeated, first, *[whole(1000), whole(2000)] * repeated, second, whole(4000)]
    scanner = scan(pcap(records(frames)), columns=("packet", "flow", "disposition"), key=KEY, fragments_apart=True)
    rows = {name: memoryview(column).tolist() for name, column in scanner.take().items()}
    assert (rows["packet"], rows["flow"]) == ([repeated + 1, 3 * repeated + 2], [1, 2])
    assert [row["src_port"] for row in as_rows(scanner.flows())] == [1000, 2000, 4000]
    totals = scanner.totals()
    assert totals["packets"] == sum(n for n, _ in totals["dispositions"]) == len(frames)


def test_fragments_in_tunnels_and_around_them_are_apart():
    inner = b.ipv4(b.udp(b"x" * 40, 1000, 53))
    tunnel = b.udp(b.vxlan(b.ethernet(inner)), 5000, 4789).over(*ENDS)
    outer = [
        b.ethernet(b.ipv4(piece, protocol=b.UDP, offset=at, more=more)) for at, more, piece in b.pieces(tunnel, 64)
    ]
    in_tunnel = b.ethernet(b.ipv4(b.udp(b.vxlan(pieces(3000)[1]), 5000, 4789)))
    scanner = scan(
        pcap(records([whole(1000), *outer, in_tunnel, whole(2000)])),
        columns=("packet",),
        key=KEY,
        fragments_apart=True,
    )
    assert memoryview(scanner.take()["packet"]).tolist() == list(range(2, 3 + len(outer)))
    assert len(as_rows(scanner.flows())) == 2


def test_a_fragment_that_comes_before_the_first_one_is_marked():
    first, second = pieces(3000)
    for frames, marks in (([first, second], [0, 0]), ([second, first], [WAITED, 0]), ([second, whole(1)], [0, 0])):
        scanner = scan(pcap(records(frames)), columns=("_mark",), key=KEY)
        assert memoryview(scanner.take()["_mark"]).tolist() == marks
