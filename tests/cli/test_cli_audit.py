"""`fluxcap audit`: on a screen, as rows and JSON, and the exit codes of --fail-on."""

import hashlib
import json

import pytest

from command_line import error_lines, fluxcap, rows, terminal
from real_captures import SAMPLES

OFFLOADED, CLEAN, CUT = (
    SAMPLES / f"{name}.pcap" for name in ("veth-checksums-offloaded", "session", "cut-inside-a-record")
)


def test_a_screen_begins_with_the_verdict_and_names_the_first_packets():
    screen = terminal("audit", OFFLOADED, columns=80)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= 80
    assert screen.lines[0].startswith("Complete and in order; 6 frames are several segments in one")
    assert "packets 35, 37, 39, 54, 56, …" in screen.text
    assert len(screen.lines) <= 24


def test_of_a_clean_capture_the_verdict_is_all():
    screen = terminal("audit", CLEAN)
    assert screen.lines[0] == "Complete and in order."
    assert "1,096 packets" in screen.text
    assert len([line for line in screen.lines if line]) <= 3


def test_in_a_pipe_each_finding_is_a_row():
    done = fluxcap("audit", OFFLOADED)
    assert (done.returncode, done.stderr) == (0, "")
    found = rows(done.stdout)
    assert [(row["code"], row["count"], row["packets"]) for row in found] == [
        ("joined", "6", "35 37 39 54 56"),
        ("offload", "63", "3 4 5 6 7"),
    ]


def test_packets_of_several_inputs_are_named_with_the_number_of_theirs():
    found = rows(fluxcap("audit", CLEAN, OFFLOADED).stdout)
    assert next(row["packets"] for row in found if row["code"] == "offload") == "2:3 2:4 2:5 2:6 2:7"


def test_json_has_the_sentence_and_all_numbers():
    told = json.loads(fluxcap("audit", OFFLOADED, "-f", "json").stdout)
    assert told["schema"] == 1
    assert told["sentence"].startswith("Complete and in order")
    assert told["findings"][0]["numbers"] == {"segments": 28}
    assert told["findings"][0]["evidence"][0] == {"file": 0, "packet": 35}


@pytest.mark.parametrize(
    ("capture", "codes", "code"),
    [
        (OFFLOADED, "loss,damage", 0),
        (OFFLOADED, "loss, joined", 1),
        (OFFLOADED, "any", 1),
        (CLEAN, "any", 0),
        (CUT, "any", 3),  # damage weighs more
    ],
)
def test_the_exit_code_is_1_if_something_is_found_that_may_not_be(capture, codes, code):
    assert fluxcap("audit", capture, "--fail-on", codes).returncode == code


def test_a_finding_that_there_is_not_is_a_wrong_use():
    done = fluxcap("audit", CLEAN, "--fail-on", "losses")
    assert done.returncode == 2
    assert error_lines(done.stderr)[0].startswith("error: unknown finding 'losses'")


def test_info_says_the_verdict_of_the_audit_where_it_is_asked_for():
    sentence = json.loads(fluxcap("audit", "-f", "json", OFFLOADED).stdout)["sentence"]
    plain, more = (json.loads(fluxcap("info", *audit, "-f", "json", OFFLOADED).stdout) for audit in ((), ("--audit",)))
    assert "audit" not in plain
    assert more == plain | {"audit": sentence}
    drawn = fluxcap("info", "--audit", "-f", "table", SAMPLES / "session.pcap").stdout
    assert "\naudit    Complete and in order.\n" in drawn


def test_info_hashes_and_audits_at_once_but_not_on_a_cluster():
    told = json.loads(fluxcap("info", "--audit", "--hash", "-f", "json", OFFLOADED).stdout)
    assert told["audit"].startswith("Complete and in order; ")
    assert told["inputs"][0]["sha256"] == hashlib.sha256(OFFLOADED.read_bytes()).hexdigest()
    refused = fluxcap("info", "--audit", "--scheduler", "local", OFFLOADED)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--audit" in refused.stderr
