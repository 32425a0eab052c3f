"""The command line in a pipe: its help and version, and its results."""

import json
import re
import subprocess
import sys

import pytest

import builders as b
from capture_files import pcap, records
from cli_captures import GOOD, PACKETS, A, B, udp
from command_line import environment, fluxcap, rows
from real_captures import SAMPLES

COMMANDS = ("info", "flows", "connections", "sockets", "hosts", "timeline", "check", "packets")


# Help and version


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


@pytest.mark.parametrize("format", ["tsv", "csv", "ndjson", "json"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["info"],
        ["flows"],
        ["flows", "--by", "src_ip/24", "--features"],
        ["check"],
        ["packets"],
    ],
    ids=" ".join,
)
def test_what_programs_read_takes_neither_numpy_nor_rich(arguments, format, bad, out):
    # The origins of partial and bad checksums are found with numpy.
    capture = SAMPLES / "veth-checksums-computed.pcap" if arguments[0] == "check" else bad
    probe = (
        "import sys; from fluxcap.cli.main import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "assert not {'numpy', 'rich'} & set(sys.modules), 'imported'"
    )
    for to in ([], ["-o", str(out)]):
        run = [sys.executable, "-c", probe, *arguments, str(capture), "-f", format, *to]
        done = subprocess.run(run, capture_output=True, text=True, env=environment())
        assert done.returncode == 0, done.stderr
        assert out.stat().st_size if to else done.stdout


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
    assert [int(row["bytes"]) for row in table] == [3 * 42 + 5 + 6 + 7, 2 * 42 + 200 + 300, 42 + 1]
    assert table[2]["partial"] == "1"
    assert table[0]["first"] == "2023-11-14T22:13:20.000000000Z"
    assert table[0]["protocol"] == "17"


def test_uniflow_gives_each_direction_a_row(good):
    table = rows(fluxcap("flows", "--uniflow", good).stdout)
    assert [row["src_port"] for row in table] == ["4000", "53", "4001", "4002"]
    assert [row["packets"] for row in table] == ["3", "1", "2", "1"]
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
