"""Nanoseconds where an input says microseconds, as under the wrong magic number of a pcap: noticed, and said once."""

import struct
import warnings

import pytest

import fluxcap
from capture_files import ByteOrder, Record, pcap, snoop

SECOND = 1_000_000_000
FRAME = fluxcap.segment(b"?", ("192.0.2.1", 4000), ("192.0.2.2", 53))
# The nanoseconds of captures with a clock of nanoseconds: one of six is in the first thousandth of its second.
FRACTIONS = [208_123_456, 999_999_999, 1_000_000, 5_000, 700_000_001, 53_000_000]
RECORDS = [Record(FRAME, (1_700_000_000 + at) * SECOND + fraction) for at, fraction in enumerate(FRACTIONS)]
SOUND = [Record(FRAME, one.time // 1000 * 1000) for one in RECORDS]


def mislabelled(byteorder: ByteOrder = "little") -> bytes:
    """A pcap of nanoseconds under the magic number of microseconds."""
    made = pcap(RECORDS, byteorder=byteorder, ns=True)
    return (0xA1B2C3D4).to_bytes(4, byteorder) + made[4:]


READERS = [fluxcap.read_flows, fluxcap.read_packets, fluxcap.read_info, fluxcap.read_checksums, fluxcap.read_sockets]
SAID = "a second or more in 5 of 6 records of <bytes>: probably nanoseconds where the input says microseconds"


def said(read, *arguments, **options) -> list[str]:
    """The warnings about the unit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read(*arguments, **options)
    return [str(one.message) for one in caught if "nanoseconds" in str(one.message)]


@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@pytest.mark.parametrize("order", [None, "time"])
def test_nanoseconds_that_an_input_calls_microseconds_are_said_once(read, byteorder, order):
    (message,) = said(read, mislabelled(byteorder), order=order)
    assert SAID in message


def test_it_is_said_of_a_capture_that_is_fed_when_it_is_closed():
    with fluxcap.FlowAggregator() as flows:
        flows.feed(mislabelled())
        with pytest.warns(UserWarning, match="5 of 6 records of <feed>"):
            flows.close()


@pytest.mark.parametrize("order", [None, "time"])
def test_of_several_inputs_only_those_are_named_and_only_a_few_of_many(tmp_path, order):
    paths = [tmp_path / f"{n}.pcap" for n in range(9)]
    for n, path in enumerate(paths):
        path.write_bytes(mislabelled() if n % 2 == 0 else pcap(SOUND))
    (message,) = said(fluxcap.read_flows, paths[:4], order=order)
    assert [n for n in range(9) if str(paths[n]) in message] == [0, 2]
    (message,) = said(fluxcap.read_flows, paths, order=order)
    assert [str(path) in message for path in paths].count(True) == 3
    assert ", ...: probably" in message


@pytest.mark.parametrize("order", [None, "time"])
def test_what_was_read_before_damage_is_judged_too(order):
    (message,) = said(fluxcap.read_flows, mislabelled()[:-1], order=order)
    assert "4 of 5 records" in message


def over(fractions: list[int], *, ns: bool = False) -> bytes:
    """A pcap of records with these fractions of a second."""
    made = bytearray(pcap([Record(FRAME, SECOND)] * len(fractions), ns=ns))
    for place, fraction in enumerate(fractions):
        struct.pack_into("<I", made, 24 + 4 + place * (16 + len(FRAME)), fraction)
    return bytes(made)


def test_a_few_fractions_over_a_second_are_a_clock_that_is_wrong_now_and_then():
    """Some capturing programs write 1,000,000 microseconds where a second begins."""
    assert said(fluxcap.read_flows, over([1_000_000, 5, 5])) == said(fluxcap.read_flows, over([2_000_000, 5])) == []
    (message,) = said(fluxcap.read_flows, over([2_000_000, 2_000_000, 5]))
    assert "2 of 3 records" in message


def test_a_pcap_that_says_nanoseconds_is_not_suspected():
    assert said(fluxcap.read_flows, pcap(RECORDS, ns=True)) == []
    assert said(fluxcap.read_flows, over([2_000_000_000] * 3, ns=True)) == []
    assert said(fluxcap.read_flows, pcap([])) == []


def test_a_snoop_file_of_nanoseconds_is_suspected():
    made = bytearray(snoop([Record(FRAME, SECOND)]))
    struct.pack_into(">I", made, 16 + 20, 5_000_000)
    (message,) = said(fluxcap.read_flows, bytes(made))
    assert "1 of 1 record of <bytes>" in message
