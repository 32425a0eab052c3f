"""Tables so large that their columns take whole pages. The last read, which turns the memory of rows into that of
columns, gives the same values as a read before it, and those of the capture."""

import numpy as np
import pytest

import builders as b
from capture_files import Record, pcap
from core_driver import FIVE_TUPLE, key, scan
from fluxcap._core import Scanner
from whole_readings import feed

FLOWS = 300_000
PIECE = 2**18  # flows to a piece of 2 MiB of a column of eight bytes
# Around the start of a piece whose values must be zero, so that old content would show:
BAD = slice(PIECE - 100, PIECE + 100)  # the only flows with a wrong checksum
ANSWERED = slice(PIECE - 50, PIECE + 50)  # ... with a packet of the other direction, which comes after all the others
KINDS = {
    "plain": key(*FIVE_TUPLE),
    "one direction": key(*FIVE_TUPLE, biflow=False),
    "another key": key("src_ip", "flow_label"),
    "features": key(*FIVE_TUPLE, features=True, activity=True, splt=3),
    "connections": key(*FIVE_TUPLE, connections=True, server_ports=((), (53,))),
}
FILE_HEADER, RECORD_HEADER, ADDRESS = 24, 16, 16
SRC = RECORD_HEADER + 14 + 8
CHECKSUM = SRC + 2 * ADDRESS + 6


def addresses() -> np.ndarray:
    """One frame a flow. Numbers and their complements add up to zero, so that one checksum is right for all."""
    numbers = np.arange(FLOWS, dtype="<u4").view("<u2").reshape(-1, 2)
    words = np.zeros((FLOWS, 8), "<u2")
    words[:, 0] = 0x0120
    words[:, 4:] = np.stack([numbers[:, 0], ~numbers[:, 0], numbers[:, 1], ~numbers[:, 1]], axis=1)
    return words.view(np.uint8)


def capture() -> bytes:
    """A packet for each flow, microseconds apart, then the answers."""
    client, server = "2001::ffff:0:ffff", "2001:db8::2"
    asked = pcap([Record(b.ethernet(b.ipv6(b.udp(b"asks", 4000, 53), client, server)))])
    answer = pcap([Record(b.ethernet(b.ipv6(b.udp(b"says", 53, 4000), server, client)))])
    requests = np.tile(np.frombuffer(asked[FILE_HEADER:], np.uint8), (FLOWS, 1))
    requests[:, 4:8] = np.arange(FLOWS, dtype="<u4").view(np.uint8).reshape(-1, 4)
    requests[:, SRC : SRC + ADDRESS] = addresses()
    requests[BAD, CHECKSUM] ^= 1
    answers = np.tile(np.frombuffer(answer[FILE_HEADER:], np.uint8), (ANSWERED.stop - ANSWERED.start, 1))
    answers[:, :4] = np.frombuffer((1).to_bytes(4, "little"), np.uint8)
    answers[:, SRC + ADDRESS : SRC + 2 * ADDRESS] = addresses()[ANSWERED]
    return asked[:FILE_HEADER] + requests.tobytes() + answers.tobytes()


def expected() -> dict[str, np.ndarray]:
    """The expected columns of the plain table."""
    one, bad, answered = np.ones(FLOWS, np.uint64), np.zeros(FLOWS, np.uint64), np.zeros(FLOWS, np.uint64)
    bad[BAD] = answered[ANSWERED] = 1
    first = np.arange(FLOWS, dtype=np.int64) * 1000
    return {
        "src_ip": addresses(),
        "src_port": np.full(FLOWS, 4000, np.uint16),
        "packets": one,
        "reverse_packets": answered,
        "payload_bytes": 4 * one,
        "reverse_payload_bytes": 4 * answered,
        "first": first,
        "last": np.where(answered, 1_000_000_000, first),
        "good": one - bad + answered,
        "bad": bad,
        "partial": 0 * one,
        "reverse_tcp_flags": np.zeros(FLOWS, np.uint8),
        "icmp_errors": 0 * one,
    }


@pytest.fixture(scope="module")
def octets() -> bytes:
    return capture()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_read_the_last_time_holds_what_it_held_before(kind, octets):
    scanner = scan(octets, columns=(), key=KINDS[kind])
    before = {name: memoryview(column).tobytes() for name, column in scanner.flows().items()}
    last = scanner.flows(last=True)
    assert [name for name, column in last.items() if memoryview(column).tobytes() != before[name]] == []
    assert list(last) == list(before)


@pytest.mark.parametrize(("threads", "shards"), [(2, 1), (5, 1), (3, 4), (7, 32)])
@pytest.mark.parametrize("kind", KINDS)
def test_several_threads_make_the_same_columns(kind, threads, shards, octets):
    expected = scan(octets, columns=(), key=KINDS[kind]).flows()
    scanner = Scanner(key=KINDS[kind], shards=shards)
    scanner.begin()
    feed(scanner, octets, [1 << 18], lambda: scanner.run(threads))
    for last in (False, True):
        found = scanner.flows(last=last)
        assert [name for name in expected if memoryview(found[name]) != memoryview(expected[name])] == []


def test_a_table_read_the_last_time_holds_what_the_capture_holds(octets):
    last = scan(octets, columns=(), key=KINDS["plain"]).flows(last=True)
    for name, values in expected().items():
        assert np.array_equal(np.frombuffer(last[name], last[name].dtype), values.ravel()), name


def test_a_table_read_the_last_time_is_empty(octets):
    scanner = scan(octets, columns=(), key=KINDS["plain"])
    assert len(scanner.flows(last=True)["packets"]) == FLOWS
    assert len(scanner.flows(last=True)["packets"]) == 0
