"""Real captures in one file, cut at drawn places: a table of ranges is that of one process."""

import random
import warnings

import pytest

import fluxcap
from capture_pieces import pieces
from fluxcap.capture.inputs import expand
from fluxcap.cluster import gathering, ranges, sums
from fluxcap.cluster.part import Work
from fluxcap.cluster.sharing import Sharing
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.flows import FlowTable
from real_captures import CORPUS, index, needs_corpus
from workers_here import workers_here

pytestmark = [needs_corpus, pytest.mark.filterwarnings("ignore")]
CAPTURES, READINGS, CUTS = 100, 20, 50
LARGEST = 100_000  # bytes
MAGIC = b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4"


def joined(draw: random.Random) -> bytes:
    """The records of some captures, whatever their times, in one file."""
    rows = [
        row
        for row in index()
        if (row["format"], row["encap"], row["capinfos_rc"], row["tcpdump_rc"]) == ("pcap us LE", "ether", "0", "0")
    ]
    captures = [(CORPUS / row["path"]).read_bytes() for row in rows]
    # A packet of one holds the file header of another capture, and only the range before tells that it is none here.
    plain = [octets for octets in captures if len(octets) <= LARGEST and not any(one in octets[4:] for one in MAGIC)]
    captures = draw.sample(plain, CAPTURES)
    header = captures[0][:16] + (262_144).to_bytes(4, "little") + captures[0][20:24]
    return header + b"".join(one for octets in captures for packet, one in pieces(octets) if packet)


@pytest.mark.slow
def test_from_a_thousand_places_the_next_record_is_found_and_the_table_is_that_of_one_process(monkeypatch):
    draw = random.Random(1)
    octets = joined(draw)
    (item,) = expand(octets)
    headers = ranges.headers_of(item)
    cuts = [sorted(draw.sample(range(100, len(octets)), CUTS)) for _ in range(READINGS)]
    left = iter(cuts)
    monkeypatch.setattr(gathering, "workers", workers_here)
    monkeypatch.setattr(
        gathering, "groups_of", lambda *given: [[one] for one in ranges.cut_at(item, headers, next(left))]
    )
    whole = fluxcap.read_flows(octets)
    for _ in cuts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = sums.collect_sums(octets, Work(FlowPlan(), ReadOptions(), FlowTable, True), Sharing())
        assert made == whole
        assert made.metadata["ledger"] == whole.metadata["ledger"]
        assert made.metadata["files"][0]["ranges"] == CUTS + 1  # each was found, and proved
