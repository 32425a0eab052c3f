"""Losses that an audit finds, and acknowledgments of segments that tshark has not seen."""

from pathlib import Path

import pytest

import fluxcap
from altered_captures import acknowledged_data, chosen, records_of, without
from capture_files import pcap
from real_captures import CORPUS, SAMPLES, index, needs_corpus, spread
from tshark import fields, needs_tshark, tshark

pytestmark = needs_tshark
COMPARED = 200  # captures of the corpus
COMPRESSED = "AH-IPcomp-IPv6.pcap"  # half of its segments are inside IPComp, which only tshark opens
WITH_TCP = [
    name
    for name in spread((row for row in index() if row["tcp"] not in ("", "0")), COMPARED)
    if not name.endswith(COMPRESSED)
]


def unseen(path: Path) -> list[int]:
    """The frames that tshark marks as acknowledgments of a segment that it has not seen."""
    return list(map(int, tshark(path, "-Y", "tcp.analysis.ack_lost_segment", *fields(["frame.number"]))))


@pytest.mark.parametrize("name", ["session", "office", "servers"])
def test_acknowledgments_of_missing_segments_are_those_that_tshark_marks(name, tmp_path):
    base = records_of(SAMPLES / f"{name}.pcap")
    missing = {segment.place for segment, _ in chosen(acknowledged_data(base), 3, seed=1)}
    path = tmp_path / "lossy.pcap"
    path.write_bytes(pcap(without(base, missing)))
    (finding,) = fluxcap.read_audit(path).findings
    marked = unseen(path)
    assert finding.code == "loss"
    found = [place.packet for place in finding.evidence]
    assert found[0] == marked[0]
    assert set(found) <= set(marked)  # tshark may mark a second one of the same connection


@needs_corpus
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WITH_TCP)
def test_a_capture_with_losses_is_one_in_which_tshark_marks_some(name):
    """The reverse does not hold: tshark marks acknowledgments of bytes before the capture, and of keep-alives."""
    if "loss" in {finding.code for finding in fluxcap.read_audit(CORPUS / name).findings}:
        assert unseen(CORPUS / name)
