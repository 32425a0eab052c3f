"""`fluxcap report`: where the page goes, and what is refused."""

import pytest

from command_line import error_lines, fluxcap, terminal
from real_captures import SAMPLES

pytest.importorskip("vl_convert")
OFFICE = SAMPLES / "office.pcap"


def test_it_writes_one_page_and_says_nothing(tmp_path):
    page = tmp_path / "report.html"
    done = fluxcap("report", OFFICE, "-o", page)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert fluxcap("report", OFFICE, "-o", "-").stdout == page.read_text()


def test_a_pipe_is_read(tmp_path):
    page = tmp_path / "report.html"
    assert fluxcap("report", "-", "-o", page, stdin=OFFICE.read_bytes()).returncode == 0
    from_a_file = fluxcap("report", OFFICE, "-o", "-").stdout
    piped, read = (text[text.index("<nav") :] for text in (page.read_text(), from_a_file))
    assert piped == read.replace(f" {OFFICE}</code>", " -</code>")


def test_a_filter_chooses_the_records_and_stands_in_every_command(tmp_path):
    page = tmp_path / "report.html"
    assert fluxcap("report", OFFICE, "--where", "udp", "-o", page).returncode == 0
    text = page.read_text()
    assert text.count("--where udp") == text.count('<pre class="command"')
    assert ("53/udp" in text, "443/tcp" in text) == (True, False)


def test_a_damaged_input_is_told_once_and_on_the_page(tmp_path):
    page = tmp_path / "report.html"
    done = fluxcap("report", SAMPLES / "cut-inside-a-record.pcap", "-o", page)
    assert done.returncode == 3
    assert len(error_lines(done.stderr)) == 2
    assert "Not sound: 1 damaged input" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((OFFICE,), "report needs -o"),
        (("none.pcap", "-o", "report.html"), "none.pcap: No such file"),
    ],
)
def test_what_is_refused(arguments, said, tmp_path):
    done = fluxcap("report", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in error_lines(done.stderr)[0]
    assert list(tmp_path.iterdir()) == []


def test_an_input_is_not_overwritten(tmp_path):
    capture = tmp_path / "x.pcap"
    capture.write_bytes(OFFICE.read_bytes())
    assert fluxcap("report", capture, "-o", capture).returncode == 2
    assert capture.read_bytes() == OFFICE.read_bytes()


def test_a_page_is_not_for_terminals():
    screen = terminal("report", OFFICE, "-o", "-", columns=80)
    assert screen.code == 2
    assert "a page is not for terminals" in screen.text
