"""Times of records, those without one among them, held against tshark."""

import warnings
from pathlib import Path

import builders as b
import fluxcap
from capture_files import enhanced_packet, interface, old_packet, pcapng, simple_packet
from real_captures import CORPUS, index, needs_corpus
from tshark import fields, needs_tshark, tshark

pytestmark = needs_tshark

FRAME = b.ethernet(b.ipv4(b.udp(b"?")))
EARLIEST, LATEST = -(2**63) + 1, 2**63 - 1  # what 64 bits of nanoseconds hold, numpy's "not a time" left out


def said(path: Path) -> list[int]:
    """Nanoseconds as tshark has them; NO_TIME where it has no time, or one that 64 bits do not hold.

    tshark writes the seconds, and behind the point the nanoseconds to be added, before 1970 too."""
    times = []
    for text in tshark(path, *fields(["frame.time_epoch"])):
        seconds, _, fraction = text.strip().partition(".")
        ns = int(seconds) * 10**9 + int(fraction) if seconds else fluxcap.NO_TIME
        times.append(ns if EARLIEST <= ns <= LATEST else fluxcap.NO_TIME)
    return times


INTERFACES = [
    interface(),
    interface(tsresol=9),
    interface(tsresol=0x80 | 20, tsoffset=1_000_000_000),
    interface(tsresol=9, tsoffset=-(2**63) // 10**9 + 1),
    interface(tsoffset=10_000_000_000),  # the year 2286
    interface(tsoffset=-10_000_000_000),
]
TICKS = [0, 1, 1_700_000_000_123_456, 2**40 + 1]


def test_tshark_has_no_time_where_a_record_has_none_and_the_same_where_it_has_one(tmp_path):
    blocks = [simple_packet(FRAME)]
    for number in range(len(INTERFACES)):
        for ticks in TICKS:
            blocks += [enhanced_packet(FRAME, ticks, number), simple_packet(FRAME), old_packet(FRAME, ticks, number)]
    path = tmp_path / "times.pcapng"
    path.write_bytes(pcapng(*INTERFACES, *blocks))
    expected = said(path)
    assert expected.count(fluxcap.NO_TIME) > len(INTERFACES) * len(TICKS)
    assert fluxcap.read_packets(path, columns="time")["time"].tolist() == expected


def untimed() -> list[Path]:
    """The captures of the corpus that have records without a time; every frame of them is a packet to tshark too."""
    found = []
    for row in index():
        path = CORPUS / row["path"]
        if not row["format"].startswith("pcapng"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                info = fluxcap.read_info(path)
            except fluxcap.CaptureError:
                continue
        if info.metadata["without_time"] and not info.metadata["damage"] and row["pk_tshark"] == str(info.packets):
            found.append(path)
    return found


@needs_corpus
def test_real_records_without_a_time_have_none_in_tshark_either():
    paths = untimed()
    assert paths
    for path in paths:
        assert fluxcap.read_packets(path, columns="time")["time"].tolist() == said(path), path
