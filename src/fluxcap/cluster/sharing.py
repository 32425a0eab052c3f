"""Work on the machines of a Dask cluster. The only module that imports Dask."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future as BeingMade
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from importlib.util import find_spec
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from uuid import uuid4
from weakref import WeakSet

from fluxcap.errors import missing
from fluxcap.plan.processors import processors
from fluxcap.stores.failures import is_last, may_pass

if TYPE_CHECKING:
    from distributed import Client, Future  # type: ignore[import-not-found,unused-ignore]

OnError = Literal["collect", "raise"]
Join = Callable[[Iterable[Any]], Any]
# What goes wrong is an exception of the call; the worker would log it too.
QUIET: Final = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}

_retries_left: ContextVar[int] = ContextVar("retries of the task", default=0)


class Sharing(NamedTuple):
    """How work is shared out."""

    client: Client | None = None  # None: threads of this process
    task_bytes: int | str = "512MB"
    fan_in: int = 8
    on_error: OnError = "collect"
    retries: int = 2
    on_read: Callable[[int], None] | None = None  # is told the bytes of inputs, as stored, whenever some are read

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
        self._topic = f"fluxcap-{uuid4()}"
        self._under_way: list[Joining] = []
        self._begun: WeakSet[Future] = WeakSet()
        self.fan_in = sharing.fan_in

    def do(self, work: Callable[..., Any], *arguments: Any, first: bool = False) -> Future:
        """Begin a task. Futures among the arguments are waited for, and replaced by their results. `first`: where a
        worker can do it, it goes before tasks that were begun earlier."""
        from dask.utils import funcname

        # Dask would try again after any error. The name is what the page of the cluster shows; it has to be new, since
        # a file may have changed after a task of the same arguments.
        key = f"{funcname(work)}-{uuid4()}"
        tried = partial(_tried, self._topic, self._retries, work)
        begun = self._client.submit(tried, *arguments, key=key, priority=int(first))
        self._begun.add(begun)
        return begun

    def each(
        self, work: Callable[..., Any], several: Sequence[Any], *arguments: Any, first: bool = False
    ) -> list[Future]:
        """Begin a task for each."""
        return [self.do(work, one, *arguments, first=first) for one in several]

    def tries(self, futures: Sequence[Future]) -> list[int]:
        """How often each of these tasks was begun."""
        begun = Counter(key for _, key in self._client.get_events(self._topic))
        return [begun[one.key] for one in futures]

    def results(self, futures: Sequence[Future]) -> list[Any]:
        """The results in order, here."""
        self.wait_for(futures)
        # Dask sends results by way of the scheduler, as not every client reaches all workers. Those of this machine it
        # does, and 60 MB take 0.07 s instead of 0.45 s.
        made: list[Any] = self._client.gather(list(futures), direct=True if self.near else None)
        return made

    @property
    def near(self) -> bool:
        """Whether the workers are processes of this machine, or threads of this process."""
        from distributed import LocalCluster

        return isinstance(self._client.cluster, LocalCluster)

    def wait_for(self, futures: Sequence[Future], done: Callable[[int], None] | None = None) -> None:
        """Wait for tasks whose results stay where they are, and tell `done` the place of each that ends. The first
        exception ends all that is under way."""
        from distributed import as_completed

        places = {one.key: place for place, one in enumerate(futures)}
        try:
            for one in as_completed(futures):
                if one.status == "error":
                    raise one.exception()
                if done is not None:
                    done(places[one.key])
        except BaseException:
            # Not cancel(): where a task waits for one whose Future is gone, the scheduler fails and breaks off the
            # connection of the client, who loses what else is under way there.
            for one in list(self._begun):
                if not one.done():
                    one.release()
            raise

    def finished(self, futures: Sequence[Future]) -> list[int]:
        """The places of the tasks that have ended."""
        return [place for place, one in enumerate(futures) if one.status == "finished"]

    def result(self, future: Future) -> Any:
        """The result of one task."""
        return self.results([future])[0]

    def joined(self, join: Join, parts: Sequence[Future], leaf: Callable[[Any, int], Any]) -> Any:
        """The result, here, of joining the leaves that parts have, in order."""
        return self.joining(join, parts, leaf).end()

    def joining(self, join: Join, parts: Sequence[Future], leaf: Callable[[Any, int], Any]) -> Joining:
        """The same, begun while parts are made."""
        made = Joining(self, join, parts, leaf)
        self._under_way.append(made)
        return made

    def end(self) -> None:
        """Drop what nobody waits for any more."""
        for one in self._under_way:
            one.drop()


class Joining:
    """The join of what parts have, in order, several at a time, until one is left. It goes on while parts are made.
    From a worker of this machine the last ones take no longer to come than what is joined of them, so this process
    joins them."""

    def __init__(self, sharers: Workers, join: Join, parts: Sequence[Future], leaf: Callable[[Any, int], Any]) -> None:
        self._sharers = sharers
        self._join = join
        self._more: SimpleQueue[Sequence[Future] | None] = SimpleQueue()
        self._made: BeingMade[Any] | None = None
        n = sharers.fan_in
        self._level = [sharers.do(leaf, part, place, first=True) for place, part in enumerate(parts)]
        while len(self._level) > n:
            self._level = [sharers.do(join, self._level[at : at + n]) for at in range(0, len(self._level), n)]
        if sharers.near:
            self._made = _on_a_thread(join, self._come())

    def _come(self) -> Iterator[Any]:
        with ThreadPoolExecutor(1) as ahead:  # one comes while another is joined
            yield from ahead.map(self._sharers.result, self._level)
        more = self._more.get()
        if more is None:
            raise UnwantedError
        yield from map(self._sharers.result, more)

    def end(self, more: Sequence[Future] = ()) -> Any:
        """The result, with these as the last leaves."""
        if self._made is None:
            return self._sharers.result(self._sharers.do(self._join, [*self._level, *more]))
        self._more.put(more)
        return self._made.result()

    def drop(self) -> None:
        """Nobody waits for the result."""
        self._more.put(None)


def _on_a_thread(work: Callable[..., Any], *arguments: Any) -> BeingMade[Any]:
    pool = ThreadPoolExecutor(1)
    made = pool.submit(work, *arguments)
    pool.shutdown(wait=False)
    return made


def _tried(topic: str, retries: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do the work of a task, again where a failure may pass; and have the tries counted."""
    from distributed import get_worker

    worker = get_worker()
    for tried in count(1):
        worker.log_event(topic, worker.get_current_task())
        _retries_left.set(retries + 1 - tried)
        try:
            return work(*arguments)
        except Exception as error:
            if is_last(error, tried, tries=retries + 1):
                raise


def is_tried_again(error: Exception) -> bool:
    """Whether the task that calls this is tried again after this error."""
    return _retries_left.get() > 0 and may_pass(error)


def stop_if_unwanted() -> None:
    """End the task that calls this, if nobody waits for its result any more: after Ctrl-C its worker has other work."""
    from distributed import get_worker

    try:
        worker = get_worker()
        key = worker.get_current_task()
    except ValueError:  # no task
        return
    task = worker.state.tasks.get(key)
    if task is None or task.state == "cancelled":
        raise UnwantedError


class UnwantedError(Exception):
    """Nobody waits for the result of a task."""


@contextmanager
def workers(sharing: Sharing) -> Iterator[Workers]:
    """The machines of the client; without one, threads of this process. ImportError if a package is missing."""
    sharing.check()
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError:
        raise missing("fluxcap.cluster", "distributed", "cluster") from None
    if sharing.client is not None:
        yield from _for_a_call(sharing.client, sharing)
        return
    with (
        LocalCluster(n_workers=1, threads_per_worker=processors(), processes=False, **QUIET) as cluster,
        Client(cluster) as client,
    ):
        yield from _for_a_call(client, sharing)


def _for_a_call(client: Client, sharing: Sharing) -> Iterator[Workers]:
    made = Workers(client, sharing)
    try:
        yield made
    finally:
        made.end()


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
    with (
        LocalCluster(n_workers=number, threads_per_worker=1, preload=deaf, **QUIET) as cluster,
        Client(cluster) as client,
    ):
        yield client


def dashboard(client: Client) -> str:
    """The address of the page that shows what the workers do; "" if there is none."""
    if client.cluster is not None and find_spec("bokeh") is None:  # the scheduler is here, and has nothing to show
        return ""
    link: str | None = client.dashboard_link
    return link or ""
