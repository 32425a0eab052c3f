"""Any two real captures joined are read as both, one after the other."""

import random

import pytest

import fluxcap
from real_captures import CORPUS, index, needs_corpus

PAIRS = 400
LARGEST = 400_000  # bytes
# Its file header has a time zone and an accuracy that are the lengths of a record, and is read as one.
LIKE_A_RECORD = "clusterfuzz-testcase-minimized-FuzzTarget-5696447256461312"


@needs_corpus
@pytest.mark.filterwarnings("ignore")
def test_two_captures_joined_have_the_packets_of_both():
    plain = [row["path"] for row in index() if row["capinfos_rc"] == "0" and int(row["size"]) <= LARGEST]
    plain = [path for path in plain if not path.endswith((".gz", ".zst", ".lz4", LIKE_A_RECORD))]
    draw = random.Random(1)
    for _ in range(PAIRS):
        paths = draw.sample(plain, 2)
        first, second = (fluxcap.read_info(CORPUS / path) for path in paths)
        if first.metadata["damage"] or "snoop" in (first.inputs[0].format, second.inputs[0].format):
            continue
        both = fluxcap.read_info(b"".join((CORPUS / path).read_bytes() for path in paths))
        assert both.packets == first.packets + second.packets, paths
        assert both.wire_octets == first.wire_octets + second.wire_octets, paths
        assert len(both.metadata["damage"]) == len(second.metadata["damage"]), paths
