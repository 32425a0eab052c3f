"""Records without a time: simple packet blocks, and times past what 64 bits of nanoseconds hold. They count in all that
needs no time, and in no `first`, `last`, timeout, gap or order."""

import itertools
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import delivered_directory
import fluxcap
from capture_files import enhanced_packet, interface, pcapng, simple_packet
from core_driver import FIVE_TUPLE, key
from strategies import dialogue_frames, icmp_errors, simple_frames, tunnelled_frames
from tcp_talks import MS, records
from whole_readings import ONE, numbered, read

NO_TIME = int(np.datetime64("NaT", "ns").view(np.int64))  # what numpy and pandas take for no time
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
CLIENT, SERVER = "192.0.2.1", "192.0.2.2"


class Entry(NamedTuple):
    """A record of a capture, or one without a time."""

    frame: bytes
    time: int | None


def capture(entries, far=False) -> bytes:
    """The records of one interface. Those without a time are simple packet blocks or, `far`, of the years 160,000."""
    blocks = [interface(tsresol=9), interface(tsresol=9, tsoffset=5_000_000_000_000)]
    for frame, time in entries:
        if time is not None:
            blocks.append(enhanced_packet(frame, time))
        else:
            blocks.append(enhanced_packet(frame, 7, 1) if far else simple_packet(frame))
    return pcapng(*blocks)


def datagram(src_port: int, payload: bytes = b"", to: int = 53) -> bytes:
    return b.ethernet(b.ipv4(b.udp(payload, src_port, to), CLIENT, SERVER))


def rows(table, *names) -> list[tuple]:
    return list(zip(*(table[name].tolist() for name in names), strict=True))


def flows(entries, **options):
    return fluxcap.read_flows(capture(entries), **options)


# Flows ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("far", [False, True], ids=["simple packet blocks", "out of range"])
def test_first_and_last_are_those_of_the_records_with_a_time(far):
    entries = [
        Entry(datagram(1), None),
        Entry(datagram(2), START + 5),
        Entry(datagram(1), START + 7),
        Entry(datagram(1), None),
        Entry(datagram(1), START + 6),
        Entry(datagram(3), None),
        Entry(datagram(3), None),
    ]
    table = fluxcap.read_flows(capture(entries, far))
    assert rows(table, "src_port", "packets", "first", "last") == [
        (1, 4, START + 6, START + 7),
        (2, 1, START + 5, START + 5),
        (3, 2, NO_TIME, NO_TIME),
    ]
    made = table.metadata
    assert (made["packets"], made["without_time"], made["first"], made["last"]) == (7, 4, START + 5, START + 7)
    assert (made["late"].records, made["late"].by, made["late"].packet) == (1, 1, 5)


def test_a_capture_without_any_time_has_no_first_and_no_last():
    made = flows([Entry(datagram(1), None)] * 3).metadata
    assert (made["packets"], made["without_time"], made["first"], made["last"]) == (3, 3, None, None)
    assert (made["in_order"], made["late"]) == (True, None)


def test_without_a_record_there_is_no_first_and_no_last():
    made = flows([]).metadata
    assert (made["packets"], made["without_time"], made["first"], made["last"]) == (0, 0, None, None)


@pytest.mark.parametrize("option", ["idle_timeout", "active_timeout"])
def test_a_record_without_a_time_is_of_the_flow_that_is_open_and_ends_none(option):
    entries = [
        Entry(datagram(1), None),
        Entry(datagram(1), START),
        Entry(datagram(1), None),
        Entry(datagram(1), START + 10 * SECOND),
        Entry(datagram(1), None),
    ]
    assert rows(flows(entries, **{option: 5}), "packets", "first", "last") == [
        (3, START, START),
        (2, START + 10 * SECOND, START + 10 * SECOND),
    ]


def test_a_record_without_a_time_is_in_the_interval_of_the_record_before_it_of_whatever_flow():
    entries = [
        Entry(datagram(1), None),  # no record with a time came before
        Entry(datagram(1), START),
        Entry(datagram(1), None),
        Entry(datagram(2), START + 10 * SECOND),
        Entry(datagram(1), None),
        Entry(datagram(1), None),
    ]
    found = rows(flows(entries, interval=10), "src_port", "interval", "packets", "first")
    assert found == [
        (1, NO_TIME, 1, NO_TIME),
        (1, START, 2, START),
        (2, START + 10 * SECOND, 1, START + 10 * SECOND),
        (1, START + 10 * SECOND, 2, NO_TIME),
    ]


@pytest.mark.parametrize("ends", [(SERVER, CLIENT), (CLIENT, SERVER)])
def test_a_flow_that_begins_before_any_time_is_known_has_no_earlier_interval(ends):
    """Its source is the client by the port, also where another flow is in the same interval."""
    answer = b.ethernet(b.ipv4(b.udp(b"", 53, 40000), *ends))
    entries = [Entry(datagram(1), None), Entry(answer, None), Entry(answer, START)]
    found = rows(flows(entries, interval=10, semantics="zeek"), "src_port", "interval", "reverse_packets")
    assert found == [(1, NO_TIME, 0), (40000, NO_TIME, 1), (40000, START, 1)]


def test_an_interval_does_not_reach_from_one_input_into_the_next():
    inputs = [capture([Entry(datagram(1), START)]), capture([Entry(datagram(1), None)])]
    assert fluxcap.read_flows(inputs, interval=10)["interval"].tolist() == [START, NO_TIME]


def test_an_error_without_a_time_counts_on_the_flow_of_its_interval():
    quoted = b.ipv4(b.udp(b"", 1, 53), CLIENT, SERVER)
    error = b.ethernet(b.ipv4(b.icmp(bytes(quoted)[:28], 3, 3, bytes(4)), "198.51.100.7", CLIENT))
    table = flows([Entry(datagram(1), START), Entry(error, None)], interval=10)
    assert rows(table, "protocol", "icmp_errors") == [(b.UDP, 1), (b.ICMP, 0)]


frames = st.one_of(dialogue_frames, dialogue_frames, simple_frames, tunnelled_frames, icmp_errors)
entries = st.lists(
    st.builds(Entry, frames, st.one_of(st.none(), st.integers(0, 50 * SECOND).map(lambda at: START + at))), max_size=60
)
OPTIONS = [
    {},
    {"idle_timeout": 5},
    {"active_timeout": 7},
    {"idle_timeout": 2, "active_timeout": 9},
    {"interval": 10},
    {"interval": 3, "idle_timeout": 4},
]


@settings(deadline=None)
@given(entries=entries, options=st.sampled_from(OPTIONS), far=st.booleans())
@pytest.mark.filterwarnings("ignore::fluxcap.errors.OutOfOrderWarning")
def test_records_without_a_time_change_no_time_of_any_flow(entries, options, far):
    timed = [entry for entry in entries if entry.time is not None]
    by = {"by": FIVE_TUPLE, "biflow": False, **options}
    found, expected = fluxcap.read_flows(capture(entries, far), **by), fluxcap.read_flows(capture(timed), **by)
    names = ("protocol", "src_port", "dst_port", "first", "last", "end_reason")

    def times(table) -> list[tuple]:
        addresses = zip(map(bytes, table["src_ip"]), map(bytes, table["dst_ip"]), strict=True)
        intervals = table["interval"].tolist() if "interval" in options else [0] * len(table)
        return sorted(zip(intervals, addresses, rows(table, *names), strict=True))

    assert times(found.filter(found["first"] != NO_TIME)) == times(expected)
    about, without = found.metadata, expected.metadata
    assert [about[name] for name in ("first", "last", "in_order")] == [
        without[name] for name in ("first", "last", "in_order")
    ]
    late = [made["late"] and (made["late"].records, made["late"].by) for made in (about, without)]
    assert late[0] == late[1]
    assert about["without_time"] == len(entries) - len(timed)
    as_if_timed = fluxcap.read_flows(capture([Entry(frame, START) for frame, _ in entries]), **by)
    assert found["packets"].sum() == as_if_timed["packets"].sum()


@settings(deadline=None)
@given(entries=entries)
def test_each_record_has_its_time_or_none(entries):
    packets = fluxcap.read_packets(capture(entries), columns="time")
    assert packets["time"].tolist() == [NO_TIME if time is None else time for _, time in entries]
    info = fluxcap.read_info(capture(entries))
    times = [time for _, time in entries if time is not None]
    assert (info.first, info.last) == (min(times, default=None), max(times, default=None))
    assert info.duration == (max(times) - min(times) if times else None)


def long_capture() -> bytes:
    """Longer than a thread's share, records without a time at its start, by themselves and many in a row."""
    untimed = {*range(40), *range(700, 2600, 61), *range(2600, 2700)}
    return capture(
        Entry(frame, None if at in untimed else START + at * SECOND // 100) for at, frame in enumerate(numbered(4000))
    )


@pytest.mark.parametrize("threads", [2, 3, 5])
@pytest.mark.parametrize("by", [{"interval": SECOND}, {"idle_timeout": SECOND}, {"features": True, "splt": 3}], ids=str)
def test_records_without_a_time_are_the_same_with_any_number_of_threads(threads, by):
    options = {"key": key("protocol", "dst_port", biflow=False, **by)}
    expected = read(long_capture(), [1 << 18], ONE, **options)
    assert expected["totals"]["packets"] == 4000
    assert read(long_capture(), [20_000], itertools.repeat(threads), **options) == expected


def test_intervals_across_threads_are_those_of_the_records_before():
    table = fluxcap.read_flows(long_capture(), by="dst_port", biflow=False, interval=1)
    packets = fluxcap.read_packets(long_capture(), columns="time")["time"].tolist()
    before, expected = NO_TIME, Counter()
    for time in packets:
        before = before if time == NO_TIME else time
        expected[NO_TIME if before == NO_TIME else before // SECOND * SECOND] += 1
    assert dict(rows(table, "interval", "packets")) == expected


# Connections, datagrams, streams --------------------------------------------------------------------------------------


def talked(line: str, *untimed: int) -> list[Entry]:
    """The segments of a talk, those of these numbers (from 0) without a time."""
    return [Entry(data, None if at in untimed else time) for at, (data, time, _) in enumerate(records(line))]


@pytest.mark.parametrize(
    ("untimed", "rtts"),
    [((), (MS, MS)), ((0,), (-1, MS)), ((1,), (-1, -1)), ((2,), (MS, -1)), ((0, 1, 2), (-1, -1))],
)
def test_a_round_trip_of_which_one_end_has_no_time_is_unknown(untimed, rtts):
    table = fluxcap.read_connections(capture(talked(">S <SA >A >D5 <A", *untimed)))
    assert (table["synack_rtt"][0], table["ack_rtt"][0]) == rtts
    assert fluxcap.STATES[table["state"][0]] == "S1"


@pytest.mark.parametrize("untimed", [(0,), (1,), (2,), (0, 1, 2), (3, 4)])
def test_the_timeouts_of_other_programs_do_not_end_a_connection_for_lack_of_a_time(untimed):
    line = ">S <SA >A >D5 <A >F <F >A >D5"
    for semantics in ("zeek", "nfstream", "yaf"):
        read = fluxcap.read_connections
        assert len(read(capture(talked(line, *untimed)), semantics=semantics)) == 1


def test_a_syn_that_began_another_connection_leaves_the_one_before_without_a_time():
    line = ">D5 <A >S@+1000000i <SAi >A"  # a connection under way, then a SYN of another number, which is answered
    table = fluxcap.read_connections(capture(talked(line, 0, 1)))
    assert table["packets"].tolist() == [1, 2]
    assert table["first"].tolist() == [NO_TIME, START + 3 * MS]


def pieces(*times: int | None) -> list[Entry]:
    """The fragments of one datagram, at these times, the first fragment first."""
    whole = b.completed(b.udp(bytes(range(40)), 1111, 2222), b.packed(CLIENT), b.packed(SERVER))
    cut = b.pieces(whole, 16)
    assert len(cut) == len(times)
    return [
        Entry(b.ethernet(b.ipv4(piece, CLIENT, SERVER, b.UDP, identification=9, offset=at, more=more)), time)
        for time, (at, more, piece) in zip(times, cut, strict=True)
    ]


MANY = START + 1000 * SECOND


@pytest.mark.parametrize(
    "times",
    [(None, START, START), (START, None, MANY - 999 * SECOND), (START, START, None), (None, None, None)],
    ids=str,
)
@pytest.mark.parametrize("order", [1, -1])
def test_fragments_without_a_time_are_of_the_datagram_that_is_under_way(times, order):
    packets = fluxcap.read_packets(capture(pieces(*times)[::order]))
    assert packets["src_port"].tolist() == [1111] * 3
    verdicts = [fluxcap.VERDICTS[code] for code in packets["verdict"]]
    assert verdicts == ["fragment", "fragment", "good"]


def test_a_datagram_lives_from_its_first_fragment_with_a_time():
    packets = fluxcap.read_packets(capture(pieces(None, START, MANY)))
    assert [fluxcap.VERDICTS[code] for code in packets["verdict"]] == ["fragment"] * 3


def test_demux_gives_no_time_to_what_has_none(tmp_path):
    entries = [Entry(datagram(1, b"one"), None), Entry(datagram(2, b"two"), START), Entry(datagram(1, b"3", 7), None)]
    entries += talked(">S <SA >A >D5 <D7", 1, 4)
    fluxcap.demux(capture(entries), tmp_path / "out")
    delivery = delivered_directory.read(tmp_path / "out")
    assert [message["time"] for message in delivery.messages] == [None, "2023-11-14T22:13:20.000000000Z", None]
    assert [(socket["port"], socket["first"] is None, socket["last"] is None) for socket in delivery.sockets] == [
        (53, False, False),
        (7, True, True),
    ]
    assert [(stream["packets"], stream["first"] is None) for stream in delivery.streams] == [(3, False), (2, True)]


def test_a_pcap_made_of_records_without_a_time_has_zero_for_it(tmp_path):
    entries = [Entry(datagram(1, b"one"), None), Entry(datagram(1, b"two"), START)]
    fluxcap.demux(capture(entries), tmp_path / "messages")
    fluxcap.mux(tmp_path / "messages", tmp_path / "muxed.pcap")
    fluxcap.demux(capture(entries), tmp_path / "records", form="pcap")
    for path in (tmp_path / "muxed.pcap", *(tmp_path / "records").glob("*.pcap")):
        assert fluxcap.read_packets(path)["time"].tolist() == [0, START]


def test_extract_and_repair_leave_simple_packet_blocks_as_they_are(tmp_path):
    partial = b.ethernet(b.ipv4(b.udp(b"x", 1, 53, checksum="partial"), CLIENT, SERVER))
    whole = capture([Entry(partial, None), Entry(datagram(2), START), Entry(datagram(1), START), Entry(partial, None)])
    source = tmp_path / "source.pcapng"
    source.write_bytes(whole)
    table = fluxcap.read_flows(source)
    table.extract([0], tmp_path / "one.pcapng")
    assert fluxcap.read_packets(tmp_path / "one.pcapng")["time"].tolist() == [NO_TIME, START, NO_TIME]
    done = fluxcap.repair(source, tmp_path / "repaired.pcapng")
    repaired = fluxcap.read_packets(tmp_path / "repaired.pcapng")
    assert done.repaired == 2
    assert repaired["time"].tolist() == [NO_TIME, START, START, NO_TIME]
    assert {fluxcap.VERDICTS[code] for code in repaired["verdict"]} == {"good"}
