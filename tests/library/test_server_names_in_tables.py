"""Names of servers in every table that has them, and in every format that a table is written in."""

import csv
import json
import pickle

import pytest

import builders as b
import fluxcap
import fluxcap.cluster
from capture_files import Record, pcap, records
from command_line import fluxcap as run
from named_traffic import (
    CLIENT,
    NAME,
    PORT,
    SERVER,
    answered,
    hello,
    request,
    segment,
    segments,
    syn,
    tls,
)  # fmt: skip

OTHER = "203.0.113.9"
HOSTILE = b"a\x1b[2J\\\r\n\"',=b"
WRITTEN = r"a\x1b[2J\x5c\x0d\x0a\x22'\x2c=b"
FRAMES = [
    answered(OTHER, name="other.test"), syn(), *segments(tls(hello()), 40), segment(b"x", dst=OTHER),
    segment(tls(hello(HOSTILE)), ports=(PORT + 1, 443)), segment(b"y", ports=(PORT + 2, 9999)),
]  # fmt: skip
CAPTURE = pcap(records(FRAMES))
EXPECTED = [("", "none"), (NAME, "sni"), ("other.test", "dns"), (WRITTEN, "sni"), ("", "none")]
COLUMNS = ("server_name", "server_name_basis")


def named(table):
    bases = [fluxcap.SERVER_NAME_BASES[code] for code in table["server_name_basis"].tolist()]
    return [(name.decode(), basis) for name, basis in zip(table["server_name"].tolist(), bases, strict=True)]


def timed(table):
    return list(zip(table["first"].tolist(), named(table), strict=True))


FLOWS = fluxcap.read_flows(CAPTURE, server_names=True)


def test_only_who_asks_for_names_gets_them():
    assert named(FLOWS) == EXPECTED
    assert FLOWS.columns[-2:] == COLUMNS
    plain = fluxcap.read_flows(CAPTURE)
    assert not set(COLUMNS) & set(plain.columns)
    assert plain == FLOWS.select(plain.columns)


def test_names_go_with_everything_else_that_is_kept_of_a_flow():
    more = {"features": True, "activity": True, "splt": 2, "payload": 5}
    both = fluxcap.read_flows(CAPTURE, server_names=True, **more)
    assert named(both) == EXPECTED
    assert both.select([name for name in both.columns if name not in COLUMNS]) == fluxcap.read_flows(CAPTURE, **more)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_names_do_not_depend_on_threads(threads):
    assert fluxcap.read_flows([CAPTURE] * 3, server_names=True, threads=threads) == fluxcap.read_flows(
        [CAPTURE] * 3, server_names=True, threads=1
    )


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_an_aggregator_that_is_fed_pieces_gives_the_same_names(size):
    with fluxcap.FlowAggregator(server_names=True) as flows:
        for at in range(0, len(CAPTURE), size):
            flows.feed(CAPTURE[at : at + size])
        assert flows.result() == FLOWS


def test_a_result_before_held_packets_are_released_changes_none_of_their_names():
    late, first = (
        bytes(b.ethernet(b.ipv4(part, "10.0.0.1", "10.0.0.2", 17, offset=at, more=more)))
        for at, more, part in reversed(b.pieces(b.completed(b.udp(bytes(40)), bytes(4), bytes(4)), 24))
    )
    capture = pcap(records([late, *FRAMES, first]))
    whole = fluxcap.read_flows(capture, server_names=True)
    with fluxcap.FlowAggregator(server_names=True) as flows:
        flows.feed(capture[:-70])
        assert named(flows.result())[1:] == named(whole)[1:]
        flows.feed(capture[-70:])
        assert flows.result() == whole


def test_a_scan_gives_the_rows_of_one_reading():
    spaced = pcap([Record(frame, place * 10**9) for place, frame in enumerate(FRAMES * 3)])
    options = {"idle_timeout": "2s", "server_names": True}
    whole = fluxcap.read_flows(spaced, **options)
    rows = [row for table in fluxcap.scan_flows(spaced, grace="1ns", **options) for row in timed(table)]
    assert sorted(rows) == sorted(timed(whole))
    assert len({name for _, (name, _) in rows}) == 4


def test_connections_have_names_behind_their_other_columns():
    table = fluxcap.read_connections(CAPTURE, server_names=True)
    assert named(table) == EXPECTED
    assert table.columns[-2:] == COLUMNS
    assert not set(COLUMNS) & set(fluxcap.read_connections(CAPTURE).columns)


def test_sockets_have_the_name_that_they_were_connected_to_under():
    frames = [
        answered(SERVER, name="asked.test"), segment(b"x", ports=(1, 443)),
        *(segment(tls(hello(name)), ports=(port, 443)) for port, name in ((2, b"first.test"), (3, b"second.test"))),
        segment(b"z", ports=(4, 80)),
    ]  # fmt: skip
    table = fluxcap.read_sockets(pcap(records(frames)), server_names=True)
    at = {
        (one["address"], one["port"]): (one["server_name"], one["server_name_basis"])
        for one in table.to_arrow().to_pylist()
    }
    assert at[SERVER, 443] == ("first.test", "sni")
    assert at[SERVER, 80] == ("asked.test", "dns")
    assert at[CLIENT, 2] == (None, "none")
    assert not set(COLUMNS) & set(fluxcap.read_sockets(CAPTURE).columns)


def test_a_table_without_rows_or_names_has_the_columns():
    for capture in (pcap([]), pcap(records([segment(b"x")]))):
        table = fluxcap.read_flows(capture, server_names=True)
        assert named(table) == [("", "none")] * len(table)
        assert table.to_arrow()["server_name"].null_count == len(table)


@pytest.mark.parametrize("how", [pickle.dumps, lambda table: pickle.dumps(table, 5)])
def test_a_table_with_names_is_pickled(how):
    assert pickle.loads(how(FLOWS)) == FLOWS


def test_names_are_text_and_null_where_readers_know_null():
    expected = [(name or None, basis) for name, basis in EXPECTED]
    arrow = FLOWS.to_arrow()
    assert list(zip(arrow["server_name"].to_pylist(), arrow["server_name_basis"].to_pylist(), strict=True)) == expected
    frame = FLOWS.to_polars()
    assert list(zip(*(frame[name].to_list() for name in COLUMNS), strict=True)) == expected
    assert FLOWS.to_pandas()["server_name"].tolist()[1:4] == [name for name, _ in EXPECTED[1:4]]
    assert fluxcap.FlowTable.from_arrow(arrow) == FLOWS


@pytest.mark.parametrize("suffix", ["csv", "tsv", "ndjson", "json", "parquet"])
def test_a_hostile_name_stays_one_cell_in_every_format(suffix, tmp_path):
    path = tmp_path / f"flows.{suffix}"
    FLOWS.write(path)
    if suffix in ("csv", "tsv"):
        with path.open(newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="," if suffix == "csv" else "\t"))
    elif suffix == "parquet":
        assert fluxcap.FlowTable.from_parquet(path) == FLOWS
        return
    else:
        text = path.read_text()
        rows = json.loads(text)["rows"] if suffix == "json" else list(map(json.loads, text.splitlines()))
    assert [(row["server_name"] or "", row["server_name_basis"]) for row in rows] == EXPECTED


def test_tables_with_names_do_not_merge_and_machines_do_not_share_them(tmp_path):
    with pytest.raises(ValueError, match="names of servers do not merge"):
        fluxcap.merge([FLOWS, FLOWS])
    path = tmp_path / "x.pcap"
    path.write_bytes(CAPTURE)
    done = run("flows", path, "--server-names", "--scheduler", "local:1")
    assert done.returncode == 2
    assert "--server-names is for one process" in done.stderr


def test_a_bound_on_memory_counts_a_name_with_all_that_it_may_take():
    frames = [segment(tls(hello()), ports=(port, 443)) for port in range(1, 20000)]
    with pytest.warns(UserWarning, match="max_memory"):
        table = fluxcap.read_flows(pcap(records(frames)), server_names=True, max_memory="5M")
    assert len(table) * (255 + 128) <= 5_000_000
    assert len(table) > 5000


@pytest.mark.parametrize("command", ["flows", "connections", "sockets"])
def test_commands_write_names_when_they_are_asked_to(command, tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(records([syn(), segment(request())])))
    rows = [json.loads(line) for line in run(command, path, "--server-names", "-f", "ndjson").stdout.splitlines()]
    assert [(row["server_name"], row["server_name_basis"]) for row in rows if row["server_name"]] == [(NAME, "http")]
    chosen = run(command, path, "--server-names", "--columns", "server_name", "-f", "tsv")
    assert NAME in chosen.stdout.splitlines()
    refused = run(command, path, "--columns", "server_name")
    assert refused.returncode == 2
    shown = run(command, path, "--server-names", "-f", "table", "-w")
    assert NAME in shown.stdout


def test_the_life_of_a_socket_has_no_names(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(CAPTURE)
    done = run("sockets", path, "--life", f"{SERVER}:443", "--server-names")
    assert done.returncode == 2
