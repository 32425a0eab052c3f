"""Scans of flows and of timelines as one file or data frame: what one table of the whole capture has."""

import csv

import pytest

import fluxcap
from real_captures import SAMPLES

OFFICE = SAMPLES / "office.pcap"
FLOWS = {"by": "5tuple", "idle_timeout": "15s"}


def rows_of(path):
    with path.open(newline="") as file:
        head, *rows = csv.reader(file)
    return head, rows


def test_a_file_of_the_flows_that_end_has_the_rows_of_the_whole_table_in_the_order_of_their_ends(tmp_path):
    fluxcap.scan_flows(OFFICE, **FLOWS).write(tmp_path / "passing.csv")
    fluxcap.read_flows(OFFICE, **FLOWS).write(tmp_path / "whole.csv")
    (head, passing), (head_of_whole, whole) = map(rows_of, (tmp_path / "passing.csv", tmp_path / "whole.csv"))
    assert head == head_of_whole
    assert sorted(passing) == sorted(whole)
    assert len(passing) > 100


@pytest.mark.parametrize("names", ["zeek", "cicflowmeter"])
def test_other_names_of_columns_are_those_of_a_table(names, tmp_path):
    options = FLOWS | {"features": True, "activity": True}
    fluxcap.scan_flows(OFFICE, **options).write(tmp_path / "passing.csv", names=names)
    fluxcap.read_flows(OFFICE, **options).write(tmp_path / "whole.csv", names=names)
    (head, passing), (head_of_whole, whole) = map(rows_of, (tmp_path / "passing.csv", tmp_path / "whole.csv"))
    assert head == head_of_whole
    assert sorted(passing) == sorted(whole)


def test_a_file_of_intervals_that_pass_is_that_of_the_timeline(tmp_path):
    fluxcap.scan_timeline(OFFICE, "1s").write(tmp_path / "passing.csv")
    fluxcap.read_timeline(OFFICE, "1s").write(tmp_path / "whole.csv")
    assert (tmp_path / "passing.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_a_data_frame_has_the_rows_of_all_tables():
    pd = pytest.importorskip("pandas")
    scan = fluxcap.scan_flows(OFFICE, **FLOWS)
    order = ["src_ip", "dst_ip", "src_port", "dst_port", "protocol", "first"]
    passing, whole = (
        frame.sort_values(order, ignore_index=True)
        for frame in (scan.to_pandas(), fluxcap.read_flows(OFFICE, **FLOWS).to_pandas())
    )
    for name in ("src_ip", "dst_ip"):  # the order of categories is that of their first rows
        passing[name], whole[name] = passing[name].astype(str), whole[name].astype(str)
    pd.testing.assert_frame_equal(passing, whole, check_categorical=False)


def test_no_file_is_left_where_a_capture_is_damaged_and_that_is_an_error(tmp_path):
    damaged = OFFICE.read_bytes()[:-1]
    with pytest.raises(fluxcap.CaptureError):
        fluxcap.scan_flows(damaged, **FLOWS, on_damage="raise").write(tmp_path / "flows.csv")
    assert list(tmp_path.iterdir()) == []


def test_what_can_be_read_only_once_is_written_only_once(tmp_path):
    with OFFICE.open("rb") as file:
        scan = fluxcap.scan_timeline(file, "1s")
        scan.write(tmp_path / "once.csv")
        with pytest.raises(ValueError, match="only once"):
            scan.write(tmp_path / "twice.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["once.csv"]
