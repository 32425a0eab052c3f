"""Readings of inputs that are damaged, cut, or not captures."""

import numpy as np
import pytest

import fluxcap
from capture_files import enhanced_packet, interface, pcap, pcapng, records
from fluxcap.errors import CaptureError, DamagedCaptureWarning, NotACaptureError, TruncatedError, UnsupportedError

HEADER, RECORD_HEADER = 24, 16  # bytes of a pcap's
REQUEST = fluxcap.segment(bytes(5), ("10.0.0.1", 4000), ("10.0.0.2", 53))
REPLY = fluxcap.segment(bytes(100), ("10.0.0.2", 53), ("10.0.0.1", 4000))
PACKETS = 12
CAPTURE = pcap(records([REQUEST, REPLY] * (PACKETS // 2)))

CUT = pcap(records([REQUEST, REPLY, REQUEST]))[:-1]
CUT_AT = HEADER + 2 * RECORD_HEADER + len(REQUEST) + len(REPLY)
CUT_RECORD = RECORD_HEADER + len(REQUEST)
CUT_REASON = f"the record needs {CUT_RECORD} bytes, {CUT_RECORD - 1} are there"
READERS = {
    "flows": fluxcap.read_flows,
    "packets": fluxcap.read_packets,
    "checksums": fluxcap.read_checksums,
    "info": fluxcap.read_info,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_was_read_before_damage_is_kept_with_a_warning_at_the_callers_line(read):
    with pytest.warns(DamagedCaptureWarning) as caught:
        result = read(CUT)
    (warning,) = caught
    assert warning.filename == __file__
    assert isinstance(warning.message.error, TruncatedError)
    assert str(warning.message) == f"<bytes>: cut short at byte {CUT_AT}, after packet 2: {CUT_REASON}"
    assert result.metadata["packets"] == 2
    assert result.metadata["damage"] == [("<bytes>", 2, CUT_AT, CUT_REASON)]


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_on_request_damage_raises_with_the_table_on_the_exception(read):
    with pytest.raises(TruncatedError) as caught:
        read([CUT, CAPTURE], on_damage="raise")
    error = caught.value
    assert (error.path, error.packet, error.offset, error.reason) == ("<bytes>", 2, CUT_AT, CUT_REASON)
    assert error.partial.metadata["packets"] == 2
    assert error.partial.metadata["inputs"] == ["<bytes>"]


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("on_damage", ["warn", "raise"])
def test_an_input_that_is_no_capture_always_raises_with_what_came_before_it(read, on_damage):
    with pytest.raises(NotACaptureError) as caught:
        read(b"plain text", on_damage=on_damage)
    assert caught.value.partial is None
    with pytest.raises(NotACaptureError) as caught:
        read([CAPTURE, b"plain text", CAPTURE], on_damage=on_damage)
    assert caught.value.partial.metadata["packets"] == PACKETS


def test_after_damage_the_next_input_is_read():
    with pytest.warns(DamagedCaptureWarning):
        table = fluxcap.read_packets([CUT, CAPTURE, CUT[: CUT_AT + 3]], columns=["file"])
    assert np.bincount(table["file"]).tolist() == [2, PACKETS, 2]
    assert [one.packet for one in table.metadata["damage"]] == [2, 2]


def test_an_unsupported_section_raises_before_any_packet_and_is_damage_after_one():
    later = bytearray(pcapng())
    later[12] = 2  # the major version
    with pytest.raises(UnsupportedError, match="version 2"):
        fluxcap.read_flows(bytes(later))
    with pytest.raises(UnsupportedError, match="version 2"):
        fluxcap.read_flows(pcapng() + bytes(later))
    with pytest.warns(DamagedCaptureWarning, match="not supported at byte .*, after packet 1: version 2"):
        table = fluxcap.read_flows(pcapng(interface(), enhanced_packet(REQUEST)) + bytes(later))
    assert table["packets"].tolist() == [1]


def test_cut_anywhere_a_capture_gives_its_complete_records_and_never_a_traceback():
    capture = pcap(records([REQUEST, REPLY, REQUEST]))
    ends = [HEADER, HEADER + CUT_RECORD, CUT_AT, len(capture)]
    for length in range(len(capture) + 1):
        if length < HEADER:
            with pytest.raises(NotACaptureError):
                fluxcap.read_flows(capture[:length])
            continue
        complete = sum(end <= length for end in ends) - 1
        if length in ends:
            table = fluxcap.read_flows(capture[:length])
        else:
            with pytest.warns(DamagedCaptureWarning) as caught:
                table = fluxcap.read_flows(capture[:length])
            assert caught[0].message.error.offset == ends[complete]
        assert table.metadata["packets"] == complete


def test_a_damaged_scan_warns_after_its_rows_or_raises_with_those_not_handed_out():
    with pytest.warns(DamagedCaptureWarning) as caught:
        sizes = [len(batch) for batch in fluxcap.scan_packets(CUT, batch_size=5)]
    assert sizes == [2]
    assert caught[0].filename == __file__
    batches = iter(fluxcap.scan_packets(CAPTURE[:-1], batch_size=8, on_damage="raise"))
    assert next(batches)["packet"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    with pytest.raises(CaptureError) as raised:
        next(batches)
    assert raised.value.partial["packet"].tolist() == [9, 10, 11]
