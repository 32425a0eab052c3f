"""A directory without an index, or with one that contradicts itself, gives an error with the place, and no file."""

import json
import os

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from command_line import error_lines, shell, terminal
from command_line import fluxcap as run

FRAMES = [b.ethernet(b.ipv4(b.udp(b"hello", 1000 + n, 53))) for n in range(3)]


@pytest.fixture
def directory(tmp_path):
    fluxcap.demux(pcap(records(FRAMES)), tmp_path / "x")
    return tmp_path / "x"


def changed(path, place, members):
    """Write a line of a file with other members."""
    lines = path.read_text().splitlines()
    lines[place] = json.dumps({**json.loads(lines[place]), **members})
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("file", "number", "members", "word"),
    [
        ("messages", 1, {"socket": 7}, "messages.ndjson, line 2: no 7"),
        ("messages", 2, {"length": 6}, "line 3: udp-000001.bin ends before the 6 bytes at 10"),
        ("messages", 0, {"offset": -1}, "line 1"),
        ("messages", 0, {"offset": 2**70}, "line 1"),
        ("messages", 0, {"length": "5"}, "line 1"),
        ("messages", 0, {"length": -5}, "line 1"),
        ("messages", 0, {"length": 2**40}, "a message of 1,099,511,627,776 bytes does not fit into one packet"),
        ("messages", 0, {"missing": 65503}, "a message of 65,508 bytes does not fit into one packet"),
        ("messages", 0, {"missing": 2**64 - 1}, "does not fit into one packet"),
        ("messages", 0, {"missing": -1}, "line 1"),
        ("messages", 0, {"time": "2106-02-07T06:28:16.000000000Z"}, "does not fit a pcap"),
        ("messages", 0, {"time": "1969-12-31T23:59:59.999999999Z"}, "does not fit a pcap"),
        ("messages", 0, {"time": "yesterday"}, "'yesterday' is no time with nanoseconds"),
        ("messages", 0, {"time": 1}, "line 1"),
        ("messages", 0, {"src_ip": "localhost"}, "localhost"),
        ("messages", 0, {"src_port": 65536}, "line 1"),
        ("index", 1, {"port": -1}, "messages.ndjson, line 1"),
        ("index", 1, {"protocol": 6}, "index.ndjson, line 2: protocol 6 has no messages"),
        ("index", 1, {"number": "../../x"}, "index.ndjson, line 2"),
    ],
)
def test_a_line_that_cannot_be_true_is_named(directory, out, file, number, members, word):
    changed(directory / f"{file}.ndjson", number, members)
    with pytest.raises(ValueError, match="; take that line out, or let demux make") as error:
        fluxcap.mux(directory, out)
    assert word in str(error.value)
    assert not out.exists()


@pytest.mark.parametrize("text", ["{", "[]", "7", '"x"'])
def test_a_line_that_is_no_object_is_named(directory, out, text):
    (directory / "messages.ndjson").write_text(f"{text}\n")
    with pytest.raises(ValueError, match=r"messages.ndjson, line 1: "):
        fluxcap.mux(directory, out)


def test_the_index_does_not_say_which_files_are_read(directory, out):
    changed(directory / "index.ndjson", 1, {"file": "/etc/passwd"})
    fluxcap.mux(directory, out)
    assert out.read_bytes().count(b"hello") == 3


def test_a_directory_without_messages_is_a_capture_without_records(tmp_path, out):
    fluxcap.demux(pcap([]), tmp_path / "x")
    assert fluxcap.mux(tmp_path / "x", out) == (0, 0, 0)
    assert fluxcap.read_info(out).packets == 0


def test_no_file_of_the_index_is_overwritten(directory):
    for name in ("messages.ndjson", "udp-000001.bin"):
        before = (directory / name).read_bytes()
        with pytest.raises(ValueError, match="would be overwritten"):
            fluxcap.mux(directory, directory / name)
        assert (directory / name).read_bytes() == before


# The command ----------------------------------------------------------------------------------------------------------


def test_the_command_writes_a_capture_and_says_what_is_in_it(directory, out):
    done = run("mux", directory, "-o", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "hint: 3 messages, 15 B\n")
    piped = shell('set -o pipefail; fluxcap mux -q "$1" -o - | cmp - "$2"', directory, out)
    assert (piped.returncode, piped.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("x",), "mux needs -o"),
        (("y", "-o", "out"), "y/index.ndjson: No such file or directory"),
        (("x/index.ndjson", "-o", "out"), "Not a directory"),
        ((".", "-o", "out"), "index.ndjson: No such file or directory"),
        (("x", "-o", "x/messages.ndjson"), "overwrite"),
        (("wrong", "-o", "out"), "wrong/messages.ndjson, line 1: no 9"),
    ],
)
def test_mistakes_are_told_in_one_line_with_exit_code_2(directory, arguments, word):
    wrong = directory.with_name("wrong")
    fluxcap.demux(pcap(records(FRAMES)), wrong)
    changed(wrong / "messages.ndjson", 0, {"socket": 9})
    done = run("mux", *arguments, cwd=directory.parent)
    assert word in error_lines(done.stderr)[0]
    assert (done.returncode, done.stdout) == (2, "")
    assert sorted(path.name for path in directory.parent.iterdir()) == ["wrong", "x"]


def test_a_terminal_gets_no_capture_and_a_full_disk_is_exit_code_5(directory):
    screen = terminal("mux", directory, "-o", "-")
    assert (screen.code, "not for terminals" in screen.text) == (2, True)
    assert shell('fluxcap mux "$1" -o - > /dev/full', directory).returncode == 5


@pytest.mark.parametrize("name", ["udp-000001.bin", "index.ndjson", "messages.ndjson"])
@pytest.mark.parametrize("kind", ["link", "FIFO"])
def test_a_link_or_a_fifo_in_the_directory_is_refused(directory, out, name, kind):
    """A link could bring any file of this machine into the capture; a FIFO would block."""
    path = directory / name
    secret = directory.parent / "secret"
    path.rename(secret)
    if kind == "link":
        path.symlink_to(secret)
    else:
        os.mkfifo(path)
    with pytest.raises(ValueError, match=f"{name} is {'a symbolic link' if kind == 'link' else 'not a regular file'}"):
        fluxcap.mux(directory, out)
    assert not out.exists()


def test_json_that_is_nested_without_end_is_named(directory, out):
    with (directory / "index.ndjson").open("a") as index:
        index.write("[" * 200_000 + "\n")
    with pytest.raises(ValueError, match=r"index.ndjson, line \d+: it is nested too deep"):
        fluxcap.mux(directory, out)
