"""Feature columns agree with NFStream, if it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fluxcap
from by_nfstream import TCP, UDP, Key, comparable, needs_nfstream, nflows, plain
from fluxcap.values.text import addresses
from real_captures import SAMPLES, needs_corpus

STATISTICS = ("min", "mean", "stddev", "max")
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")
SPLT = 5
MS = 1_000_000
PREFIXES = {"": "src2dst", "reverse_": "dst2src", "both_": "bidirectional"}


def ours(path: Path) -> Iterator[tuple[Key, dict[str, Any]]]:
    flows = fluxcap.read_flows(path, features=True, splt=SPLT, decap=False)
    flows = flows.filter((flows["protocol"] == TCP) | (flows["protocol"] == UDP))
    ends = zip(
        flows["protocol"].tolist(),
        map(plain, addresses(flows["src_ip"])),
        flows["src_port"].tolist(),
        map(plain, addresses(flows["dst_ip"])),
        flows["dst_port"].tolist(),
        strict=True,
    )
    for row, key in enumerate(ends):
        yield key, {name: flows[name][row].tolist() for name in flows.columns}


def differences(path: Path) -> list[tuple[Any, ...]]:
    """The differences, beyond the rounding of both ends of a gap down to the milliseconds of NFStream."""
    theirs, different = dict(nflows(path, SPLT, "never")), []
    for key, flow in ours(path):
        if key not in theirs:
            different.append((path.name, key, "is not there"))
            continue
        other = theirs.pop(key)
        for prefix, way in PREFIXES.items():
            for name in STATISTICS:
                if flow[f"{prefix}size_{name}"] != pytest.approx(other[f"{way}_{name}_ps"], rel=1e-9):
                    different.append((path.name, key, way, name, "size"))
                if name != "stddev" and abs(flow[f"{prefix}gap_{name}"] / MS - other[f"{way}_{name}_piat_ms"]) > 1:
                    different.append((path.name, key, way, name, "gap"))
            if prefix != "both_" and key[0] == TCP:
                counts = [(flow[f"{prefix}{flag}_packets"], other[f"{way}_{flag}_packets"]) for flag in FLAGS]
                if any(mine != their for mine, their in counts):
                    different.append((path.name, key, way, counts))
        if flow["splt_size"] != other["splt_ps"] or flow["splt_direction"] != other["splt_direction"]:
            different.append((path.name, key, "splt"))
        gaps = zip(flow["splt_gap"], other["splt_piat_ms"], strict=True)
        if any((mine == -1) != (their == -1) or (their != -1 and abs(mine / MS - their) > 1) for mine, their in gaps):
            different.append((path.name, key, "splt_gap"))
    return different + [(path.name, key, "is theirs alone") for key in theirs]


@needs_nfstream
@pytest.mark.parametrize("name", ["many-clients-of-one-listener.pcapng", "connection-reset.pcap", "nanoseconds.pcap"])
def test_features_are_those_of_nfstream(name):
    assert nflows(SAMPLES / name, SPLT, "never")
    assert differences(SAMPLES / name) == []


@pytest.mark.slow
@needs_nfstream
@needs_corpus
def test_features_of_real_captures_are_those_of_nfstream():
    different = [one for path in comparable() for one in differences(path)]
    assert different == []
