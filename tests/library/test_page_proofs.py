"""The packets that a page names as proof are the right ones, and the command beside them shows them."""

import csv
import html
import re

import numpy as np
import pytest
from hypothesis import given, strategies

import fluxcap
from capture_files import pcap
from command_line import in_one_process, shell
from fluxcap.page.findings import collect
from fluxcap.plan.read_options import ReadOptions
from fluxcap.reports.places import Firsts, Place
from real_captures import SAMPLES
from tcp_talks import records, talk

pytest.importorskip("vl_convert")
LOST = ">S <SA >A >D10 >D10@-10 <A <D20 <D20!"  # packet 5 is sent again, 8 has a bad checksum
REFUSED = ">S <RA"


def written(src, folder, **options):
    fluxcap.report(src, folder / "report.html", **options)
    return (folder / "report.html").read_text(encoding="utf-8")


def listed(text, heading):
    """Of the section, or of the verdict, each item with packets, and their numbers."""
    start = text.index(f">{heading}<")
    items = re.findall("<li[^>]*>(.*?)</li>", text[start : text.index("</ul>", start)])
    plain = [html.unescape(re.sub("<[^>]*>", "", item)) for item in items]
    return {said.strip(" :"): numbers for said, numbers in (re.split(r" Packets? (?=\d)", item) for item in plain)}


def test_what_is_wrong_names_the_packets_that_prove_it(tmp_path):
    both = [*records(LOST), *records(REFUSED, client=("192.0.2.1", 40001))]
    wrong = listed(written(pcap(both), tmp_path), "What is wrong, and who sent it")
    told = {said: numbers for said, numbers in wrong.items() if not said.startswith("Hint")}
    assert list(told.values()) == ["8", "9", "5"]
    assert [said.split()[0] for said in told] == ["The", "1", "Most"]


def test_packets_of_several_files_are_named_with_their_file(tmp_path):
    paths = [tmp_path / "one.pcap", tmp_path / "two.pcap"]
    for path, line in zip(paths, (REFUSED, LOST), strict=True):
        path.write_bytes(talk(line, client=("192.0.2.1", 40000 + len(line))))
    text = written(paths, tmp_path)
    told = listed(text, "What is wrong, and who sent it")
    assert {f"8 of {paths[1]}", f"5 of {paths[1]}", f"1 of {paths[0]}"} <= set(told.values())
    assert "(file, packet) IN ((0, 1), " in html.unescape(text)


def test_a_filter_leaves_the_numbers_as_they_are_in_the_file(tmp_path):
    both = [*records(REFUSED, client=("192.0.2.1", 40001)), *records(LOST)]
    told = listed(written(pcap(both), tmp_path, where="tcp port 40000"), "What is wrong, and who sent it")
    assert {"10", "7"} <= set(told.values())


def test_explain_is_given_the_options_that_it_knows(tmp_path):
    text = html.unescape(written(SAMPLES / "verdicts.pcap", tmp_path, where="udp", decap=False))
    (command,) = re.findall("<code>(fluxcap explain .*?)</code>", text)
    assert "--no-decap" in command
    assert shell(command).returncode == 0


@pytest.mark.parametrize("name", ["session.pcap", "office.pcap", "verdicts.pcap", "datagram-in-fragments.pcap"])
def test_the_command_shows_the_packets_that_are_named(name, tmp_path):
    pytest.importorskip("duckdb")
    text = html.unescape(written(SAMPLES / name, tmp_path))
    found = re.findall("<code>(fluxcap sql 'SELECT packet, .*?)</code>", text)
    assert len(found) >= 5
    commands = list(dict.fromkeys(found))
    shown = in_one_process(f"{command} -q -f csv" for command in commands)
    for command, (code, printed) in zip(commands, shown, strict=True):
        assert code == 0
        rows = list(csv.DictReader(printed.splitlines()))
        assert [int(row["packet"]) for row in rows] == list(
            map(int, re.search(r"IN \(([\d, ]*)\)", command)[1].split(","))
        )
        above = text[: text.index(command)]
        named = re.findall(r"Packets? ([\d, ]+)", above[above.rindex("<ul") :])
        said = {int(number.replace(",", "")) for numbers in named for number in numbers.split(", ") if number}
        assert {int(row["packet"]) for row in rows} == said


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.pcap*")))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_connection_has_a_first_packet_of_its_own_ends(name):
    found = collect(SAMPLES / name, ReadOptions())
    connections = fluxcap.read_connections(SAMPLES / name)
    packets = fluxcap.read_packets(SAMPLES / name)
    ends = ("protocol", "src_ip", "src_port", "dst_ip", "dst_port")
    rows = {number: at for at, number in enumerate(packets["packet"].tolist())}
    for flow, place in enumerate(found.evidence.flows.first(list(range(len(connections))))):
        one, other = (
            [bytes(np.atleast_1d(t[end][at])) for end in ends]
            for t, at in ((connections, flow), (packets, rows[place.packet]))
        )
        assert other in (one, [one[0], *one[3:], *one[1:3]])


kinds = strategies.lists(strategies.integers(0, 5), max_size=30)


@given(strategies.lists(kinds, max_size=5), strategies.integers(1, 3))
def test_the_first_few_of_each_kind_are_found_whatever_the_batches(batches, few):
    firsts, number, expected = Firsts(few), 0, {}
    for batch in batches:
        numbers = np.arange(number + 1, number + 1 + len(batch), dtype=np.uint64)
        firsts.add(np.array(batch, np.uint8), np.zeros(len(batch), np.uint32), numbers)
        for at, kind in enumerate(batch):
            expected.setdefault(kind, []).append(Place(0, number + 1 + at))
        number += len(batch)
    assert {kind: firsts.of(kind) for kind in range(6)} == {
        kind: tuple(expected.get(kind, [])[:few]) for kind in range(6)
    }
    there = sorted(expected, reverse=True)
    assert firsts.first(there) == tuple(expected[kind][0] for kind in there)
