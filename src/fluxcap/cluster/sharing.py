"""Work on the machines of a Dask cluster. The only module that imports Dask."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from fluxcap.errors import missing
from fluxcap.plan.processors import processors

if TYPE_CHECKING:
    from distributed import Client, Future  # type: ignore[import-not-found,unused-ignore]

OnError = Literal["collect", "raise"]
# What goes wrong is an exception of the call; the worker would log it too.
QUIET: Final = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}


class Sharing(NamedTuple):
    """How work is shared out."""

    client: Client | None = None  # None: threads of this process
    task_bytes: int | str = "512MB"
    fan_in: int = 8
    on_error: OnError = "collect"
    retries: int = 2

    def check(self) -> None:
        """ValueError for a value that the option does not have."""
        if self.fan_in < 2:
            raise ValueError(f"fan_in is at least 2, not {self.fan_in}")
        if self.on_error not in ("collect", "raise"):
            raise ValueError(f"on_error is 'collect' or 'raise', not {self.on_error!r}")
        if self.retries < 0:
            raise ValueError(f"retries is at least 0, not {self.retries}")


class Workers:
    """The machines, while they work for one call."""

    def __init__(self, client: Client, sharing: Sharing) -> None:
        self._client = client
        self._retries = sharing.retries
        self.fan_in = sharing.fan_in

    def do(self, work: Callable[..., Any], *arguments: Any) -> Future:
        """Begin a task. Futures among the arguments are waited for, and replaced by their results."""
        # Not `pure`: a file may have changed since a task of the same arguments.
        return self._client.submit(work, *arguments, retries=self._retries, pure=False)

    def each(self, work: Callable[..., Any], several: Sequence[Any], *arguments: Any) -> list[Future]:
        """Begin a task for each."""
        return [self.do(work, one, *arguments) for one in several]

    def results(self, futures: Sequence[Future]) -> list[Any]:
        """The results in order, here."""
        self.wait_for(futures)
        made: list[Any] = self._client.gather(list(futures))
        return made

    def wait_for(self, futures: Sequence[Future]) -> None:
        """Wait for tasks whose results stay where they are. The first exception ends all that is under way."""
        from distributed import as_completed

        try:
            for one in as_completed(futures):
                if one.status == "error":
                    raise one.exception()
        except BaseException:
            self._client.cancel([one for one in futures if not one.done()])
            raise

    def finished(self, futures: Sequence[Future]) -> dict[int, Any]:
        """The results that there are by now, by place. They come at once, also from workers that are busy."""
        places = [place for place, one in enumerate(futures) if one.status == "finished"]
        return dict(zip(places, self._client.gather([futures[place] for place in places]), strict=True))

    def result(self, future: Future) -> Any:
        """The result of one task."""
        return self.results([future])[0]

    def tree(self, join: Callable[[list[Any]], Any], leaves: Sequence[Future]) -> Future:
        """Join several at a time, neighbours in order, until one is left."""
        n = self.fan_in
        level = [self.do(join, list(leaves[at : at + n])) for at in range(0, len(leaves), n)]
        while len(level) > 1:
            level = [self.do(join, level[at : at + n]) for at in range(0, len(level), n)]
        return level[0]


class Alone(Workers):
    """This process, which does a task when it is begun: after Ctrl-C the machines may be busy for a while."""

    def __init__(self) -> None:
        self.fan_in = Sharing().fan_in

    def do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do a task; what stands for futures elsewhere are results."""
        return work(*arguments)

    def results(self, futures: Sequence[Any]) -> list[Any]:
        """The results."""
        return list(futures)

    def wait_for(self, futures: Sequence[Any]) -> None:
        """Everything is done."""


@contextmanager
def workers(sharing: Sharing) -> Iterator[Workers]:
    """The machines of the client; without one, threads of this process. ImportError if a package is missing."""
    sharing.check()
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError:
        raise missing("fluxcap.cluster", "distributed", "cluster") from None
    if sharing.client is not None:
        yield Workers(sharing.client, sharing)
        return
    with (
        LocalCluster(1, threads_per_worker=processors(), processes=False, **QUIET) as cluster,
        Client(cluster) as client,
    ):
        yield Workers(client, sharing)


@contextmanager
def scheduler(address: str) -> Iterator[Client]:
    """The client of `tcp://HOST:PORT`, or of `local` or `local:N`: N processes of this machine."""
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError:
        raise missing("--scheduler", "distributed", "cluster") from None
    local, _, n = address.partition(":")
    if local != "local":
        with Client(address) as client:
            yield client
        return
    number = int(n) if n else processors()
    deaf = "fluxcap.cluster.deaf"
    with LocalCluster(number, threads_per_worker=1, preload=deaf, **QUIET) as cluster, Client(cluster) as client:
        yield client
