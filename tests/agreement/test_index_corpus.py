"""Real captures, read from drawn packets and times on, with an index and without one."""

from __future__ import annotations

import random

import numpy as np
import pytest

import fluxcap
from real_captures import CORPUS, needs_corpus

pytest.importorskip("pyarrow")

LARGEST = 300_000  # bytes: there are some thousand smaller ones
CAPTURES = 300
COLUMNS = "packet,time,captured_length,interface,link_type,offset,src_ip"


@needs_corpus
@pytest.mark.filterwarnings("ignore")
def test_from_any_packet_or_time_on_the_rows_are_those_of_the_whole_capture(tmp_path, monkeypatch):
    monkeypatch.setattr("fluxcap.plan.sizes.LEAST", 1)
    draw = random.Random(1)
    paths = [path for path in sorted(CORPUS.rglob("*")) if path.is_file() and path.stat().st_size <= LARGEST]
    for number, path in enumerate(draw.sample(paths, CAPTURES)):
        copy = tmp_path / str(number)
        copy.write_bytes(path.read_bytes())
        try:
            whole = fluxcap.read_packets(copy, columns=COLUMNS)
        except fluxcap.CaptureError:
            continue
        for indexed in (False, True):
            try:
                _ = indexed and fluxcap.index(copy, every=draw.choice([100, 1000, 20_000]))
            except ValueError:  # compressed
                continue
            for _ in range(4 * bool(len(whole))):
                packet = draw.randint(1, len(whole))
                made = fluxcap.read_packets(copy, columns=COLUMNS, at=packet)
                assert all(np.array_equal(made[name], whole[name][packet - 1 :]) for name in made.columns), path
                time = int(whole["time"][packet - 1])
                if time == fluxcap.NO_TIME:
                    continue
                first = np.flatnonzero((whole["time"] >= time) & (whole["time"] != fluxcap.NO_TIME))[0]
                made = fluxcap.read_packets(copy, columns="packet", at=np.datetime64(time, "ns"))
                assert np.array_equal(made["packet"], whole["packet"][first:]), path
