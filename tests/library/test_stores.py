"""Inputs and outputs that URLs name: the same as files, whatever the store is like."""

import base64
import bz2
import errno
import gzip
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import pytest

import fluxcap
from fluxcap.capture.inputs import expand
from fluxcap.stores import objects, urls
from library_sources import SRC
from object_server import Behaviour, serving
from s3_server import BUCKET, s3_server

fsspec = pytest.importorskip("fsspec")

SAMPLES = Path(__file__).parents[2] / "samples"
OFFICE = (SAMPLES / "office.pcap").read_bytes()  # more than the first two blocks
CUT = (SAMPLES / "cut-inside-a-record.pcap").read_bytes()
SECRET = "X-Amz-Signature=0badcafe"
STORED = {
    "/caps/office.pcap": OFFICE,
    "/caps/office.pcap.gz": gzip.compress(OFFICE),
    "/caps/office.pcap.bz2": bz2.compress(OFFICE),
}
BEHAVIOURS = {
    "plain": Behaviour(),
    "without ranges": Behaviour(ranges=False),
    "without ranges, and silent about it": Behaviour(ranges=False, says_ranges=False),
    "without sizes": Behaviour(ranges=False, sizes=False),
    "failing one time in ten": Behaviour(every=10),
    "failing every other time": Behaviour(every=2),
    "cutting each answer once": Behaviour(cut_after=40_000),
    "cutting, without ranges": Behaviour(cut_after=40_000, ranges=False),
    "slow": Behaviour(pause=0.01),
}


@pytest.fixture(scope="module")
def s3():
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    with s3_server() as access, pytest.MonkeyPatch.context() as patch:
        for name, value in access.items():
            patch.setenv(name, value)
        store = fsspec.filesystem("s3")
        for path, octets in STORED.items():
            store.pipe_file(BUCKET + path, octets)
        yield f"s3://{BUCKET}"


@pytest.fixture
def memory():
    store = fsspec.filesystem("memory")
    for path, octets in STORED.items():
        store.pipe_file(path, octets)
    yield store
    store.rm("/", recursive=True)


def names(url: str) -> list[str]:
    return [item.name for item in expand(url)]


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", STORED)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_an_object_of_a_web_server_reads_as_a_file_does(behaviour, path):
    with serving(STORED, BEHAVIOURS[behaviour]) as server:
        assert fluxcap.read_flows(server.url + path) == fluxcap.read_flows(OFFICE)


def every_result(src, directory: Path) -> dict[str, object]:
    """What every reading function makes of a capture."""
    flows = fluxcap.read_flows(src)
    flows.extract(flows["packets"] > 10, directory / "extracted.pcap")
    fluxcap.repair(src, directory / "repaired.pcap")
    fluxcap.demux(src, directory / "delivered")
    told = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    index = told.pop("delivered/index.ndjson")
    checksums, info = (read(src).to_dict() for read in (fluxcap.read_checksums, fluxcap.read_info))
    return {
        **told,
        "index": index.partition(b"\n")[2],
        "flows": flows,
        "packets": fluxcap.read_packets(src),
        "connections": fluxcap.read_connections(src),
        "sockets": fluxcap.read_sockets(src),
        "hosts": fluxcap.read_hosts(src),
        "timeline": fluxcap.read_timeline(src),
        "checksums": str(checksums).replace(str(src), "SRC"),
        "info": str(info).replace(str(src), "SRC"),
    }


@pytest.mark.parametrize("path", ["/caps/office.pcap", "/caps/office.pcap.gz"])
@pytest.mark.parametrize("store", ["s3", "memory", "http"])
def test_every_function_makes_of_an_object_what_it_makes_of_the_file(store, path, tmp_path, request):
    file, far, near = tmp_path / Path(path).name, tmp_path / "far", tmp_path / "near"
    file.write_bytes(STORED[path])
    far.mkdir()
    near.mkdir()
    with serving(STORED) as server:
        places = {"http": lambda: server.url, "s3": lambda: request.getfixturevalue("s3"),
                  "memory": lambda: request.getfixturevalue("memory") and "memory:/"}  # fmt: skip
        prefix = places[store]()
        assert every_result(prefix + path, far) == every_result(file, near)


def test_a_member_of_an_archive_is_read(tmp_path, memory):
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("day/office.pcap", OFFICE)
    memory.put_file(str(tmp_path / "all.zip"), "/all.zip")
    flows = fluxcap.read_flows(OFFICE)
    assert fluxcap.read_flows("zip://day/office.pcap::memory://all.zip") == flows
    assert fluxcap.read_flows("zip://*/*.pcap::memory://all.zip") == flows


def test_globs_and_directories_are_in_the_order_of_counted_names(memory):
    for number in (1, 2, 10):
        memory.pipe_file(f"/day/deep/cap{number}.pcap", OFFICE)
    found = [f"memory:///day/deep/cap{number}.pcap" for number in (1, 2, 10)]
    assert names("memory://day") == names("memory://day/") == found
    assert names("memory://day/**/*.pcap") == names("memory://day/deep/cap*") == found
    assert names("memory://day/deep/cap[0-9].pcap") == found[:2]
    assert names("memory://d*y") == found  # a directory that matches


def test_files_of_a_web_directory_are_found_and_what_is_no_capture_is_skipped():
    with serving({**STORED, "/caps/deep/x.pcap": OFFICE, "/caps/page.html": b"<html>"}) as server:
        found = [item.name.removeprefix(server.url) for item in expand(f"{server.url}/caps/")]
        assert found == ["/caps/deep/x.pcap", *sorted([*STORED, "/caps/page.html"])]
        assert {item.size for item in expand(f"{server.url}/caps/*.pcap")} == {len(OFFICE)}
        with pytest.warns(UserWarning, match=r"page\.html"):
            flows = fluxcap.read_flows(f"{server.url}/caps/")
    assert flows.metadata["skipped"] == [f"{server.url}/caps/page.html"]


def test_a_bucket_lists_globs_and_directories(s3):
    found = [f"{s3}{path}" for path in sorted(STORED)]
    assert names(f"{s3}/caps") == names(f"{s3}/caps/*") == names(f"{s3}/**/*.pcap*") == found
    assert fluxcap.read_flows(f"{s3}/caps") == fluxcap.read_flows([OFFICE] * 3)


def test_an_object_written_anew_is_read_anew(memory, s3):
    store = fsspec.filesystem("s3")
    for octets in (OFFICE, OFFICE[:24]):
        store.pipe_file(f"{BUCKET}/new/x.pcap", octets)
        assert fluxcap.read_info(f"{s3}/new/x.pcap").inputs[0].size == len(octets)
        assert fluxcap.read_info(f"{s3}/new").inputs[0].size == len(octets)


def test_no_more_is_fetched_than_tells_that_an_object_is_no_capture():
    with serving({"/page": b"<html>" + bytes(10_000_000)}) as server:
        with pytest.raises(fluxcap.NotACaptureError, match="an HTML page"):
            fluxcap.read_info(f"{server.url}/page")
        asked = [part for method, _, part in server.requests if method == "GET"]
    assert asked == ["bytes=0-65535"]


def test_each_byte_of_a_capture_is_fetched_once():
    before = objects.Traffic.octets
    with serving(STORED) as server:
        fluxcap.read_info(f"{server.url}/caps/office.pcap")
        assert server.sent == len(OFFICE)
        assert len([method for method, _, _ in server.requests if method == "HEAD"]) == 1
    assert objects.Traffic.octets - before == len(OFFICE)


# What goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranges", [True, False])
def test_an_object_that_breaks_off_for_good_is_damaged_where_it_does(ranges, monkeypatch):
    monkeypatch.setattr("fluxcap.stores.failures.FIRST_WAIT", 0)
    with (
        serving(STORED, Behaviour(cut_after=100_000, always_cut=True, ranges=ranges)) as server,
        pytest.warns(fluxcap.DamagedCaptureWarning) as caught,
    ):
        flows = fluxcap.read_flows(f"{server.url}/caps/office.pcap?{SECRET}")
    (damage,) = flows.metadata["damage"]
    assert damage.path == f"{server.url}/caps/office.pcap?..."
    # Of the blocks, the second one never comes; of a stream, all comes that was sent.
    sent = 100_000 if not ranges else 65536
    whole = [r for r in fluxcap.read_packets(OFFICE, columns="offset")["offset"].tolist() if r <= sent]
    assert abs(damage.offset - sent) < 2000
    assert damage.packet in (len(whole), len(whole) - 1)
    assert "the connection ended before the answer" in damage.reason
    assert f"at byte{'s' if ranges else ''} {sent}" in damage.reason
    assert SECRET not in str(caught[0].message)


def test_a_cut_object_is_cut_where_the_file_is():
    with serving({"/cut.pcap": CUT}) as server:
        said = []
        for src in (CUT, f"{server.url}/cut.pcap"):
            with pytest.warns(fluxcap.DamagedCaptureWarning):
                said.append(fluxcap.read_info(src).metadata["damage"][0][1:])
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("behaviour", "path", "error", "said"),
    [
        (Behaviour(), "/nothing.pcap", FileNotFoundError, "no such object"),
        (Behaviour(), "/no*.pcap", FileNotFoundError, "no object matches"),
        (Behaviour(password="eDp5"), "/caps/office.pcap", PermissionError, r"the store refuses access \(HTTP 401\)"),
        (Behaviour(every=1, status=403), "/caps/office.pcap", PermissionError, r"refuses access \(HTTP 403\)"),
        (Behaviour(every=1, status=503), "/caps/office.pcap", OSError, "HTTP 503 Service Unavailable"),
    ],
)
def test_what_a_store_refuses_is_an_error_with_the_url_and_without_secrets(behaviour, path, error, said, monkeypatch):
    monkeypatch.setattr("fluxcap.stores.failures.FIRST_WAIT", 0)
    with serving(STORED, behaviour) as server:
        url = server.url.replace("http://", "http://somebody:hunter2@")
        with pytest.raises(error, match=said) as caught:
            fluxcap.read_flows(f"{url}{path}?{SECRET}" if "*" not in path else url + path)
    assert server.url + path in str(caught.value)
    chain = [caught.value, caught.value.__cause__]
    assert chain[1] is None
    assert caught.value.__suppress_context__
    assert not any(secret in str(one) for one in chain for secret in ("hunter2", "somebody", "0badcafe"))


def test_a_password_in_a_url_is_used_and_not_shown():
    key = base64.b64encode(b"somebody:hunter2").decode()
    with serving(STORED, Behaviour(password=key)) as server:
        url = server.url.replace("http://", "http://somebody:hunter2@")
        info = fluxcap.read_info(f"{url}/caps/office.pcap?{SECRET}")
        assert info.inputs[0].name == f"{server.url}/caps/office.pcap?..."
        assert "hunter2" not in str(info.to_dict())
        assert "hunter2" not in str(fluxcap.read_info(f"{url}/caps/").to_dict())


def test_a_server_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr("fluxcap.stores.failures.FIRST_WAIT", 0)
    with serving({}) as server:
        url = server.url
    with pytest.raises(OSError, match=rf"{url}/x\.pcap"):
        fluxcap.read_flows(f"{url}/x.pcap")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/a/b.pcap", None),
        ("s3://key:secret@bucket/b.pcap", "s3://bucket/b.pcap"),
        ("s3://bucket/b?.pcap", None),
        ("s3://bucket/b.pcap?versionId=secret", "s3://bucket/b.pcap?..."),
        ("https://u:secret@host:8080/x.pcap?sig=secret#f", "https://host:8080/x.pcap?..."),
        ("https://secret@host/x.pcap", "https://host/x.pcap"),
        ("https://u:se@cret@host/x@y.pcap", "https://host/x@y.pcap"),
        ("zip://a.pcap::https://u:secret@host/a.zip?token=secret", "zip://a.pcap::https://host/a.zip?..."),
        ("simplecache::s3://bucket/b.pcap", None),
        ("abfs://container@account.dfs.core.windows.net/x", None),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url, shown):
    assert urls.is_url(url)
    assert urls.shown(url) == (shown or url)
    assert urls.without_secrets(f"in <{url.partition('::')[0]}>") == f"in <{urls.shown(url).partition('::')[0]}>"


@pytest.mark.parametrize("path", ["x.pcap", "C:/x.pcap", "a/b::c", "a:b", "-", "", "./s3://x"])
def test_a_path_is_no_url(path):
    assert not urls.is_url(path)
    assert urls.shown(path) == path


# Writing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.parquet", "x.csv.gz", "x.ndjson", "x.npz"])
def test_a_table_is_written_to_an_object(name, s3, tmp_path):
    flows = fluxcap.read_flows(OFFICE)
    flows.write(f"{s3}/out/{name}")
    flows.write(tmp_path / name)
    stored, kept = fsspec.filesystem("s3").cat_file(f"{BUCKET}/out/{name}"), (tmp_path / name).read_bytes()
    if name.endswith(".gz"):  # its header has a time
        stored, kept = gzip.decompress(stored), gzip.decompress(kept)
    assert stored == kept or name == "x.npz"
    assert len(stored) == len(kept)


def test_captures_are_written_to_objects(s3, tmp_path):
    fluxcap.repair(f"{s3}/caps/office.pcap", f"{s3}/out/repaired.pcap")
    fluxcap.repair(SAMPLES / "office.pcap", tmp_path / "repaired.pcap")
    flows = fluxcap.read_flows(f"{s3}/caps/office.pcap")
    flows.extract([0, 3], f"{s3}/out/extracted.pcap")
    flows.extract([0, 3], tmp_path / "extracted.pcap")
    for name in ("repaired.pcap", "extracted.pcap"):
        assert fsspec.filesystem("s3").cat_file(f"{BUCKET}/out/{name}") == (tmp_path / name).read_bytes()


def test_an_object_stays_as_it_was_where_writing_fails(memory, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    memory.pipe_file("/out.csv", b"before")

    def fail(*arguments, **named):
        raise OSError(errno.ENOSPC, "no room")

    flows = fluxcap.read_flows(OFFICE)
    with monkeypatch.context() as patch:
        patch.setattr("fluxcap.formats.csv.write", fail)
        with pytest.raises(OSError, match="no room"):
            flows.write("memory://out.csv")
    assert memory.cat_file("/out.csv") == b"before"
    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "put_file", fail)
        patch.setattr("fluxcap.stores.failures.FIRST_WAIT", 0)
        with pytest.raises(OSError, match=r"no room: 'memory://out\.csv'"):
            flows.write("memory://out.csv")
    assert memory.cat_file("/out.csv") == b"before"
    assert list(tmp_path.iterdir()) == []
    flows.write("memory://out.csv")
    assert memory.cat_file("/out.csv").startswith(b"protocol,")


def test_an_input_is_not_overwritten(memory):
    flows = fluxcap.read_flows("memory:///caps/office.pcap")
    with pytest.raises(ValueError, match="one of the inputs"):
        flows.extract([0], "memory:///caps/office.pcap")
    assert memory.cat_file("/caps/office.pcap") == OFFICE


@pytest.mark.parametrize("url", ["https://host/x.csv", "simplecache::memory://x.csv", "file:///tmp/x.csv"])
def test_what_cannot_be_written_whole_is_refused(url):
    with pytest.raises(ValueError, match="nothing is written to"):
        fluxcap.read_flows(OFFICE).write(url)


def test_files_are_not_delivered_to_a_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for form in ("octets", "pcap"):
        with pytest.raises(ValueError, match="no directory of this machine"):
            fluxcap.demux(OFFICE, "s3://bucket/directory", form=form)
    assert list(tmp_path.iterdir()) == []


def test_an_object_is_not_followed():
    with pytest.raises(ValueError, match="does not grow"):
        fluxcap.scan_packets("s3://bucket/x.pcap", follow=True)


# What is installed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "url", "said"),
    [
        ("fsspec", "memory://x", r"memory:// needs the package fsspec; run `pip install 'fluxcap\[remote\]'`"),
        ("s3fs", "s3://b/x", r"s3:// needs the package s3fs; run `pip install 'fluxcap\[remote\]'`"),
        ("s3fs", "zip://a::s3://b/x", r"s3:// needs the package s3fs; run `pip install 'fluxcap\[remote\]'`"),
        ("aiohttp", "https://h/x", r"https:// needs the package aiohttp; run `pip install 'fluxcap\[remote\]'`"),
        ("gcsfs", "gs://b/x", r"gs:// needs the package gcsfs; run `pip install 'fluxcap\[gs\]'`"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module, url, said, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    if module != "fsspec":
        monkeypatch.delitem(sys.modules, "fsspec.implementations.http", raising=False)
        registry = sys.modules["fsspec.registry"]
        for name in ("s3", "gs", "http", "https"):
            monkeypatch.delitem(registry._registry, name, raising=False)
    with pytest.raises(ImportError, match=said):
        fluxcap.read_info(url)


def test_an_unknown_store_is_an_error():
    with pytest.raises(OSError, match="Protocol not known: nosuchstore"):
        fluxcap.read_info("nosuchstore://x")


def test_one_module_imports_fsspec():
    found = [
        path for path in SRC.rglob("*.py") if "import fsspec" in path.read_text() or "from fsspec" in path.read_text()
    ]
    assert found == [SRC / "stores" / "objects.py"]


def test_urls_in_the_same_process_as_warnings_leave_none_behind():
    with serving(STORED) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        fluxcap.read_info(f"{server.url}/caps/office.pcap")
