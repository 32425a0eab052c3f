"""Signals while the main thread is in code that runs no handler of Python, as when numpy sorts or a library writes."""

import os
import pty
import select
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from command_line import PATIENCE, environment
from delivered_directory import read
from fluxcap.cli.progress import WIPE

# `busy` stands for such code: it tells that it has begun, and what a handler raises does not reach anybody.
BUSY = """
import os, signal, sys, time

def busy(*arguments, **named):
    told = False
    while True:
        try:
            if not told:
                told = True
                os.write(1, b"busy")
            time.sleep(1000)
        except BaseException:
            pass

{patch}
sys.argv = ["fluxcap", *sys.argv[1:]]
from fluxcap.__main__ import entry
entry()
"""
MAKING = "import fluxcap.tables.flows as module\nmodule.flow_table = busy"
SORTING = "from fluxcap.tables.table import Table\nTable.sort = busy"
WRITING = "import fluxcap.formats.tsv as module\nmodule.write = busy"
HOLDING = """
import fluxcap.formats.tsv as module
def held(*arguments):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    busy()
module.write = held
"""
COPYING = "import fluxcap.rewrite.extract as module\nmodule.copy_records = busy"
REPAIRING = "import fluxcap.rewrite.repair as module\nmodule.copy_repaired = busy"
JUDGING = "from fluxcap.reports.checksum_report import ChecksumReport\nChecksumReport.to_dict = busy"


class Busy:
    """A command that has become busy, with a terminal as standard error."""

    def __init__(self, patch, *arguments, **changes):
        self._screen, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", BUSY.format(patch=patch), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=environment(**changes),
        )
        os.close(terminal)
        self.seen = b""

    def wait_until_busy(self):
        assert self.process.stdout.read(4) == b"busy", self.rest()
        return self

    def wait_until_said(self, what):
        while what not in self.seen:
            assert select.select([self._screen], [], [], PATIENCE)[0], self.seen
            self.seen += os.read(self._screen, 1 << 16)

    def rest(self):
        """What it says until it ends."""
        with suppress(OSError):  # EIO: nothing has the terminal open any longer
            while octets := os.read(self._screen, 1 << 16):
                self.seen += octets
        os.close(self._screen)
        return self.seen.decode()

    def end(self, number):
        """The exit code and what was said, after this signal."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        """The exit code and what was said."""
        out, _ = self.process.communicate(timeout=PATIENCE)
        assert out == b""
        return self.process.returncode, self.rest()


@pytest.fixture
def start():
    runs = []

    def start(*arguments, **changes):
        runs.append(Busy(*arguments, **changes))
        return runs[-1]

    yield start
    for run in runs:
        with run.process:
            run.process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize(
    ("patch", "command"),
    [
        (MAKING, "flows"),
        (MAKING, "connections"),
        (MAKING, "sockets"),
        (MAKING, "flows -o {out}.csv"),
        (SORTING, "packets --sort time -o {out}.csv"),
        (WRITING, "flows"),
        (WRITING, "sockets -o {out}.tsv"),
        (WRITING, "info -f tsv"),
        (HOLDING, "flows -o {out}.tsv"),
        (COPYING, "flows --extract 0 -o {out}.pcap"),
        (REPAIRING, "repair -o {out}.pcap"),
        (JUDGING, "check -f json -o {out}.json"),
    ],
)
def test_a_signal_ends_what_runs_no_handler_and_leaves_no_file(patch, command, number, code, start, good, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    run = start(patch, *command.format(out=out / "x").split(), good, TERM="dumb").wait_until_busy()
    assert run.end(number) == (code, "")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("command", ["flows", "connections", "sockets", "flows -o {out}.csv"])
def test_the_first_ctrl_c_says_that_a_result_is_made_and_the_second_leaves(command, start, good, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    run = start(MAKING, *command.format(out=out / "x").split(), "-")
    run.process.stdin.write(good.read_bytes())
    run.process.stdin.flush()
    run.wait_until_said(WIPE.encode())  # the bar of a reading that takes a while
    run.process.send_signal(signal.SIGINT)
    run.wait_until_busy()
    run.wait_until_said(b"Ctrl-C again")
    code, said = run.end(signal.SIGINT)
    assert code == 130
    assert "interrupted: what was read until now is being finished" in " ".join(said.split())
    assert "%" not in said.rpartition(WIPE)[2]  # nothing of the bar is left
    assert list(out.iterdir()) == []


def test_ctrl_c_while_demux_finishes_leaves_a_whole_index(start, good, tmp_path):
    script = """
from fluxcap.rewrite.demux import Demultiplexing
whole = Demultiplexing.finish
def pressed(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.5)
    return whole(*arguments)
Demultiplexing.finish = pressed
"""
    run = start(script, "demux", "-o", tmp_path / "out", good)
    assert run.wait()[0] == 130
    assert len(read(tmp_path / "out").messages) == 7


def test_a_second_ctrl_c_leaves_demux_without_a_half_index(start, good, tmp_path):
    patch = "import fluxcap.rewrite.directory as module\nmodule.ndjson.write_object = busy"
    run = start(patch, "demux", "-o", tmp_path / "out", good).wait_until_busy()
    run.process.send_signal(signal.SIGINT)
    run.wait_until_said(b"Ctrl-C again")
    assert run.end(signal.SIGINT)[0] == 130
    assert [path.name for path in (tmp_path / "out").iterdir() if "index" in path.name] == []
