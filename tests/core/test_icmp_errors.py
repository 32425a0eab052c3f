"""ICMP errors are counted on the flow of the packet that they quote (RFC 792, RFC 4443)."""

import csv
import gzip
import os
import pickle
import struct
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import Record, pcap, records
from fluxcap.values.text import cells
from real_captures import CORPUS, index, needs_corpus

A4, B4, R4, A6, B6, R6 = "192.0.2.1", "192.0.2.2", "198.51.100.9", "2001:db8::1", "2001:db8::2", "2001:db8::9"
UNUSED = bytes(4)
SECOND = 1_000_000_000
COLUMNS = ("icmp_errors", "icmp_type", "icmp_code")


def about(packet: bytes, kind: int = 3, code: int = 3, octets: int = 28, to: str = A4, v6: bool = False) -> bytes:
    """A frame with an error about this IP packet, of which it quotes so many bytes."""
    if v6:
        return b.ethernet(b.ipv6(b.icmpv6(bytes(packet)[:octets], kind, code, UNUSED), R6, to))
    return b.ethernet(b.ipv4(b.icmp(bytes(packet)[:octets], kind, code, UNUSED), R4, to))


def errors(frames, **options) -> list[tuple[int, ...]]:
    """Protocol, source port, errors, type and code of the flows that errors quote."""
    table = fluxcap.read_flows(pcap(records(frames)), **options)
    names = [name for name in ("protocol", "src_port") if name in table.columns]
    about = table.filter(table["icmp_errors"] > 0)
    return list(zip(*(about[name].tolist() for name in (*names, *COLUMNS)), strict=True))


UDP = b.ipv4(b.udp(b"hello", 4000, 53), A4, B4)
UDP6 = b.ipv6(b.udp(b"hello", 4000, 53), A6, B6)


@pytest.mark.parametrize(
    ("packet", "protocol", "port", "octets", "v6"),
    [
        (UDP, 17, 4000, 28, False),
        (b.ipv4(b.tcp(b"", 4000, 80), A4, B4), 6, 4000, 28, False),  # eight bytes of its header, as RFC 792 asks
        (b.ipv4(b.udp(b"hello", 4000, 53), A4, B4, options=bytes(8)), 17, 4000, 36, False),
        (b.ipv4(b.sctp(b"x", 4000, 80), A4, B4), 132, 4000, 28, False),
        (b.ipv4(b.icmp(b"ping"), A4, B4), 1, 0x1234, 28, False),  # the error is about an echo request
        (b.ipv4(bytes(8), A4, B4, protocol=89), 89, 0, 28, False),
        (UDP6, 17, 4000, 200, True),
        (b.ipv6(b.hop_by_hop(b.udp(b"", 4000, 53)), A6, B6), 17, 4000, 200, True),
        (b.ipv6(b.icmpv6(b"ping"), A6, B6), 58, 0x1234, 200, True),
    ],
)
def test_an_error_counts_on_the_flow_it_quotes(packet, protocol, port, octets, v6):
    error = about(packet, 1 if v6 else 3, 4, octets, A6 if v6 else A4, v6)
    assert errors([b.ethernet(packet), error]) == [(protocol, port, 1, 1 if v6 else 3, 4)]


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_every_kind_of_icmp_error_quotes(kind):
    assert errors([b.ethernet(UDP), about(UDP, kind, 1)]) == [(17, 4000, 1, kind, 1)]


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 127])
def test_every_kind_of_icmpv6_error_quotes(kind):
    assert errors([b.ethernet(UDP6), about(UDP6, kind, 0, 200, A6, True)]) == [(17, 4000, 1, kind, 0)]


@pytest.mark.parametrize("kind", [0, 8, 9, 13, 17])
def test_other_messages_quote_nothing(kind):
    assert errors([b.ethernet(UDP), about(UDP, kind, 0)]) == []


def test_the_error_itself_stays_in_its_own_flow():
    table = fluxcap.read_flows(pcap(records([b.ethernet(UDP), about(UDP)])))
    assert table["protocol"].tolist() == [17, 1]
    assert table["packets"].tolist() == [1, 1]
    assert table["good"].tolist() == [1, 1]


def test_a_wrong_checksum_in_the_quotation_is_no_verdict():
    damaged = b.ipv4(b.udp(b"hello", 4000, 53, checksum=0xBAD), A4, B4)
    table = fluxcap.read_flows(pcap(records([b.ethernet(UDP), about(damaged, octets=33)])))
    assert (table["bad"].sum(), table["icmp_errors"].tolist()) == (0, [1, 0])


def test_an_error_about_the_reply_counts_on_the_same_row():
    reply = b.ipv4(b.udp(b"", 53, 4000), B4, A4)
    assert errors([b.ethernet(UDP), about(reply, 3, 3, to=B4)]) == [(17, 4000, 1, 3, 3)]
    assert errors([b.ethernet(UDP), about(reply, 3, 3, to=B4)], biflow=False) == []


def test_type_and_code_are_those_of_the_last_error():
    late, early = Record(about(UDP, 11, 0), 9_000), Record(about(UDP, 3, 1), 5_000)
    capture = pcap([Record(b.ethernet(UDP), 1_000), late, early])
    table = fluxcap.read_flows(capture)
    assert [table[name][0] for name in COLUMNS] == [2, 11, 0]


def test_an_error_may_come_before_the_flow_it_quotes():
    assert errors([about(UDP), about(UDP, 11, 0), b.ethernet(UDP)]) == [(17, 4000, 2, 11, 0)]


def test_an_error_about_what_is_not_in_the_capture_makes_no_row():
    assert len(fluxcap.read_flows(pcap(records([about(UDP)])))) == 1
    assert errors([about(UDP)]) == []


@pytest.mark.parametrize("octets", [0, 1, 19, 20, 23])
def test_a_quotation_cut_before_the_ports_counts_nowhere(octets):
    assert errors([b.ethernet(UDP), about(UDP, octets=octets)]) == []


@pytest.mark.parametrize(
    "by", ["hosts", "ports", "src_ip/24,dst_ip/24", "protocol", "vlan,protocol", "src_mac,dst_mac"]
)
def test_any_key_finds_the_quoted_flow(by):
    sent = b.ethernet(UDP, src=b"aaaaaa", dst=b"bbbbbb")
    error = b.ethernet(b.ipv4(b.icmp(bytes(UDP)[:28], 3, 3, UNUSED), B4, A4), src=b"bbbbbb", dst=b"aaaaaa")
    table = fluxcap.read_flows(pcap(records([sent, error])), by=by)
    assert table["icmp_errors"][0] == 1


def test_an_error_counts_in_the_interval_it_came_in():
    second = 1_000_000_000
    capture = pcap(records([b.ethernet(UDP), about(UDP), b.ethernet(UDP)], 0, second // 2))
    table = fluxcap.read_flows(capture, interval="1s")
    assert table.filter(table["protocol"] == 17)["icmp_errors"].tolist() == [1, 0]


def test_an_error_counts_on_the_row_that_is_current():
    second = 1_000_000_000
    frames = [b.ethernet(UDP), about(UDP, 3, 0), b.ethernet(UDP), about(UDP, 3, 1), about(UDP, 3, 2)]
    capture = pcap([Record(one, place * 10 * second) for place, one in enumerate(frames)])
    table = fluxcap.read_flows(capture, idle_timeout="15s")
    assert table.filter(table["protocol"] == 17)["icmp_errors"].tolist() == [1, 2]


def test_behind_a_fragment_that_is_waited_for_the_quotation_is_not_lost():
    waiting = b.ethernet(b.ipv4(bytes(16), A4, B4, protocol=17, offset=8, identification=7))
    assert errors([b.ethernet(UDP), waiting, *[about(UDP)] * 3000]) == [(17, 4000, 3000, 3, 3)]


FRAMES = [
    *(b.ethernet(b.ipv4(b.udp(b"", port, 53), A4, B4)) for port in (1, 2)),
    *(about(b.ipv4(b.udp(b"", port, 53), A4, B4), *kind) for port in (1, 2) for kind in ((3, 3), (11, 0))),
]


def about_many(first: int, n: int) -> bytes:
    """A capture of so many errors, each about a datagram to another address."""
    frame = bytes(about(b.ipv4(b.udp(bytes(4), 4000, 53), A4, B4), octets=32))
    record = np.frombuffer(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame, np.uint8)
    many = np.tile(record, (n, 1))
    quoted = 16 + 14 + 20 + 8
    assert bytes(many[0, quoted + 16 : quoted + 20]) == bytes((192, 0, 2, 2))
    # The destination counts up in the first four bytes, and down in the last four: the sum of the error stays right.
    destination = np.arange(first, first + n, dtype=np.uint32)
    before = many[:, quoted + 16 : quoted + 20].copy().view(">u4")[0, 0]
    many[:, quoted + 16 : quoted + 20] = destination.astype(">u4").view(np.uint8).reshape(-1, 4)
    many[:, quoted + 28 :] = (before - destination).astype(">u4").view(np.uint8).reshape(-1, 4)
    return pcap([]) + many.tobytes()


def test_merging_counts_an_error_on_the_row_that_is_current_when_it_comes():
    asked = b.ipv4(b.udp(b"", 1, 53), A4, B4)
    made = records([b.ethernet(asked), b.ethernet(asked), about(asked)], step=100 * SECOND)
    parts = [fluxcap.read_flows(pcap([one]), idle_timeout=10) for one in made]
    assert fluxcap.merge(parts)["icmp_errors"].tolist() == [0, 1, 0]
    assert fluxcap.merge(parts) == fluxcap.read_flows(pcap(made), idle_timeout=10)


def test_merging_says_how_many_errors_it_does_not_keep():
    """Each of the tables has kept all of its own."""
    kept, part = 1 << 16, 33_000
    tables = [fluxcap.read_flows(about_many(1 + start, part)) for start in (0, part)]
    with pytest.warns(UserWarning, match=f"{2 * part - kept:,} ICMP errors about flows not seen"):
        assert fluxcap.merge(tables)["packets"].tolist() == [2 * part]


@given(st.lists(st.sampled_from(FRAMES), min_size=1, max_size=12), st.data())
def test_merging_joins_errors_with_flows_of_other_parts(frames, data):
    made = records(frames)
    whole = fluxcap.read_flows(pcap(made))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(made)), max_size=3)))
    parts = [
        pickle.loads(pickle.dumps(fluxcap.read_flows(pcap(made[start:end]))))
        for start, end in zip([0, *cuts], [*cuts, len(made)], strict=True)
    ]
    assert fluxcap.merge(parts) == whole
    backwards = fluxcap.merge(parts[::-1]).sort("src_port")
    assert [backwards[name].tolist() for name in COLUMNS] == [whole.sort("src_port")[name].tolist() for name in COLUMNS]


# Real captures, against tshark's word


def quoted(frame: dict[str, str]) -> tuple[str, ...] | None:
    """The five-tuple that an ICMP error quotes, where no tunnel makes it hard to say which header is which."""
    layers = frame["frame.protocols"].split(":")
    inner = layers[layers.index("icmp") + 1 :] if "icmp" in layers else []
    if inner[:1] != ["ip"] or inner[1:2] not in (["udp"], ["tcp"]) or layers.count("ip") != 2 or "ipv6" in layers:
        return None
    ends = [frame[f"{inner[1]}.{end}port"] for end in ("src", "dst")]
    return inner[1], frame["ip.src"].split(",")[1], ends[0], frame["ip.dst"].split(",")[1], ends[1]


@needs_corpus
@pytest.mark.filterwarnings("ignore:the fraction of a second")
def test_errors_in_real_captures_count_as_tshark_reads_their_quotations():
    csv.field_size_limit(1 << 27)
    compared = 0
    for row in index():
        words = CORPUS / "expected" / f"{row['sha256'][:16]}.tsv.gz"
        if not int(row["icmp"]) or row["tshark_rc"] != "0" or not words.exists():
            continue
        with gzip.open(words, "rt", errors="replace", newline="") as file:
            frames = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        wanted = Counter(found for frame in frames if (found := quoted(frame)))
        table = fluxcap.read_flows(CORPUS / row["path"], biflow=False)
        names = np.array(["?", "tcp", "udp"])[(table["protocol"] == 6) + 2 * (table["protocol"] == 17)]
        columns = [cells(name, table[name]) for name in ("src_ip", "src_port", "dst_ip", "dst_port")]
        keys = zip(names, *([str(cell) for cell in column] for column in columns), strict=True)
        errors = dict(zip(keys, table["icmp_errors"].tolist(), strict=True))
        for flow, count in wanted.items():
            if flow in errors:
                assert (row["path"], flow, errors[flow]) == (row["path"], flow, count)
                compared += 1
    assert compared > 100


def test_the_packet_of_an_error_names_the_flow_that_it_quotes():
    """The column has -1 if no packet of the quoted flow came before, and for a packet that is not an error."""
    other = b.ipv4(b.udp(b"other", 4001, 53), A4, B4)
    ping = b.ethernet(b.ipv4(b.icmp(b"ping"), A4, B4))
    frames = [about(UDP), b.ethernet(other), b.ethernet(UDP), about(UDP), about(other), ping]
    packets = fluxcap.read_packets(pcap(records(frames)), columns="flow,quoted_flow")
    assert packets["quoted_flow"].tolist() == [-1, -1, -1, packets["flow"][2], packets["flow"][1], -1]


def test_the_flow_that_is_quoted_is_that_of_the_key():
    frames = [b.ethernet(b.ipv4(b.udp(b"x", port, 53), A4, B4)) for port in (4001, 4000)] + [about(UDP)]
    by_ports, by_hosts = (
        fluxcap.read_packets(pcap(records(frames)), columns="quoted_flow", by=by)["quoted_flow"].tolist()
        for by in ("ports", "hosts")
    )
    assert (by_ports, by_hosts) == ([-1, -1, 1], [-1, -1, 0])


def test_errors_about_flows_not_seen_are_kept_up_to_a_bound():
    kept, more = 1 << 16, 100
    frames = [about(b.ipv4(b.udp(b"", 1 + n % 60_000, 1 + n // 60_000), A4, B4)) for n in range(kept + more)]
    # The errors are one flow; of these two, one is quoted by an error that is kept.
    frames += [b.ethernet(b.ipv4(b.udp(b"", 1 + n % 60_000, 1 + n // 60_000), A4, B4)) for n in (0, kept + 1)]
    capture = pcap(records(frames))
    with pytest.warns(UserWarning, match="100 ICMP errors about flows"):
        table = fluxcap.read_flows(capture)
    assert table["packets"].tolist() == [kept + more, 1, 1]
    assert table["icmp_errors"].tolist() == [0, 1, 0]


@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer takes memory of its own")
def test_a_million_errors_about_different_flows_take_bounded_memory(tmp_path):
    path = tmp_path / "errors.pcap"
    path.write_bytes(about_many(1, 1_000_000))
    script = """
import sys, fluxcap, numpy
def peak():
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
table = fluxcap.read_flows(sys.argv[1], threads=1)
print(len(table), table["good"][0], table.metadata["ledger"]["counted"][0], peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, env=dict(os.environ))
    assert f"{1_000_000 - (1 << 16):,} ICMP errors about flows not seen" in done.stderr
    flows, good, counted, taken = map(int, done.stdout.split())
    assert (flows, good, counted) == (1, 1_000_000, 1_000_000)
    assert taken < 64 << 20
