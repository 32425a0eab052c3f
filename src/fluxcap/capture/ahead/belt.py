"""A thread that makes bytes, and their way to the thread that reads them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any


class Belt:
    """Carries what a thread makes to the thread that reads it: in order, and a bounded number of pieces.

    Both sides use queues only: Ctrl-C while the reader takes a lock would leave the lock taken for good.
    """

    def __init__(self, room: int) -> None:
        """`room` is the number of pieces that wait for the reader at most."""
        self.busy = False  # the thread makes something: it has begun, has not ended, and does not wait for room
        self.stopped = False  # nobody reads any more
        self._process = os.getpid()
        self._made: SimpleQueue[Any] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()  # an entry for each piece that may come
        for _ in range(room):
            self._room.put(None)

    def put(self, piece: bytes | bytearray) -> bool:
        """Hand over a piece when there is room for it. False: the reader wants no more."""
        if not self.stopped:
            self.busy = False
            self._room.get()
            self.busy = True
        if not self.stopped:
            self._made.put(piece)
        return not self.stopped

    def tell(self, word: object) -> None:
        """Hand over what takes no room."""
        self._made.put(word)

    def take(self) -> Any:
        """What was handed over next. RuntimeError in a process that was forked since: the thread is not there."""
        if os.getpid() != self._process:
            raise RuntimeError("a process that was forked has none of the threads that this reading goes on with")
        return self._made.get()

    def free(self) -> None:
        """Give back the room of a piece that was taken."""
        self._room.put(None)

    def stop(self) -> None:
        """Let the thread end at its next piece, and drop what it has made. The thread is not waited for."""
        self.stopped = True
        self._made = SimpleQueue()
        self.free()


def start(work: Callable[[], None]) -> None:
    """Do this work in a thread. RuntimeError if there are too many threads."""

    def run() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # the main thread handles them
        work()

    # A daemon thread, so that a scan that was never closed does not keep the interpreter from ending.
    Thread(target=run, name="fluxcap-ahead", daemon=True).start()
