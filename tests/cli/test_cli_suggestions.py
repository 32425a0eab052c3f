"""What the command line says to people who know other programs: what their word is called here, or nothing."""

from pathlib import Path

import pytest

from command_line import error_lines, fluxcap, terminal
from fluxcap._core import CONNECTION_COLUMNS, EXTRA_COLUMNS, FLOW_COLUMNS, PACKET_COLUMNS
from fluxcap.cli import main, meanings
from fluxcap.errors import unknown
from fluxcap.plan import keys
from fluxcap.values.derived import DERIVED
from fluxcap.values.meanings import columns
from fluxcap.values.names import LIFE_COLUMNS, SOCKET_COLUMNS

SAMPLES = Path(__file__).parents[2] / "samples"
CAPTURE = SAMPLES / "session.pcap"
FLOWS = ("flows", CAPTURE)
PACKETS = ("packets", CAPTURE)


def advice(*arguments: str | Path) -> str:
    """The line that says what to do."""
    done = fluxcap(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    return error_lines(done.stderr)[1]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ((*FLOWS, "--top", "5"), "'-n'"),
        ((*FLOWS, "--limit=5"), "'-n'"),
        ((*FLOWS, "-Y", "udp"), "'--where'"),
        ((*FLOWS, "--json"), "'-f json'"),
        ((*FLOWS, "--group-by", "hosts"), "'--by'"),
        ((*FLOWS, "--sort-by", "bytes"), "'-s'"),
        ((*FLOWS, "--timeout", "5s"), "'--idle-timeout'"),
        ((*FLOWS, "--no-color"), "'--color never'"),
        (("flows", "-r", CAPTURE), "no option"),
        ((*FLOWS, "--columns", "dport"), "'dst_port'?"),
        ((*FLOWS, "--columns", "src"), "'src_ip' or 'src_port'"),
        ((*FLOWS, "--columns", "ip.src"), "'src_ip'?"),
        ((*FLOWS, "--columns", "length"), "'bytes'?"),
        ((*PACKETS, "--columns", "length"), "'wire_length'?"),
        ((*PACKETS, "-s", "frame.len"), "'wire_length'?"),
        (("connections", CAPTURE, "--columns", "rtt"), "'synack_rtt' or 'ack_rtt'"),
        ((*FLOWS, "--columns", "id.orig_h"), "'src_ip'?"),
        ((*FLOWS, "--by", "dport"), "'dst_port'?"),
        ((*FLOWS, "--where", "ip.src == 192.0.2.1"), "'src host 192.0.2.1'"),
        ((*FLOWS, "--where", "tcp.port==80 && !dns"), "'tcp port 80 and not port 53'"),
        (("sql", "SELECT dport FROM flows", CAPTURE), "'dst_port'?"),
        (("sql", "SELECT * FROM flow", CAPTURE), "'flows'?"),
        (("sql", CAPTURE, "FROM flows"), "fluxcap sql 'FROM flows' x.pcap"),
        (("conversations", CAPTURE), "'connections'?"),
        (("stats", CAPTURE), "'info'?"),
        (("-r", CAPTURE), "Options follow a command"),
        (("sample", "x.pcap"), "-o x.pcap"),
        (("repair", CAPTURE, "x.pcap"), "-o x.pcap"),
    ],
)
def test_a_word_of_another_program_gets_the_word_for_it_here(arguments, meant):
    assert meant in advice(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (*FLOWS, "--xyzzy"),
        (*FLOWS, "--proto", "udp"),  # nearest by its letters: --splt
        (*FLOWS, "--key-log", "x"),
        (*FLOWS, "-v"),
        (*FLOWS, "--columns", "frame.number"),  # fragment
        (*FLOWS, "--columns", "rtt"),  # a flow has none
        (*PACKETS, "--columns", "info"),
        (*FLOWS, "--by", "conversation"),
        (*FLOWS, "--where", "foo"),
        (*FLOWS, "--where", 'http.host == "a"'),
        ("sql", "SELECT nothing FROM flows", CAPTURE),
        ("dns", CAPTURE),
    ],
)
def test_where_no_word_fits_there_is_no_suggestion(arguments):
    line = advice(*arguments).lower()
    assert "did you mean" not in line
    assert "in that of tcpdump" not in line


def test_every_word_means_something_that_there_is():
    commands = {name: main.command_of(name) for name in main.COMMANDS}
    there = set()
    for command in commands.values():
        own = main.Parser()
        command.configure(own)
        there |= set(own._option_string_actions)
    assert {ours.split()[0] for meant in meanings.options().values() for ours in meant} <= there
    assert there.isdisjoint(meanings.options().keys() & meanings.INPUTS)
    assert {ours for meant in meanings.commands().values() for ours in meant} <= set(main.COMMANDS)
    known = {*FLOW_COLUMNS, *PACKET_COLUMNS, *EXTRA_COLUMNS, *CONNECTION_COLUMNS, *SOCKET_COLUMNS, *LIFE_COLUMNS}
    known |= {*keys.KEY_FIELDS, *DERIVED}
    ours = {name for meant in columns().values() for name in meant}
    statistics = {name for name in ours if name.endswith(("_packets", "_min", "_mean", "_stddev", "_max", "_size"))}
    assert ours - known - statistics == set()


def test_a_name_that_is_nearly_one_is_found_and_a_far_one_is_not():
    assert "did you mean 'tsv'" in str(unknown("format", "tvs", ["csv", "tsv", "json"]))
    assert "did you mean" not in str(unknown("option", "--head", ["--threads", "--help"]))


# A file where a command should stand


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_a_file_without_a_command_is_described(columns):
    described, asked = (terminal(*words, CAPTURE, columns=columns) for words in ((), ("info",)))
    assert (described.code, described.text) == (0, asked.text)


def test_standard_input_a_directory_and_a_missing_file_are_inputs_too(tmp_path):
    assert fluxcap("-", stdin=CAPTURE.read_bytes()).stdout == fluxcap("info", "-", stdin=CAPTURE.read_bytes()).stdout
    assert fluxcap("samples", cwd=SAMPLES.parent).returncode == 3  # one of them is damaged
    done = fluxcap("sesion.pcap", cwd=SAMPLES)
    assert error_lines(done.stderr) == [
        "error: sesion.pcap: No such file or directory",
        "help: Did you mean session.pcap?",
    ]


def test_a_command_is_one_whatever_files_there_are(tmp_path):
    (tmp_path / "flows").write_bytes(CAPTURE.read_bytes())
    assert fluxcap("flows", "flows", cwd=tmp_path).stdout.startswith("protocol\t")


@pytest.mark.parametrize(
    ("words", "same"),
    [(("help",), ("--help",)), (("help", "flows"), ("flows", "--help")), (("version",), ("--version",))],
)
def test_help_and_version_are_understood_as_commands(words, same):
    assert fluxcap(*words).stdout == fluxcap(*same).stdout
