"""What a page is made of: read once, and the same as what the functions for each part give."""

import gzip
import io

import pytest

import fluxcap
from fluxcap.capture import shared
from fluxcap.page import findings
from fluxcap.plan.read_options import ReadOptions
from fluxcap.plot import numbers as plot_numbers
from real_captures import SAMPLES

SOME = ["office.pcap", "verdicts.pcap", "two-resolutions.pcapng", "cut-inside-a-record.pcap", "sockets.pcapng"]
FORMS = {
    "bytes": lambda octets: octets,
    "gzip": gzip.compress,
    "cut gzip": lambda octets: gzip.compress(octets)[:-9],
    "a pipe": io.BytesIO,
    "two": lambda octets: [octets, gzip.compress(octets)],
}
REPORTED = (
    "packets",
    "verdicts",
    "ip_verdicts",
    "bad_records",
    "by_address",
    "by_interface",
    "hints",
    "blame",
    "offload",
)
pytestmark = [
    pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning"),
    pytest.mark.filterwarnings("ignore::fluxcap.errors.OutOfOrderWarning"),
]


@pytest.fixture(params=[1, 5000, shared.CHUNK])
def chunk(request, monkeypatch):
    monkeypatch.setattr(shared, "CHUNK", request.param * 100)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("order", [None, "time"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SOME)
def test_one_reading_finds_what_several_do(name, form, order):
    octets = (SAMPLES / name).read_bytes()
    found = findings.collect(FORMS[form](octets), ReadOptions(order=order))
    info = fluxcap.read_info(FORMS[form](octets), order=order)
    assert (found.info.packets, found.info.ledger) == (info.packets, info.ledger)
    assert found.info.verdicts == info.verdicts
    assert [(one.compression, one.format, one.packets) for one in found.info.inputs] == [
        (one.compression, one.format, one.packets) for one in info.inputs
    ]
    assert found.info.metadata["damage"] == info.metadata["damage"]
    judged = fluxcap.read_checksums(FORMS[form](octets), list_limit=findings.BAD_LISTED, order=order)
    assert [getattr(found.checksums, what) for what in REPORTED] == [getattr(judged, what) for what in REPORTED]
    assert found.checksums.bad["packet"].tolist() == judged.bad["packet"].tolist()
    assert found.numbers["lengths"] == plot_numbers.lengths(fluxcap.read_packets(FORMS[form](octets), order=order))
    assert sum(found.numbers["throughput"]["packets"]) <= info.packets


def test_each_byte_is_fetched_once():
    class Counted(io.BytesIO):
        fetched = 0

        def readinto1(self, buffer):
            n = super().readinto1(buffer)
            self.fetched += n
            return n

    capture = Counted((SAMPLES / "office.pcap").read_bytes())
    findings.collect(capture, ReadOptions())
    assert capture.fetched == len(capture.getvalue())


def test_an_error_of_the_input_is_damage_for_both_readings():
    class Broken(io.BytesIO):
        def readinto1(self, buffer):
            if self.tell() >= 200_000:
                raise OSError(5, "Input/output error")
            return super().readinto1(memoryview(buffer)[:50_000])

    octets = (SAMPLES / "office.pcap").read_bytes()
    found = findings.collect(Broken(octets), ReadOptions())
    damage = fluxcap.read_info(Broken(octets)).metadata["damage"]
    assert len(damage) == 1
    assert found.info.metadata["damage"] == found.checksums.metadata["damage"] == damage


def test_a_reading_that_fails_closes_the_input(tmp_path):
    path = tmp_path / "cut.pcap.gz"
    path.write_bytes(gzip.compress((SAMPLES / "cut-inside-a-record.pcap").read_bytes()))
    with pytest.raises(fluxcap.CaptureError):
        findings.collect(path, ReadOptions(on_damage="raise"))
