"""Whatever happens to an input while it is read, a reading tells what it has read, or that it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

import builders as b
from capture_files import pcap, records
from every_reading import READ_ONCE, READ_TWICE, READINGS
from preloaded import PRELOADABLE, SUPPORT, preloading, shim

pytestmark = pytest.mark.skipif(not PRELOADABLE, reason="takes a C compiler, and a loader that preloads")
CLIENTS, AT_MOST = 97, 400


def frame(at: int, checksum: str | None) -> bytes:
    """Of the flows of a client, with some that were left to the network card."""
    udp = b.udp(bytes(at % AT_MOST), 4000 + at % CLIENTS, 53, checksum=checksum)
    return b.ethernet(b.ipv4(udp, "192.0.2.1", "192.0.2.2"))


def capture(begin: int, end: int) -> bytes:
    """Flows with records that are shown twice, in several windows of the core."""
    frames = []
    for at in range(begin, end):
        frames += [frame(at, "partial" if at % 5 else None)] * (2 if at % 50 == 7 else 1)
    return pcap(records(frames))


WHOLE, OTHER = capture(0, 2400), capture(2400, 4950)  # the other one is longer, and of other records


def half_way() -> str:
    """Which record lies in the middle of the capture."""
    at, packets = 24, 0
    while (end := at + 16 + int.from_bytes(WHOLE[at + 8 : at + 12], "little")) <= len(WHOLE) // 2:
        at, packets = end, packets + 1
    return f"at byte {at}, after packet {packets}"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory):
    """What came of a reading, with each fault in each pass over its input."""
    folder = tmp_path_factory.mktemp("faulty")
    library = shim("hooked_calls", folder)
    whole, other = folder / "whole.pcap", folder / "other.pcap"
    whole.write_bytes(WHOLE)
    other.write_bytes(OTHER)

    @cache
    def outcomes(name: str) -> dict[tuple[str, int], dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, SUPPORT / "faulty_reads.py", library, name, whole, other],
            env=preloading(library),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = map(json.loads, done.stdout.splitlines())
        return {(one["fault"], one["pass"]): one for one in found}

    return outcomes


def faults(outcomes: dict[tuple[str, int], dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """What came of this fault, in each pass."""
    found = [one for (fault, _), one in outcomes.items() if fault == name]
    assert found
    return found


@pytest.mark.parametrize("fault", ["gives_few_bytes_at_a_time", "is_interrupted_by_signals"])
@pytest.mark.parametrize("name", READINGS)
def test_an_input_in_small_pieces_or_with_signals_between_them_reads_as_ever(name, fault, outcomes):
    for one in faults(outcomes(name), fault):
        assert (one["got"], one["error"], one["warned"]) == ("whole", "", [])


@pytest.mark.parametrize(
    ("fault", "got", "warned"),
    [
        ("fails_in_the_middle", "before", f"in.pcap: damaged {half_way()}: Input/output error"),
        ("shrinks", "before", f"in.pcap: cut short {half_way()}: "),
        ("grows", "grown", None),
        ("is_replaced", "whole", None),
    ],
)
@pytest.mark.parametrize("name", READ_ONCE)
def test_an_input_that_changes_under_a_reading_gives_what_was_there(name, fault, got, warned, outcomes):
    (one,) = faults(outcomes(name), fault)
    assert (one["got"], one["error"]) == (got, "")
    assert warned is None or (one["warned"] and all(said.startswith(warned) for said in one["warned"]))


@pytest.mark.parametrize("fault", ["fails_in_the_middle", "shrinks", "grows", "is_replaced"])
@pytest.mark.parametrize("name", READ_TWICE)
def test_an_input_that_is_read_twice_gives_what_was_there_the_first_time_or_is_told_to_have_changed(
    name, fault, outcomes
):
    consistent = {"fails_in_the_middle": "before", "shrinks": "before", "grows": "grown", "is_replaced": None}
    found = faults(outcomes(name), fault)
    assert len(found) > 1
    for one in found:
        if one["got"] == "error":
            assert "the inputs have changed since they were read: " in one["error"] or (
                fault == "fails_in_the_middle" and one["error"].endswith("Input/output error: 'in.pcap'")
            )
        else:
            assert one["got"] == (consistent[fault] if one["pass"] == 1 else "whole")
