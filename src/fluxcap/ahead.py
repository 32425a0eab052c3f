"""Work on a source's octets, done in a thread of its own while the reader is busy with what was made before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

PIECE = 1 << 16  # octets read from the source at a time
PIECES = 8  # that wait for the thread at most
# Made octets are copied into few buffers, used again and again: objects that wait in a queue would be fresh memory each
# time, and its page faults cost more than the copy. A buffer fits the core's window beside an incomplete record.
BUFFER = (1 << 18) - (1 << 14)
BUFFERS = 4  # one being filled, one being read, two that wait

Octets = bytes | memoryview
Work = Callable[[Iterator[bytearray]], Iterable[bytes]]


class Source(Protocol):
    """Octets in order."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next octets into the buffer and say how many; 0 at the end."""


class _StoppedError(Exception):
    """There is nothing more to work on."""


class Ahead:
    """Iterates over what `work` makes of the pieces of a source, at most BUFFER octets at a time.

    What is yielded may be used until the next one is asked for. The source is read by whoever iterates, never by the
    thread: a file object is used by one thread only, and Ctrl-C breaks off a read that waits. What the source raises
    comes after all that was made of what came before it. The thread ends with the iteration, or one step of the work
    after that was broken off.
    """

    def __init__(self, source: Source, work: Work) -> None:
        self._source = source
        self._source_ended = False
        self._error: BaseException | None = None
        self._work = work
        # To the thread: pieces, an empty one at the end of the source, None to stop; buffers, None to stop.
        self._pieces: SimpleQueue[bytearray | None] = SimpleQueue()
        self._free: SimpleQueue[memoryview | None] = SimpleQueue()
        # From the thread: buffers, each with the number of octets in it; last the error that ended the work, or None.
        self._made: SimpleQueue[tuple[memoryview, int] | Exception | None] = SimpleQueue()
        self._filling = memoryview(b"")
        self._filled = 0
        self._stopped = False

    def __iter__(self) -> Generator[Octets, None, None]:
        self._feed(2)
        if self._source_ended:  # so small that a thread would cost more than it saves
            with suppress(_StoppedError):
                yield from self._work(self._arriving())
        else:
            # A daemon, so that a scan that nobody closed does not keep the interpreter from ending.
            Thread(target=self._run, name="fluxcap-ahead", daemon=True).start()
            try:
                yield from self._buffers()
            finally:  # it is not waited for: where the interpreter is ending, it would never come
                self._stopped = True
                self._pieces.put(None)
                self._free.put(None)
        if self._error is not None:
            raise self._error

    # The reader's side

    def _feed(self, pieces: int) -> None:
        """See to it that so many pieces wait for the thread."""
        while not self._source_ended and self._pieces.qsize() < pieces:
            piece = bytearray(PIECE)
            try:
                n = self._source.readinto(memoryview(piece))
            except (OSError, KeyboardInterrupt) as error:
                self._error = error
                self._source_ended = True
                self._pieces.put(None)
                return
            del piece[n:]
            self._source_ended = not n
            self._pieces.put(piece)

    def _buffers(self) -> Iterator[memoryview]:
        for _ in range(BUFFERS):
            self._free.put(memoryview(bytearray(BUFFER)))
        while True:
            self._feed(PIECES)
            made = self._made.get()
            if not isinstance(made, tuple):
                self._error = self._error or made
                return
            buffer, filled = made
            if filled:
                yield buffer[:filled]
            self._free.put(buffer)

    def _arriving(self) -> Iterator[bytearray]:
        while (piece := self._pieces.get()) is not None:
            if not piece:
                return
            yield piece
        raise _StoppedError

    # The thread's side

    def _run(self) -> None:
        error = None
        try:
            self._filling = self._free_buffer()
            for octets in self._work(self._asking()):
                if self._filled + len(octets) > BUFFER:
                    self._hand_over()
                self._filling[self._filled : self._filled + len(octets)] = octets
                self._filled += len(octets)
                if self._stopped:
                    return
        except Exception as caught:  # whatever it is, it is the reader's to see
            error = caught
        self._made.put((self._filling, self._filled))
        self._made.put(error)

    def _asking(self) -> Iterator[bytearray]:
        for piece in self._arriving():
            yield piece
            if self._pieces.empty():  # the reader may be waiting to be asked for more
                self._hand_over()

    def _hand_over(self) -> None:
        self._made.put((self._filling, self._filled))
        self._filled = 0
        self._filling = self._free_buffer()

    def _free_buffer(self) -> memoryview:
        if (buffer := self._free.get()) is None:
            raise _StoppedError
        return buffer
