"""The core's flow table: its keys, directions, counters, times and limits."""

import struct
from collections import Counter
from ipaddress import ip_network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, records
from core_driver import FIVE_TUPLE, as_rows, feed, flows, key, of, rows, scan, taken
from fluxcap._core import FLOW_COLUMNS, FLOWS_FULL, KEY_FIELDS, VERDICTS, WANTS_INPUT, Scanner
from plain_checksums import ones_sum, pseudo_header

SECOND = 1_000_000_000
IDLE, ACTIVE, FORCED_END, LACK_OF_RESOURCES = 1, 2, 4, 5  # IPFIX flowEndReason, information element 136
A4, B4, A6, B6 = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"


def frame(src: str = A4, dst: str = B4, src_port: int = 1000, dst_port: int = 2000, size: int = 1) -> bytes:
    network = b.ipv6 if ":" in src else b.ipv4
    return b.ethernet(network(b.udp(bytes(size), src_port, dst_port), src, dst))


def timed(*moments: tuple[float, bytes]) -> bytes:
    """A capture of these frames at these seconds."""
    return pcap([Record(data, round(second * SECOND)) for second, data in moments], ns=True)


def table(capture: bytes, *names: str, by: tuple[str, ...] = FIVE_TUPLE, **limits: int) -> list[tuple[object, ...]]:
    """These columns of the flow table, a tuple a row."""
    return [tuple(row[name] for name in names) for row in flows(capture, by=key(*by, **limits))]


# Keys -----------------------------------------------------------------------------------------------------------------

UDP4, UDP6 = b.ipv4(b.udp()), b.ipv6(b.udp())
TWO_OF = {
    # field: two frames that differ in it, and their values
    "protocol": (b.ethernet(UDP4), b.ethernet(b.ipv4(b.tcp())), 17, 6),
    "src_ip": (frame(A4), frame(A6, B6), A4, A6),
    "src_port": (frame(src_port=0), frame(src_port=65535), 0, 65535),
    "dst_ip": (frame(dst="255.255.255.255"), frame(A6, "ff02::fb"), "255.255.255.255", "ff02::fb"),
    "dst_port": (frame(dst_port=53), frame(dst_port=54), 53, 54),
    "vlan": (b.ethernet(UDP4), b.ethernet(b.vlan(UDP4, 4095)), 0, 4095),
    "src_mac": (b.ethernet(UDP4, src=b"abcdef"), b.ethernet(UDP4, src=b"abcdeg"), b"abcdef", b"abcdeg"),
    "dst_mac": (b.ethernet(UDP4, dst=b"uvwxyz"), b.ethernet(UDP4, dst=b"vvwxyz"), b"uvwxyz", b"vvwxyz"),
    "ethertype": (b.ethernet(UDP4), b.ethernet(UDP6), 0x0800, 0x86DD),
    "inner_vlan": (b.ethernet(b.vlan(b.vlan(UDP4, 2), 1)), b.ethernet(b.vlan(b.vlan(UDP4, 3), 1)), 2, 3),
    "mpls_label": (b.ethernet(b.mpls(UDP4, 0xFFFFF)), b.ethernet(b.mpls(UDP4, 16, 0xFFFFF)), 0xFFFFF, 16),
    "tunnel_id": (b.ethernet(b.ipv4(b.gre(UDP4, key=2**32 - 1))), b.ethernet(UDP4), 2**32 - 1, 0),
    "tos": (b.ethernet(b.ipv4(b.udp(), tos=0xFC)), b.ethernet(b.ipv4(b.udp(), tos=0xFD)), 0xFC, 0xFD),
    "flow_label": (b.ethernet(b.ipv6(b.udp(), flow_label=0xFFFFF)), b.ethernet(UDP6), 0xFFFFF, 0),
}  # fmt: skip
FROM_THE_FILE = ("interface", "direction", "offload_flags")  # test_directions.py


def test_every_field_a_key_can_have_has_a_case():
    assert {*TWO_OF, "file", *FROM_THE_FILE} == set(KEY_FIELDS)


@pytest.mark.parametrize("field", TWO_OF)
def test_rows_differ_by_any_one_field(field):
    one, other, value, other_value = TWO_OF[field]
    capture = pcap(records([one, other, one, one]))
    found = [(row[field], row["packets"]) for row in flows(capture, by=key(field, biflow=False))]
    assert found == [(value, 3), (other_value, 1)]


def test_rows_differ_by_the_input_they_came_from():
    one, two = pcap(records([frame()])), pcap(records([frame(), frame()]))
    found = [(row["file"], row["packets"]) for row in flows(one, two, one, by=key("file", "protocol", biflow=False))]
    assert found == [(0, 1), (1, 2), (2, 1)]


def test_a_key_of_every_field_makes_a_row_of_every_difference():
    frames = [one for two in TWO_OF.values() for one in two[:2]]
    distinct = len(set(map(bytes, frames)))
    assert len(flows(pcap(records(frames)), by=key(*KEY_FIELDS, biflow=False))) == distinct
    assert len(flows(pcap(records(frames * 2)), by=key(*KEY_FIELDS, interval=3600 * SECOND))) == distinct


def test_records_without_an_ip_packet_are_in_no_flow():
    capture = pcap(records([b.ethernet(bytes(28), 0x0806), frame(), b.ethernet(b"\x44" + bytes(30), 0x0800)]))
    scanner = scan(capture, key=key(*FIVE_TUPLE))
    assert [row["flow"] for row in taken(scanner)] == [-1, 0, -1]
    assert [row["packets"] for row in as_rows(scanner.flows())] == [1]


ADDRESSES = [
    "0.0.0.0", "10.0.0.1", "10.0.0.255", "10.128.0.1", "192.0.2.1", "192.0.2.129", "255.255.255.255",
    "::1", "2001:db8::1", "2001:db8::8000:0:0:1", "2001:db8:8000::1", "fe80::1", "ff02::1", "ffff::ffff",
]  # fmt: skip


@pytest.mark.parametrize("field", ["src_ip", "dst_ip"])
def test_a_prefix_length_groups_by_network_and_each_version_has_its_own(field):
    packets = [frame(one, one) for one in ADDRESSES]
    capture = pcap(records(packets))
    for v6_length in range(129):
        v4_length = v6_length % 33
        expected = Counter(
            str(ip_network(f"{one}/{v6_length if ':' in one else v4_length}", strict=False).network_address)
            for one in ADDRESSES
        )
        found = flows(capture, by=key(f"{field}/{v4_length}/{v6_length}", biflow=False))
        # An address of all zeros is shown as none; an IPv4 address cut to its prefix is still ::ffff:0:0.
        counted = {row[field] or "::": row["packets"] for row in found}
        assert (v6_length, counted) == (v6_length, expected)


# Directions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), [(A4, B4), (B4, A4), (A6, B6), (B6, A6)])
@pytest.mark.parametrize(("src_port", "dst_port"), [(1, 2), (2, 1), (7, 7), (0, 65535)])
def test_forward_is_the_direction_of_the_first_record(one, other, src_port, dst_port):
    there, back = frame(one, other, src_port, dst_port, 5), frame(other, one, dst_port, src_port, 300)
    (row,) = flows(pcap(records([there, back, back, there, back])))
    expected = {
        "src_ip": one, "src_port": src_port, "dst_ip": other, "dst_port": dst_port,
        "packets": 2, "bytes": 2 * len(there), "payload_bytes": 10,
        "reverse_packets": 3, "reverse_bytes": 3 * len(back), "reverse_payload_bytes": 900,
    }  # fmt: skip
    assert of(row, expected) == expected


def test_the_ports_tell_the_direction_where_both_addresses_are_the_same():
    there, back = frame(A4, A4, 2000, 1000), frame(A4, A4, 1000, 2000)
    (row,) = flows(pcap(records([there, back, back])))
    assert (row["src_port"], row["packets"], row["reverse_packets"]) == (2000, 1, 2)


def test_a_key_of_ports_alone_has_the_server_as_its_destination():
    """Of a key without addresses nobody can tell whether a packet went to all."""
    capture = pcap(records([frame(src_port=53, dst_port=40000), frame(src_port=40000, dst_port=53)]))
    by = key("protocol", "src_port", "dst_port", server_ports=({80}, {53}))
    (row,) = flows(capture, by=by)
    expected = {"src_port": 40000, "dst_port": 53, "packets": 1, "reverse_packets": 1}
    assert of(row, expected) == expected


def test_a_flow_of_an_end_with_itself_is_all_forward():
    (row,) = flows(pcap(records([frame(A4, A4, 7, 7)] * 3)))
    assert (row["packets"], row["reverse_packets"]) == (3, 0)


def test_without_biflow_each_direction_has_a_row_and_there_are_no_reverse_columns():
    capture = pcap(records([frame(), frame(B4, A4, 2000, 1000), frame()]))
    found = flows(capture, by=key(*FIVE_TUPLE, biflow=False))
    assert [(row["src_ip"], row["packets"]) for row in found] == [(A4, 2), (B4, 1)]
    assert not any(name.startswith("reverse_") for name in found[0])


@pytest.mark.parametrize(
    "fields",
    [
        ("src_ip", "dst_ip"),
        ("src_port", "dst_port"),
        ("src_mac", "dst_mac"),
        ("src_ip/24", "dst_ip/24"),
        ("src_ip/0/0", "dst_ip/0/0", "src_port", "dst_port"),
    ],
    ids=",".join,
)
def test_any_two_ends_are_turned(fields):
    there = b.ethernet(b.ipv4(b.udp(b"", 9, 4), "203.0.113.1", A4), src=b.MAC_B, dst=b.MAC_A)
    back = b.ethernet(b.ipv4(b.udp(b"", 4, 9), A4, "203.0.113.1"), src=b.MAC_A, dst=b.MAC_B)
    for first, second in ((there, back), (back, there)):
        (row,) = flows(pcap(records([first, second, second])), by=key(*fields))
        (alone,) = flows(pcap(records([first])), by=key(*fields))
        names = [field.partition("/")[0] for field in fields]
        assert [row[name] for name in names] == [alone[name] for name in names]
        assert (row["packets"], row["reverse_packets"]) == (1, 2)


def test_the_columns_stand_in_the_order_of_the_table():
    columns = list(scan(pcap(records([frame()])), columns=(), key=key(*FIVE_TUPLE, interval=SECOND)).flows())
    assert columns == [*FIVE_TUPLE, "interval", *FLOW_COLUMNS, "_icmp_last", "_icmp"]


# Counters -------------------------------------------------------------------------------------------------------------


def test_verdicts_are_counted_in_the_row_of_their_record():
    def zero_or_not(port: int) -> list[Record]:
        packets = [
            b.ipv6(b.udp(bytes(8), 1, port)),
            b.ipv6(b.udp(bytes(8), 1, port, checksum=0)),
            b.ipv6(b.udp(bytes(8), 1, port, checksum=1)),
            b.ipv6(b.udp(bytes(8), 1, port, checksum="partial")),
            b.ipv6(b.udp(bytes(8), 1, port, length=99)),
            b.ipv6(b.fragment(b.udp(bytes(8), 1, port), 0, True)),
        ]
        return [Record(b.ethernet(packet)) for packet in packets] + [Record(b.ethernet(packets[0])).cut(63)]

    ipv4 = [b.ipv4(b.udp(), checksum=value) for value in (None, 1, 2, 0)]
    capture = pcap([*zero_or_not(50000), *zero_or_not(4789) * 3, *(Record(b.ethernet(packet)) for packet in ipv4)])
    names = ("good", "bad", "partial", "absent", "illegal", "truncated", "fragment", "bad_length", "ip_bad")
    assert table(capture, *names) == [
        (1, 1, 1, 0, 1, 1, 1, 1, 0),
        (3, 3, 3, 3, 0, 3, 3, 3, 0),
        (4, 0, 0, 0, 0, 0, 0, 0, 2),
    ]


def test_tcp_flags_are_gathered_each_way():
    def segment(there: bool, flags: int) -> bytes:
        ends, ports = ((A4, B4), (1, 2)) if there else ((B4, A4), (2, 1))
        return b.ethernet(b.ipv4(b.tcp(b"", *ports, flags=flags), *ends))

    capture = pcap(records([segment(True, b.SYN | b.ECE), segment(False, b.SYN | b.ACK), segment(True, b.FIN)]))
    assert table(capture, "tcp_flags", "reverse_tcp_flags") == [(b.SYN | b.ECE | b.FIN, b.SYN | b.ACK)]


def test_first_and_last_are_the_least_and_the_greatest_time_whatever_the_order():
    capture = timed((5, frame()), (3, frame()), (9, frame(B4, A4, 2000, 1000)), (4, frame()))
    assert table(capture, "first", "last", "end_reason") == [(3 * SECOND, 9 * SECOND, FORCED_END)]


# Times and limits -----------------------------------------------------------------------------------------------------

BACK = frame(B4, A4, 2000, 1000)


@pytest.mark.parametrize(
    ("moments", "limits", "expected"),
    [
        ([0, 9, 18], {"idle_timeout": 10}, [(3, 0, 18, FORCED_END)]),
        ([0, 9, 20, 21], {"idle_timeout": 10}, [(2, 0, 9, IDLE), (2, 20, 21, FORCED_END)]),
        ([0, 20, 40], {"idle_timeout": 10}, [(1, 0, 0, IDLE), (1, 20, 20, IDLE), (1, 40, 40, FORCED_END)]),
        ([20, 5, 29], {"idle_timeout": 10}, [(3, 5, 29, FORCED_END)]),
        ([0, 4, 8, 12, 16], {"active_timeout": 10}, [(3, 0, 8, ACTIVE), (2, 12, 16, FORCED_END)]),
        ([0, 4, 8, 12, 30], {"active_timeout": 10, "idle_timeout": 10},
         [(3, 0, 8, ACTIVE), (1, 12, 12, IDLE), (1, 30, 30, FORCED_END)]),
    ],
)  # fmt: skip
def test_a_flow_ends_when_it_was_idle_or_active_for_too_long(moments, limits, expected):
    limits = {name: seconds * SECOND for name, seconds in limits.items()}
    capture = timed(*((moment, frame()) for moment in moments))
    expected = [(packets, first * SECOND, last * SECOND, reason) for packets, first, last, reason in expected]
    assert table(capture, "packets", "first", "last", "end_reason", **limits) == expected


def test_after_a_timeout_forward_is_the_direction_of_the_first_record_again():
    capture = timed((0, frame()), (1, BACK), (20, BACK), (21, frame()))
    scanner = scan(capture, key=key(*FIVE_TUPLE, idle_timeout=10 * SECOND))
    assert [row["flow"] for row in taken(scanner)] == [0, 0, 1, 1]
    found = [(row["src_ip"], row["packets"], row["reverse_packets"]) for row in as_rows(scanner.flows())]
    assert found == [(A4, 1, 1), (B4, 1, 1)]


def test_times_as_far_apart_as_can_be_are_not_close():
    edge = 2**63 // SECOND
    edges = (interface(tsresol=9, tsoffset=-edge), interface(tsresol=9, tsoffset=edge))
    capture = pcapng(*edges, enhanced_packet(frame()), enhanced_packet(frame(), interface_id=1))
    assert table(capture, "packets", "end_reason", idle_timeout=SECOND) == [(1, IDLE), (1, FORCED_END)]
    assert table(capture, "packets", "end_reason", active_timeout=SECOND) == [(1, ACTIVE), (1, FORCED_END)]


def test_intervals_begin_at_multiples_of_their_length_before_the_epoch_too():
    seconds = [-61, -60, -59.5, -0.000000001, 0, 59.999999999, 60, 119, 30]
    capture = pcapng(interface(tsresol=9, tsoffset=-100), *(
        enhanced_packet(frame(), 100 * SECOND + round(second * SECOND)) for second in seconds
    ))  # fmt: skip
    found = table(capture, "interval", "packets", interval=60 * SECOND)
    assert found == [(-120 * SECOND, 1), (-60 * SECOND, 3), (0, 3), (60 * SECOND, 2)]


@pytest.mark.parametrize("limit", [1, 2, 63, 64, 65, 100, 5000])
def test_at_max_flows_nothing_after_the_last_counted_record_is_read(limit):
    packets = [frame(src_port=port) for port in range(limit) for _ in range(2)]
    scanner = Scanner(columns=["packet", "flow"], key=key(*FIVE_TUPLE, max_flows=limit))
    assert feed(scanner, [pcap(records([*packets, frame(src_port=65535), frame(src_port=0)]))]) == FLOWS_FULL
    assert [row["flow"] for row in taken(scanner)] == [port for port in range(limit) for _ in range(2)]
    assert scanner.totals()["packets"] == sum(n for n, _ in scanner.totals()["dispositions"]) == 2 * limit
    found = as_rows(scanner.flows())
    assert {(row["packets"], row["end_reason"]) for row in found} == {(2, LACK_OF_RESOURCES)}
    assert len(found) == limit


def test_just_max_flows_fit():
    scanner = Scanner(key=key(*FIVE_TUPLE, max_flows=3))
    assert feed(scanner, [pcap(records([frame(src_port=port) for port in (1, 2, 3, 2, 1)]))]) == WANTS_INPUT
    assert [row["end_reason"] for row in as_rows(scanner.flows())] == [FORCED_END] * 3


# Size -----------------------------------------------------------------------------------------------------------------


def test_two_hundred_thousand_flows_are_those_of_a_dict_of_counters():
    n, n_flows = 300_000, 200_000
    partial = ones_sum(pseudo_header(b.packed(A4), b.packed(B4), b.UDP, 8))
    segmented = ones_sum(pseudo_header(b.packed(A4), b.packed(B4), b.UDP, 0))  # left to the card, without the length
    headers = [bytes(b.ipv4(b.udp(), *ends))[:20] for ends in ((A4, B4), (B4, A4))]
    counted: dict[tuple[int, int], Counter[str]] = {}
    octets = [pcap([], b.LINK_RAW)]
    for at in range(n):
        flow = at * 7919 % n_flows  # a prime: every flow comes once before one comes twice
        ports = client, server = flow % 50_000, 50_000 + flow // 50_000
        right = 0xFFFF - (partial + client + server + 8) % 0xFFFF
        checksum = {0: 0, 1: right % 0xFFFF + 1}.get(flow % 3, right)
        verdict = {0: "absent", partial: "partial", segmented: "partial", right: "good"}.get(checksum, "bad")
        back = at % 2
        octets.append(struct.pack("<IIII", 0, at, 28, 28 + at % 100) + headers[back])
        octets.append(struct.pack(">HHHH", *(ports[::-1] if back else ports), 8, checksum))
        row = counted.setdefault(ports, Counter(backwards=back, first=at))
        way = "" if back == row["backwards"] else "reverse_"
        row.update({f"{way}packets": 1, f"{way}bytes": 28 + at % 100, verdict: 1})
        row["last"] = at

    columns = scan(b"".join(octets), columns=(), key=key(*FIVE_TUPLE)).flows()
    names = ["packets", "bytes", "reverse_packets", "reverse_bytes", "good", "bad", "partial", "absent"]
    found = [np.frombuffer(memoryview(columns[name]), columns[name].dtype) for name in (*names, "first", "last")]
    assert len(found[0]) == n_flows
    for place, name in enumerate((*names, "first", "last")):
        unit = 1000 if name in ("first", "last") else 1  # us in the file
        assert np.array_equal(found[place], [row[name] * unit for row in counted.values()]), name
    source = np.frombuffer(memoryview(columns["src_port"]), columns["src_port"].dtype)
    assert np.array_equal(source, [ports[row["backwards"]] for ports, row in counted.items()])


# Verdicts -------------------------------------------------------------------------------------------------------------

JUDGED = {
    "good": b.ethernet(b.ipv4(b.udp(b"x"))),
    "bad": b.ethernet(b.ipv4(b.udp(b"x", checksum=1))),
    "absent": b.ethernet(b.ipv4(b.udp(b"x", checksum=0))),
    "bad_length": b.ethernet(b.ipv4(b.udp(b"x", length=7))),
}


@given(st.lists(st.lists(st.sampled_from(sorted(JUDGED)), min_size=1), min_size=1, max_size=70))
def test_every_verdict_of_a_flow_is_counted_whichever_came_first(flows_of):
    """Rows become columns 32 at a time, each with its own counters."""
    frames = [
        bytes(JUDGED[verdict]).replace(b"\x9c\x40\xc3\x50", struct.pack(">HH", 40_000 + at, 50_000), 1)
        for at, verdicts in enumerate(flows_of)
        for verdict in verdicts
    ]
    # Another port changes the sum, so that the verdicts come from an independent reading of the packets.
    capture = pcap(records(frames))
    expected = [Counter(row["verdict"] for row in rows(capture) if row["src_port"] == 40_000 + at)
                for at in range(len(flows_of))]  # fmt: skip
    found = [Counter({name: row[name] for name in VERDICTS[1:]}) for row in flows(capture)]
    assert [+counted for counted in found] == expected


# The ends of time -----------------------------------------------------------------------------------------------------

EARLIEST, LATEST = -(2**63) + 1, 2**63 - 1  # numpy takes -2^63 for "not a time"


@pytest.mark.parametrize("time", [EARLIEST, EARLIEST + 5, -(2**63) + SECOND, -1, 0, LATEST - 5, LATEST])
@pytest.mark.parametrize("interval", [1, 7, SECOND, 3600 * SECOND, LATEST])
def test_an_interval_near_the_ends_of_time_does_not_wrap_around(time, interval):
    seconds, fraction = divmod(time, SECOND)
    capture = pcapng(interface(tsresol=9, tsoffset=seconds), enhanced_packet(frame(), fraction))
    assert table(capture, "first", "interval", interval=interval) == [
        (time, max(time // interval * interval, EARLIEST))
    ]
