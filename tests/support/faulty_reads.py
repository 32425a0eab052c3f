"""Run a reading once for each fault of the calls that read its input. For a Python with hooked_calls.c in it.

usage: faulty_reads.py LIBRARY READING CAPTURE REPLACEMENT    prints one JSON object a fault: what came of it
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from every_reading import READINGS
from hooked_calls import READ, hooked

INPUT = Path("in.pcap")  # in a folder of its own: what a reading says has the same name in it each time
FEW = 3000  # bytes that come one at a time
PASSES = 4  # no reading opens its input more often

Fault = Callable[["Faulty", int, int], int]


class Faulty:
    """The calls that read an input, the ones of a given pass over it with a fault."""

    def __init__(self, fault: Fault, from_pass: int, half: int, replacement: Path) -> None:
        self.half, self.replacement = half, replacement
        self.happened = 0  # calls with the fault
        self._fault, self._from = fault, from_pass
        self._number = INPUT.stat().st_ino
        self._passes: dict[int, int] = {}  # by descriptor
        self._begun = 0

    def ask(self, kind: bytes, file: int, offset: int, n: int) -> int:
        """How many bytes a call may move."""
        if kind != READ or os.fstat(file).st_ino != self._number:
            return n
        if offset == 0 and n:
            self._begun += 1
            self._passes[file] = self._begun
        if self._passes.get(file, 0) < self._from:
            return n
        self.happened += 1
        return self._fault(self, offset, n)


def gives_few_bytes_at_a_time(faulty: Faulty, offset: int, n: int) -> int:
    return min(n, 1 if offset < FEW else 1 + offset % 999)


def is_interrupted_by_signals(faulty: Faulty, offset: int, n: int) -> int:
    return -errno.EINTR if faulty.happened % 2 else n


def fails_in_the_middle(faulty: Faulty, offset: int, n: int) -> int:
    return -errno.EIO if offset >= faulty.half else min(n, faulty.half - offset)


def shrinks(faulty: Faulty, offset: int, n: int) -> int:
    if INPUT.stat().st_size > faulty.half <= offset + n:
        os.truncate(INPUT, faulty.half)
    return n


def grows(faulty: Faulty, offset: int, n: int) -> int:
    if faulty.happened == 1:
        with INPUT.open("ab") as more:
            more.write(faulty.replacement.read_bytes()[24:])
    return n


def is_replaced(faulty: Faulty, offset: int, n: int) -> int:
    if faulty.happened == 1:
        shutil.copy(faulty.replacement, "new")
        Path("new").replace(INPUT)
    return n


FAULTS: list[Fault] = [
    gives_few_bytes_at_a_time, is_interrupted_by_signals, fails_in_the_middle, shrinks, grows, is_replaced
]  # fmt: skip


def outcome(reading: Callable[[Any], Any]) -> tuple[Any, str, list[str]]:
    """The result or the error of a reading, and what it warned of."""
    result, error = None, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = reading(INPUT)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    return result, error, [str(one.message) for one in caught]


def main(library: str, name: str, capture: str, replacement: str) -> None:
    whole, other = Path(capture).read_bytes(), Path(replacement)
    half = len(whole) // 2
    reading = READINGS[name]
    os.sched_getaffinity = lambda process: set(range(3))  # there may be fewer processors
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        known = {"before": whole[:half], "grown": whole + other.read_bytes()[24:], "other": other.read_bytes()}
        results = {}
        for what, octets in {"whole": whole, **known}.items():
            INPUT.write_bytes(octets)
            results[what] = outcome(reading)[0]
        for fault in FAULTS:
            for from_pass in range(1, PASSES + 1):
                INPUT.unlink()
                INPUT.write_bytes(whole)
                faulty = Faulty(fault, from_pass, half, other)
                with hooked(library, faulty.ask):
                    result, error, warned = outcome(reading)
                if not faulty.happened:
                    break
                got = "error" if error else next((what for what, one in results.items() if one == result), "another")
                about = {"fault": fault.__name__, "pass": from_pass, "got": got, "error": error, "warned": warned}
                print(json.dumps(about), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
