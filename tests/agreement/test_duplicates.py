"""Copies put into captures are found, editcap finds no others, and what tshark calls a retransmission is none."""

import shutil
import subprocess
import warnings
from collections import Counter

import numpy as np
import pytest

import fluxcap
from altered_captures import records_of
from capture_files import pcap
from fluxcap._core import DISPOSITIONS, REASONS
from real_captures import CORPUS, SAMPLES, index, needs_corpus, spread
from shown_twice import IPV4, IPV6, WAYS, doubled, doubled_at_random, numbered
from tshark import fields, needs_tshark, tshark

US, MS = 1_000, 1_000_000
SOON = 100 * US
LEAST = 40  # bytes: an Ethernet header, an IP header and ports
SESSION = SAMPLES / "session.pcap"
COPY = ("packet", "duplicate_of", "duplicate_kind", "ip_id", "time", "protocol")

needs_editcap = pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap is not installed")


def is_alone(record):
    """Whether a frame is whole and holds nothing but an IP packet that a router would pass on."""
    data = record.data
    if len(data) < LEAST or record.wire_length > len(data) or data[12:14] not in (IPV4, IPV6):
        return False
    return data[21 if data[12:14] == IPV6 else 22] > 1


def alone(records):
    """These records, in the order of time."""
    return sorted(filter(is_alone, records), key=lambda one: one.time)


def once(records, folder):
    """The records without copies, as far as they are counted and in no tunnel: what changes around one is not seen."""
    path = folder / "as-it-was.pcap"
    path.write_bytes(pcap(records, ns=True))
    fluxcap.dedupe(path, folder / "once.pcap", window="200ms")
    table = fluxcap.read_packets(folder / "once.pcap", columns="depth,disposition")
    plain = (table["depth"] == 0) & (table["disposition"] == DISPOSITIONS.index("counted"))
    return [one for one, kept in zip(records_of(folder / "once.pcap"), plain, strict=True) if kept]


def found(capture):
    table = fluxcap.read_packets(capture, columns="duplicate_kind")
    codes, numbers = np.unique(table["duplicate_kind"], return_counts=True)
    return {REASONS[code]: int(n) for code, n in zip(codes, numbers, strict=True) if code}


@pytest.mark.parametrize("path", [SESSION, SAMPLES / "office.pcap"], ids=lambda path: path.name)
@pytest.mark.parametrize("way", WAYS)
def test_every_copy_put_into_a_capture_is_found(path, way, tmp_path):
    records = once(alone(records_of(path)), tmp_path)
    assert len(records) > 500
    for delay in (0, 50 * US, 9 * MS) if way != "exact" else (0, 50 * US):
        assert found(pcap(doubled(records, way, delay), ns=True)) == {way: len(records)}
    some = [one for one in records if numbered(one.data)]
    assert found(pcap(doubled(some, way, 9 * MS), ns=True)) == {way: len(some)}


def longest(way):
    """How much later a copy may come: one of a packet without a number comes soon, unless it lies elsewhere."""
    return lambda frame: 9 * MS if way != "exact" or numbered(frame) else SOON


@pytest.mark.parametrize("path", [SESSION, SAMPLES / "office.pcap"], ids=lambda path: path.name)
@pytest.mark.parametrize("way", WAYS)
def test_copies_that_come_up_to_9_ms_later_or_stand_before_their_packet_are_found(path, way, tmp_path):
    records = once(alone(records_of(path)), tmp_path)
    for seed in range(5):
        assert found(pcap(doubled_at_random(records, way, longest(way), seed), ns=True)) == {way: len(records)}


@needs_editcap
@pytest.mark.parametrize("arguments", [["-d"], ["-w", "0.010"]])
def test_what_editcap_takes_for_a_duplicate_is_a_copy(arguments, tmp_path):
    """The MD5 sum of a frame, among the last five or the last 10 ms, is what it goes by."""
    records = [one for one in alone(records_of(SESSION)) if numbered(one.data)]
    capture, left = tmp_path / "twice.pcap", tmp_path / "left.pcap"
    capture.write_bytes(pcap(doubled(records, "exact", 9 * US), ns=True))
    subprocess.run(["editcap", *arguments, capture, left], check=True, capture_output=True)
    fluxcap.dedupe(capture, tmp_path / "ours.pcap")
    ours, theirs = (Counter(one.data for one in records_of(path)) for path in (tmp_path / "ours.pcap", left))
    assert ours <= theirs
    assert ours.total() == len(records) > 0


def flagged(path):
    """The frames that tshark calls retransmissions."""
    return {int(line) for line in tshark(path, "-Y", "tcp.analysis.retransmission", *fields(["frame.number"]))}


def read(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return fluxcap.read_packets(path, columns=COPY)
        except fluxcap.CaptureError as error:
            return error.partial


@pytest.mark.slow
@needs_corpus
@needs_tshark
def test_a_segment_that_was_sent_again_is_no_copy():
    """A copy that tshark calls a retransmission has the IP identification of the first record, or lies elsewhere, or
    came within 100 us: sooner than any sender repeats itself after what it has not heard."""
    for row in index():
        table = read(CORPUS / row["path"]) if int(row["size"]) < 8_000_000 else None
        if table is None or not (table["duplicate_kind"] > 0)[table["protocol"] == 6].any():
            continue
        for number in sorted(flagged(CORPUS / row["path"])):
            kind, first = table["duplicate_kind"][number - 1], int(table["duplicate_of"][number - 1])
            if not kind or table["ip_id"][number - 1] or REASONS[kind] != "exact":
                continue
            assert abs(int(table["time"][number - 1]) - int(table["time"][first - 1])) <= SOON, (row["path"], number)


@needs_corpus
@pytest.mark.parametrize("way", WAYS)
def test_every_copy_put_into_captures_of_the_corpus_is_found(way, tmp_path):
    rows = [row for row in index() if row["path"].endswith((".pcap", ".cap")) and int(row["size"]) < 1_000_000]
    tried = 0
    for path in spread(rows, 400):
        try:
            records = once(alone(records_of(CORPUS / path)), tmp_path)
        except Exception:  # it is no whole capture of Ethernet that the plain reader takes
            continue
        if records:
            tried += 1
            copies = doubled_at_random(records, way, longest(way), tried)
            assert found(pcap(copies, ns=True)) == {way: len(records)}, path
        if tried == 200:
            break
    assert tried == 200
