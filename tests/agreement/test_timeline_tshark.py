"""A timeline equals tshark's `io,stat`, frames and bytes of each interval.

tshark's intervals begin with the first frame, ours at multiples of their length: editcap moves the capture so that its
first frame is at such a multiple. tshark leaves out frames that are earlier than the first, and has no row for frames
that are all of one time.
"""

import re
import subprocess
from pathlib import Path

import pytest

import fluxcap
from real_captures import CORPUS, SAMPLES, index, needs_corpus, spread
from tshark import needs_tshark, tshark

SAMPLED = ["session.pcap", "sockets.pcapng", "office.pcap", "nanoseconds.pcap", "vxlan-tunnel.pcap"]
WANTED = 100  # captures of the corpus
PARTS = 20  # intervals that a capture is cut into, about
ROW = re.compile(r"\| *(?P<start>[\d.]+) <> +(?P<end>[\d.]+|Dur) *\| *(?P<frames>\d+) *\| *(?P<bytes>\d+) *\|")
MS = 1_000_000


def theirs(capture: Path, interval_ms: int) -> list[tuple[int, int]]:
    """Frames and bytes of each interval."""
    lines = tshark(capture, "-q", "-z", f"io,stat,{interval_ms / 1000}")
    return [(int(row["frames"]), int(row["bytes"])) for row in map(ROW.match, lines) if row]


def check(capture: Path, moved: Path) -> None:
    times = fluxcap.read_packets(capture, columns="time")["time"]
    first, span = int(times[0]), int(times.max()) - int(times[0])
    interval_ms = max(span // PARTS // MS, 1)
    ahead = -first % (interval_ms * MS)
    seconds, fraction = divmod(ahead, 1000 * MS)
    subprocess.run(
        ["editcap", "-t", f"{seconds}.{fraction:09d}", "-F", "pcapng", capture, moved],
        check=True,
        capture_output=True,
    )
    table = fluxcap.read_timeline(moved, f"{interval_ms}ms")
    ours = list(zip(table["packets"].tolist(), table["bytes"].tolist(), strict=True))
    assert table["time"][0] <= first + ahead
    before = (first + ahead - int(table["time"][0])) // (interval_ms * MS)  # intervals before the first frame
    expected = _trimmed(theirs(moved, interval_ms))
    assert _trimmed(ours[before:]) == expected or (span == 0 and expected == [])


def _trimmed(rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without empty rows at the end: tshark has one where a capture ends at a multiple."""
    while rows and rows[-1][0] == 0:
        rows = rows[:-1]
    return rows


def chosen() -> list[str]:
    """Captures whose frames are all packets: tshark shows the journal of a pcapng file as frames too."""
    whole = (row for row in index() if row["tshark_rc"] == "0" and row["pk_tshark"] == row["pk_capinfos"])
    return spread((row for row in whole if row["pk_tcpdump"] == row["pk_tshark"] and int(row["pk_tshark"]) > 2), WANTED)


@needs_tshark
@pytest.mark.parametrize("name", SAMPLED)
def test_the_timeline_of_a_sample_is_that_of_tshark(name, tmp_path):
    check(SAMPLES / name, tmp_path / "moved.pcapng")


@needs_tshark
@needs_corpus
@pytest.mark.filterwarnings("ignore:records of link types that are not read:UserWarning")
@pytest.mark.parametrize("path", chosen())
def test_the_timeline_of_a_real_capture_is_that_of_tshark(path, tmp_path):
    check(CORPUS / path, tmp_path / "moved.pcapng")


@needs_corpus
def test_a_hundred_captures_of_many_repositories_have_a_timeline_to_compare():
    assert len(set(chosen())) == WANTED
    assert len({path.partition("/")[0] for path in chosen()}) > 10
