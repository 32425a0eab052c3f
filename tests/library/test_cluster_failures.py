"""Machines and stores that fail: the tables are those of one process, or there is an error and no output."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

import fluxcap
from capture_pieces import picked, pieces
from command_line import error_lines
from command_line import fluxcap as run
from object_server import Behaviour, serving

distributed = pytest.importorskip("distributed")
pytest.importorskip("aiohttp")
dask = pytest.importorskip("dask")
from fluxcap import cluster  # noqa: E402 (its public names need no package, only their calls)

SESSION = (Path(__file__).parents[2] / "samples" / "session.pcap").read_bytes()
PACKETS = sum(packet for packet, _ in pieces(SESSION))
PARTS = {f"/{at}.pcap": picked(SESSION, range(PACKETS * at // 8 + 1, PACKETS * (at + 1) // 8 + 1)) for at in range(8)}


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    """Two threads of this process."""
    with (
        distributed.LocalCluster(1, threads_per_worker=2, processes=False, dashboard_address=":0") as local,
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
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local,
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
