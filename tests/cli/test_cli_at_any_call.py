"""A disk, a pipe or a signal ends a command at any of its calls: it says so, and a file is the old or the new one."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import cycle
from pathlib import Path

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from command_line import PATIENCE, environment, error_lines
from every_command import FILLING, PRINTING, WRITING
from preloaded import PRELOADABLE, SUPPORT, preloading, shim

preloads = pytest.mark.skipif(not PRELOADABLE, reason="takes a C compiler, and a loader that preloads")
slow = pytest.mark.slow
OLD = b"what was there before"
ENDS = {"in.pcap", "sockets"}  # what a folder has before a command runs


def capture(n: int = 2000) -> bytes:
    """Flows of two hosts, with some packets that are shown twice and some that were left to the network card."""
    frames = []
    for at in range(n):
        udp = b.udp(bytes(at % 300), 4000 + at % 97, 53, checksum="partial" if at % 5 == 0 else None)
        frames += [b.ethernet(b.ipv4(udp, "192.0.2.1", "192.0.2.2"))] * (2 if at % 50 == 7 else 1)
    return pcap(records(frames))


CAPTURE = capture()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim("hooked_calls", tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `mux` reads."""
    folder = tmp_path_factory.mktemp("sockets")
    (folder / "in.pcap").write_bytes(CAPTURE)
    subprocess.run([sys.executable, "-m", "fluxcap", "demux", "in.pcap", "-q", "-o", "sockets"], cwd=folder, check=True)
    return folder / "sockets"


@pytest.fixture
def folder(tmp_path: Path, sockets: Path) -> Path:
    """Where commands run."""
    (tmp_path / "in.pcap").write_bytes(CAPTURE)
    shutil.copytree(sockets, tmp_path / "sockets")
    return tmp_path


def run(command: str, folder: Path, **streams) -> subprocess.CompletedProcess[str]:
    """A command that prints, with these streams."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(
        [sys.executable, "-m", "fluxcap", *shlex.split(command)], text=True, cwd=folder, env=environment(),
        timeout=PATIENCE, check=False, **streams,
    )  # fmt: skip


def happening(library: Path, what: str, at: int, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command at whose calls something happens."""
    return subprocess.run(
        [sys.executable, "-B", SUPPORT / "hooked_command.py", library, what, str(at), *shlex.split(command)],
        capture_output=True, text=True, cwd=folder, env=environment(**preloading(library)), timeout=PATIENCE,
        check=False, errors="replace",
    )  # fmt: skip


@pytest.mark.parametrize("name", PRINTING)
def test_a_pipe_that_nobody_reads_is_exit_code_141_without_a_word(name, folder):
    read, write = os.pipe()
    os.close(read)
    done = run(PRINTING[name] + " -q", folder, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("name", PRINTING)
def test_standard_output_on_a_full_disk_is_exit_code_5_and_is_said(name, folder):
    with Path("/dev/full").open("wb") as full:
        done = run(PRINTING[name] + " -q", folder, stdout=full)
    assert done.returncode == 5
    assert "standard output: No space left on device" in error_lines(done.stderr)[0]


@cache
def calls(library: Path, command: str, sockets: Path) -> int:
    """How many calls about outputs a command makes."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(sockets.parent, name, dirs_exist_ok=True)
        done = happening(library, "count", 0, command, Path(name))
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1])


def place(n: int, name: str) -> int:
    """One of so many calls of a command, as each try takes a second: over all commands the first ones, the last ones,
    and those between."""
    chosen = random.Random(name)
    return chosen.choice((1, n, chosen.randint(1, n)))


def left(folder: Path, target: str) -> set[str]:
    return {path.name for path in folder.iterdir()} - ENDS - {target}


def in_turn(names: Iterable[str], signals: Mapping[signal.Signals, int]) -> list[tuple[str, signal.Signals, int]]:
    """Each command with one of the signals, and the exit code of that."""
    return [(name, *one) for name, one in zip(names, cycle(signals.items()), strict=False)]


@preloads
@slow
@pytest.mark.parametrize("name", WRITING)
def test_a_disk_that_becomes_full_leaves_the_old_file_and_nothing_else(name, folder, library, sockets):
    command, target = WRITING[name]
    at = place(calls(library, command, sockets) - 1, name)  # the last one keeps the directory, with the new name
    (folder / target).write_bytes(OLD)
    done = happening(library, "full", at, command, folder)
    assert done.returncode == 5, (at, done.stderr)
    assert f"{target}: No space left on device" in error_lines(done.stderr)[0]
    assert (folder / target).read_bytes() == OLD
    assert left(folder, target) == set()


@preloads
@slow
@pytest.mark.parametrize(
    ("name", "number", "code"), in_turn(WRITING, {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143})
)
def test_a_command_that_is_ended_while_it_writes_leaves_the_old_file_or_the_new_one(
    name, number, code, folder, library, sockets
):
    command, target = WRITING[name]
    (folder / target).unlink(missing_ok=True)
    at = place(int(happening(library, "count", 0, command, folder).stderr.split()[-1]), name)
    new = (folder / target).read_bytes()
    (folder / target).write_bytes(OLD)
    done = happening(library, number.name, at, command, folder)
    assert done.returncode == code, (at, done.stderr)
    assert (folder / target).read_bytes() in (OLD, new), at
    unfinished = left(folder, target)
    assert unfinished == set() if number != signal.SIGKILL else all(one[0] == "." for one in unfinished)


@preloads
@pytest.mark.parametrize("name", FILLING)
def test_a_directory_that_cannot_be_filled_has_no_index(name, folder, library, sockets):
    command, index = FILLING[name]
    at = place(calls(library, command, sockets) - 1, name)
    done = happening(library, "full", at, command, folder)
    assert done.returncode == 5, (at, done.stderr)
    assert "out/" in error_lines(done.stderr)[0]
    assert not (folder / index).exists()


@preloads
@pytest.mark.parametrize("where", ["while it writes rows", "at the last call"])
def test_an_export_to_a_disk_that_becomes_full_leaves_the_lake_as_it_was(where, folder, library, sockets):
    """Also the next one, when there is room again, finds nothing that the one before has left."""
    command = "export in.pcap -o lake"
    lake = folder / "lake"
    n = calls(library, command, sockets) - 1  # the last one keeps the directory, with the new name
    run(command, folder)
    before = {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()}
    (folder / "in.pcap").write_bytes(capture(1000))
    at = n if where == "at the last call" else random.Random(n).randint(1, n - 1)
    done = happening(library, "full", at, command, folder)
    assert done.returncode == 5, (at, done.stderr)
    assert "No space left on device" in error_lines(done.stderr)[0]
    assert "lake/" in error_lines(done.stderr)[0]
    there = {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()}
    assert before.items() <= there.items(), at
    assert run(command, folder).returncode == 0
    assert len(fluxcap.scan_lake(lake).lazy().collect()) == len(fluxcap.read_flows(folder / "in.pcap"))


@preloads
@pytest.mark.parametrize("name", FILLING)
def test_a_directory_whose_filling_was_killed_has_no_index_or_a_whole_one(name, folder, library):
    command, index = FILLING[name]
    at = place(int(happening(library, "count", 0, command, folder).stderr.split()[-1]), name)
    new = (folder / index).read_bytes()
    shutil.rmtree(folder / "out")
    assert happening(library, "SIGKILL", at, command, folder).returncode == -signal.SIGKILL
    assert not (folder / index).exists() or (folder / index).read_bytes() == new


@preloads
@slow
@pytest.mark.parametrize(
    ("name", "number", "code"), in_turn([*PRINTING, *FILLING, "mux"], {signal.SIGINT: 130, signal.SIGTERM: 143})
)
def test_a_signal_while_a_command_reads_ends_it_with_the_code_of_the_signal(name, number, code, folder, library):
    command = (PRINTING[name] if name in PRINTING else (FILLING | WRITING)[name][0]) + " -q"
    index = folder / "out" / "index.ndjson"
    at = place(int(happening(library, "rcount", 0, command, folder).stderr.split()[-1]), name)
    whole = index.read_bytes() if name in FILLING else b""
    shutil.rmtree(index.parent, ignore_errors=True)
    done = happening(library, f"r{number.name}", at, command, folder)
    assert (done.returncode, done.stderr) == (code, ""), at
    if index.exists() and index.read_bytes() != whole:
        assert json.loads(index.read_text().splitlines()[0])["interrupted"] is True, at
