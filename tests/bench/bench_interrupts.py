"""How soon Ctrl-C is answered, for every command, at times spread over a whole run.

The answer is the end of the process or a line on standard error, whichever comes first. Where the process goes on after
the line, to print what it has read, a second Ctrl-C follows: the last column is how long the process lives after it.
"""

import argparse
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from workloads import WORKLOADS, ensure

COMMANDS: Final = {  # {out} is a new name in an empty directory
    "info": "info",
    "check": "check",
    "flows": "flows",
    "flows for people": "flows -f table",
    "flows to Parquet": "flows -o {out}.parquet",
    "connections": "connections",
    "sockets": "sockets",
    "sockets for people": "sockets -f table",
    "life": "sockets --life 198.18.0.1:443",
    "packets": "packets",
    "packets, sorted": "packets --sort wire_length -n 10",
    "packets to Parquet": "packets -o {out}.parquet",
    "extract": "flows --extract 4,400000 -o {out}.pcap",
    "repair": "repair -o {out}.pcap",
    "sql": "sql 'SELECT src_ip, sum(bytes) FROM flows GROUP BY ALL ORDER BY 2 DESC LIMIT 9'",
    "demux": "demux -o {out}",
    "demux to pcap": "demux --as pcap -o {out}",
}
DIRECTORIES: Final = ("demux", "demux to pcap")  # a file for each socket: read from a capture of few
PATIENCE: Final = 60.0  # seconds
STARTED: Final = 0.15  # seconds: the interpreter handles Ctrl-C by itself before the program does
AT_ONCE: Final = 0.2  # seconds: what is asked of every answer


class Run:
    """A command on a capture, in the background, with a terminal as standard error."""

    def __init__(self, command: str, capture: Path, out: Path) -> None:
        arguments = [part.format(out=out) for part in shlex.split(command)]
        self._screen, terminal = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fluxcap", *arguments, str(capture)], stdout=subprocess.DEVNULL, stderr=terminal
        )
        os.close(terminal)
        self._ended = os.pidfd_open(self.process.pid)

    def goes_on(self, seconds: float) -> bool:
        """Whether it has not ended after so long."""
        return not self._watch(None, seconds)

    def press(self, said: bytes | None) -> float:
        """Press Ctrl-C; seconds until the process ended, or said this."""
        pressed = time.perf_counter()
        self.process.send_signal(signal.SIGINT)
        if not self._watch(said, PATIENCE):
            self.process.kill()
        return time.perf_counter() - pressed

    def wait(self) -> int:
        """The exit code."""
        self._watch(None, PATIENCE)
        os.close(self._screen)
        os.close(self._ended)
        return self.process.wait()

    def _watch(self, said: bytes | None, seconds: float) -> bool:
        """Wait until the process ended, or said this; False if it did not in so long."""
        seen, until = b"", time.perf_counter() + seconds
        watched = [self._ended, self._screen]
        while said is None or said not in seen:
            ready = select.select(watched, [], [], max(until - time.perf_counter(), 0))[0]
            if not ready or self._ended in ready:
                return bool(ready)
            try:
                seen += os.read(self._screen, 1 << 16)
            except OSError:  # nothing has the terminal open any longer
                watched = [self._ended]
        return True


def measure(command: str, capture: Path, times: int) -> str:
    """The latencies of one command, as a row of a table."""
    firsts, seconds, codes, left = [], [], set(), set()
    with tempfile.TemporaryDirectory(dir=capture.parent) as directory:
        began = time.perf_counter()
        Run(command, capture, Path(directory, "whole")).wait()
        whole = time.perf_counter() - began
    for n in range(times):
        with tempfile.TemporaryDirectory(dir=capture.parent) as directory:
            run = Run(command, capture, Path(directory, "broken"))
            if run.goes_on(STARTED + (whole - STARTED) * (n + 0.5) / times):
                firsts.append(run.press(b"interrupted"))
                seconds.append(run.press(None) if run.goes_on(0.01) else 0.0)
            codes.add(run.wait())
            left |= {path.name for path in Path(directory).iterdir() if path.name.startswith(".")}
    late = sum(first > AT_ONCE for first in firsts)
    return (
        f"{whole:7.2f} {len(firsts):6} {sorted(firsts)[len(firsts) // 2]:7.3f} {max(firsts):7.3f} {late:5}"
        f" {max(seconds):7.3f}  {sorted(codes)} {sorted(left)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(COMMANDS)} (default: all)")
    parser.add_argument("--times", type=int, default=20, help="runs a command (default: %(default)s)")
    parser.add_argument("--packets", type=int, default=WORKLOADS["flood"].packets, help="default: %(default)s")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir(), "fluxcap-workloads"))
    chosen = parser.parse_args()
    flood = ensure("flood", chosen.packets, chosen.dir)
    few = ensure("flows-10000", chosen.packets // 5, chosen.dir)
    print(f"{'':20}  whole   runs  median     max  late  second  codes, files left")
    for name in chosen.commands or COMMANDS:
        row = measure(COMMANDS[name], few if name in DIRECTORIES else flood, chosen.times)
        print(f"{name:20} {row}", flush=True)


if __name__ == "__main__":
    main()
