"""`fluxcap bench`: its measurements and its table."""

import json
import sys
from pathlib import Path

import pytest

from command_line import error_lines, fluxcap
from fluxcap.reports import bench

SAMPLE = Path(__file__).parents[2] / "samples" / "sockets.pcapng"
PYTHON = sys.executable


@pytest.mark.slow
def test_the_command_says_how_long_each_program_took_and_what_it_does(tmp_path):
    out = tmp_path / "bench.json"
    done = fluxcap("bench", SAMPLE, "--runs", "1", "-o", out)
    assert done.returncode == 0, done.stderr
    rows = {row["program"]: row for row in json.loads(out.read_text())["rows"]}
    assert list(rows)[:3] == ["the floor", "fluxcap.read_flows", "fluxcap flows"]
    assert rows.keys() >= {program.name for program in bench.found()}
    assert rows["the floor"]["times_floor"] == rows["fluxcap flows"]["times_fluxcap"] == 1
    assert rows["fluxcap flows"]["seconds"] > rows["fluxcap.read_flows"]["seconds"] > 0


@pytest.mark.parametrize("inputs", [[SAMPLE, SAMPLE], ["-"]])
def test_the_command_measures_one_file(inputs):
    done = fluxcap("bench", *inputs)
    assert (done.returncode, done.stdout) == (2, "")
    assert "one file" in error_lines(done.stderr)[0]


def test_only_programs_that_are_there_are_run():
    here, gone = bench.Program("json", (PYTHON,), ""), bench.Program("no_such_module", (PYTHON,), "")
    program, missing = bench.Program("sh", ("sh",), ""), bench.Program("none", ("no-such-program",), "")
    assert list(bench.found([here, gone, program, missing])) == [here, program]


def test_a_program_that_fails_has_no_time_and_one_that_is_slow_runs_once(monkeypatch):
    fails = bench.Program("sys", (PYTHON, "-c", "raise SystemExit(1)"), "")
    slow = bench.Program("time", (PYTHON, "-c", "import time; time.sleep(0.3)"), "")
    monkeypatch.setattr(bench, "PEERS", (fails, slow))
    monkeypatch.setattr(bench, "found", lambda: bench.PEERS)
    monkeypatch.setattr(bench, "LONG", 0.25)
    measured = {one.program: one for one in bench.measure(str(SAMPLE), 3)}
    assert measured["sys"].seconds is None
    assert (measured["time"].runs, measured["the floor"].runs) == (1, 3)
    assert measured["time"].seconds > 0.3
