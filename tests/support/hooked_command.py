"""Run the command line, and have something happen at one of its calls. For a Python with hooked_calls.c in it.

usage: hooked_command.py LIBRARY WHAT AT ARGUMENT...

WHAT is the name of a signal that comes at the AT-th call, "full" for a disk that is full from there on, or "count",
which prints the number of calls to standard error. They are the calls that write, keep or name files below the current
directory; with an `r` in front of WHAT, as in "rSIGINT", those that read such files.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

from hooked_calls import READ, REMOVE, hooked, signalled


class Happening:
    """Counts calls, up to the one at which something happens."""

    def __init__(self, what: str, at: int) -> None:
        self.calls = 0
        self._reads, self._what, self._at = what.startswith("r"), what.removeprefix("r"), at

    def ask(self, kind: bytes, file: int, offset: int, n: int) -> int:
        if (kind == READ) != self._reads:
            return n
        self.calls += 1
        if self.calls == self._at and self._what.startswith("SIG"):
            return signalled(signal.Signals[self._what])
        return -errno.ENOSPC if self._what == "full" and self.calls >= self._at and kind != REMOVE else n


def main(library: str, what: str, at: str, *arguments: str) -> None:
    from fluxcap.__main__ import entry

    # With threads the number of calls would be another one each time.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sys.argv = ["fluxcap", *arguments]
    happening = Happening(what, int(at))
    try:
        with hooked(library, happening.ask):
            entry()
    finally:
        if what.endswith("count"):
            print(happening.calls, file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
