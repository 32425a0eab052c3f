"""Extraction is refused if inputs cannot be read again, or if it would overwrite them."""

import io
import os
import pickle
import subprocess
import sys

import pytest

import fluxcap
from capture_files import pcap, records
from capture_pieces import picked
from three_flows import FRAMES, OF_FLOW, SHAPES, frame

# Inputs that cannot be read again -------------------------------------------------------------------------------------


@pytest.fixture
def table(path):
    return fluxcap.read_flows(path)


def replaced(path, octets):
    path.write_bytes(octets)


CHANGES = {
    "a record more": lambda path: replaced(path, pcap(records([*FRAMES, frame(9)]))),
    "a record less": lambda path: replaced(path, picked(SHAPES["us"], {1, 2, 3, 4, 5})),
    "as many others": lambda path: replaced(path, pcap(records([frame(9)] * 6))),
    "as many of other flows": lambda path: replaced(path, pcap(records(FRAMES[::-1]))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_inputs_that_changed_meanwhile_are_told(change, path, table, out):
    CHANGES[change](path)
    with pytest.raises(ValueError, match="changed since"):
        table.extract(2, out)
    assert list(path.parent.iterdir()) == [path]


def test_an_input_that_is_gone_is_a_file_not_found(path, table, out):
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"in\.pcap"):
        table.extract(0, out)


def test_what_can_be_read_once_cannot_be_extracted_from(path, out):
    with path.open("rb") as file:
        of_a_file = fluxcap.read_flows(file)
    for table in (of_a_file, fluxcap.read_flows(io.BytesIO(SHAPES["us"]))):
        with pytest.raises(ValueError, match="only once"):
            table.extract(0, out)


def test_standard_input_cannot_be_extracted_from():
    program = "import fluxcap\ntry: fluxcap.read_flows('-').extract(0, 'x')\nexcept ValueError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", program], input=SHAPES["us"], capture_output=True, check=True)
    assert done.stdout.startswith(b"<stdin> can be read only once")


def aggregated():
    with fluxcap.FlowAggregator() as flows:
        flows.feed(SHAPES["us"])
    return flows.result()


WITHOUT_INPUTS = {
    "merged": lambda table: table | table,
    "unpickled": lambda table: pickle.loads(pickle.dumps(table)),
    "made by a FlowAggregator": lambda table: aggregated(),
}


@pytest.mark.parametrize("how", WITHOUT_INPUTS)
def test_a_table_that_does_not_know_its_inputs_says_why(how, table, out):
    with pytest.raises(ValueError, match=how):
        WITHOUT_INPUTS[how](table).extract(0, out)


def test_the_numbers_of_rows_survive_pickling(table):
    assert pickle.loads(pickle.dumps(table.sort("src_port")))["flow"].tolist() == [2, 1, 0]


def test_merged_tables_keep_of_how_they_were_read_only_what_they_share(table):
    by = {"by": "dst_port"}
    assert (table | table).metadata["decap"] is True
    mixed = fluxcap.merge([fluxcap.read_flows(SHAPES["us"], **by), fluxcap.read_flows(SHAPES["us"], decap=False, **by)])
    assert "decap" not in mixed.metadata
    assert mixed.metadata["by"] == "dst_port"


def test_an_interrupted_reading_cannot_be_repeated(table, out):
    table.metadata["interrupted"] = True
    with pytest.raises(ValueError, match="interrupted"):
        table.extract(0, out)


# The target -----------------------------------------------------------------------------------------------------------


def test_no_input_is_overwritten_under_whatever_name(path, table):
    link = path.with_name("link")
    link.symlink_to(path)
    for target in (path, link, os.path.relpath(path)):
        with pytest.raises(ValueError, match="one of the inputs"):
            table.extract(0, target)
    assert path.read_bytes() == SHAPES["us"]


def test_what_is_no_regular_file_is_not_replaced(table, out):
    os.mkfifo(out)
    with pytest.raises(ValueError, match="not a regular file"):
        table.extract(0, out)
    assert out.is_fifo()


def test_a_file_that_is_there_is_replaced_only_by_a_whole_one(path, table, out):
    out.write_bytes(b"before")
    with pytest.raises(IndexError):
        table.extract(9, out)
    assert out.read_bytes() == b"before"
    table.extract(0, out)
    assert out.read_bytes() == picked(SHAPES["us"], OF_FLOW[0])
    assert sorted(path.parent.iterdir()) == [path, out]


def test_a_folder_that_is_not_there_is_an_error_of_the_system(table, tmp_path):
    with pytest.raises(FileNotFoundError):
        table.extract(0, tmp_path / "nowhere" / "out")
