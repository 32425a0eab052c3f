"""A process that exports may die anywhere, or be interrupted by Ctrl-C: the lake is the old one or the new one, and the
next export tidies up."""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fluxcap
from command_line import PATIENCE
from fluxcap.lake import manifest
from fluxcap.lake.place import Place
from lake_captures import spread

pl = pytest.importorskip("polars")
pytest.importorskip("pyarrow")

KILLS = int(os.environ.get("FLUXCAP_KILLS", "5"))
# Exports to a lake, and gets a signal the n-th time that it opens, renames, removes or makes something in there.
CHILD = """
import os, signal, sys, tempfile
from fluxcap.cli.main import main

at, number, capture, lake = *map(int, sys.argv[1:3]), *sys.argv[3:]

def export(lake):
    return main(["export", "-q", capture, "-o", lake])

export(tempfile.mkdtemp(dir=os.path.dirname(capture)))  # all modules are loaded
seen = 0

def count(event, arguments):
    global seen
    if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(arguments[0]).startswith(lake):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), number)

sys.addaudithook(count)
code = export(lake)
print(seen)
sys.exit(code)
"""


def export_stopped(at: int, by: signal.Signals, capture: Path, lake: Path) -> subprocess.CompletedProcess[str]:
    child = [sys.executable, "-c", CHILD, str(at), str(int(by)), str(capture), str(lake)]
    return subprocess.run(child, capture_output=True, text=True, timeout=PATIENCE)


def rows(lake: Path) -> list[tuple]:
    return sorted(fluxcap.scan_lake(lake).lazy().collect().rows(), key=repr)


@pytest.mark.parametrize(
    ("by", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)], ids=["killed", "Ctrl-C"]
)
def test_a_lake_is_the_old_or_the_new_one_wherever_an_export_stops(by, code, tmp_path):
    capture = spread(tmp_path / "x.pcap", 60, seed=1)
    other = spread(tmp_path / "other.pcap", 60, seed=2)
    fluxcap.export(capture, tmp_path / "old")
    fluxcap.export(other, tmp_path / "old")  # so that files of several exports are written anew, and others removed
    spread(capture, 50, seed=3)
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    whole = export_stopped(0, by, capture, tmp_path / "new")
    steps = int(whole.stdout)
    old, new = rows(tmp_path / "old"), rows(tmp_path / "new")
    assert old != new
    assert steps > 20
    found = []
    for at in (*random.sample(range(1, steps), KILLS - 1), steps):
        lake = tmp_path / str(at)
        shutil.copytree(tmp_path / "old", lake)
        assert export_stopped(at, by, capture, lake).returncode == code, at
        assert rows(lake) in (old, new), at
        found.append(rows(lake) == new)
        if by == signal.SIGINT:
            assert not list(lake.rglob(".*")), at  # nothing half-written stays
        fluxcap.export(capture, lake)
        assert rows(lake) == new, at
        state, _ = manifest.load(Place(lake))
        there = {path.relative_to(lake).as_posix() for path in lake.rglob("*part-*")}
        assert there == {*(file.path for file in state.files), *state.retired}, at
    assert False in found
