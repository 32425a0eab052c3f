"""Objects in stores: their bytes are fetched before the reader asks for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from queue import SimpleQueue
from threading import Event
from typing import Final

from fluxcap.capture.ahead.belt import Belt, start
from fluxcap.stores import objects
from fluxcap.stores.failures import NoRanges
from fluxcap.stores.objects import Object

# The first block tells what an object is, and of what is no capture nothing more is fetched. Later blocks are larger,
# up to where the time of a request no longer counts: 4 MiB take 40 ms from a store that sends 100 MB/s.
FIRST: Final = 64 << 10
GROWTH: Final = 4
BLOCK: Final = 4 << 20
BLOCKS: Final = 4  # fetched side by side: a store sends several together faster than one
PIECES: Final = 16  # of a stream, read ahead


def fetched(item: Object, start: int = 0) -> Generator[bytes, None, None]:
    """The bytes of an object from there on, in order. An OSError comes after all bytes before it."""
    stopped = Event()
    at = start
    try:
        if item.ranges:
            try:
                for block in _blocks(item, start, stopped):
                    yield block
                    at += len(block)
                return
            except NoRanges:
                pass
        yield from _streamed(item, at, stopped)
    finally:
        stopped.set()


def _blocks(item: Object, start: int, stopped: Event) -> Generator[bytes, None, None]:
    assert item.size is not None
    waiting: deque[Callable[[], bytes]] = deque()
    at, size, side_by_side = start, FIRST, 1
    while at < item.size or waiting:
        while at < item.size and len(waiting) < side_by_side:
            end = min(at + size, item.size)
            waiting.append(_begun(partial(objects.read, item, at, end, stopped)))
            at, size = end, min(size * GROWTH, BLOCK)
        yield waiting.popleft()()
        side_by_side = BLOCKS


def _begun(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """Do the work in a thread; what is returned waits for its result, or its exception."""
    done: SimpleQueue[bytes | Exception] = SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except Exception as error:
            done.put(error)

    def result() -> bytes:
        made = done.get()
        if isinstance(made, Exception):
            raise made
        return made

    start(run)
    return result


def _streamed(item: Object, at: int, stopped: Event) -> Generator[bytes, None, None]:
    belt = Belt(PIECES)

    def carry() -> None:
        error = None
        try:
            for piece in objects.stream(item, at, stopped):
                if not belt.put(piece):
                    return
        except Exception as caught:
            error = caught
        belt.tell(error)

    start(carry)
    try:
        while isinstance(made := belt.take(), bytes):
            yield made
            belt.free()
        if made is not None:
            raise made
    finally:
        belt.stop()
