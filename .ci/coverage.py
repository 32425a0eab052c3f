#!/usr/bin/env python3
"""Which lines of the core do its tests reach? Builds it beside the checkout with counters, and lists the others.

usage: .ci/coverage.py [TESTS]    of pytest, in place of those below; in a Python that has what the tests need

It fails where lines or branches are fewer than they should be, where a line is neither reached nor in a function that
.ci/unreached.toml names with a reason, and where such a function is no longer there.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
COPIED = "pyproject.toml", "setup.py", "README.md", "LICENSE", "src", "pyx", "tests", "samples"
TESTS = ["tests/core", "tests/library"]
LINES, BRANCHES = 0.95, 0.90
ASKS_PROCESSOR = "pyx/fluxcap/checksums/processor.h"  # each has its own answers
HEADER = re.compile(r"(?:cdef|cpdef|def)\s[^=(]*?(\w+)\(")
NO_CODE = re.compile(r'cdef\s[^=]*$|@|global |\)$|"""')


def measure(copy: Path, tests: list[str]) -> tuple[dict[str, Counter[int]], list[bool]]:
    """How often each line of each file was reached, and of each branch in C whether it was taken."""
    env = {**os.environ, "PYTHONPATH": f"{copy / 'src'}:{copy / 'tests/support'}", "FLUXCAP_DEBUG": "coverage"}
    env.pop("FLUXCAP_CORPUS", None)
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=copy, env=env, check=True)
    (notes,) = copy.rglob("_core.gcno")
    for counters in run_tests(copy, tests, env):
        merge(counters, notes.parent)
    gcov = ["gcov", "--json-format", "--branch-probabilities", str(notes)]
    subprocess.run(gcov, cwd=copy, check=True, capture_output=True)
    reached: dict[str, Counter[int]] = defaultdict(Counter)
    branches: list[bool] = []
    for found in copy.glob("*.gcov.json.gz"):
        for file in json.loads(gzip.decompress(found.read_bytes()))["files"]:
            name = "pyx/" + file["file"].removeprefix("pyx/")
            if not (copy / name).is_file() or name == ASKS_PROCESSOR:
                continue  # of the system, or of Cython
            code = functions(copy / name)
            for line in file["lines"]:
                if line["line_number"] in code:
                    reached[name][line["line_number"]] += line["count"]
                if not name.endswith(".pxi"):  # where Python is touched, most branches are those of Cython
                    branches += [branch["count"] > 0 for branch in line["branches"]]
    return reached, branches


def run_tests(copy: Path, tests: list[str], env: dict[str, str]) -> list[Path]:
    """Run the tests, each file in a process of its own, and return the folders of their counters. A process adds its
    counters to those in the folder when it ends: a worker of pytest-xdist that takes its time to end is killed, and its
    counters are lost; a command that a test kills while it adds them destroys those in the folder."""
    files = [
        str(file)
        for one in tests
        for file in (sorted((copy / one).rglob("test_*.py")) if (copy / one).is_dir() else [one])
    ]
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=few"]

    def run(number: int) -> Path:
        counters = copy / "counters" / str(number)
        counters.mkdir(parents=True)
        place = {"GCOV_PREFIX": str(counters), "GCOV_PREFIX_STRIP": "99"}  # without the folders of the build
        done = subprocess.run(
            [*pytest, files[number]], cwd=copy, env=env | place, check=False, capture_output=True, text=True
        )
        if done.returncode:
            print(done.stdout, done.stderr, flush=True)
        return counters

    with ThreadPoolExecutor(os.cpu_count()) as several:
        return list(several.map(run, range(len(files))))


def merge(counters: Path, into: Path) -> None:
    """Add the counters of some processes to those in a folder."""
    both = counters / "both"
    for made in list(counters.glob("*.gcda")):  # none, of tests that ask nothing of the core
        if (into / made.name).is_file():
            subprocess.run(["gcov-tool", "merge", "-o", both, counters, into], check=True)
            made = both / made.name
        shutil.copy(made, into)


def functions(path: Path) -> dict[int, str]:
    """The function of each line that does something. The counters have others: headers of functions and declarations,
    to which Cython assigns code of its own, and lines behind the end."""
    found: dict[int, str] = {}
    function, in_header = "", False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.partition("  #")[0].strip()
        if header := HEADER.match(text):
            function, in_header = header[1], True
        if text and not in_header and not NO_CODE.match(text):
            found[number] = function
        in_header = in_header and not text.endswith(":")
    return found


def named() -> tuple[set[tuple[str, str]], list[str]]:
    """The functions that have a reason, with their files, and those of them that are not there."""
    kinds = tomllib.loads((TOP / ".ci/unreached.toml").read_text())
    places = {
        (f"pyx/fluxcap/{file}", function)
        for kind in kinds.values()
        for file, those in kind["functions"].items()
        for function in those.split()
    }
    files = {file for file, _ in places if (TOP / file).is_file()}
    there = {(file, function) for file in files for function in functions(TOP / file).values()}
    return places, sorted(f"{file}: {function}() is not there" for file, function in places - there)


def in_words(lines: list[int]) -> str:
    """Numbers of lines, with a dash where several follow each other."""
    spans: list[list[int]] = []
    for line in lines:
        if spans and line == spans[-1][-1] + 1:
            spans[-1][1:] = [line]
        else:
            spans.append([line])
    return " ".join("-".join(map(str, span)) for span in spans)


def unreached(reached: dict[str, Counter[int]], places: set[tuple[str, str]]) -> list[str]:
    """The lines of each file that are neither reached nor in one of these functions."""
    told = []
    for name, lines in sorted(reached.items()):
        of = functions(TOP / name)
        missed = sorted(line for line in lines if not lines[line] and (name, of[line]) not in places)
        if missed:
            told.append(f"{name}: {in_words(missed)} are not reached, in {', '.join({of[one]: 0 for one in missed})}")
    return told


def main(tests: list[str]) -> int:
    """Measure, print, and say whether something is amiss."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where this runs behind others: tests send it
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            copying = shutil.copytree if (TOP / name).is_dir() else shutil.copy
            copying(TOP / name, copy / name)
        for built in (copy / "src").rglob("*.so"):
            built.unlink()
        reached, branches = measure(copy, tests or TESTS)
    places, amiss = named()
    amiss += unreached(reached, places)
    for line in amiss:
        print(line)
    n, covered = (sum(f(lines) for lines in reached.values()) for f in (len, lambda of: len(+of)))
    taken = sum(branches)
    print(f"{covered:,} of {n:,} lines: {covered / n:.1%}, at least {LINES:.0%}")
    print(f"{taken:,} of {len(branches):,} branches: {taken / len(branches):.1%}, at least {BRANCHES:.0%}")
    return bool(amiss) or covered < LINES * n or taken < BRANCHES * len(branches)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
