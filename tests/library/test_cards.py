"""Descriptions of results: a line in a shell, a card in a notebook."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from fluxcap.tables.table import Table
from four_flows import CAPTURE, PACKETS


@pytest.fixture(scope="module")
def eventful(tmp_path_factory):
    """A table with everything that a description has to mention, and names that a page must escape."""
    folder = tmp_path_factory.mktemp("captures")
    arp = b.ethernet(bytes(28), 0x0806)
    (folder / "<b>a&b\x1b.pcap").write_bytes(pcap(records([*PACKETS, arp, arp]))[:-1])
    (folder / "notes.txt").write_text("no capture")
    with pytest.warns(UserWarning, match="notes|damaged|cut"):
        return fluxcap.read_flows(folder, "ports", idle_timeout=15, interval="1m")


def test_the_repr_says_what_was_read(flows, packets, eventful):
    by = "protocol,src_ip,src_port,dst_ip,dst_port"
    assert repr(flows) == f"<FlowTable: 4 flows by {by}, of 5 records in 1 input; no timeouts>"
    assert repr(packets) == "<PacketTable: 5 packets, 27 columns, of 5 records in 1 input>"
    assert repr(eventful) == (
        "<FlowTable: 4 flows by protocol,src_port,dst_port, of 6 records in 1 input;"
        " idle timeout 15.0 s, interval 1m 00s; 1 non_ip; 1 file skipped; 1 input damaged>"
    )
    report = fluxcap.read_checksums(CAPTURE)
    assert repr(report) == "<ChecksumReport: 0 bad checksums, of 5 records in 1 input>"
    assert repr(Table({"a": np.zeros(3)})) == "<Table: 3 rows, 1 columns>"


class Outline(HTMLParser):
    """Texts and elements of a page; the elements must be properly nested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.found.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if "style" not in self.open:
            self.texts.append(text)


def test_a_notebook_shows_a_card_of_what_was_read_and_the_first_rows(flows):
    page = Outline(flows._repr_html_())
    assert page.open == []
    assert page.texts[0] == "FlowTable: 4 flows by protocol,src_ip,src_port,dst_ip,dst_port"
    assert page.texts[page.texts.index("records") + 1] == f"5 ({sum(map(len, PACKETS))} B)"
    assert page.found.count("tr") == 1 + 4
    assert [text for text in page.texts if text in flows.columns] == list(flows.columns)
    assert "2001:db8::1" in page.texts
    many = Outline(fluxcap.read_packets([CAPTURE] * 4)._repr_html_())
    assert "first 5 of 20 rows" in many.texts
    assert many.found.count("tr") == 1 + 5


def test_a_card_shows_what_went_wrong_and_obeys_no_name(eventful):
    page = Outline(eventful._repr_html_())
    assert "b" not in page.found
    assert {"idle timeout 15.0 s, interval 1m 00s", "1 non_ip"} <= set(page.texts)
    assert any("notes.txt" in text for text in page.texts)
    (damage,) = [text for text in page.texts if "packet 6" in text]
    assert "<b>a&b\\x1b.pcap" in damage


def test_a_card_has_no_colours_but_those_of_the_page(flows):
    (style,) = re.findall("<style>(.*?)</style>", flows._repr_html_(), re.DOTALL)
    colors = re.findall(r"(?:color|background|border[a-z-]*): ([^;}]*?) ?[;}]", style)
    assert set(colors) <= {"inherit", "none", "0", "collapse", "6px", "var(--line)"}
    assert re.findall(r"#[0-9a-f]{3,8}\b|rgb\(|\b(?:white(?!-)|black|gr[ae]y)\b", style) == []


def test_a_card_of_a_report_has_its_counts_and_the_sentence_on_offload():
    partial = b.ethernet(b.ipv4(b.udp(b"hello", 1, 2, checksum="partial"), "10.0.0.1", "10.0.0.2"))
    report = fluxcap.read_checksums(pcap(records([partial])))
    page = Outline(report._repr_html_())
    assert report.offload in page.texts
    flipped = bytearray(b.ethernet(b.ipv4(b.udp(b"hello", 1, 2))))
    flipped[-1] ^= 4
    wrong = fluxcap.read_checksums(pcap(records([bytes(flipped)])))
    assert {wrong.blame, wrong.hints[0].text} <= set(Outline(wrong._repr_html_()).texts)
    assert page.texts[page.texts.index("header") :][:9] == ["header", *fluxcap.VERDICTS[1:]]
    assert Outline(fluxcap.read_checksums(CAPTURE[:24])._repr_html_()).found.count("table") == 0


def test_a_card_of_a_survey_says_what_the_terminal_says(tmp_path):
    path = tmp_path / "<i>.pcap"
    path.write_bytes(CAPTURE[:-1])
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        info = fluxcap.read_info(path)
    assert repr(info) == "<CaptureInfo: 4 records in 1 input, 0 bad checksums; 1 input damaged>"
    page = Outline(info._repr_html_())
    assert page.open == []
    assert "i" not in page.found
    assert any("<i>.pcap" in text and ", little-endian" in text for text in page.texts)
    assert page.texts[page.texts.index("records") + 1] == "4 counted"
    assert any("packet 4" in text for text in page.texts)
    assert page.texts[page.texts.index("protocol") :][:4] == ["protocol", "packets", "share", "good"]
    empty = Outline(fluxcap.read_info(CAPTURE[:24])._repr_html_())
    assert empty.found.count("table") == 0
