"""tshark finds every checksum in a muxed capture good, and the messages in it are those of the index."""

import random
import tempfile
import warnings
from ipaddress import ip_address
from pathlib import Path

import pytest

import fluxcap
from muxed_captures import delivered, there_and_back
from real_captures import CORPUS, SAMPLES, index, needs_corpus
from tshark import VERIFY, fields, needs_tshark, tshark

NAMES = ("ip.checksum.status", "udp.checksum.status", "frame.len", "frame.cap_len")
TOO_LONG = "does not fit into one packet"  # a super-packet that the card was to cut into several
GOOD, UNVERIFIED = "1", "2"  # the words of tshark


def check(capture):
    """Demux, mux, ask tshark; gives the number of messages."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder, "x")
        fluxcap.demux(capture, directory, decap=False)
        messages = list(delivered(directory))
        if not messages:
            return 0
        try:
            _, again = there_and_back(directory, decap=False)
        except ValueError as error:
            if TOO_LONG not in str(error):
                raise
            return 0
        assert list(delivered(again)) == messages, capture
        said = [line.split("\t") for line in tshark(directory.with_suffix(".pcap"), *VERIFY, *fields(NAMES))]
        assert len(said) == len(messages), capture
        for (header, status, length, captured), (_, address, *_, missing, _) in zip(said, messages, strict=True):
            # The first value is that of the muxed packet: tshark looks into tunnels, whose content is unchanged.
            assert ip_address(address).version == 6 or header.split(",")[0] == GOOD, capture
            assert status.split(",")[0] == (UNVERIFIED if missing else GOOD), capture
            assert int(length) - int(captured) == missing, capture
    return len(messages)


@needs_tshark
@pytest.mark.parametrize("name", ["sockets.pcapng", "vxlan-tunnel.pcap", "udp-lite-partial-coverage.pcap"])
def test_of_a_sample(name):
    assert check(SAMPLES / name) > 5


@pytest.mark.slow
@needs_tshark
@needs_corpus
def test_of_real_captures():
    rows = sorted((row["sha256"], row["path"]) for row in index() if int(row["udp"] or 0))
    done = 0
    for _, path in random.Random(1).sample(rows, 40):
        with warnings.catch_warnings(action="ignore"):
            try:
                done += check(CORPUS / path)
            except fluxcap.CaptureError:
                continue  # unreadable
    assert done >= 500
