"""Names that begin with a dash: arguments after `--` are inputs."""

import pytest

import fluxcap
from command_line import fluxcap as run


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
    frame = fluxcap.segment(b"hello", ("192.0.2.1", 4000), ("192.0.2.2", 53))
    header = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000")
    octets = header + (1).to_bytes(4, "little") + bytes(4) + len(frame).to_bytes(4, "little") * 2 + frame
    for name in ("plain.pcap", "-dash.pcap", "--help", "--"):
        (tmp_path / name).write_bytes(octets)
    done = run("packets", "--columns", "file", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout.split()[1:]) == (0, [str(place) for place in range(len(inputs))])


def test_a_query_stays_a_query_and_a_missing_name_is_named(tmp_path):
    done = run("info", "--", "-missing.pcap", cwd=tmp_path)
    assert done.returncode == 2
    assert "-missing.pcap" in done.stderr
