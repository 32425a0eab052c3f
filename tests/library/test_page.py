"""The page that report() writes: what it says, that nothing in it runs or loads, and that it stays small."""

import base64
import hashlib
import html
import re
import shutil
import subprocess
import sys

import pytest
from hypothesis import example, given, strategies

import fluxcap
from capture_files import pcap, records
from command_line import in_one_process
from fluxcap.page import markup, reproduce
from fluxcap.plan.read_options import ReadOptions
from fluxcap.reports.places import Place
from named_traffic import request, segment, syn
from pages import EVIL, Page, hostile_names, many_hosts
from real_captures import SAMPLES

pytest.importorskip("vl_convert")
MOST = 1_500_000  # bytes of a page
REPRODUCED = ["session.pcap", "every-transport-good-and-bad.pcap"]


def written(src, folder, **options):
    fluxcap.report(src, folder / "report.html", **options)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / f"{EVIL}.pcapng"
    path.write_bytes(hostile_names())
    return written([path, SAMPLES / "verdicts.pcap"], folder)


def test_nothing_that_a_capture_is_called_becomes_an_element(hostile):
    page = Page(hostile)
    assert (len(page.named("script")), page.named("img")) == (1, [])
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    said = "".join(page.text)
    assert "<script>alert(1)" in said
    assert "\\u202e" in said
    assert said.count("<script>alert(1)") > 10  # of the name of the file in each command, and of an interface
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", hostile)


def test_the_policy_forbids_the_network_and_admits_only_this_script(hostile):
    page = Page(hostile)
    policy = next(one["content"] for one in page.named("meta") if one.get("http-equiv") == "Content-Security-Policy")
    script = re.search("<script>(.*?)</script>", hostile, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = {name: value for name, _, value in (rule.strip().partition(" ") for rule in policy.split(";"))}
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert (rules["style-src"], rules["img-src"]) == ("'unsafe-inline'", "data:")
    loading = [
        value for _, one in page.elements for name, value in one.items() if name in ("src", "href", "xlink:href")
    ]
    assert [value for value in loading if not value.startswith(("#", "data:"))] == []
    assert "url(http" not in hostile


@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.pcap*")))
def test_the_page_of_every_sample_is_well_formed_and_small(name, tmp_path):
    text = written(SAMPLES / name, tmp_path)
    page = Page(text)
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {one["href"].removeprefix("#") for one in page.named("a")} <= set(identifiers)
    assert all(one["role"] == "img" and one["aria-label"] for one in page.named("svg"))
    assert len(text.encode()) < MOST


@pytest.mark.parametrize("name", ["cut-inside-a-record.pcap", "damaged-record-length.pcap"])
def test_damage_is_warned_of_once_and_said_first(name, tmp_path):
    with pytest.warns(fluxcap.DamagedCaptureWarning) as caught:
        text = written(SAMPLES / name, tmp_path)
    assert len(caught) == 1
    assert "Not sound: 1 damaged input" in text


def test_the_page_of_a_capture_of_many_hosts_is_as_small(tmp_path):
    text = written(many_hosts(20_000), tmp_path)
    assert len(text.encode()) < MOST
    assert len(Page(text).named("tr")) < 1000


def test_an_empty_capture_says_so(tmp_path):
    text = written(pcap([]), tmp_path)
    assert "There is no packet in this capture." in text
    assert [Page(text).named(kind) for kind in ("svg", "section", "nav")] == [[], [], []]


def test_the_verdict_names_what_is_wrong_and_who_sent_it(tmp_path):
    judged = fluxcap.read_checksums(SAMPLES / "verdicts.pcap")
    page = Page(written(SAMPLES / "verdicts.pcap", tmp_path))
    said = "".join(page.text)
    assert "Not sound: 2 bad checksums, 13 packets read." in said
    assert judged.blame in said
    assert judged.offload in said
    listed = page.table("Packets with a bad checksum")
    assert [int(row[listed[0].index("packet")]) for row in listed[1:]] == judged.bad["packet"].tolist()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("office.pcap", "Sound: no bad checksum in 1,864 packets."),
        ("sockets.pcapng", "No bad checksum, but 1 illegal checksum, in 124 packets."),
    ],
)
def test_a_capture_without_a_bad_checksum_is_sound_unless_one_is_illegal(name, said, tmp_path):
    assert said in written(SAMPLES / name, tmp_path)


def test_the_numbers_of_the_page_are_those_of_the_table(tmp_path):
    page = Page(written(SAMPLES / "office.pcap", tmp_path))
    table = fluxcap.read_hosts(SAMPLES / "office.pcap").sort("bytes").head(15)
    head, *rows = page.table("Hosts: the numbers")
    for name in ("sent_bytes", "received_bytes", "packets", "peers"):
        cells = [int(row[head.index(name.replace("_", " "))].replace(",", "")) for row in rows]
        assert cells == table[name].tolist()


@pytest.mark.parametrize("name", REPRODUCED)
def test_every_command_on_the_page_runs(name, tmp_path):
    path = tmp_path / f"{EVIL}.pcap"
    shutil.copy(SAMPLES / name, path)
    text = written(path, tmp_path)
    lines = [html.unescape(line) for line in re.findall('<pre class="command"[^>]*><code>(.*?)</code>', text)]
    assert len(lines) >= 10
    for line, (code, text) in zip(lines, in_one_process(f"{line} -q" for line in lines), strict=True):
        assert code in (0, 1), line  # 1: `check` found bad ones
        assert text, line


@example("\x1b\\n'")
@given(strategies.text(strategies.characters(exclude_characters="\0"), min_size=1, max_size=20))
def test_a_quoted_word_is_one_word_of_bash(word):
    octets = word.encode("utf-8", "surrogatepass")
    word = octets.decode("utf-8", "surrogateescape")
    done = subprocess.run(
        ["bash", "-c", f"printf %s {reproduce.quoted(word)}"],
        capture_output=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout == octets


@given(strategies.text())
def test_an_escaped_text_is_text(text):
    page = Page(f'<p title="{markup.escaped(text)}">{markup.escaped(text)}</p>')
    assert [tag for tag, _ in page.elements] == ["p"]
    assert list(page.named("p")[0]) == ["title"]


def test_names_inside_two_drawings_are_distinct():
    svg = (
        '<svg width="9" height="8" x="1"><clipPath id="c0"/><path clip-path="url(#c0)" aria-label="7" role="m"/></svg>'
    )
    drawn = [markup.drawing(svg, name, "label") for name in ("one", "two")]
    assert ['id="one-c0"' in drawn[0], "url(#one-c0)" in drawn[0], 'id="two-c0"' in drawn[1]] == [True] * 3
    assert 'aria-label="7"' not in drawn[0]


def test_the_commands_have_the_options_that_chose_the_records():
    options = ReadOptions(
        where="udp port 53", inner=True, decap=True, tunnels={7777: "vxlan"}, order="time", reorder="2s"
    )
    line = reproduce.command(["info"], ["-x.pcap"], options)
    assert line == "fluxcap info --where 'udp port 53' --inner --tunnel 7777=vxlan --order time --reorder 2s ./-x.pcap"


def test_the_commands_read_past_damage_where_the_page_did():
    options = ReadOptions(on_damage="resync")
    assert reproduce.command(["check"], ["a.pcap"], options) == "fluxcap check --resync a.pcap"
    assert reproduce.explain(Place(0, 7), ["a.pcap"], options) == "fluxcap explain -p 7 --resync a.pcap"


@pytest.mark.parametrize("module", ["altair", "vl_convert"])
def test_a_missing_package_is_named(module, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fluxcap\[report\]'"):
        fluxcap.report(SAMPLES / "office.pcap", tmp_path / "report.html")


def test_sockets_that_were_asked_have_the_names_that_clients_said_if_these_are_asked_for(tmp_path):
    said = "<script>alert(1)</script>.example"
    capture = pcap(records([syn(), segment(request(said))]))
    assert said not in Page(written(capture, tmp_path)).text
    page = Page(written(capture, tmp_path, server_names=True))
    assert said in page.text
    assert len(page.named("script")) == 1
