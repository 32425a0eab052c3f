"""An audit finds the copies of packets that were put into real captures, and calls no real one a copy."""

import pytest

import fluxcap
from altered_captures import records_of
from capture_files import Record, pcap
from real_captures import CORPUS, needs_corpus
from shown_twice import WAYS, numbered

US = 1_000
CLEAN = (
    "nfstream+nfstream/tests/pcaps/skype_no_unknown.pcap",
    "nfstream+nfstream/tests/pcaps/zoom.pcap",
    "ntop+nDPI/tests/cfgs/default/pcap/android.pcap",
)


@needs_corpus
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CLEAN)
def test_copies_in_a_clean_capture_are_counted_and_nothing_else_is_said(name, way):
    base = records_of(CORPUS / name)
    some = [record for place, record in enumerate(base) if place % 5 == 0 and numbered(record.data)]
    again = [Record(WAYS[way](record.data), record.time + 20 * US) for record in some]
    report = fluxcap.read_audit(pcap(sorted([*base, *again], key=lambda record: record.time)))
    assert [(finding.code, finding.count) for finding in report.findings] == [("copies", len(some))]
    assert fluxcap.read_audit(pcap(base)).findings == ()
