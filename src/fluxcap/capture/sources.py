"""Where the bytes of an input come from: memory, an iterator, an object in a store, a file of the caller."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Generator, Iterator
from typing import Any


class Memory:
    """A source over bytes in memory."""

    def __init__(self, octets: memoryview) -> None:
        self.left = self._whole = octets

    def seek(self, offset: int) -> None:
        """Go on with the bytes from there on."""
        self.left = self._whole[offset:]

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next bytes into the buffer and say how many; 0 at the end."""
        n = min(len(buffer), len(self.left))
        buffer[:n] = self.left[:n]
        self.left = self.left[n:]
        return n


class Iterated:
    """A source over bytes that an iterator makes. An error of the iterator is raised again at each call."""

    def __init__(self, octets: Iterator[bytes | bytearray | memoryview]) -> None:
        self.made = 0  # bytes
        self._octets = octets
        self._left = memoryview(b"")
        self._error: Exception | None = None

    def take(self) -> memoryview:
        """The next bytes, as they were made; none at the end."""
        if self._error is not None:
            raise self._error
        left, self._left = self._left, memoryview(b"")
        if left:
            return left
        try:
            made = memoryview(next(self._octets, b""))
        except Exception as error:
            self._error = error
            raise
        self.made += len(made)
        return made

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next bytes into the buffer and say how many; 0 at the end."""
        octets = self.take()
        n = min(len(buffer), len(octets))
        buffer[:n] = octets[:n]
        self._left = octets[n:]
        return n


class Fetched(Iterated):
    """A source over the bytes of an object, which may be fetched from any of them on."""

    def __init__(self, fetched: Callable[[int], Generator[bytes, None, None]]) -> None:
        self._fetched = fetched
        self._fetching = fetched(0)
        super().__init__(self._fetching)

    def seek(self, offset: int) -> None:
        """Go on with the bytes from there on."""
        self.close()
        self._fetching = self._fetched(offset)
        super().__init__(self._fetching)

    def close(self) -> None:
        """Fetch no more."""
        self._fetching.close()


def _keeps_nothing(file: Any) -> bool:
    """Whether a file is known not to keep the buffer that it fills, so that it may be lent the memory of the core."""
    return type(file.raw if type(file) is io.BufferedReader else file) in (io.FileIO, io.BytesIO)


class File:
    """A source over an open binary file, from its current position. The caller closes the file."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._trusted = _keeps_nothing(file)
        # readinto1() returns with what a pipe has at the moment, readinto() waits until the buffer is full.
        self._readinto = getattr(file, "readinto1", None) or getattr(file, "readinto", None)

    def fileno(self) -> int:
        """The descriptor that the bytes come from. OSError where there is none, or other bytes come as well."""
        if not self._trusted:
            raise io.UnsupportedOperation("fileno")
        return int(self._file.fileno())

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next bytes into the buffer and say how many; 0 at the end."""
        if self._readinto is None:
            octets = self._file.read(len(buffer))
            n = None if octets is None else len(octets)
            buffer[: n or 0] = octets or b""
        elif self._trusted:
            n = self._readinto(buffer)
        else:
            lent = bytearray(len(buffer))
            n = self._readinto(memoryview(lent))
            buffer[: n or 0] = lent[: n or 0]
        if n is None:
            raise BlockingIOError(errno.EAGAIN, "the file is in non-blocking mode and has nothing to give")
        return int(n)
