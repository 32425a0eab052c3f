"""Timelines: what each interval counts, held against sums over the records themselves."""

import os
import pickle
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, simple_packet
from client_and_server import A, S, client, datagram, opened
from fluxcap.capture.inputs import expand
from fluxcap.capture.reading import Reading
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.tables import gathering
from fluxcap.tables.packets import packet_table
from fluxcap.tables.timeline import counts, intervals
from oracle import frames, observe
from real_captures import SAMPLES
from strategies import captures, dialogue_frames, fragment_frames, odd_frames, simple_frames, tunnelled_frames

SUMS = ("packets", "bytes")
RATES = ("packets_per_second", "bits_per_second")
FLOWS = ("flows", "new_flows")
VERDICTS = ("bad", "partial", "ip_bad")
TRIPS = ("retransmitted", "rtt_median")
US, MS, SECOND = 1000, 1_000_000, 1_000_000_000
START = 1_700_000_000 * SECOND

lengths = st.sampled_from([1, 7, 100, 333, 5000])  # microseconds
all_frames = st.one_of(dialogue_frames, simple_frames, tunnelled_frames, odd_frames, fragment_frames)
bounded = settings(max_examples=100, deadline=None)


def named(table: fluxcap.TimelineTable, *names: str) -> dict[tuple, tuple]:
    """Some columns by time and group, of the rows with packets."""
    group = table.columns[1 : table.columns.index("packets")]
    keys = list(zip(*(table[name].tolist() for name in ("time", *group)), strict=True))
    values = zip(*(table[name].tolist() for name in names), strict=True)
    return {key: row for key, row, packets in zip(keys, values, table["packets"], strict=True) if packets}


def column(packets: list[Record], name: str, interval: str = "1s", **given) -> list:
    return fluxcap.read_timeline(pcap(packets, ns=True), interval, **given)[name].tolist()


def at(seconds: float, data: bytes) -> Record:
    return Record(data, START + round(seconds * SECOND))


@bounded
@given(capture=captures(all_frames), length=lengths)
def test_packets_and_bytes_are_those_of_all_records_of_the_interval(capture: bytes, length: int) -> None:
    found: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for frame in frames(capture):
        start = frame.time // (length * US) * length * US
        found[start][0] += 1
        found[start][1] += frame.wire_length
    table = fluxcap.read_timeline(capture, f"{length}us")
    assert named(table, *SUMS) == {(start,): tuple(counted) for start, counted in found.items()}
    starts = table["time"].tolist()
    assert starts == list(range(min(found), max(found) + 1, length * US) if found else [])


@bounded
@given(packets=st.lists(st.tuples(st.integers(0, 20), simple_frames), max_size=12), length=lengths)
def test_checksums_and_groups_are_those_that_a_slow_reader_finds(packets: list[tuple[int, bytes]], length: int) -> None:
    capture = pcap([Record(bytes(data), moment * 100 * US) for moment, data in packets])
    seen = [(frame, one) for frame, one in zip(frames(capture), observe(capture), strict=True)]
    verdicts: dict[tuple, Counter] = defaultdict(Counter)
    groups: dict[str, Counter] = {"verdict": Counter(), "protocol": Counter()}
    for frame, one in seen:
        start = frame.time // (length * US) * length * US
        verdict, ip_verdict, protocol = (one.verdict, one.ip_verdict, one.protocol) if one else ("none", "none", 0)
        verdicts[(start,)].update((verdict, f"ip_{ip_verdict}"))
        groups["verdict"][start, fluxcap.VERDICTS.index(verdict)] += 1
        groups["protocol"][start, protocol] += 1
    table = fluxcap.read_timeline(capture, f"{length}us")
    assert named(table, *VERDICTS) == {start: tuple(one[name] for name in VERDICTS) for start, one in verdicts.items()}
    for by, counted in groups.items():
        table = fluxcap.read_timeline(capture, f"{length}us", by=by)
        assert named(table, "packets") == {key: (packets,) for key, packets in counted.items()}


def connections_of(capture: bytes) -> Iterator[tuple[int, int]]:
    """The time and the connection of each packet of one."""
    reading = Reading(key=FlowPlan(connections=True).spec(), columns=["time", "flow"])
    packets = reading.collect(expand(capture), lambda: packet_table(reading))
    return (
        (time, flow) for time, flow in zip(packets["time"].tolist(), packets["flow"].tolist(), strict=True) if flow >= 0
    )


@bounded
@given(capture=captures(st.one_of(dialogue_frames, simple_frames, tunnelled_frames)), length=lengths)
def test_flows_are_the_connections_with_a_packet_in_the_interval_or_the_first(capture: bytes, length: int) -> None:
    step = length * US
    latest: dict[int, int] = {}  # interval of each connection, of the packets up to now
    new: Counter[int] = Counter()
    come: Counter[int] = Counter()
    distinct = set()
    for time, connection in connections_of(capture):
        place = time // step
        new[place] += connection not in latest
        come[place] += place > latest.get(connection, -1)
        latest[connection] = max(latest.get(connection, -1), place)
        distinct.add((place, connection))
    table = fluxcap.read_timeline(capture, f"{length}us")
    for start, flows, new_flows in zip(*(table[name].tolist() for name in ("time", *FLOWS)), strict=True):
        assert (flows, new_flows) == (come[start // step], new[start // step])
    assert sum(new.values()) == len(fluxcap.read_connections(capture))
    if table.metadata["in_order"]:
        assert sum(come.values()) == len(distinct)
    by_protocol = fluxcap.read_timeline(capture, f"{length}us", by="protocol")
    for name in (*SUMS, *FLOWS, *VERDICTS):
        together = pl.DataFrame({"time": by_protocol["time"], "n": by_protocol[name]}).group_by("time").sum()
        assert together.sort("time")["n"].to_list() == table[name].tolist()


@bounded
@given(
    capture=captures(st.one_of(dialogue_frames, simple_frames, tunnelled_frames)),
    length=lengths,
    by=st.sampled_from(["dst_port", "src_ip/24", "src_ip,dst_ip", "5tuple", "vlan"]),
)
def test_by_a_key_the_packets_are_those_of_its_flows(capture: bytes, length: int, by: str) -> None:
    flows = fluxcap.read_flows(capture, by, interval=f"{length}us")
    biflow = flows.metadata["biflow"]
    found: Counter = Counter()
    for row in flows.to_polars().to_dicts():
        found[row["interval"]] += row["packets"] + (row["reverse_packets"] if biflow else 0)
    table = fluxcap.read_timeline(capture, f"{length}us", by=by).to_polars()
    assert sum(table["packets"]) == sum(found.values())
    key = table.columns[1 : table.columns.index("packets")]
    assert table.select("time", *key).is_duplicated().sum() == 0
    assert table.height == table["time"].n_unique() * len(table.select(key).unique())
    per_time = table.group_by("time").agg(pl.col("packets").sum()).filter(pl.col("packets") > 0)
    assert dict(per_time.iter_rows()) == dict(found)


def test_both_directions_of_a_key_are_one_group_whichever_came_first_in_an_interval():
    packets = [at(0, datagram(False)), at(1, datagram(True)), at(2, datagram(False))]
    table = fluxcap.read_timeline(pcap(packets), by="src_ip,dst_ip")
    assert (len(table), table["packets"].tolist()) == (3, [1, 1, 1])
    assert len(np.unique(table["src_ip"], axis=0)) == 1


def test_intervals_without_a_packet_have_a_row():
    frame = datagram(False)
    packets = [at(0.5, frame), at(0.9, frame), at(4.2, frame)]
    assert column(packets, "packets") == [2, 0, 0, 0, 1]
    assert column(packets, "time") == [START + n * SECOND for n in range(5)]
    assert column(packets, "packets_per_second", "500ms") == [4.0, 0, 0, 0, 0, 0, 0, 2.0]
    assert column(packets, "bits_per_second", "2s") == [len(frame) * 8.0, 0.0, len(frame) * 4.0]
    assert len(fluxcap.read_timeline(pcap([]))) == 0


def test_retransmissions_stand_in_the_interval_of_the_second_copy():
    data = client(A, 101, 50)
    packets = [*opened(), data, data, client(A, 151, 10), data]
    times = [0, 0.1, 0.2, 0.5, 2.5, 3.1, 3.2]
    table = fluxcap.read_timeline(pcap([at(*one) for one in zip(times, packets, strict=True)]))
    assert table["retransmitted"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["session.pcap", "servers.pcap", "sockets.pcapng", "office.pcap"])
def test_retransmissions_and_connections_of_all_intervals_are_those_of_the_capture(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    table = fluxcap.read_timeline(SAMPLES / name, "10ms")
    assert table["retransmitted"].sum() == sum(connections[f"{way}retransmitted"].sum() for way in ("", "reverse_"))
    assert table["new_flows"].sum() == len(connections)
    assert table["packets"].sum() == connections.metadata["packets"]


def test_the_round_trip_is_the_median_of_the_handshakes_that_are_complete_in_the_interval():
    packets = []
    trips = [(0, 0.01, 0.02), (0.1, 0.14, 0.15), (0.2, 0.21, 0.5), (1.1, 1.2, 2.4)]  # SYN, SYN and ACK, ACK
    for port, (begin, answer, ack) in enumerate(trips):
        packets += [
            at(begin, frame("192.0.2.1", "192.0.2.2", 40000 + port, 80, S, 1)),
            at(answer, frame("192.0.2.2", "192.0.2.1", 80, 40000 + port, S | A, 1)),
            at(ack, frame("192.0.2.1", "192.0.2.2", 40000 + port, 80, A, 2)),
        ]
    packets.sort(key=lambda record: record.time)
    assert column(packets, "rtt_median") == [50 * MS, -1, 1300 * MS]
    assert column(packets, "rtt_median", "100ms")[:6] == [20 * MS, 50 * MS, -1, -1, -1, 300 * MS]


def frame(src: str, dst: str, src_port: int, dst_port: int, flags: int, seq: int) -> bytes:
    return b.ethernet(b.ipv4(b.tcp(b"", src_port, dst_port, flags=flags, seq=seq, ack=2 if flags & A else 0), src, dst))


def test_columns_and_types():
    table = fluxcap.read_timeline(SAMPLES / "session.pcap")
    assert table.columns == ("time", *SUMS, *RATES, *FLOWS, *VERDICTS, *TRIPS)
    assert [table[name].dtype for name in ("time", "rtt_median")] == [np.int64] * 2
    assert [table[name].dtype for name in RATES] == [np.float64] * 2
    assert [table[name].dtype for name in (*SUMS, *FLOWS, *VERDICTS, "retransmitted")] == [np.uint64] * 8
    protocols = fluxcap.read_timeline(SAMPLES / "session.pcap", by="protocol")
    assert (protocols.columns, protocols["protocol"].dtype) == (("time", "protocol", *table.columns[1:]), np.uint8)
    assert fluxcap.read_timeline(SAMPLES / "session.pcap", by="verdict").columns == (
        *("time", "verdict", *SUMS, *RATES, "ip_bad"),
    )
    by_key = fluxcap.read_timeline(SAMPLES / "session.pcap", by="src_ip/24,dst_port")
    assert by_key.columns == ("time", "src_ip", "dst_port", *SUMS, *RATES, *VERDICTS)


@pytest.mark.parametrize("by", [None, "protocol", "verdict"])
def test_every_way_to_split_a_capture_gives_the_same_timeline(by, monkeypatch):
    whole = fluxcap.read_timeline(SAMPLES / "session.pcap", "10ms", by=by)
    monkeypatch.setattr(gathering, "BATCH_ROWS", 7)
    monkeypatch.setattr(intervals, "GROWN", 4)
    assert fluxcap.read_timeline(SAMPLES / "session.pcap", "10ms", by=by) == whole


# Times that are missing, far apart, or in no order


TIMED, UNTIMED = enhanced_packet, simple_packet


@pytest.mark.parametrize("batch", [1, 2, 65536])
def test_a_record_without_a_time_counts_in_the_interval_of_the_one_before_it_in_its_file(batch, monkeypatch):
    monkeypatch.setattr(gathering, "BATCH_ROWS", batch)
    data = datagram(False)
    blocks = [UNTIMED(data), TIMED(data, 1_000_000), UNTIMED(data), TIMED(data, 2_000_000), UNTIMED(data)]
    capture = pcapng(interface(), *blocks)
    table = fluxcap.read_timeline(capture)
    assert (table["time"].tolist(), table["packets"].tolist()) == ([SECOND, 2 * SECOND, fluxcap.NO_TIME], [2, 2, 1])
    twice = fluxcap.read_timeline([capture, capture])
    assert (twice["time"].tolist(), twice["packets"].tolist()) == ([SECOND, 2 * SECOND, fluxcap.NO_TIME], [4, 4, 2])
    assert table.to_polars()["time"][-1] is None
    for by in ("protocol", "src_port"):
        table = fluxcap.read_timeline(capture, by=by)
        assert (table["time"].tolist()[-1], table["packets"].tolist()[-1]) == (fluxcap.NO_TIME, 1)
    flows = fluxcap.read_flows(capture, "src_port", interval="1s")
    assert dict(zip(flows["interval"].tolist(), flows["packets"].tolist(), strict=True)) == {
        fluxcap.NO_TIME: 1, SECOND: 2, 2 * SECOND: 2,
    }  # fmt: skip


@pytest.mark.parametrize("first", [TIMED(datagram(False), 2_000_000), UNTIMED(datagram(False))])
def test_merged_inputs_have_the_time_of_the_record_before_whichever_file_it_is_of(first):
    data = datagram(False)
    one = pcapng(interface(), TIMED(data, 1_000_000), TIMED(data, 3_000_000), UNTIMED(data))
    other = pcapng(interface(), first, UNTIMED(data), TIMED(data, 2_500_000))
    flows = fluxcap.read_flows([one, other], "src_port", interval="1s", order="time")
    in_time_order = sorted(zip(flows["interval"].tolist(), flows["packets"].tolist(), strict=True))
    for by in (None, "protocol", "verdict", "src_port"):
        table = fluxcap.read_timeline([one, other], order="time", by=by)
        assert sorted(zip(table["time"].tolist(), table["packets"].tolist(), strict=True)) == in_time_order


@pytest.mark.parametrize("batch", [1, 65536])
def test_records_in_no_order_are_counted_where_they_belong(batch, monkeypatch):
    monkeypatch.setattr(gathering, "BATCH_ROWS", batch)
    data = datagram(False)
    capture = pcap([at(moment, data) for moment in (5, 0, 3, 0, 5, 1)])
    for by in ("verdict", "src_port"):
        table = fluxcap.read_timeline(capture, by=by)
        assert table["packets"].tolist() == [2, 1, 0, 1, 0, 2]
        assert table["time"].tolist() == [START + n * SECOND for n in range(6)]


def test_the_first_interval_that_there_is_may_begin_before_the_earliest_time():
    data = datagram(False)
    capture = pcapng(interface(tsresol=9, tsoffset=-(2**63) // SECOND + 1), TIMED(data, 0), TIMED(data, 5 * SECOND))
    table = fluxcap.read_timeline(capture, "3d")
    assert (table["packets"].tolist(), table["time"].tolist()) == ([2], [fluxcap.NO_TIME + 1])


def seconds(*times: int) -> bytes:
    return pcap([Record(datagram(False), time * SECOND) for time in times])


def years(n: float) -> bytes:
    return seconds(0, round(n * 365 * 86400))


@pytest.mark.parametrize(
    ("capture", "given", "said"),
    [
        (
            years(40),
            {},
            "1,261,440,001 intervals, and a timeline has 1,000,000 rows at most; take an interval of 30m or",
        ),
        (years(40), {"by": "verdict"}, "take an interval of 30m or more"),
        (years(40), {"by": "src_port"}, "take an interval of 30m or more"),
        (years(0.02), {"by": "src_ip,src_port", "interval": "1s"}, None),
        (years(0.04), {"interval": "1s"}, "1,261,441 intervals, and .* take an interval of 10s or more"),
        (seconds(5, 10_000_000), {}, "take an interval of 1m or more"),  # 1,000,001 of 10 s
        (years(60), {"interval": "1ns"}, "take an interval of 1h or more"),
    ],
)
def test_a_timeline_of_too_many_rows_is_refused_with_an_interval_that_would_do(capture, given, said):
    if said is None:
        assert len(fluxcap.read_timeline(capture, **given)) == 630_721
        return
    with pytest.raises(ValueError, match=said) as raised:
        fluxcap.read_timeline(capture, **given)
    advised = str(raised.value).partition("interval of ")[2].split()[0]
    table = fluxcap.read_timeline(capture, **{**given, "interval": advised})
    assert table["packets"].sum() == 2
    assert len(table) <= 1_000_000


def test_groups_count_as_rows_too():
    frames_ = [b.ethernet(b.ipv4(b.udp(b"?", port, 53))) for port in range(1, 2001)]
    capture = pcap([at(0, one) for one in frames_] + [at(999, frames_[0])])
    with pytest.raises(ValueError, match="1,000 intervals by 2,000 groups are 2,000,000 rows"):
        fluxcap.read_timeline(capture, by="src_port")


# How the reading goes


@pytest.mark.parametrize("by", [None, "protocol", "verdict", "dst_port"])
def test_damage_keeps_what_came_before_it(by):
    capture = pcap([at(0, one) for one in opened()])[:-5]
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        table = fluxcap.read_timeline(capture, by=by)
    assert table["packets"].sum() == 2
    with pytest.raises(fluxcap.TruncatedError) as raised:
        fluxcap.read_timeline(capture, by=by, on_damage="raise")
    assert raised.value.partial == table


def test_a_limit_of_memory_stops_the_reading():
    many = [at(0, b.ethernet(b.ipv4(b.udp(b"?", 1 + n % 60_000, 53)))) for n in range(20_000)]
    with pytest.warns(UserWarning, match="max_memory"):
        table = fluxcap.read_timeline(pcap(many), max_memory=2 << 20)
    assert table.metadata["flows_full"]
    assert table["new_flows"].sum() == table["packets"].sum() == table.metadata["packets"] < 20_000


@pytest.mark.parametrize("by", [None, "verdict"])
def test_an_interrupt_comes_between_two_batches(by, monkeypatch):
    add = counts.Counting.add

    def pressed(counting, packets):
        if len(packets) and counting.span.first is not None:
            os.kill(os.getpid(), signal.SIGINT)
        add(counting, packets)

    monkeypatch.setattr(gathering, "BATCH_ROWS", 100)
    monkeypatch.setattr(counts.Counting, "add", pressed)
    table = fluxcap.read_timeline(SAMPLES / "session.pcap", by=by, on_interrupt="return")
    assert table.metadata["interrupted"]
    assert table["packets"].sum() == table.metadata["packets"] < 1096
    with pytest.raises(KeyboardInterrupt):
        fluxcap.read_timeline(SAMPLES / "session.pcap", by=by)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"interval": "0s"}, "interval must be at least 1 ns"),
        ({"interval": "soon"}, "interval: 'soon' is no length of time"),
        ({"by": "dst_prt"}, "unknown key field 'dst_prt'; did you mean 'dst_port'"),
    ],
)
def test_wrong_arguments_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        fluxcap.read_timeline(SAMPLES / "session.pcap", **given)


def test_a_timeline_leaves_as_other_tables_do(tmp_path):
    table = fluxcap.read_timeline(SAMPLES / "session.pcap")
    assert pickle.loads(pickle.dumps(table)) == table
    trips = [9000, None, 38000, None]
    table.write(tmp_path / "timeline.csv")
    table.write(tmp_path / "timeline.ndjson")
    table.write(tmp_path / "timeline.parquet")
    assert pl.read_csv(tmp_path / "timeline.csv")["rtt_median"].to_list() == trips
    assert pl.read_ndjson(tmp_path / "timeline.ndjson")["rtt_median"].to_list() == trips
    parquet = pl.read_parquet(tmp_path / "timeline.parquet")
    assert parquet["rtt_median"].dt.total_nanoseconds().to_list() == trips
    frame = table.to_pandas()
    assert (str(frame["rtt_median"].dtype), frame["rtt_median"].isna().tolist()) == (
        "timedelta64[ns]", [False, True, False, True],
    )  # fmt: skip
    assert frame["rtt_median"].dropna().astype("int64").tolist() == [9000, 38000]
    assert table.to_arrow().column("rtt_median").null_count == 2
    assert table["rtt_median"].tolist() == [9000, -1, 38000, -1]
    assert repr(table).startswith("<TimelineTable: 4 rows, interval 1.0 s, of 1,096 records")
