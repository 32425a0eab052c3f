"""URLs on the command line."""

import json
import signal
import subprocess
import sys
import time

import pytest

import fluxcap as library
from capture_files import pcap, records
from cli_captures import BAD, CUT, GOOD, PACKETS
from command_line import COMMAND, PATIENCE, environment, error_lines, fluxcap, terminal
from object_server import Behaviour, serving
from s3_server import BUCKET, s3_server

fsspec = pytest.importorskip("fsspec")

LONG = pcap(records(PACKETS * 1000))
SECRETS = ("hunter2", "0badcafe", "secret")
SIGNED = "?X-Amz-Signature=0badcafe"


@pytest.fixture(scope="module")
def server():
    stored = {"/good.pcap": GOOD, "/bad.pcap": BAD, "/cut.pcap": CUT, "/page.html": b"<html>" + bytes(1 << 20)}
    with serving(stored) as served:
        yield served


@pytest.fixture(scope="module")
def s3():
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    with s3_server() as access:
        yield access


def test_an_object_is_read_as_a_file_is(server, good):
    for command in ("flows", "packets", "connections", "sockets", "check"):
        far, near = fluxcap(command, f"{server.url}/good.pcap"), fluxcap(command, good)
        assert (far.returncode, far.stdout, far.stderr) == (near.returncode, near.stdout, near.stderr), command


def test_info_says_how_much_was_fetched(server):
    done = fluxcap("info", f"{server.url}/good.pcap{SIGNED}")
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["hint: fetched 1.0 KiB of 1.0 KiB"]
    done = fluxcap("info", f"{server.url}/page.html")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "hint: fetched 64.0 KiB of 1.0 MiB"
    assert "not a capture: it is an HTML page" in done.stderr


def test_no_secret_of_a_url_is_printed(server):
    url = server.url.replace("http://", "http://somebody:hunter2@")
    for name in ("good.pcap", "cut.pcap", "page.html", "nothing"):
        for command in (("info", "-f", "table"), ("check", "-f", "json"), ("flows", "--strict"), ("repair", "-o", url)):
            done = fluxcap(*command, f"{url}/{name}{SIGNED}", "--debug")
            assert done.stdout + done.stderr
            assert not [one for one in SECRETS if one in done.stdout + done.stderr], done.args


def test_no_secret_of_a_url_is_shown_at_a_terminal(server):
    screen = terminal("flows", f"{server.url}/good.pcap{SIGNED}")
    assert screen.code == 0
    assert not [one for one in SECRETS if one in screen.text]


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/nothing.pcap", 2, "no such object"),
        ("/no*.pcap", 2, "no object matches"),
        ("/page.html", 2, "not a capture: it is an HTML page"),
        ("/cut.pcap", 3, "cut short at byte"),
    ],
)
def test_what_is_wrong_with_an_object_is_said_with_its_url(server, path, code, said):
    done = fluxcap("flows", server.url + path)
    assert done.returncode == code
    error, help = error_lines(done.stderr)
    assert error.startswith(f"error: {server.url}{path}: ")
    assert said in error
    assert help != "help: "


def test_results_go_to_a_bucket_and_come_from_it(s3, good, tmp_path):
    for name in ("x.csv", "x.parquet", "repaired.pcap"):
        command = "repair" if name.endswith("pcap") else "flows"
        assert fluxcap(command, good, "-o", f"s3://{BUCKET}/{name}", env=s3).returncode == 0
        assert fluxcap(command, good, "-o", tmp_path / name).returncode == 0
    done = fluxcap("info", f"s3://{BUCKET}/repaired.pcap", "--format", "json", env=s3)
    assert done.returncode == 0
    assert json.loads(done.stdout)["packets"] == library.read_info(good).packets
    check = "import fsspec, sys; sys.stdout.buffer.write(fsspec.open(sys.argv[1]).open().read())"
    for name in ("x.csv", "x.parquet", "repaired.pcap"):
        stored = subprocess.run(
            [sys.executable, "-c", check, f"s3://{BUCKET}/{name}"], env=environment(**s3), capture_output=True
        )
        assert stored.stdout == (tmp_path / name).read_bytes()


def test_a_bucket_that_is_not_there_is_an_output_that_cannot_be_written(s3, good):
    done = fluxcap("flows", good, "-o", "s3://nowhere/x.csv", env=s3)
    assert done.returncode == 5
    assert error_lines(done.stderr)[0].startswith("error: s3://nowhere/x.csv: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("flows", "{url}", "-o", "{url}.csv"), "nothing is written to http://"),
        (("repair", "{url}", "-o", "{url}"), "is an input, and the output would overwrite it"),
        (("demux", "{url}", "-o", "s3://b/x"), "no directory of this machine"),
        (("packets", "--follow", "{url}"), "does not grow"),
    ],
)
def test_what_a_store_cannot_do_is_refused_before_any_work(server, arguments, said, tmp_path):
    url = f"{server.url}/good.pcap"
    before = server.sent
    done = fluxcap(*(one.format(url=url) for one in arguments), cwd=tmp_path)
    assert done.returncode == 2
    assert said in error_lines(done.stderr)[0]
    assert server.sent == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("pause", [1000, 0.001])
def test_ctrl_c_ends_a_reading_that_waits_for_a_store(ranges, pause):
    """A store that sends nothing, and one that sends a few bytes at a time."""
    with serving({"/x.pcap": LONG}, Behaviour(ranges=ranges, pause=pause, piece=100)) as server:
        with subprocess.Popen(
            [*COMMAND, "flows", f"{server.url}/x.pcap"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(),
        ) as run:  # fmt: skip
            end = time.monotonic() + PATIENCE
            while not any(method == "GET" for method, _, _ in server.requests):
                assert time.monotonic() < end
                time.sleep(0.01)
            time.sleep(0.2)
            run.send_signal(signal.SIGINT)
            said = run.communicate(timeout=PATIENCE)[1]
        assert run.returncode == 130
        assert b"Traceback" not in said
        server.behaviour.pause = 0
