"""Decompression in a thread of its own, while the reader is busy with the bytes decompressed before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from queue import SimpleQueue
from typing import Protocol

from fluxcap.capture.ahead.belt import Belt, start

# Bytes read from the source at a time: each piece costs both threads a wait for the interpreter's lock. With pieces of
# 128 KiB reading flows from zstd took 1.5 times as long.
PIECE = 1 << 19
PIECES = 2  # read ahead: the thread works on one, the other waits
STEPS = 4  # results of the work that wait for the reader

Work = Callable[[Iterator[bytearray]], Iterable[bytes]]


class Source(Protocol):
    """Bytes in order."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next bytes into the buffer and say how many; 0 at the end."""


def pieces(source: Source, size: int) -> Iterator[bytearray]:
    """The bytes of a source, at most `size` at a time."""
    while piece := _piece(source, size):
        yield piece


def _piece(source: Source, size: int) -> bytearray:
    piece = bytearray(size)
    del piece[source.readinto(memoryview(piece)) :]
    return piece


class Ahead:
    """Iterates over what `work` makes of the pieces of a source.

    The iterating thread reads the source, never the thread of the work: a file object is used by one thread only, and
    Ctrl-C breaks off a read that waits. An exception of the source comes after everything that was made from the bytes
    before it. The thread ends with the work, or at its next step after the iteration was broken off.
    """

    def __init__(self, source: Source, work: Work) -> None:
        self._source = source
        self._source_error: BaseException | None = None
        self._source_ended = False
        self._work = work
        self._pieces: SimpleQueue[bytearray] = SimpleQueue()  # to the thread; an empty piece is the last

    def __iter__(self) -> Generator[bytes, None, None]:
        # From the thread: decompressed bytes; b"" after each piece; last, the error that ended the work, or None.
        self._belt = belt = Belt(STEPS)
        start(self._run)
        try:
            for _ in range(PIECES):
                self._feed()
            while isinstance(made := belt.take(), bytes):
                if made:
                    yield made
                    belt.free()
                else:
                    self._feed()
        finally:  # the thread is not waited for: where the interpreter is ending, it would never come
            belt.stop()
            self._pieces.put(bytearray())
        # Where the source failed, the work saw a false end of its input: its complaint about that end is dropped.
        if error := self._source_error or made:
            raise error

    def _feed(self) -> None:
        """Give the thread another piece."""
        if self._source_ended:
            return
        piece = bytearray()
        try:
            piece = _piece(self._source, PIECE)
        except (OSError, KeyboardInterrupt) as error:
            self._source_error = error
        self._source_ended = not piece
        self._pieces.put(piece)

    def _run(self) -> None:
        error = None
        try:
            for octets in self._work(self._arriving()):
                if not self._belt.put(octets):
                    return
        except Exception as caught:  # of any kind: the reader raises it
            error = caught
        self._belt.tell(error)

    def _arriving(self) -> Iterator[bytearray]:
        while piece := self._pieces.get():
            yield piece
            self._belt.tell(b"")
