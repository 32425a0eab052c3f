"""Inputs that several readings read together: each byte is fetched and decompressed once, and handed to all of them.

Readings that take a chunk in turn (`stepwise`) keep one chunk in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Final, Self

from fluxcap.capture.ahead.next_inputs import InputsAhead
from fluxcap.capture.compression import DecompressionError
from fluxcap.capture.inputs import Input, Opened
from fluxcap.capture.sources import Iterated
from fluxcap.plan.processors import ahead_for

CHUNK: Final = 4 << 20  # bytes of an input that is not decompressed, at a time


class SharedInput(Input):
    """An input as one of the readings opens it."""

    shared: _Shared
    reader: int

    @contextmanager
    def open(self) -> Iterator[Opened]:
        """The input, decompressed; the first reading to come opens it."""
        with self.shared.opened(self.reader) as opened:
            yield opened


class SharedInputs:
    """Some inputs, for so many readings. At the end of the context what a broken-off reading left open is closed."""

    def __init__(self, inputs: Sequence[Input], readings: int, ahead: int | None = None) -> None:
        self._ahead = InputsAhead(inputs, ahead_for(ahead))
        self._inputs = [_Shared(item, readings, self._ahead) for item in inputs]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for shared in self._inputs:
            shared.close()
        self._ahead.close()

    def of(self, reader: int) -> Iterator[Input]:
        """The inputs as this reading opens them."""
        for shared in self._inputs:
            item = SharedInput(*shared.item)
            item.shared, item.reader = shared, reader
            yield item


class _Shared:
    """One input, the chunks of it that some readings have still to take, and the error that ended it."""

    def __init__(self, item: Input, readings: int, ahead: InputsAhead) -> None:
        self.item = item
        self._ahead = ahead
        self._waiting: dict[int, deque[memoryview]] = {reader: deque() for reader in range(readings)}
        self._held = ExitStack()
        self._opened: Opened | None = None
        self._error: Exception | None = None

    @contextmanager
    def opened(self, reader: int) -> Iterator[Opened]:
        if self._opened is None:
            self._opened = self._held.enter_context(self._ahead.open(self.item))
            self._chunks = _chunks(self._opened)
        try:
            yield Opened(Iterated(self._taken(reader)), self._opened.compression, self._opened.ahead)
        finally:
            del self._waiting[reader]
            if not self._waiting:
                self.close()

    def close(self) -> None:
        self._held.close()

    def _taken(self, reader: int) -> Iterator[memoryview]:
        mine = self._waiting[reader]
        while True:
            if not mine:
                self._fetch()
            if not (chunk := mine.popleft()):
                return
            yield chunk

    def _fetch(self) -> None:
        if self._error is not None:
            raise self._error
        try:
            chunk = next(self._chunks, memoryview(b""))
        except Exception as error:  # of any kind: each reading meets it
            self._error = error
            raise
        for waiting in self._waiting.values():
            waiting.append(chunk)


def _chunks(opened: Opened) -> Iterator[memoryview]:
    """The bytes of an input, the first ones read ahead. An error comes after all bytes before it."""
    while opened.take_chunk is None:
        buffer, there = memoryview(bytearray(CHUNK)), 0
        try:
            while there < CHUNK and (n := opened.readinto(buffer[there:])):
                there += n
        except (DecompressionError, OSError):
            if there:  # no bytes would be the end
                yield buffer[:there]
            raise
        yield buffer[:there]
        if there < CHUNK and opened.take_chunk is None:
            return
    while chunk := opened.take_chunk():
        yield chunk
