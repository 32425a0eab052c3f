"""Machines and stores that fail: the tables are those of one process, or there is an error and no output."""

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

import fluxcap
from capture_pieces import picked, pieces
from command_line import error_lines
from command_line import fluxcap as run
from fluxcap.capture.inputs import Input, Memory
from object_server import Behaviour, serving

distributed = pytest.importorskip("distributed")
pytest.importorskip("aiohttp")
dask = pytest.importorskip("dask")
from fluxcap import cluster  # noqa: E402 (its public names need no package, only their calls)

SAMPLES = Path(__file__).parents[2] / "samples"
SESSION = (SAMPLES / "session.pcap").read_bytes()
PACKETS = sum(packet for packet, _ in pieces(SESSION))
PARTS = {f"/{at}.pcap": picked(SESSION, range(PACKETS * at // 8 + 1, PACKETS * (at + 1) // 8 + 1)) for at in range(8)}


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    """Two threads of this process."""
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as local,
        distributed.Client(local) as made,
    ):
        yield made


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr("fluxcap.plan.sizes.LEAST", 1)


def urls(server):
    return [server.url + path for path in PARTS]


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(every=10, status=503), Behaviour(cut_after=5000), Behaviour(every=10, cut_after=5000)],
    ids=["busy one time in ten", "each read cut once", "both"],
)
def test_a_store_that_fails_now_and_then_changes_nothing(behaviour, client):
    with serving(PARTS, behaviour) as server:
        made = cluster.read_connections(urls(server), client=client, task_bytes=1)
        assert made == fluxcap.read_connections(SESSION)
        assert not any(one["error"] for one in made.metadata["files"])


def test_of_a_read_that_is_always_cut_there_is_an_error(client, monkeypatch):
    monkeypatch.setattr("fluxcap.stores.failures.FIRST_WAIT", 0)
    cut = Behaviour(cut_after=5000, always_cut=True)
    with serving(PARTS, cut) as server, pytest.raises(fluxcap.CaptureError, match=r"/\d\.pcap"):
        cluster.read_flows(urls(server), client=client, task_bytes=1, on_error="raise")


FAILURES: list[Exception] = []  # of the next openings or reads, the last one first
opened_names: list[str] = []
FINAL = {"text": b"some text", "empty": b"", "cut": SESSION[:-5], "damaged": SESSION[:40] + b"\xff" * 40}
REFUSALS = {"gone": FileNotFoundError(errno.ENOENT, "No such file"), "refused": PermissionError(errno.EACCES, "No")}


class Unsteady(Memory):
    """Bytes, of which not all can be read at first."""

    parts = 0

    def readinto(self, buffer):
        self.parts += 1
        if self.parts > 1 and FAILURES:
            raise FAILURES.pop()
        return super().readinto(buffer[: len(SESSION) // 2])


def unsteady(inside):
    """Open SESSION. A function of a module, so that an input that has it can be sent to a worker."""
    if FAILURES and not inside:
        raise FAILURES.pop()
    return nullcontext(Unsteady(memoryview(SESSION)))


def wrong(name):
    """Open what cannot be read however often. A function of a module too."""
    opened_names.append(name)
    if name in REFUSALS:
        raise REFUSALS[name]
    return nullcontext(Memory(memoryview(FINAL[name])))


@pytest.mark.parametrize("on_error", ["collect", "raise"])
@pytest.mark.parametrize("inside", [False, True], ids=["when it is opened", "when it is read"])
def test_a_task_is_tried_again_after_an_error_that_may_pass(inside, on_error, client):
    source = Input("session", partial(unsteady, inside), len(SESSION))
    FAILURES[:] = [OSError(errno.EIO, "Input/output error") for _ in range(2)]
    made = cluster.read_flows(source, client=client, on_error=on_error)
    assert made == fluxcap.read_flows(SESSION)
    assert [(one["tries"], one["error"]) for one in made.metadata["files"]] == [(3, "")]
    FAILURES[:] = [OSError(errno.EIO, "Input/output error") for _ in range(2)]
    with pytest.raises(fluxcap.CaptureError, match="Input/output error"):
        cluster.read_flows(source, client=client, on_error="raise", retries=1)


go_on = threading.Event()


def slow(name):
    """Open what cannot be read, or wait."""
    if name not in REFUSALS:
        assert go_on.wait(60)
    return wrong(name)


def test_what_else_the_client_does_goes_on_after_an_error():
    """Tasks are under way then whose results go into joins that wait for them."""
    go_on.clear()
    sources = [Input(name, partial(slow, name), 100) for name in ["refused", *["text"] * 8]]
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as local,
        distributed.Client(local) as client,
    ):
        other = client.submit(len, "four", pure=False)
        with pytest.raises(fluxcap.CaptureError, match="refused"):
            cluster.read_flows(sources, client=client, task_bytes=1, fan_in=2, on_error="raise")
        go_on.set()
        assert client.submit(lambda n: n + 1, other).result(60) == 5


@pytest.mark.parametrize("name", [*FINAL, *REFUSALS])
def test_what_cannot_pass_is_tried_once(name, client):
    opened_names.clear()
    source = Input(name, partial(wrong, name), 100)
    with pytest.raises(fluxcap.CaptureError, match=name):
        cluster.read_flows(source, client=client, on_error="raise")
    assert opened_names == [name]
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        made = cluster.read_flows([SAMPLES / "session.pcap", source], client=client)
    assert [one["tries"] for one in made.metadata["files"]] == [1, 1]
    assert opened_names == [name, name]


def test_after_an_error_nothing_is_written(tmp_path):
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(SESSION[:-5])
    out = tmp_path / "flows.parquet"
    done = run("flows", cut, "--scheduler", "local:1", "--strict", "-o", out)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [cut])
    assert "cut.pcap" in error_lines(done.stderr)[0]


class Stopping(dict):
    """Objects; when one of them is asked for the second time, a process stops: the first one asks for its size."""

    victim = asked = 0

    def get(self, path, default=None):
        if path == "/5.pcap":
            self.asked += 1
            if self.asked == 2:
                os.kill(self.victim, signal.SIGSTOP)
        return super().get(path, default)


def test_the_work_of_a_machine_that_stalls_is_done_by_another():
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "2s"}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local,
        distributed.Client(local) as two,
    ):
        two.run(import_module, "fluxcap.cluster.collect")  # so that both are at work when one stops
        objects = Stopping(PARTS)
        objects.victim = next(iter(two.run(os.getpid).values()))
        try:
            with serving(objects) as server:
                made = cluster.read_connections(urls(server), client=two, task_bytes=1)
                assert made == fluxcap.read_connections(SESSION)
                assert f"/{objects.victim}" not in {one["worker"][-len(f"/{objects.victim}") :]
                                                    for one in made.metadata["files"]}  # fmt: skip
        finally:
            with suppress(ProcessLookupError):  # Dask has ended it
                os.kill(objects.victim, signal.SIGKILL)
