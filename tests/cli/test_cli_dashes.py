"""Names that begin with a dash: arguments after `--` are inputs."""

import pytest

import fluxcap
from capture_files import pcap, records
from command_line import error_lines
from command_line import fluxcap as run

CAPTURE = pcap(records([fluxcap.segment(b"hello", ("192.0.2.1", 4000), ("192.0.2.2", 53))]))


@pytest.mark.parametrize(
    ("arguments", "inputs"),
    [
        (["--", "-dash.pcap"], ["-dash.pcap"]),
        (["-n", "0", "--", "-dash.pcap", "--help"], ["-dash.pcap", "--help"]),
        (["plain.pcap", "--", "-dash.pcap", "--"], ["plain.pcap", "-dash.pcap", "--"]),
        (["./-dash.pcap"], ["./-dash.pcap"]),
    ],
    ids=str,
)
def test_what_follows_two_dashes_is_an_input(tmp_path, arguments, inputs):
    for name in ("plain.pcap", "-dash.pcap", "--help", "--"):
        (tmp_path / name).write_bytes(CAPTURE)
    done = run("packets", "--columns", "file", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout.split()[1:]) == (0, [str(place) for place in range(len(inputs))])


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["flows"],
        ["hosts"],
        ["flows", "--extract", "0", "-o=-out.pcap"],
        ["check"],
        ["packets"],
        ["connections"],
        ["sockets"],
        ["sockets", "--life", "192.0.2.1:4000"],
        ["sql", "SELECT * FROM packets"],
        ["demux", "-o=-out"],
        ["repair", "-o=-out.pcap"],
        ["bench", "--runs", "1"],
    ],
    ids=" ".join,
)
def test_every_command_takes_an_input_whose_name_begins_with_a_dash(tmp_path, command):
    for name in ("plain.pcap", "-dash.pcap"):
        (tmp_path / name).write_bytes(CAPTURE)
    done = run(*command, "--", "-dash.pcap", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout or list(tmp_path.glob("-out*"))


@pytest.mark.parametrize(
    "arguments",
    [["flows", "-dash.pcap"], ["flows", "plain.pcap", "-dash.pcap"], ["flows", "-n5.pcap"], ["flows", "-q.pcap"],
     ["-dash.pcap"]],
    ids=" ".join,
)  # fmt: skip
def test_a_file_whose_name_looks_like_an_option_is_told_apart_from_one(tmp_path, arguments):
    for name in ("plain.pcap", "-dash.pcap", "-n5.pcap", "-q.pcap"):
        (tmp_path / name).write_bytes(CAPTURE)
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        error_lines(done.stderr)[1] == f"help: For the file of that name write ./{arguments[-1]}, or put -- before it."
    )


def test_a_file_after_two_dashes_and_no_command_is_described(tmp_path):
    (tmp_path / "-dash.pcap").write_bytes(CAPTURE)
    done = run("--", "-dash.pcap", cwd=tmp_path)
    assert (done.returncode, "-dash.pcap" in done.stdout) == (0, True)


def test_mux_takes_a_directory_whose_name_begins_with_a_dash(tmp_path):
    (tmp_path / "plain.pcap").write_bytes(CAPTURE)
    assert run("demux", "plain.pcap", "--output=-out", cwd=tmp_path).returncode == 0
    assert run("mux", "-o=-muxed.pcap", "--", "-out", cwd=tmp_path).returncode == 0
    assert (tmp_path / "-muxed.pcap").stat().st_size == len(CAPTURE)


def test_a_query_stays_a_query_and_a_missing_name_is_named(tmp_path):
    done = run("info", "--", "-missing.pcap", cwd=tmp_path)
    assert done.returncode == 2
    assert "-missing.pcap" in done.stderr
