"""The command line in a pipe: results, messages, exit codes, signals."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import builders as b
from captures import enhanced_packet, interface, pcap, pcapng, records
from command import COMMAND, environment, error_lines, fluxcap, shell, wait_until_read

COMMANDS = ("info", "flows", "check", "packets")


def udp(src: str, dst: str, src_port: int, dst_port: int, size: int = 10, checksum=None) -> bytes:
    return b.ethernet(b.ipv4(b.udp(bytes(size), src_port, dst_port, checksum=checksum), src, dst))


A, B = "10.0.0.1", "10.0.0.2"
# One dialogue of four packets, one of two, and a packet whose checksum the sender left to its card.
PACKETS = [
    *[udp(A, B, 4000, 53, size) for size in (5, 6, 7)],
    udp(B, A, 53, 4000, 100),
    *[udp(A, B, 4001, 53, size) for size in (200, 300)],
    udp(A, B, 4002, 53, 1, "partial"),
]
GOOD = pcap(records(PACKETS))
CUT = GOOD[:-3]
BAD = pcap(records([*PACKETS, udp(A, B, 4003, 53, 4, 0x0BAD), b.ethernet(b.ipv4(b.udp(b"x"), checksum=0x0BAD))]))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.pcap"
    path.write_bytes(GOOD)
    return path


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    path = tmp_path / "cut.pcap"
    path.write_bytes(CUT)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.pcap"
    path.write_bytes(BAD)
    return path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


# What it says of itself


def test_without_arguments_it_says_what_it_is_in_about_twelve_lines():
    done = fluxcap()
    assert done.returncode == 0
    assert 10 <= len(done.stdout.splitlines()) <= 14
    for part in ("fluxcap info", "fluxcap flows", "fluxcap check", "--help"):
        assert part in done.stdout


@pytest.mark.parametrize("arguments", [["--version"], ["-V"]])
def test_version_shows_the_kernel_in_use_and_the_packages(arguments):
    done = fluxcap(*arguments, env={"FLUXCAP_KERNEL": "scalar"})
    assert done.returncode == 0
    assert re.search(r"^checksum kernel +scalar\b", done.stdout, re.MULTILINE)
    assert re.search(r"^numpy +\d+\.\d+", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_what_it_says_of_itself_takes_neither_numpy_nor_rich(arguments):
    probe = (
        "import sys; from fluxcap.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert not {'numpy', 'rich'} & set(sys.modules), 'imported'"
    )
    done = subprocess.run([sys.executable, "-c", probe, *arguments], capture_output=True, text=True, env=environment())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_in_a_pipe_rich_is_not_imported(command, good):
    probe = "import sys; from fluxcap.cli.main import main; main(sys.argv[1:]); assert 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-c", probe, command, str(good)], check=True, capture_output=True, env=environment())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_format(command):
    done = fluxcap(command, "--help")
    assert done.returncode == 0
    for part in ("--format", "--output", "--no-decap", "--strict", "--color", "--quiet", "--debug", "ndjson", "tsv"):
        assert part in done.stdout


# Results


def test_flows_in_a_pipe_are_tab_separated_with_a_header_and_raw_integers(good):
    done = fluxcap("flows", good)
    assert (done.returncode, done.stderr) == (0, "")
    table = rows(done.stdout)
    assert len(table) == 3
    assert table[0]["src_ip"] == A
    assert [int(row["packets"]) + int(row["reverse_packets"]) for row in table] == [4, 2, 1]
    assert [int(row["bytes"]) for row in table] == [sum(42 + size for size in sizes) for sizes in ((5, 6, 7), (200, 300), (1,))]
    assert table[2]["partial"] == "1"
    assert table[0]["first"] == "2023-11-14T22:13:20.000000000Z"
    assert table[0]["protocol"] == "17"


def test_uniflow_gives_each_direction_a_row(good):
    table = rows(fluxcap("flows", "--uniflow", good).stdout)
    assert [(row["src_port"], row["packets"]) for row in table] == [("4000", "3"), ("53", "1"), ("4001", "2"), ("4002", "1")]
    assert "reverse_packets" not in table[0]


def test_the_key_and_prefix_lengths_are_as_asked_for(good):
    table = rows(fluxcap("flows", "--by", "src_ip/8,dst_port", good).stdout)
    assert [(row["src_ip"], row["dst_port"], row["packets"]) for row in table] == [
        ("10.0.0.0", "53", "6"),
        ("10.0.0.0", "4000", "1"),
    ]


def test_an_interval_gives_each_stretch_of_time_its_rows(good):
    table = rows(fluxcap("flows", "--by", "dst_port", "--interval", "4ms", good).stdout)
    assert [(row["interval"], row["packets"]) for row in table if row["dst_port"] == "53"] == [
        ("2023-11-14T22:13:20.000000000Z", "3"),
        ("2023-11-14T22:13:20.004000000Z", "3"),
    ]


def test_sort_is_descending_and_with_a_plus_ascending(good):
    largest = rows(fluxcap("flows", good, "-s", "bytes").stdout)
    smallest = rows(fluxcap("flows", good, "--sort", "+bytes").stdout)
    assert [row["src_port"] for row in largest] == ["4001", "4000", "4002"]
    assert smallest == largest[::-1]


def test_n_and_columns_cut_the_table(good):
    done = fluxcap("flows", "-n", "2", "--columns", "packets,src_port", good)
    assert done.stdout == "packets\tsrc_port\n3\t4000\n2\t4001\n"


def test_n_zero_is_all_rows(good):
    assert len(rows(fluxcap("packets", "-n", "0", good).stdout)) == 7


def test_options_may_stand_between_inputs(good):
    done = fluxcap("packets", good, "-n", "9", good, "--columns", "file,packet")
    in_order = [word for file in "01" for packet in "1234567" for word in (file, packet)]
    assert done.stdout.split()[2:] == in_order[: 2 * 9]


def test_packets_can_be_sorted_by_a_column_that_is_not_shown(good):
    done = fluxcap("packets", good, "-s", "wire_length", "--columns", "packet", "-n", "3")
    assert done.stdout.split() == ["packet", "6", "5", "4"]


def test_packets_are_read_no_further_than_n(good):
    with good.open("ab") as file:
        file.write(b"\xff" * 40)
    done = fluxcap("packets", "-n", "2", "--columns", "packet", good)
    assert (done.returncode, done.stdout, done.stderr) == (0, "packet\n1\n2\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_standard_input_is_read_like_a_file(command, good):
    from_file = fluxcap(command, good, "-f", "ndjson")
    from_pipe = fluxcap(command, "-", "-f", "ndjson", stdin=GOOD)
    assert from_pipe.returncode == from_file.returncode == 0
    size = f'"size": {len(GOOD)}'
    assert from_pipe.stdout.replace('"size": null', size).replace("<stdin>", str(good)) == from_file.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_one_object_with_a_schema(command, good):
    whole = json.loads(fluxcap(command, "-f", "json", good).stdout)
    assert whole["schema"] == 1
    assert whole["packets"] == 7


def test_json_of_flows_has_rows_and_what_is_known_of_the_inputs(cut):
    whole = json.loads(fluxcap("flows", "-f", "json", cut).stdout)
    assert [row["src_port"] for row in whole["rows"]] == [4000, 4001]
    assert whole["inputs"] == [str(cut)]
    assert whole["first"] == "2023-11-14T22:13:20.000000000Z"
    assert whole["ledger"]["counted"] == {"records": 6, "octets": sum(map(len, PACKETS[:6]))}
    [damage] = whole["damage"]
    assert (damage["path"], damage["packet"]) == (str(cut), 6)
    assert damage["offset"] == len(GOOD) - len(PACKETS[6]) - 16


def test_info_in_a_pipe_is_one_field_a_line(good):
    fields = {row["field"]: row["value"] for row in rows(fluxcap("info", good).stdout)}
    assert fields["packets"] == "7"
    assert fields["in_order"] == "true"
    assert fields["last"] == "2023-11-14T22:13:20.006000000Z"
    assert fields["inputs.0.name"] == str(good)
    assert fields["verdicts.17.partial"] == "1"


def test_a_capture_without_packets_is_done_and_has_a_header(tmp_path):
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(pcap([]))
    for command in ("flows", "packets"):
        done = fluxcap(command, empty)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == 1
        assert json.loads(fluxcap(command, "-f", "json", empty).stdout)["rows"] == []


def test_no_decap_stops_at_the_outer_header(tmp_path):
    tunnel = tmp_path / "tunnel.pcap"
    tunnel.write_bytes(pcap(records([b.ethernet(b.ipv4(b.ipv4(b.udp(b"x"), A, B)))])))
    assert rows(fluxcap("flows", tunnel).stdout)[0]["src_ip"] == A
    assert rows(fluxcap("flows", "--no-decap", tunnel).stdout)[0]["src_ip"] == "192.0.2.1"


# check


def test_check_fails_on_more_bad_checksums_than_are_allowed(good, bad):
    assert fluxcap("check", good).returncode == 0
    assert fluxcap("check", bad).returncode == 1
    assert fluxcap("check", bad, "--max-bad", "1").returncode == 1
    assert fluxcap("check", bad, "--max-bad", "2").returncode == 0


def test_check_counts_verdicts_by_header(bad):
    counts = {row["header"]: row for row in rows(fluxcap("check", bad).stdout)}
    assert [counts["UDP"][verdict] for verdict in ("good", "bad", "partial")] == ["7", "1", "1"]
    assert [counts["IPv4"][verdict] for verdict in ("good", "bad")] == ["8", "1"]


def test_check_lists_bad_packets_with_the_sums_found_and_expected(bad):
    listed = rows(fluxcap("check", "--list", "0", bad).stdout)
    assert [row["packet"] for row in listed] == ["8", "9"]
    right = int.from_bytes(udp(A, B, 4003, 53, 4)[40:42])
    assert (listed[0]["checksum"], listed[0]["expected"]) == (str(0x0BAD), str(right))
    assert (listed[1]["ip_verdict"], listed[1]["ip_checksum"]) == ("bad", str(0x0BAD))
    assert len(rows(fluxcap("check", "--list", "1", bad).stdout)) == 1


def test_check_says_where_partial_checksums_come_from(good):
    done = fluxcap("check", good)
    assert A in done.stderr
    assert "captured on the sender before the network card filled" in done.stderr
    assert fluxcap("check", "--quiet", good).stderr == ""
    assert A in json.loads(fluxcap("check", "-f", "json", good).stdout)["offload"]


# Damage


@pytest.mark.parametrize("command", COMMANDS)
def test_a_cut_input_gives_its_results_a_message_and_exit_code_3(command, cut):
    done = fluxcap(command, cut)
    error, help = error_lines("".join(line for line in done.stderr.splitlines(True) if not line.startswith("hint:")))
    assert done.returncode == 3
    assert done.stdout
    assert str(cut) in error
    assert "packet 6" in error
    assert str(len(GOOD) - len(PACKETS[6]) - 16) in error
    assert help


@pytest.mark.parametrize("command", COMMANDS)
def test_strict_refuses_a_cut_input_and_prints_nothing(command, cut):
    done = fluxcap(command, "--strict", cut)
    error_lines(done.stderr)
    assert (done.returncode, done.stdout) == (2, "")


def test_every_damaged_input_is_named(cut, tmp_path, good):
    other = tmp_path / "other.pcap"
    other.write_bytes(CUT)
    done = fluxcap("flows", cut, good, other)
    assert done.returncode == 3
    assert len(re.findall("^error: ", done.stderr, re.MULTILINE)) == 2
    assert rows(done.stdout)[0]["packets"] == "9"


def test_damage_weighs_more_than_bad_checksums(tmp_path):
    path = tmp_path / "both.pcap"
    path.write_bytes(BAD[:-3])
    assert fluxcap("check", path).returncode == 3


def test_max_flows_stops_with_what_was_read_and_exit_code_4(good):
    done = fluxcap("flows", "--max-flows", "2", good)
    assert done.returncode == 4
    assert len(rows(done.stdout)) == 2
    assert "6 packets" in done.stderr
    assert fluxcap("flows", "--max-flows", "3", good).returncode == 0


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "error", "help"),
    [
        (["flwos", "x"], "'flwos'", "'flows'"),
        (["flows", "good.pcap", "--colums", "x"], "'--colums'", "'--columns'"),
        (["flows", "good.pcap", "-f", "tvs"], "'tvs'", "'tsv'"),
        (["flows", "good.pcap", "--columns", "byte"], "'byte'", "'bytes'"),
        (["flows", "good.pcap", "-s", "packet"], "'packet'", "'packets'"),
        (["flows", "good.pcap", "-s", "reverse_packets", "--uniflow"], "'reverse_packets'", "packets"),
        (["packets", "good.pcap", "-s", "src_prt"], "'src_prt'", "'src_port'"),
        (["flows", "good.pcap", "--by", "dstprt"], "'dstprt'", "'dst_port'"),
        (["flows", "god.pcap"], "god.pcap", "good.pcap"),
        (["flows", "nothing-like-it"], "nothing-like-it", "path"),
        (["flows", "no/such/directory/x.pcap"], "no/such/directory/x.pcap", "no/such/directory"),
        (["flows"], "INPUT", "--help"),
        (["flows", "good.pcap", "-n", "-1"], "-n", "--help"),
        (["flows", "good.pcap", "-n", "many"], "'many'", "--help"),
        (["flows", "good.pcap", "--max-flows", "0"], "--max-flows", "--help"),
        (["flows", "good.pcap", "--interval", "soon"], "'soon'", "--help"),
        (["flows", "good.pcap", "-o", "x.docx"], "x.docx", ".ndjson"),
        (["flows", "good.pcap", "-o", "good.pcap", "-f", "csv"], "good.pcap", "-o"),
        (["flows", "notes.txt"], "notes.txt", "pcap"),
        (["flows", "good.pcap", "notes.txt"], "notes.txt", "pcap"),
        (["flows", "empty"], "empty", ""),
        (["--frobnicate"], "'--frobnicate'", "--help"),
    ],
)
def test_a_mistake_is_one_error_line_one_help_line_and_exit_code_2(good, arguments, error, help):
    (good.parent / "notes.txt").write_text("hello world\n")
    (good.parent / "empty").write_bytes(b"")
    done = fluxcap(*arguments, cwd=good.parent)
    lines = error_lines(done.stderr)
    assert (done.returncode, done.stdout) == (2, "")
    assert error in lines[0]
    assert help in lines[1]


def test_an_input_that_may_not_be_read_is_named(good, tmp_path):
    done = fluxcap("flows", tmp_path / "good.pcap" / "below")
    assert done.returncode == 2
    assert "below" in error_lines(done.stderr)[0]


def test_debug_adds_where_in_the_program_it_happened(tmp_path):
    done = fluxcap("flows", "--debug", tmp_path / "none")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "Traceback" not in fluxcap("flows", tmp_path / "none").stderr


# Where the output goes


@pytest.mark.parametrize("suffix", ["tsv", "csv", "json", "ndjson", "txt"])
def test_the_suffix_of_the_output_decides_the_format(good, tmp_path, suffix):
    path = tmp_path / f"flows.{suffix}"
    done = fluxcap("flows", good, "-o", path)
    assert (done.returncode, done.stdout) == (0, "")
    name = {"txt": "table"}.get(suffix, suffix)
    assert path.read_text() == fluxcap("flows", good, "-f", name).stdout


def test_a_format_that_is_named_beats_the_suffix(good, tmp_path):
    fluxcap("flows", good, "-o", tmp_path / "x.csv", "-f", "ndjson")
    assert json.loads((tmp_path / "x.csv").read_text().splitlines()[0])["src_ip"] == A


def test_an_output_appears_only_when_it_is_whole(good, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "x.csv").write_text("before")
    (out / "x.csv").chmod(0o640)
    fluxcap("packets", "--strict", tmp_path / "notes.txt", "-o", out / "x.csv")
    assert (out / "x.csv").read_text() == "before"
    fluxcap("packets", good, "-o", out / "x.csv")
    assert (out / "x.csv").read_text().startswith("packet,")
    assert (out / "x.csv").stat().st_mode & 0o777 == 0o640
    assert os.listdir(out) == ["x.csv"]


def test_a_dash_is_standard_output(good):
    assert fluxcap("flows", good, "-o", "-").stdout == fluxcap("flows", good).stdout


def test_an_output_through_a_link_replaces_the_file_and_keeps_the_link(good, tmp_path):
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to("real.csv")
    fluxcap("flows", good, "-o", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("protocol,")


def test_an_input_is_not_overwritten_whatever_it_is_called(good, tmp_path):
    (tmp_path / "link.csv").symlink_to(good)
    done = fluxcap("flows", tmp_path, "-o", tmp_path / "link.csv", "-f", "csv")
    assert done.returncode == 2
    assert good.read_bytes() == GOOD


@pytest.mark.parametrize("arguments", ["flows $1", "packets $1", "info $1", "check $1 -f json", "--help", "--version", ""])
def test_a_full_disk_is_exit_code_5_with_a_message(good, arguments):
    done = shell(f"fluxcap {arguments} > /dev/full", good)
    error, _ = error_lines("".join(line for line in done.stderr.splitlines(True) if not line.startswith("hint:")))
    assert done.returncode == 5
    assert "No space left on device" in error


@pytest.mark.parametrize("path", ["/dev/full", "no-such-directory/x.csv"])
def test_an_output_that_cannot_be_written_is_exit_code_5(good, path):
    done = fluxcap("flows", good, "-o", path)
    assert done.returncode == 5
    assert path in error_lines(done.stderr)[0]


def test_a_closed_standard_output_is_exit_code_5_and_no_other_file_takes_its_place(good):
    done = shell("fluxcap flows $1 >&-", good)
    assert done.returncode == 5
    error_lines(done.stderr)
    assert good.read_bytes() == GOOD


def test_a_closed_or_full_standard_error_changes_nothing(good, cut):
    assert shell("fluxcap flows $1 2>&-", cut).returncode == 3
    assert shell("fluxcap flows $1 2>/dev/full", cut).returncode == 3
    assert shell("fluxcap flows $1 2>&-", cut).stdout == fluxcap("flows", cut).stdout
    assert shell("fluxcap flows nope 2>/dev/full").returncode == 2


# Pipes and signals


@pytest.mark.parametrize("command", ["packets", "packets -f json", "packets -f csv"])
def test_a_reader_that_leaves_is_exit_code_141_without_a_word(tmp_path, command):
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(records(PACKETS * 5000)))
    done = shell(f"fluxcap {command} $1 | head -1; echo ${{PIPESTATUS[0]}}", path)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "141"


def interrupted(*arguments: str, octets: bytes = GOOD, number: int = signal.SIGINT) -> subprocess.CompletedProcess[str]:
    """Signal it while it waits for more than `octets` on standard input."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        process.stdin.write(octets)
        process.stdin.flush()
        wait_until_read(process.stdin.fileno())
        process.send_signal(number)
        # Its standard input stays open: it is the signal that ends the reading.
        out, err = process.stdout.read(), process.stderr.read()
        return subprocess.CompletedProcess(process.args, process.wait(), out.decode(), err.decode())


def test_ctrl_c_prints_the_flows_so_far_and_exits_130():
    done = interrupted("flows", "-")
    assert (done.returncode, done.stderr) == (130, "")
    assert done.stdout == fluxcap("flows", "-", stdin=GOOD).stdout


def test_ctrl_c_leaves_a_whole_json_object():
    assert json.loads(interrupted("flows", "-f", "json", "-").stdout)["interrupted"] is True
    done = interrupted("packets", "-f", "json", "-")
    assert done.returncode == 130
    assert json.loads(done.stdout)["schema"] == 1


def test_ctrl_c_keeps_the_packets_that_were_written():
    many = pcap(records(PACKETS * 3000))
    done = interrupted("packets", "--columns", "packet", "-", octets=many)
    assert done.returncode == 130
    numbers = done.stdout.split()[1:]
    assert numbers[:3] == ["1", "2", "3"]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert len(numbers) >= 8192


@pytest.mark.parametrize("command", ["info", "check"])
def test_ctrl_c_is_never_a_traceback(command):
    done = interrupted(command, "-")
    assert (done.returncode, done.stderr) == (130, "")


def test_a_terminated_run_leaves_no_unfinished_file(tmp_path):
    many = pcap(records(PACKETS * 3000))
    done = interrupted("packets", "-", "-o", str(tmp_path / "x.csv"), octets=many, number=signal.SIGTERM)
    assert (done.returncode, done.stderr) == (143, "")
    assert os.listdir(tmp_path) == []


# What a file says of itself


def test_control_characters_from_a_file_never_reach_the_output(tmp_path):
    name = "\x1b[2J\x07=cmd\u202e"
    path = tmp_path / "evil.pcapng"
    path.write_bytes(pcapng(interface(name=name), enhanced_packet(PACKETS[0])))
    for format in ("tsv", "csv", "json", "ndjson", "table"):
        done = fluxcap("info", "-f", format, path)
        assert done.returncode == 0
        assert "cmd" in done.stdout
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", done.stdout + done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_control_characters_in_a_file_name_are_escaped(command, tmp_path):
    path = tmp_path / "a\x1b[31mb\nc.pcap"
    path.write_bytes(CUT)
    for format in ("tsv", "json", "table"):
        done = fluxcap(command, "-f", format, path)
        assert done.returncode == 3
        assert "\x1b" not in done.stdout + done.stderr
        assert r"a\x1b[31mb\x0ac.pcap" in done.stderr


def test_a_file_name_that_is_no_utf8_is_escaped(tmp_path):
    path = os.fsdecode(bytes(tmp_path) + b"/\xff.pcap")
    Path(path).write_bytes(CUT)
    for format in ("tsv", "json", "table"):
        done = fluxcap("info", "-f", format, path)
        assert done.returncode == 3
        assert r"\xff.pcap" in done.stderr
