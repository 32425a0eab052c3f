"""A scan is written, pickled and made a frame as the table of the same packets is."""

import pickle
from pathlib import Path

import pytest

import fluxcap

SESSION = Path(__file__).parents[2] / "samples" / "session.pcap"


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "json", "parquet"])
def test_a_scan_writes_the_file_of_the_table(suffix, tmp_path):
    if suffix == "parquet":
        pytest.importorskip("arro3.io")
    scan = fluxcap.scan_packets(SESSION, batch_size=100)
    list(scan)  # a file of Parquet begins with its metadata, which is complete after a reading
    scan.write(tmp_path / f"scan.{suffix}")
    fluxcap.read_packets(SESSION).write(tmp_path / f"table.{suffix}")
    assert (tmp_path / f"scan.{suffix}").read_bytes() == (tmp_path / f"table.{suffix}").read_bytes()


def test_a_scan_without_rows_has_a_header(tmp_path):
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(SESSION.read_bytes()[:24])
    fluxcap.scan_packets(empty, columns="time,ttl").write(tmp_path / "scan.csv", names=None)
    assert (tmp_path / "scan.csv").read_text() == "time,ttl\n"


def test_nothing_is_written_of_what_cannot_be_read(tmp_path):
    (tmp_path / "a.pcap").write_text("some text")
    with pytest.raises(fluxcap.NotACaptureError):
        fluxcap.scan_packets(tmp_path / "a.pcap").write(tmp_path / "scan.csv")
    with pytest.raises(ValueError, match="names no format"):
        fluxcap.scan_packets(SESSION).write(tmp_path / "scan.nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pcap"]


@pytest.mark.parametrize("form", [{}, {"ip": "binary"}, {"labels": True}], ids=str)
def test_a_scan_is_the_frame_of_the_table(form, tmp_path):
    pd = pytest.importorskip("pandas")
    scan = fluxcap.scan_packets(SESSION, batch_size=100)
    pd.testing.assert_frame_equal(scan.to_pandas(**form), fluxcap.read_packets(SESSION).to_pandas(**form))
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(SESSION.read_bytes()[:24])
    assert fluxcap.scan_packets(empty, columns="time,ttl").to_pandas(**form).shape == (0, 2)


@pytest.mark.parametrize(
    "scan",
    [
        fluxcap.scan_packets(SESSION, columns="time,src_ip", batch_size=50),
        fluxcap.scan_flows(SESSION, idle_timeout="1s"),
        fluxcap.scan_timeline(SESSION),
    ],
    ids=lambda scan: type(scan).__name__,
)
def test_a_scan_of_paths_is_read_where_it_is_unpickled(scan):
    there = pickle.loads(pickle.dumps(scan))
    assert [table.to_dict().keys() for table in there] == [table.to_dict().keys() for table in scan]
    assert all(one == other for one, other in zip(there, scan, strict=True))
