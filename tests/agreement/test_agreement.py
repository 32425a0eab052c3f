"""Every record of real captures agrees with tshark; needs the corpus (FLUXCAP_CORPUS).

exceptions.tsv lists intended differences, each with its reason: `view` is `plain` (each record by itself) or
`defragmented` (datagrams put together); `kind` is the field of the record that differs.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from real_captures import CORPUS, needs_corpus

pytestmark = needs_corpus

HERE = Path(__file__).parent
HANGS = 300  # seconds; the whole run takes five
RECORDS, CAPTURES = 0.998, 0.99  # least share of records and captures that agree

Difference = tuple[str, str, int, str]  # view, capture, record, kind


@pytest.fixture(scope="module")
def compared() -> list[dict[str, Any]]:
    """One dict a view of a capture: its records, and their differences."""
    command = [sys.executable, str(HERE.parent / "support" / "tshark_agreement.py"), str(CORPUS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"crashed after {lines[-1]['capture'] if lines else 'nothing'}: {done.stderr}"
    return lines


def differences(compared: Iterable[dict[str, Any]]) -> dict[Difference, tuple[str, str]]:
    """Each difference, with our value and tshark's."""
    return {
        (line["view"], line["capture"], record, kind): (ours, theirs)
        for line in compared
        for kind, record, ours, theirs in line["differences"]
    }


def exceptions() -> list[dict[str, str]]:
    with (HERE / "exceptions.tsv").open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def excused() -> set[Difference]:
    return {
        (row["view"], row["capture"], record, row["kind"]) for row in exceptions() for record in numbers(row["records"])
    }


def numbers(ranges: str) -> Iterable[int]:
    """The numbers in a text such as "3-5,9"."""
    for one in ranges.split(","):
        first, _, last = one.partition("-")
        yield from range(int(first), int(last or first) + 1)


@pytest.mark.slow
def test_every_difference_from_tshark_has_its_reason(compared):
    assert {which: how for which, how in differences(compared).items() if which not in excused()} == {}


def test_every_exception_still_differs(compared):
    assert excused() - differences(compared).keys() == set()


def test_every_exception_has_a_reason():
    assert [row for row in exceptions() if not row["reason"]] == []


def test_all_but_a_few_records_and_captures_agree(compared):
    plain = [line for line in compared if line["view"] == "plain"]
    differing = {which[1:3] for which in differences(plain)}
    records = sum(line["records"] for line in plain)
    assert records - len(differing) >= RECORDS * records
    assert len(plain) - len({capture for capture, _ in differing}) >= CAPTURES * len(plain)
