"""order="time" gives the table of the ordered capture, for every reading function and command."""

import gzip
import random
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

import builders as b
import fluxcap
from capture_files import Record, pcap
from command_line import fluxcap as run
from command_line import shell
from fluxcap.errors import OutOfOrderWarning

MS = 10**6
START = 1_700_000_000 * 10**9
HOSTS = [f"10.0.0.{host}" for host in range(1, 6)]


def conversation() -> list[Record]:
    """Requests and answers of UDP and handshakes of TCP, a few at a time, all at different times."""
    draw, made = random.Random(7), []
    for number in range(400):
        client, server = draw.sample(HOSTS, 2)
        port, begun = 1024 + number % 90, START + draw.randrange(4_000 * MS)
        there, back = {"src": client, "dst": server}, {"src": server, "dst": client}
        if number % 3:
            talk = [b.ipv4(b.udp(b"?", port, 53), **there), b.ipv4(b.udp(b"!", 53, port), **back)]
        else:
            segments = [(port, 80, b.SYN, 100, 0, there), (80, port, b.SYN | b.ACK, 700, 101, back)]
            segments += [(port, 80, b.ACK, 101, 701, there), (port, 80, b.FIN | b.ACK, 101, 701, there)]
            talk = [
                b.ipv4(b.tcp(b"", src, dst, flags=flags, seq=seq, ack=ack), **ways)
                for src, dst, flags, seq, ack, ways in segments
            ]
        made += [Record(b.ethernet(ip), begun + place * 3 * MS + draw.randrange(MS)) for place, ip in enumerate(talk)]
    return sorted(made, key=lambda one: one.time)


ORDERED = conversation()


def shuffled() -> list[Record]:
    """Each record up to 50 ms later than its time."""
    draw = random.Random(8)
    return sorted(ORDERED, key=lambda one: one.time + draw.randrange(50 * MS))


def ten_files() -> list[bytes]:
    """The capture cut into ten that overlap, in any order."""
    draw, parts = random.Random(9), [[] for _ in range(10)]
    for place, one in enumerate(ORDERED):
        parts[min(9, max(0, place * 10 // len(ORDERED) + draw.choice((-1, 0, 1))))].append(one)
    draw.shuffle(parts)
    return [pcap(part, ns=True) for part in parts]


CAPTURES = {
    "shuffled": [pcap(shuffled(), ns=True)],
    "ten files": ten_files(),
    "ten files, compressed": [gzip.compress(one) for one in ten_files()],
    "shuffled, in two": [pcap(shuffled()[at::2], ns=True) for at in (0, 1)],
}
WHOLE = pcap(ORDERED, ns=True)


@pytest.fixture(params=CAPTURES)
def captures(request: pytest.FixtureRequest) -> list[bytes]:
    return CAPTURES[request.param]


@pytest.mark.parametrize("name", ["read_flows", "read_connections", "read_sockets", "read_hosts", "read_timeline"])
def test_the_table_is_that_of_the_ordered_capture(name, captures):
    read = getattr(fluxcap, name)
    with pytest.warns(OutOfOrderWarning, match='order="time"'):
        plain = read(captures)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ordered, merged = read(WHOLE), read(captures, order="time")
    assert merged == ordered
    assert plain != ordered
    assert (merged.metadata["in_order"], merged.metadata["late"]) == (True, None)
    assert merged.metadata["first"] == ordered.metadata["first"]


def test_packets_are_those_of_the_ordered_capture_but_for_their_files(captures):
    merged, ordered = fluxcap.read_packets(captures, order="time"), fluxcap.read_packets(WHOLE)
    for name in set(ordered.columns) - {"packet", "offset"}:
        assert np.array_equal(merged[name], ordered[name]), name
    parts = list(fluxcap.scan_packets(captures, order="time", batch_size=100))
    assert [len(part) for part in parts[:-1]] == [100] * (len(parts) - 1)
    assert np.array_equal(np.concatenate([part["time"] for part in parts]), ordered["time"])


def test_timeouts_go_by_the_order(captures):
    options = {"idle_timeout": "200ms", "interval": "1s"}
    assert fluxcap.read_flows(captures, order="time", **options) == fluxcap.read_flows(WHOLE, **options)


def test_reports_and_streams_are_those_of_the_ordered_capture(captures, tmp_path):
    merged, ordered = (
        fluxcap.read_checksums(what, **how) for what, how in ((captures, {"order": "time"}), (WHOLE, {}))
    )
    assert (merged.packets, merged.verdicts) == (ordered.packets, ordered.verdicts)
    info = fluxcap.read_info(captures, order="time")
    plain = fluxcap.read_info(captures)
    assert info.in_order
    assert not plain.in_order
    assert info.inputs == plain.inputs
    done = [
        fluxcap.demux(what, tmp_path / name, **how)
        for what, name, how in ((captures, "merged", {"order": "time"}), (WHOLE, "ordered", {}))
    ]
    assert (done[0].messages, done[0].streams, done[0].octets) == (done[1].messages, done[1].streams, done[1].octets)
    files = {path.name: path.read_bytes() for path in (tmp_path / "ordered").glob("*.bin")}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "merged").glob("*.bin")}


def test_the_result_is_the_same_for_any_number_of_threads(captures):
    one, four = (fluxcap.read_flows(captures, order="time", threads=threads) for threads in (1, 4))
    assert one == four


def test_flows_are_extracted_from_the_inputs_as_they_stand(captures, tmp_path):
    flows = fluxcap.read_flows(captures, order="time")
    some = flows["dst_port"] == 80
    if gzip.compress(b"")[:2] == captures[0][:2]:
        captures = [gzip.decompress(one) for one in captures]
    flows.extract(some, tmp_path / "some.pcap")
    taken = fluxcap.read_flows(tmp_path / "some.pcap", order="time", reorder="1h")
    assert taken["packets"].sum() == flows.filter(some)["packets"].sum()


def test_later_than_the_window_is_counted_said_and_read_where_it_stands():
    times = [START, START + 5 * 10**9, START + 10**9, START + 6 * 10**9]
    capture = pcap([Record(ORDERED[0].data, time) for time in times], ns=True)
    with pytest.warns(OutOfOrderWarning, match=r"1 record .* by up to 4.*packet 3 .* 2s .*--reorder"):
        table = fluxcap.read_packets(capture, order="time", reorder="2s")
    assert table["packet"].tolist() == [1, 2, 3, 4]
    late = table.metadata["late"]
    assert (late.records, late.by, late.input, late.packet) == (1, 4 * 10**9, 0, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fluxcap.read_packets(capture, order="time", reorder=5)["packet"].tolist() == [1, 3, 2, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "size"}, "order is 'time'"),
        ({"reorder": "1s"}, "say order='time'"),
        ({"order": "time", "reorder": 0}, "reorder must be"),
        ({"order": "time", "reorder": "soon"}, "reorder"),
    ],
)
def test_what_is_no_order_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        fluxcap.read_flows(WHOLE, **options)


def test_records_of_each_flow_as_a_capture_have_no_other_order(tmp_path):
    (tmp_path / "whole.pcap").write_bytes(WHOLE)
    with pytest.raises(ValueError, match="leave out order"):
        fluxcap.demux(tmp_path / "whole.pcap", tmp_path / "out", form="pcap", order="time")


def test_files_of_a_directory_that_are_no_captures_are_skipped(tmp_path):
    for number, capture in enumerate(ten_files()):
        (tmp_path / f"{number}.pcap").write_bytes(capture)
    (tmp_path / "3-notes.txt").write_text("these are notes")
    with pytest.warns(UserWarning, match="skipped"):
        table = fluxcap.read_flows(tmp_path, order="time")
    assert table == fluxcap.read_flows(WHOLE)
    assert len(table.metadata["inputs"]) == 10


def test_commands_take_the_order_and_standard_input(tmp_path):
    paths = [tmp_path / f"{number}.pcap" for number in range(10)]
    for path, capture in zip(paths, ten_files(), strict=True):
        path.write_bytes(capture)
    (tmp_path / "whole.pcap").write_bytes(WHOLE)
    for command in ("flows", "connections", "sockets", "packets --columns=time,src_ip,dst_port"):
        words = command.split()
        told = run(*words, "--order", "time", "--reorder", "100ms", *paths)
        assert (told.returncode, told.stderr) == (0, ""), command
        assert told.stdout == run(*words, tmp_path / "whole.pcap").stdout, command
    first, *others = paths
    piped = shell('cat "$1" | "$0" flows --order time - "${@:2}"', shutil.which("fluxcap") or "fluxcap", first, *others)
    if piped.returncode != 127:
        assert piped.stdout == run("flows", tmp_path / "whole.pcap").stdout
    for command in ("info", "check"):
        assert run(command, "--order", "time", *paths).returncode == 0
    refused = run("flows", "--reorder", "1s", first)
    assert (refused.returncode, "--order time" in refused.stderr) == (2, True)


@pytest.mark.skipif(shutil.which("mergecap") is None, reason="mergecap is not installed")
def test_mergecap_has_the_records_in_the_same_order(tmp_path: Path):
    paths = [tmp_path / f"{number}.pcap" for number in range(10)]
    for path, capture in zip(paths, ten_files(), strict=True):
        path.write_bytes(capture)
    subprocess.run(["mergecap", "-w", tmp_path / "merged.pcapng", *paths], check=True)
    theirs = fluxcap.read_packets(tmp_path / "merged.pcapng", columns="time,src_ip,src_port,dst_ip,dst_port")
    ours = fluxcap.read_packets(paths, columns=theirs.columns, order="time")
    assert ours == theirs
