"""`fluxcap explain`: the drawing, the other formats, and what it refuses."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

import builders as b
import capture_files as files
from command_line import error_lines, fluxcap, terminal
from real_captures import SAMPLES

VERDICTS = SAMPLES / "verdicts.pcap"
PACKET = b.ethernet(b.ipv4(b.udp(b"hello")))


def saved(tmp_path, octets: bytes):
    path = tmp_path / "x.pcap"
    path.write_bytes(octets)
    return path


def test_a_udp_header_is_drawn_as_rfc_768_draws_it():
    drawn = fluxcap("explain", VERDICTS, "-p", "2").stdout
    assert """\
UDP, bytes 34 to 41
      ┌───────────────────────────────┬───────────────────────────────┐
   34 │          source port          │        destination port       │
      │             40000             │             50000             │
      ├───────────────────────────────┼───────────────────────────────┤
   38 │             length            │            checksum           │
      │               13              │             0xd86c            │
      └───────────────────────────────┴───────────────────────────────┘
""" in drawn  # fmt: skip


def test_a_sum_is_drawn_word_by_word_with_each_carry():
    # 192.0.2.1 to 192.0.2.2, UDP, 13 bytes: added up by hand.
    drawn = fluxcap("explain", VERDICTS, "-p", "2").stdout
    assert """\
        0xc000  0xc000     pseudo: source address
        0x0201  0xc201
        0xc000  0x8202 +1  pseudo: destination address
        0x0202  0x8404
        0x0011  0x8415     pseudo: zero, protocol
        0x000d  0x8422     pseudo: length
    34  0x9c40  0x2063 +1  source port
""" in drawn  # fmt: skip
    assert "the sum 0x2793, complemented: 0xd86c" in drawn


@pytest.mark.parametrize(("rows", "shown"), [("0", 250), ("3", 3)])
def test_as_many_words_of_data_are_drawn_as_are_asked_for(tmp_path, rows, shown):
    path = saved(tmp_path, files.pcap(files.records([b.ethernet(b.ipv4(b.udp(b"\xff\xff" * 250)))])))
    drawn = fluxcap("explain", path, "-p", "1", "-n", rows).stdout
    assert drawn.count("  0xffff  0x") == shown
    assert ("… 247 more words of data" in drawn) == (rows == "3")


FRAGMENTS = SAMPLES / "datagram-in-fragments.pcap"  # 4,008 bytes in packets 3 to 5
PIECES = [("3", 0, 1479), ("4", 1480, 2959), ("5", 2960, 4007)]


@pytest.mark.parametrize("format", ["text", "svg", "html"])
def test_the_sum_of_a_datagram_names_the_fragment_that_its_words_are_from(tmp_path, format):
    suffix = {"text": "txt"}.get(format, format)
    text = drawn(tmp_path, suffix, FRAGMENTS, "-p", "5").replace("\u00a0", " ")
    assert "UDP checksum of the datagram in 3 fragments" in text
    for packet, start, end in PIECES:
        assert f"packet {packet}: bytes {start:,} to {end:,} of the datagram" in text
    assert "… 728 more words of data" in text
    assert "… 524 words of data" in text


def test_json_has_the_fragments_of_a_datagram_and_the_packet_of_each_word():
    found = json.loads(fluxcap("explain", FRAGMENTS, "-p", "5", "-f", "json").stdout)["checksums"][-1]
    assert found["fragments"] == [
        {"packet": int(packet), "file": 0, "offset": start, "length": end + 1 - start} for packet, start, end in PIECES
    ]
    words = [(word["packet"], word["offset"]) for word in found["words"] if word["packet"] is not None]
    assert words == [(3 + at // 1480, at) for at in range(0, 4008, 2)]


@pytest.mark.parametrize("sample", ["session.pcap", "vxlan-tunnel.pcap", "encapsulations.pcap", "sockets.pcapng",
                                    "datagram-in-fragments.pcap"])  # fmt: skip
def test_a_drawing_fits_80_columns(sample):
    packets = ("3", "5", "16") if sample.startswith("datagram") else ("1", "4", "7", "9")
    for packet in packets:
        screen = terminal("explain", SAMPLES / sample, "-p", packet, columns=80)
        assert max(map(len, screen.lines)) <= 80
        assert screen.code == 0


def test_a_layer_has_its_colour_on_a_terminal_and_none_in_a_pipe():
    assert "\x1b[36m" in terminal("explain", VERDICTS, "-p", "2").raw
    assert "\x1b" not in fluxcap("explain", VERDICTS, "-p", "2").stdout


def test_a_terminal_without_such_lines_gets_ascii():
    screen = terminal("explain", VERDICTS, "-p", "2", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert "+-------+-------+---------------+" in screen.text
    assert "?" not in screen.text


def test_json_has_every_field_and_every_word():
    found = json.loads(fluxcap("explain", VERDICTS, "-p", "2", "-f", "json").stdout)
    assert (found["schema"], found["packet"], [one["kind"] for one in found["headers"]]) == (
        1, 2, ["ethernet", "ipv4", "udp"],
    )  # fmt: skip
    assert found["headers"][2]["fields"][3] == {
        "name": "checksum", "bit": 48, "bits": 16, "value": 0xD86C, "text": "0xd86c",
    }  # fmt: skip
    assert [word["value"] for word in found["checksums"][1]["words"][:2]] == [0xC000, 0x0201]


def drawn(tmp_path, format, *arguments) -> str:
    path = tmp_path / f"x.{format}"
    done = fluxcap("explain", *arguments, "-o", path)
    assert (done.returncode, done.stdout) == (0, "")
    return path.read_text()


@pytest.mark.parametrize(
    ("sample", "packet"), [("verdicts.pcap", "2"), ("vxlan-tunnel.pcap", "3"), ("pseudo-header-addresses.pcap", "4"),
                           ("encapsulations.pcap", "5"), ("cut-at-60-octets.pcap", "9")]
)  # fmt: skip
def test_a_drawing_as_svg_has_every_field_in_a_box_inside_the_drawing(tmp_path, sample, packet):
    root = ElementTree.fromstring(drawn(tmp_path, "svg", SAMPLES / sample, "-p", packet))
    width, height = map(int, root.attrib["viewBox"].split()[2:])
    boxes = list(root.iter("{http://www.w3.org/2000/svg}rect"))
    assert boxes
    for box in boxes:
        x, y, across, down = (int(box.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + across <= width
        assert 0 <= y <= y + down <= height
    texts = " ".join(text for text in root.itertext())
    found = json.loads(fluxcap("explain", SAMPLES / sample, "-p", packet, "-f", "json").stdout)
    wide = [field for header in found["headers"] for field in header["fields"] if field["bits"] >= 16]
    assert [field["text"] for field in wide if field["text"] not in texts] == []
    assert [one["sentence"] for one in found["checksums"] if one["sentence"].split()[0] not in texts] == []


class Tags(HTMLParser):
    """The elements of a page, and the attributes that would load or run something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.active: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        self.active += [name for name, _ in attributes if name.startswith("on") or name in ("src", "href")]


@pytest.mark.parametrize("format", ["svg", "html"])
def test_a_hostile_file_name_is_text_in_every_format(tmp_path, format):
    hostile = tmp_path / '"><img onerror=alert(1)><script>.pcap'
    hostile.write_bytes(files.pcap(files.records([PACKET])))
    page = Tags(drawn(tmp_path, format, hostile, "-p", "1"))
    assert page.names.isdisjoint({"script", "img"})
    assert page.active == []


def test_a_page_forbids_itself_the_network_and_has_the_words_of_each_sum(tmp_path):
    page = drawn(tmp_path, "html", VERDICTS, "-p", "2")
    assert "default-src 'none'" in page
    assert re.findall(r"<td>(0x\w+)</td><td>(0x\w+)</td><td>(?:\+1)?</td>", page)[10:12] == [
        ("0xc000", "0xc000"), ("0x0201", "0xc201"),
    ]  # fmt: skip
    assert "the sum 0x2793, complemented: 0xd86c" in page


def test_the_suffix_of_the_output_decides_on_the_format(tmp_path):
    fluxcap("explain", VERDICTS, "-p", "2", "-o", tmp_path / "x.json")
    fluxcap("explain", VERDICTS, "-p", "2", "-o", tmp_path / "x.txt")
    assert json.loads((tmp_path / "x.json").read_text())["packet"] == 2
    assert (tmp_path / "x.txt").read_text().startswith("packet 2 of ")
    done = fluxcap("explain", VERDICTS, "-p", "2", "-o", tmp_path / "x.doc")
    assert done.returncode == 2
    assert "its suffix names no format" in error_lines(done.stderr)[0]


def test_a_packet_past_the_end_is_refused_with_how_many_there_are():
    done = fluxcap("explain", VERDICTS, "-p", "14")
    assert (done.returncode, done.stdout) == (2, "")
    assert "verdicts.pcap has 13 packets: there is no packet 14" in error_lines(done.stderr)[0]


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5"])
def test_a_number_that_is_none_is_refused(number):
    done = fluxcap("explain", VERDICTS, f"--packet={number}")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_packet_before_a_damage_is_drawn_with_exit_code_3_and_one_behind_it_is_refused(tmp_path):
    path = saved(tmp_path, files.pcap(files.records([PACKET, PACKET]))[:-3])
    before, behind = (fluxcap("explain", path, "-p", number) for number in ("1", "2"))
    assert (before.returncode, "UDP, bytes 34 to 41" in before.stdout) == (3, True)
    assert (behind.returncode, behind.stdout) == (2, "")
    assert "has 1 packet before the damage: there is no packet 2" in behind.stderr


def test_of_several_files_one_is_named(tmp_path):
    second = saved(tmp_path, files.pcap(files.records([PACKET])))
    done = fluxcap("explain", VERDICTS, second, "-p", "1", "--file", "1")
    assert " ".join(done.stdout.split()).startswith(f"packet 1 of {second}")
    done = fluxcap("explain", VERDICTS, second, "-p", "1", "--file", "2")
    assert (done.returncode, "there are 2 files" in done.stderr) == (2, True)


def test_a_quiz_says_of_each_answer_whether_it_is_right_and_ends_with_the_answers():
    done = fluxcap("explain", VERDICTS, "-p", "2", "--quiz", stdin=b"4\n6\n0x00\n")
    assert done.returncode == 0
    assert "IPv4, version? right\nIPv4, IHL? no: 5\nIPv4, DSCP, ECN? right\nIPv4, total length? \n" in done.stdout
    assert done.stdout.endswith("2 of 3 right\n")
    assert "192.0.2.1" not in done.stdout


def test_a_quiz_in_a_file_is_refused():
    done = fluxcap("explain", VERDICTS, "-p", "2", "--quiz", "-f", "json")
    assert (done.returncode, done.stdout) == (2, "")
    error_lines(done.stderr)
