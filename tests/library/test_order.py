"""Records and inputs out of order are reported."""

import warnings
from itertools import pairwise

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from command_line import fluxcap as run
from fluxcap.errors import Late, OutOfOrderWarning

SECOND = 10**9
FORTH = b.ethernet(b.ipv4(b.udp(b"", 1001, 1002)))


def capture(*seconds: int) -> bytes:
    """A record at each of these times."""
    header = pcap([], ns=True)
    return header + b"".join(pcap(records([FORTH], start=at * SECOND), ns=True)[len(header) :] for at in seconds)


def late_by_hand(*parts: tuple[int, ...]) -> tuple[int, int, tuple[int, int] | None]:
    """The number of records that are earlier than one before them, the largest difference, and the first of them."""
    latest, found = -1, []
    for place, part in enumerate(parts):
        for number, at in enumerate(part, 1):
            if at < latest:
                found.append((latest - at, place, number))
            latest = max(latest, at)
    return len(found), max((by for by, *_ in found), default=0), found[0][1:] if found else None


@pytest.mark.parametrize(
    "parts",
    [
        [(1, 2, 2, 3)],
        [(1, 2), (2, 3)],
        [(5, 3, 4, 9, 1)],
        [(10, 11), (1, 2)],
        [(1, 10), (5, 12)],
        [(1, 2, 3), (4, 5), (2, 9)],
        [tuple(range(100)), (50, *range(200, 300)), (299, 298)],
    ],
    ids=str,
)
def test_metadata_says_how_many_records_are_late_how_far_and_where_first(parts):
    records, by, first = late_by_hand(*parts)
    captures = [capture(*part) for part in parts]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = fluxcap.read_flows(captures).metadata
    assert made["in_order"] is (records == 0)
    assert [one.category for one in caught] == [OutOfOrderWarning] * (records > 0)
    if first is None:
        assert made["late"] is None
    else:
        place, packet = first
        assert made["late"] == Late(records, by * SECOND, place, packet)
        before = sum(len(part) for part in parts[:place])
        assert f"packet {packet} " in str(caught[0].message)
        assert fluxcap.read_packets(captures)["packet"][before + packet - 1] == packet
    assert fluxcap.read_info(captures).in_order is made["in_order"]


def test_the_first_late_record_is_named_by_its_file(tmp_path):
    paths = [tmp_path / name for name in ("one.pcap", "two.pcap")]
    for path, seconds in zip(paths, [(10, 11), (12, 9)], strict=True):
        path.write_bytes(capture(*seconds))
    with pytest.warns(OutOfOrderWarning, match=r"1 record out of order, by up to 3.*packet 2 of .*two\.pcap"):
        fluxcap.read_connections(paths)
    for command, told in (("flows", 1), ("connections", 1), ("sockets", 1), ("packets", 0), ("check", 0)):
        done = run(command, *paths)
        assert (done.returncode, done.stderr.count("out of order")) == (0, told), command


def test_what_does_not_depend_on_the_order_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not fluxcap.read_packets(capture(2, 1)).metadata["in_order"]
        assert not fluxcap.read_checksums(capture(2, 1)).metadata["in_order"]
        assert not fluxcap.read_flows(capture(2, 1), biflow=False).metadata["in_order"]
        with pytest.raises(OutOfOrderWarning):
            fluxcap.read_flows(capture(2, 1), biflow=False, idle_timeout=1)


def test_threads_find_the_same_late_records():
    header = pcap([], ns=True)
    ordered = pcap(records([FORTH] * 30_000, start=SECOND, step=1000), ns=True)
    tail = capture(*(at + (at % 7 == 0) * 3 for at in range(2000)))[len(header) :]
    one, three = (fluxcap.read_flows(ordered + tail, threads=n).metadata["late"] for n in (1, 3))
    assert one == three
    assert one.packet == 30_002  # the first record of the tail is at 3 s


def test_an_aggregator_and_a_merge_say_so_too():
    flows = fluxcap.FlowAggregator()
    flows.feed(capture(5, 4))
    with pytest.warns(OutOfOrderWarning):
        flows.close()
    tables = [fluxcap.read_flows(capture(*part), biflow=False) for part in ((1, 2), (3, 4))]
    assert all(fluxcap.merge(pair).metadata["in_order"] for pair in pairwise(tables))
    assert not fluxcap.merge(tables[::-1]).metadata["in_order"]
