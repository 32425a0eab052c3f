"""Every header cut at every length, by the snap length or already on the wire, and the named limits."""

import pytest

import builders as b
from capture_files import Record, pcap
from core_driver import FIVE_TUPLE, Row, anomalies, key, of, rows, scan, taken
from fluxcap._core import DISPOSITIONS, REASONS, Scanner
from packet_cases import DST6, OUTER, PLAIN, SRC4, SRC6, TRANSPORT, TUNNELS, V4

LATEST = 0xFFFFFFFF * 1_000_000_000  # ns: seconds of all ones, the first bytes of the next record's header
CUT_SHORT = {"snap length": "truncated_header", "wire": "malformed"}


def ledger_adds_up(scanner: Scanner) -> bool:
    totals = scanner.totals()
    ledger = dict(zip(DISPOSITIONS, totals["dispositions"], strict=True))
    records, octets = (sum(amounts) for amounts in zip(*ledger.values(), strict=True))
    stopped = ledger["truncated_header"][0] + ledger["malformed"][0]
    return (records, octets) == (totals["packets"], totals["wire_octets"]) and stopped == sum(totals["reasons"][1:])


def cut_everywhere(octets: bytes, link_type: int, by: str, time: int = 0, **options: bool) -> list[Row]:
    """A row for each length from no byte to all of them."""
    wire_length = len(octets) if by == "snap length" else 0
    cuts = [Record(octets[:size], time, wire_length) for size in range(len(octets) + 1)]
    scanner = scan(pcap(cuts, link_type), key=key(*FIVE_TUPLE), **options)
    assert ledger_adds_up(scanner)
    found = taken(scanner)
    assert len(found) == len(cuts)
    return found


def ends_inside(headers: tuple[tuple[str, int], ...], size: int) -> set[str]:
    """The headers in which a packet of this size ends: both, if the cut is between two."""
    inside, start = set(), 0
    for reason, octets in headers:
        if start <= size < start + octets or (size == start + octets and reason != TRANSPORT):
            inside.add(reason)
        start += octets
    return inside if size < start else set()


# A packet that is short on the wire lacks its end, with any trailer.
SHORT_CASES = [
    pytest.param(case, by, id=f"{name}, {by}")
    for name, case in PLAIN.items()
    for by in CUT_SHORT
    if by != "wire" or not case.tail
]


@pytest.mark.parametrize(("case", "by"), SHORT_CASES)
def test_a_packet_cut_at_any_octet_says_where_it_ends_until_its_ports_are_there(case, by):
    end = len(case.octets) - case.tail
    for size, row in enumerate(cut_everywhere(case.octets, case.link_type, by)):
        reasons = ends_inside(case.headers, size)
        if reasons:
            assert (size, row["disposition"]) == (size, CUT_SHORT[by])
            assert row["reason"] in reasons, size
        else:
            cut = "truncated" if by == "snap length" else "bad_length"
            expected = {"disposition": "counted", "reason": "none", "src_port": 40000, "dst_port": 50000}
            assert (size, of(row, expected), row["verdict"]) == (size, expected, "good" if size >= end else cut)


@pytest.mark.parametrize("by", CUT_SHORT)
@pytest.mark.parametrize("tunnel", TUNNELS.values(), ids=TUNNELS)
def test_a_tunnel_cut_at_any_octet_is_the_packet_around_it_until_the_one_inside_can_be_read(tunnel, by):
    for size, row in enumerate(cut_everywhere(tunnel.octets, b.LINK_ETHERNET, by)):
        reasons = ends_inside(tunnel.headers, size)
        if tunnel.has_length and by == "wire" and size < len(tunnel.octets) and reasons <= {OUTER, TRANSPORT}:
            assert (size, row["depth"]) == (size, 0)
        elif not reasons:
            expected = {"disposition": "counted", "src_port": 1111, "dst_port": 2222, "depth": 1}
            assert (size, of(row, expected)) == (size, expected)
        elif OUTER in reasons:
            # At the very end of the tunnel headers the packet inside has its addresses, but lacks its ports.
            if row["depth"] == 0:
                assert (size, row["src_ip"] in (SRC4, SRC6), row["protocol"]) == (size, True, tunnel.protocol)
                assert row["disposition"] == ("counted" if tunnel.port else "unknown_transport")
            else:
                assert (size, row["disposition"], row["reason"]) == (size, CUT_SHORT[by], TRANSPORT)
        else:
            assert (size, row["disposition"]) == (size, CUT_SHORT[by])
            assert row["reason"] in reasons, size


@pytest.mark.parametrize("by", CUT_SHORT)
@pytest.mark.parametrize("tunnel", TUNNELS.values(), ids=TUNNELS)
def test_without_decap_a_cut_inside_a_tunnel_matters_to_nothing_but_the_verdict(tunnel, by):
    around = tunnel.headers[: [reason for reason, _ in tunnel.headers].index(OUTER)]
    for size, row in enumerate(cut_everywhere(tunnel.octets, b.LINK_ETHERNET, by, decap=False)):
        if size >= sum(octets for _, octets in around):
            expected = {"depth": 0, "protocol": tunnel.protocol, "dst_port": tunnel.port, "reason": "none"}
            assert (size, of(row, expected)) == (size, expected)


@pytest.mark.parametrize("case", {**PLAIN, **TUNNELS}.values(), ids={**PLAIN, **TUNNELS})
def test_what_follows_a_record_in_the_file_has_no_bearing_on_it(case):
    link_type = getattr(case, "link_type", b.LINK_ETHERNET)
    zeroes, ones = (cut_everywhere(case.octets, link_type, "snap length", time) for time in (0, LATEST))
    assert [{**row, "time": 0} for row in ones] == zeroes


SEGMENTS = {
    # segment, bytes that have to be there for its ports
    "UDP": (b.udp(b"payload"), 4),
    "TCP": (b.tcp(b"payload", options=bytes(8)), 4),
    "UDP-Lite": (b.udp_lite(b"payload"), 4),
    "DCCP": (b.dccp(b"payload"), 4),
    "SCTP": (b.sctp(b.sctp_data(b"payload")), 4),
    "ICMP echo": (b.icmp(b"payload"), 8),
    "ICMP error": (b.icmp(V4, 3, 3), 4),
    "ICMPv6 echo": (b.icmpv6(b"payload"), 8),
    "ICMPv6 error": (b.icmpv6(V4, 1, 4), 4),
}


@pytest.mark.parametrize("by", CUT_SHORT)
@pytest.mark.parametrize("network", [b.ipv4, b.ipv6])
@pytest.mark.parametrize(("segment", "needed"), SEGMENTS.values(), ids=SEGMENTS)
def test_every_transport_cut_at_any_octet_is_counted_once_its_ports_are_there(segment, needed, network, by):
    frame = b.ethernet(network(segment))
    start = len(frame) - len(segment)
    for size, row in enumerate(cut_everywhere(frame, b.LINK_ETHERNET, by)[start:]):
        if size < needed:
            assert (size, row["disposition"], row["reason"]) == (size, CUT_SHORT[by], "short_transport")
        else:
            cut = "truncated" if by == "snap length" else "bad_length"
            expected = {"disposition": "counted", "verdict": "good" if size == len(segment) else cut}
            assert (size, of(row, expected)) == (size, expected)


def test_every_reason_has_a_case_here_or_among_the_malformed():
    seen = {reason for case in PLAIN.values() for reason, _ in case.headers}
    named = {"wrong_version", "header_length", "total_length"}  # test_decode.py
    judged = {"segmentation_offload"}  # test_hints.py
    limits = {"too_many_tags", "too_many_extensions", "too_many_layers"}  # below
    copied = {"exact", "other_vlan", "other_tunnel", "routed", "other_interface"}  # test_copies.py
    assert seen | named | limits | judged | copied == set(REASONS) - {"none"}


# Limits ---------------------------------------------------------------------------------------------------------------


def tags(n: int) -> bytes:
    return b.ethernet(b"\0\1\x81\0" * (n - 1) + b.vlan(V4, 7), 0x8100)


def extensions(n: int) -> bytes:
    segment = b.udp(b"payload").over(b.packed(SRC6), b.packed(DST6))
    padding = b"\0" + b.option(1, bytes(4))
    chain = (bytes((b.DESTINATION_OPTIONS,)) + padding) * (n - 1) + bytes((b.UDP,)) + padding
    return b.ethernet(b.ipv6(chain + segment, SRC6, DST6, b.DESTINATION_OPTIONS))


def frames(n: int) -> bytes:
    return b.ethernet(b"", 0x6558) * n + b.ethernet(V4)


@pytest.mark.parametrize(
    ("build", "most", "too_many", "reason"),
    [
        (tags, 16, 17, "too_many_tags"),
        (extensions, 112, 113, "too_many_extensions"),
        (frames, 50, 64, "too_many_layers"),  # 128 in all; one of these is two
    ],
)
def test_headers_are_read_up_to_a_limit_and_over_it_the_record_is_malformed(build, most, too_many, reason):
    (row,) = rows(pcap([Record(build(most))]))
    assert (row["disposition"], row["verdict"]) == ("counted", "good")
    for n in (too_many, 1000, 7000):
        expected = {"disposition": "malformed", "reason": reason}
        assert of(rows(pcap([Record(build(n))]))[0], expected) == expected


def test_labels_are_read_to_the_bottom_however_many_there_are():
    (row,) = rows(pcap([Record(b.ethernet(b.mpls(V4, *range(100, 2100))))]))
    assert (row["disposition"], row["verdict"], row["mpls_label"]) == ("counted", "good", 100)


def test_a_packet_of_all_headers_there_are_ends_at_the_limit_of_layers():
    inside: b.Layer = b.ipv6(b.udp())
    for _ in range(8):
        for tag in range(16):
            inside = b.vlan(inside, tag)
        inside = b.ethernet(inside)
        for _ in range(15):
            inside = b.destination_options(inside)
        inside = b.ipv6(inside)
    scanner = scan(pcap([Record(b.ethernet(inside))]))
    (row,) = taken(scanner)
    assert row["depth"] < 8
    assert anomalies(scanner) == {}
    assert ledger_adds_up(scanner)
