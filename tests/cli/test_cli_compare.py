"""`fluxcap compare`: on a screen, as rows and JSON, for several files of a point, and the exit codes of --fail-on."""

import json
from pathlib import Path

import pytest

from capture_files import pcap
from command_line import error_lines, fluxcap, rows, terminal
from real_captures import SAMPLES
from two_points import Plan, two_points

CLEAN, CUT = SAMPLES / "session.pcap", SAMPLES / "cut-inside-a-record.pcap"
BETWEEN = two_points(Plan(seed=1, packets=200, lost=0.05, changed=0.03, duplicated=0.03, hops=1))
LOST = [one for one in BETWEEN.passages if one.fate == "lost"]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return BETWEEN.write(tmp_path_factory.mktemp("points"))


def test_a_screen_begins_with_what_arrived_and_what_the_clocks_say(points):
    screen = terminal("compare", *points, columns=100)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= 100
    assert screen.lines[0].startswith("From A to B: ")
    assert "if the least delays of both directions are equal" in " ".join(screen.text.split())
    assert "a>b" in screen.text


def test_in_a_pipe_each_direction_of_a_flow_is_a_row_and_the_sentences_are_hints(points):
    done = fluxcap("compare", *points)
    found = rows(done.stdout)
    assert sum(int(row["lost"]) for row in found) == len(LOST)
    assert {row["way"] for row in found} == {"a>b", "b>a"}
    assert done.stderr.startswith("hint: From A to B: ")


def test_packets_are_told_by_their_numbers_in_both_captures(points):
    found = rows(fluxcap("compare", *points, "--packets", "-q").stdout)
    told = {(row["way"], int(row[f"{row['way'][0]}_packet"])) for row in found if row["outcome"] == "lost"}
    assert told == {("a>b" if one.sender == "A" else "b>a", one.sent[0]) for one in LOST}
    every = rows(fluxcap("compare", *points, "--packets", "--every", "-q").stdout)
    assert len(every) > len(BETWEEN.passages) > len(found)


def test_json_has_the_rows_the_sentences_and_the_clock(points):
    told = json.loads(fluxcap("compare", *points, "-f", "json", "-q").stdout)
    assert told["clock"]["basis"] == "two ways"
    assert told["findings"]["loss"] == len(LOST)
    assert told["totals"]["a>b"]["lost"] + told["totals"]["b>a"]["lost"] == len(LOST)
    assert told["sentences"][0].startswith("From A to B: ")
    assert len(told["rows"]) == 8


def test_several_files_of_a_point_are_named_with_its_letter(points, tmp_path):
    a, b = points
    records = BETWEEN.records["B"]
    for number, half in enumerate((records[:100], records[100:])):
        (tmp_path / f"{number}.pcap").write_bytes(pcap(half, ns=True))
    whole = fluxcap("compare", a, b, "-q").stdout
    assert fluxcap("compare", "--b", tmp_path / "0.pcap", "--b", tmp_path / "1.pcap", "--a", a, "-q").stdout == whole
    assert fluxcap("compare", a, tmp_path, "-q").stdout == whole


@pytest.mark.parametrize(
    ("captures", "codes", "code"),
    [
        ("points", "loss,reordering", 1),
        ("points", "reordering, mss", 0),
        ("points", "any", 1),
        ((CLEAN, CLEAN), "any", 0),
        ((CUT, CUT), "any", 3),
    ],
)
def test_the_exit_code_is_1_if_something_is_found_that_may_not_be(captures, codes, code, points):
    done = fluxcap("compare", *(points if captures == "points" else captures), "--fail-on", codes)
    assert done.returncode == code


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([CLEAN], "error: compare needs two points, not 1"),
        ([CLEAN, CLEAN, CLEAN], "error: compare needs two points, not 3"),
        (["--a", CLEAN], "error: compare needs two points, not 1"),
        ([CLEAN, "--a", CLEAN, "--b", CLEAN], "error: inputs are named with --a and --b, and without"),
        ([CLEAN, CLEAN, "--fail-on", "losses"], "error: unknown finding 'losses'"),
        ([CLEAN, CLEAN, "--in-flight", "soon"], "error: --in-flight: 'soon' is no length of time"),
        (["-", CLEAN], "error: <stdin> can be read only once"),
    ],
)
def test_what_cannot_be_compared_is_a_wrong_use(arguments, error):
    done = fluxcap("compare", *arguments, stdin=b"")
    assert done.returncode == 2
    assert error_lines(done.stderr)[0].startswith(error)
    assert done.stdout == ""
