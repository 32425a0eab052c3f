"""The columns of CICFlowMeter, of real captures, equal what plain Python makes of the packets of each flow."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest

import fluxcap
from activity_of_packets import flows_with_packets
from cicflowmeter_columns import numbers
from real_captures import CORPUS, index, needs_corpus, spread

SMALL = 100_000  # bytes: captures of a few hundred packets
CAPTURES = 40


def small() -> list[str]:
    plain = [row for row in index() if row["format"].startswith("pcap") and row["encap"] == "ether"]
    return spread((row for row in plain if int(row["size"]) < SMALL and row["tcp"] not in ("", "0")), CAPTURES)


@needs_corpus
def test_each_column_of_real_flows_is_what_their_packets_give():
    compared = 0
    for path in small():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage, and of late records
            flows, packets = flows_with_packets(
                (CORPUS / path).read_bytes(), semantics="cicflowmeter", features=True, activity=True
            )
        table = fluxcap.cicflowmeter(flows)
        for row, own in packets.items():
            if own[0].time == fluxcap.NO_TIME or any(after.time < before.time for before, after in pairwise(own)):
                continue
            expected = numbers(own)
            found = {name: float(table[name][row]) for name in expected}
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True), (path, row)
            compared += 1
    assert compared > 100
