"""Tables of flows go to Parquet and Arrow and come back: they merge as if they had never left."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcap
import strategies as drawn
from capture_pieces import picked, pieces
from command_line import fluxcap as run

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("arro3.io")

SAMPLES = Path(__file__).parents[2] / "samples"
SESSION = SAMPLES / "session.pcap"
IPV4 = SAMPLES / "office.pcap"
PLANS = [
    *({}, {"by": "src_mac,protocol,src_ip/24/48"}, {"by": "sockets"}, {"idle_timeout": "1s"}, {"interval": "1s"}),
    *({"features": True, "splt": 2}, {"semantics": "zeek"}, {"tunnels": {7777: "vxlan"}}),
]
FORMS = [{}, {"ip": "binary"}, {"labels": True}, {"labels": False}]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_table_comes_back_from_arrow_with_its_metadata(plan, form):
    flows = fluxcap.read_flows(SAMPLES, **plan)
    back = fluxcap.FlowTable.from_arrow(flows.to_arrow(**form))
    assert back == flows
    assert {name: back[name].dtype for name in back.columns} == {name: flows[name].dtype for name in flows.columns}
    assert back.metadata == flows.metadata


@pytest.mark.parametrize("cut", [["cut-inside-a-record.pcap"], ["session.pcap", "cut-inside-a-record.pcap"]], ids=str)
@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
def test_damage_comes_back_too(cut, tmp_path):
    flows = fluxcap.read_flows([SAMPLES / name for name in cut])
    flows.write(tmp_path / "flows.parquet")
    assert fluxcap.FlowTable.from_parquet(tmp_path / "flows.parquet").metadata == flows.metadata
    assert flows.metadata["damage"]


frames = st.one_of(drawn.dialogue_frames, drawn.icmp_errors, drawn.simple_frames, drawn.fragment_frames)


@settings(max_examples=40)
@given(parts=st.lists(drawn.captures(frames), min_size=2, max_size=3), idle=st.sampled_from([None, "1s"]))
def test_what_has_been_to_arrow_merges_like_what_has_not(parts, idle):
    """Also ICMP errors about flows of another part, which no row of their own part has."""
    tables = [fluxcap.read_flows(part, idle_timeout=idle) for part in parts]
    back = [fluxcap.FlowTable.from_arrow(pa.table(table)) for table in tables]
    assert merged(back) == merged(tables)


def test_icmp_errors_about_flows_of_another_part_are_counted_there():
    refused = (SAMPLES / "port-refused.pcap").read_bytes()
    n = sum(packet for packet, _ in pieces(refused))
    whole, elsewhere = fluxcap.read_flows(refused), 0
    for at in range(1, n):
        parts = [fluxcap.read_flows(picked(refused, some)) for some in (range(1, at + 1), range(at + 1, n + 1))]
        elsewhere += parts[1]["icmp_errors"].sum() < whole["icmp_errors"].sum() - parts[0]["icmp_errors"].sum()
        back = [fluxcap.FlowTable.from_arrow(part.to_arrow()) for part in parts]
        assert fluxcap.merge(back) == whole
    assert elsewhere


def merged(tables):
    """The table, or why there is none."""
    try:
        return fluxcap.merge(tables)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("writing", ["write", "command"])
def test_files_of_parquet_merge(writing, tmp_path):
    names = ["office", "session", "port-refused"]
    for name in names:
        if writing == "write":
            fluxcap.read_flows(SAMPLES / f"{name}.pcap").write(tmp_path / f"{name}.parquet")
        else:
            assert run("flows", SAMPLES / f"{name}.pcap", "-o", tmp_path / f"{name}.parquet").returncode == 0
    back = [fluxcap.FlowTable.from_parquet(tmp_path / f"{name}.parquet") for name in names]
    whole = fluxcap.read_flows([SAMPLES / f"{name}.pcap" for name in names])
    assert fluxcap.merge(back) == whole
    assert back[0] | back[1] | back[2] == whole


def test_a_table_of_another_library_comes_back_if_it_kept_the_metadata(tmp_path):
    flows = fluxcap.read_flows(SESSION)
    flows.write(tmp_path / "flows.arrow")
    with pa.ipc.open_file(tmp_path / "flows.arrow") as file:
        assert fluxcap.FlowTable.from_arrow(file.read_all()) == flows
    assert fluxcap.FlowTable.from_arrow(flows) == flows  # by the C stream interface
    assert fluxcap.FlowTable.from_arrow(flows[:0]) == flows[:0]


def test_columns_on_request_stay_behind():
    flows = fluxcap.read_flows(SESSION)
    wide = flows.with_columns("duration,protocol_name,total_bytes")
    assert fluxcap.FlowTable.from_arrow(wide.to_arrow()) == flows


def test_rows_may_be_left_out_where_they_have_no_icmp_errors():
    flows = fluxcap.read_flows(SESSION)
    without = flows.filter(flows["icmp_errors"] == 0)
    assert fluxcap.FlowTable.from_arrow(without.to_arrow()) == without
    assert fluxcap.FlowTable.from_arrow(without.to_arrow().slice(3, 5)) == without[3:8]


def altered(table, **members):
    """The table with other members of its metadata; those that are None are gone."""
    said = {**json.loads(table.schema.metadata[b"fluxcap"]), **members}
    there = {name: value for name, value in said.items() if name not in members or value is not None}
    return table.replace_schema_metadata({b"fluxcap": json.dumps(there)})


FLOWS = fluxcap.read_flows(SESSION).to_arrow()
REFUSED = [
    ("no metadata", lambda: FLOWS.replace_schema_metadata(None), "does not say how its rows were made"),
    ("packets", lambda: fluxcap.read_packets(SESSION).to_arrow(), "its rows are no flows"),
    ("connections", lambda: fluxcap.read_connections(SESSION).to_arrow(), "its rows are connections"),
    ("another version", lambda: altered(FLOWS, schema=2), "has the version 2"),
    ("no ICMP", lambda: altered(FLOWS, icmp=None), "has no `icmp`"),
    ("no ledger", lambda: altered(FLOWS, ledger=None), "has no 'ledger'"),
    ("rows in another order", lambda: FLOWS.take(list(range(len(FLOWS)))[::-1]), "chosen or sorted elsewhere"),
    ("few columns", lambda: FLOWS.select(["src_ip", "packets"]), "no column icmp_errors"),
    ("numbers for addresses", lambda: fluxcap.read_flows(IPV4).to_arrow(ip="uint32"), "has numbers"),
    ("other columns", lambda: FLOWS.append_column("note", pa.array(["x"] * len(FLOWS))), "column note has texts"),
    (
        "cut times",
        lambda: FLOWS.set_column(11, "first", FLOWS["first"].cast(pa.timestamp("us", "UTC"), safe=False)),
        "are in us",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_does_not_merge_is_refused_by_name(make, said, tmp_path):
    pq.write_table(make(), tmp_path / "some.parquet")
    with pytest.raises(ValueError, match=rf"some\.parquet is no table of flows that merges: .*{said}"):
        fluxcap.FlowTable.from_parquet(tmp_path / "some.parquet")


def test_a_file_of_a_lake_is_refused(tmp_path):
    fluxcap.export(SESSION, tmp_path / "lake")
    (file,) = fluxcap.scan_lake(tmp_path / "lake").files
    with pytest.raises(ValueError, match="scan_lake"):
        fluxcap.FlowTable.from_parquet(file)
