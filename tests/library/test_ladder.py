"""The ladder of a socket: the calls of both ends, and the segments between them, in their order."""

from xml.etree import ElementTree

import pytest

import builders as b
import capture_files as files
from fluxcap.plan.read_options import DEFAULT
from fluxcap.sockets.ladder import Ladder, Rung, collect_ladder, mermaid, svg
from real_captures import SAMPLES

CLIENT, SERVER = "192.0.2.1:40000", "192.0.2.2:7007"
HOSTILE = Ladder(17, ("<a>;#", "b"), [Rung(True, "x; end #1 </text><script>", True, 0, 1)], 0, {})


def datagram(data: bytes, back: bool = False, **options) -> bytes:
    ports, ends = (40000, 7007), ("192.0.2.1", "192.0.2.2")
    if back:
        ports, ends = ports[::-1], ends[::-1]
    return b.ethernet(b.ipv4(b.udp(data, *ports, **options), *ends))


def ladder(*packets: bytes, socket: str = CLIENT) -> Ladder:
    return collect_ladder(files.pcap(files.records(packets)), socket, DEFAULT)


def test_a_call_of_the_sender_stands_before_its_segment_and_one_of_the_receiver_behind():
    found = ladder(datagram(b"hello"), datagram(b"hi", back=True))
    assert found.ends == (CLIENT, SERVER)
    assert [(rung.sent, rung.text, rung.is_call) for rung in found.rungs] == [
        (True, "sendto 5 bytes", True), (True, "5 bytes", False), (False, "recvfrom 5 bytes", True),
        (False, "bind", True), (False, "sendto 2 bytes", True), (False, "2 bytes", False),
        (True, "recvfrom 2 bytes", True),
    ]  # fmt: skip


def test_the_other_end_sees_the_same_segments_mirrored():
    packets = datagram(b"hello"), datagram(b"hi", back=True)
    own, other = (ladder(*packets, socket=socket) for socket in (CLIENT, SERVER))
    assert other.ends == own.ends[::-1]
    assert sorted((not rung.sent, rung.text) for rung in other.rungs) == sorted((r.sent, r.text) for r in own.rungs)


def test_a_segment_with_a_bad_checksum_is_drawn_and_said_to_be_one():
    found = ladder(datagram(b"hello", checksum=1))
    assert [rung.text for rung in found.rungs if not rung.is_call] == ["5 bytes, bad checksum"]


def test_a_connection_is_drawn_from_the_syn_to_the_last_acknowledgement():
    found = collect_ladder(SAMPLES / "session.pcap", "192.0.2.2:8081", DEFAULT)
    arrows = [(rung.packet, rung.text) for rung in found.rungs if not rung.is_call]
    assert [packet for packet, _ in arrows] == list(range(1005, 1017))
    assert [text for _, text in arrows[:4]] == ["SYN", "SYN, ACK", "ACK", "ACK, 1,000 bytes"]
    calls = [(rung.sent, rung.text) for rung in found.rungs if rung.is_call]
    assert calls[:4] == [(False, "connect"), (True, "bind"), (True, "listen"), (False, "connected")]


def test_a_socket_that_no_record_shows_has_an_empty_ladder():
    found = ladder(datagram(b"hello"), socket="192.0.2.9:1")
    assert (found.rungs, mermaid(found)) == ([], "sequenceDiagram\n    participant A as 192.0.2.9:1\n")
    ElementTree.fromstring(svg(found))


def test_the_drawing_has_an_arrow_for_each_segment_and_a_text_for_each_call():
    found = collect_ladder(SAMPLES / "session.pcap", "192.0.2.2:8081", DEFAULT)
    root = ElementTree.fromstring(svg(found))
    name = "{http://www.w3.org/2000/svg}"
    assert len(list(root.iter(f"{name}path"))) == sum(not rung.is_call for rung in found.rungs)
    texts = [text.text for text in root.iter(f"{name}text")]
    assert [rung.text for rung in found.rungs if rung.text not in texts] == []


def test_texts_are_escaped_in_both_languages():
    assert "<script>" not in svg(HOSTILE)
    line = mermaid(HOSTILE).splitlines()[-1]
    assert line == "    Note over A: x#59; end #35;1 </text><script>"


def test_what_can_be_read_only_once_is_refused():
    with pytest.raises(ValueError, match="can be read only once"):
        collect_ladder("-", CLIENT, DEFAULT)
