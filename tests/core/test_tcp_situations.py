"""Tables and streams of connections that are easily misread."""

import pytest

import fluxcap
from delivered_directory import demuxed
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


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_a_letter_of_something_sent_again_has_a_count(situation: Situation) -> None:
    table = fluxcap.read_connections(capture(situation.sent))
    for row, history in enumerate(text.cells("history", table["history"])):
        for letter, way in (("T", ""), ("t", "reverse_")):
            again = table[f"{way}retransmitted"][row] + table[f"{way}out_of_order"][row]
            assert letter not in history or again, history


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_a_stream_has_all_octets_of_its_connection_and_says_what_was_refused(situation: Situation, tmp_path) -> None:
    delivery = demuxed(capture(situation.sent), tmp_path / "d")
    assert [stream["octets"] for stream in delivery.streams] == situation.octets
    assert [gap["length"] for gap in delivery.gaps] == list(situation.gaps)
    assert sum(stream["outside_octets"] for stream in delivery.streams) == situation.refused
    assert delivery.capture["outside_octets"] == situation.refused
    assert sum(stream["packets"] for stream in delivery.streams) == len(situation.sent)
    if not situation.gaps:
        assert all(stream["data"] == in_order(situation, stream) for stream in delivery.streams)


def in_order(situation: Situation, stream: dict) -> bytes:
    """The bytes of a stream from its first byte on; each byte tells its sequence number."""
    if not stream["data"]:
        return b""
    starts = {bytes((segment.seq + ("S" in segment.flags) + at) % 251 for at in range(stream["octets"]))
              for segment in situation.sent}  # fmt: skip
    assert stream["data"] in starts
    return stream["data"]


@pytest.mark.parametrize("name", ["keep-alives", "probes of a window of zero", "a SYN, at 5"])
def test_keep_alives_are_the_same_number_to_streams_and_to_connections(name: str, tmp_path) -> None:
    made = capture(SITUATIONS[name].sent)
    table = fluxcap.read_connections(made)
    of_streams = [stream["keep_alives"] for stream in demuxed(made, tmp_path / "d").streams]
    assert of_streams == [table["keep_alives"][0], table["reverse_keep_alives"][0]]
