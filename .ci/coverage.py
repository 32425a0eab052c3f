#!/usr/bin/env python3
"""Which lines of the core do its tests reach? Builds it beside the checkout with counters, and lists the others.

usage: .ci/coverage.py [TESTS]    of pytest, in place of tests/core; in a Python that has what the tests need
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
COPIED = "pyproject.toml", "setup.py", "README.md", "LICENSE", "src", "pyx", "tests", "samples"


def measure(copy: Path, tests: list[str]) -> tuple[dict[str, Counter[int]], list[bool]]:
    """How often each line of each file was reached, and of each branch in C whether it was taken."""
    env = {**os.environ, "PYTHONPATH": f"{copy / 'src'}:{copy / 'tests/support'}", "FLUXCAP_DEBUG": "coverage"}
    env.pop("FLUXCAP_CORPUS", None)
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=copy, env=env, check=True)
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=few", *tests]
    subprocess.run(pytest, cwd=copy, env=env, check=False)
    (notes,) = copy.rglob("_core.gcno")
    gcov = ["gcov", "--json-format", "--branch-probabilities", str(notes)]
    subprocess.run(gcov, cwd=copy, check=True, capture_output=True)
    reached: dict[str, Counter[int]] = defaultdict(Counter)
    branches: list[bool] = []
    for found in copy.glob("*.gcov.json.gz"):
        for file in json.loads(gzip.decompress(found.read_bytes()))["files"]:
            name = "pyx/" + file["file"].removeprefix("pyx/")
            if not (copy / name).is_file():
                continue  # of the system, or of Cython
            for line in file["lines"]:
                reached[name][line["line_number"]] += line["count"]
                if not name.endswith(".pxi"):  # where Python is touched, most branches are those of Cython
                    branches += [branch["count"] > 0 for branch in line["branches"]]
    return reached, branches


def in_words(lines: list[int]) -> str:
    """Numbers of lines, with a dash where several follow each other."""
    spans: list[list[int]] = []
    for line in lines:
        if spans and line == spans[-1][-1] + 1:
            spans[-1][1:] = [line]
        else:
            spans.append([line])
    return " ".join("-".join(map(str, span)) for span in spans)


def main(tests: list[str]) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            copying = shutil.copytree if (TOP / name).is_dir() else shutil.copy
            copying(TOP / name, copy / name)
        for built in (copy / "src").rglob("*.so"):
            built.unlink()
        reached, branches = measure(copy, tests or ["tests/core"])
    for name, lines in sorted(reached.items()):
        print(f"{name}: {in_words(sorted(line for line in lines if not lines[line]))}")
    n, covered = (sum(f(lines) for lines in reached.values()) for f in (len, lambda of: len(+of)))
    print(f"{covered:,} of {n:,} lines: {covered / n:.1%}")
    print(f"{sum(branches):,} of {len(branches):,} branches: {sum(branches) / len(branches):.1%}")


if __name__ == "__main__":
    main(sys.argv[1:])
