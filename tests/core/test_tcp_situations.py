"""Situations in which a connection is easily misread: what tables and streams make of them."""

import pytest

import fluxcap
from fluxcap.values import text
from tcp_situations import ENDS, SITUATIONS, Situation, capture, counters


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_a_connection_is_what_its_acknowledged_segments_say(situation: Situation) -> None:
    table = fluxcap.read_connections(capture(situation.sent))
    assert [fluxcap.STATES[code] for code in table["state"]] == situation.states
    assert counters(table, len(table) - 1) == situation.counts
    assert set(table["src_port"].tolist()) == {ENDS[0][1]}
    assert int((table["packets"] + table["reverse_packets"]).sum()) == len(situation.sent)
    if situation.history is not None:
        assert text.cells("history", table["history"]) == [situation.history]
    assert not any("T" in history.upper() for history in text.cells("history", table["history"])) or situation.counts
