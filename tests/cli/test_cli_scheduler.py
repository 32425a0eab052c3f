"""--scheduler: the same output from the workers of a cluster."""

import json
from pathlib import Path

import pytest

from command_line import error_lines, fluxcap

pytest.importorskip("distributed")

SAMPLES = Path(__file__).parents[2] / "samples"
INPUTS = [SAMPLES / "office.pcap", SAMPLES / "session.pcap", SAMPLES / "sockets.pcapng"]


@pytest.mark.parametrize(
    "command",
    [
        ("flows", "--active-timeout", "5s"),
        ("connections",),
        ("sockets",),
        ("info", "-f", "tsv"),
        ("check", "--list", "0"),
        ("timeline", "--interval", "1000d"),
    ],
    ids=str,
)
def test_the_output_is_that_of_one_process(command):
    here = fluxcap(*command, *INPUTS, "-q")
    there = fluxcap(*command, *INPUTS, "-q", "--scheduler", "local:2")
    assert there.stdout == here.stdout
    assert (there.returncode, there.stderr) == (0, "")


def test_what_cannot_be_read_is_named_and_the_rest_is_written(tmp_path):
    (tmp_path / "a.txt").write_text("some text")
    cut = SAMPLES / "cut-inside-a-record.pcap"
    done = fluxcap("flows", SAMPLES / "office.pcap", tmp_path / "a.txt", cut, "-f", "json", "--scheduler", "local:1")
    assert done.returncode == 3
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert [str(tmp_path / "a.txt") in errors[0], str(cut) in errors[1]] == [True, True]
    files = json.loads(done.stdout)["files"]
    assert [Path(one["path"]).name for one in files] == ["office.pcap", "a.txt", cut.name]
    assert [bool(one["error"]) for one in files] == [False, True, True]
    done = fluxcap("flows", SAMPLES / "office.pcap", cut, "--strict", "--scheduler", "local:1")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("flows", "--order", "time", "--scheduler", "local"), "--order is for one process"),
        (("flows", "--max-flows", "3", "--scheduler", "local"), "--max-flows is for one process"),
        (("sockets", "--life", "10.0.0.1:80", "--scheduler", "local"), "--life is for one process"),
        (("flows", "--scheduler", "here"), "'here' is no address of a scheduler"),
        (("flows", "--scheduler", "local:0"), "'local:0' is no address of a scheduler"),
        (("flows", "--by", "file", "--scheduler", "local:1"), "`file` is no field"),
    ],
)
def test_what_does_not_go_with_a_cluster_is_refused(arguments, said):
    done = fluxcap(*arguments, INPUTS[0])
    assert done.returncode == 2
    assert said in error_lines(done.stderr)[0]
