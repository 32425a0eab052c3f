"""The command line run as its users run it: with pipes, or at a terminal of a given size."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

COMMAND = [sys.executable, "-m", "fluxcap"]
PATIENCE = int(os.environ.get("FLUXCAP_PATIENCE", "30"))  # seconds until a run is given up
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\].*?\x07|[()][A-Z0-9])")  # CSI, OSC and character set sequences


def environment(**changes: str) -> dict[str, str]:
    """The environment without what decides on colours and widths, but for `changes`."""
    decisive = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONIOENCODING")
    kept = {name: value for name, value in os.environ.items() if name not in decisive}
    return {**kept, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **changes}


def fluxcap(
    *arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it in a pipe and wait; both outputs as text, every byte kept."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], input=stdin, capture_output=True, cwd=cwd, env=environment(**(env or {})),
        timeout=PATIENCE,
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def shell(script: str, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a bash script in which "$fluxcap" is the command and $1, $2, ... the arguments."""
    preamble = 'fluxcap() { "$PYTHON" -m fluxcap "$@"; }\n'
    return subprocess.run(
        ["bash", "-c", preamble + script, "bash", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(PYTHON=sys.executable),
        timeout=PATIENCE,
    )


# Each line is read by a shell, and run by one process for all: to begin one takes longer than most commands do.
WORDS = 'fluxcap() { printf "%s\\0" "$@"; }\n'
IN_ONE_PROCESS = """
import json, os, sys, tempfile
from fluxcap.cli.main import main
results, printed = [], os.dup(1)
for words in json.load(sys.stdin):
    with tempfile.TemporaryFile() as out:
        os.dup2(out.fileno(), 1)
        code = main([os.fsdecode(word.encode("latin-1")) for word in words])
        sys.stdout.flush()
        out.seek(0)
        results.append((code or 0, out.read().decode()))
os.dup2(printed, 1)
json.dump(results, sys.stdout)
"""


def in_one_process(lines: Iterable[str], cwd: Path | None = None) -> list[tuple[int, str]]:
    """Run lines `fluxcap ...`, and return the exit code of each and what it prints."""
    words = []
    for line in lines:
        split = subprocess.run(["bash", "-c", WORDS + line], capture_output=True, check=True, env=environment()).stdout
        words.append(split.decode("latin-1").split("\0")[:-1])
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS], input=json.dumps(words), capture_output=True, text=True, cwd=cwd,
        env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [(code, text) for code, text in json.loads(done.stdout)]


def error_lines(stderr: str) -> list[str]:
    """Its lines, which must be one `error:` and one `help:`."""
    lines = stderr.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "help"], stderr
    return lines


def rows(text: str) -> list[dict[str, str]]:
    """The rows of tab-separated values by the names of their columns."""
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


class Screen(NamedTuple):
    """What a terminal was sent."""

    raw: str
    code: int

    @property
    def text(self) -> str:
        """Without colours."""
        return ESCAPE.sub("", self.raw).replace("\r\n", "\n")

    @property
    def lines(self) -> list[str]:
        """The text in lines."""
        return self.text.splitlines()


def terminal(
    *arguments: str | Path,
    columns: int = 80,
    rows: int = 24,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
) -> Screen:
    """Run it at a terminal: all of its streams, but for those given as other descriptors."""
    return in_terminal([*COMMAND, *map(str, arguments)], columns, rows, env, cwd, stdin, stdout)


def in_terminal(
    command: list[str],
    columns: int = 80,
    rows: int = 24,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
) -> Screen:
    """Run any command so."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with subprocess.Popen(
        command,
        stdin=slave if stdin is None else stdin,
        stdout=slave if stdout is None else stdout,
        stderr=slave,
        cwd=cwd,
        env=environment(**(env or {})),
        start_new_session=True,
    ) as process:
        os.close(slave)
        sent = b""
        with suppress(OSError):  # EIO: the last of its ends was closed
            while octets := os.read(master, 1 << 16):
                sent += octets
        os.close(master)
        return Screen(sent.decode(), process.wait(PATIENCE))


def wait_until_read(descriptor: int) -> None:
    """Wait until nothing is left in a pipe, whose other end a process reads."""
    end = time.monotonic() + PATIENCE
    while _unread(descriptor):
        assert time.monotonic() < end, "nobody reads the pipe"
        time.sleep(0.01)
    time.sleep(0.2)  # what was read last is processed in much less


def wait_until_full(descriptor: int) -> None:
    """Wait until a process that writes to a pipe has to wait for somebody to read it."""
    end = time.monotonic() + PATIENCE
    while _unread(descriptor) < fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ):
        assert time.monotonic() < end, "nobody fills the pipe"
        time.sleep(0.01)


def _unread(descriptor: int) -> int:
    """How many bytes are left in a pipe."""
    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0])
