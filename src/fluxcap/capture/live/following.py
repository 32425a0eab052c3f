"""Captures that grow, and files that follow one another: reading goes on at the end of what there is."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic, sleep
from typing import Final, NamedTuple

from fluxcap.capture.compression import recognise
from fluxcap.capture.inputs import STANDARD_INPUT, Captures, Input, as_counted, expand
from fluxcap.capture.magic import HEAD, is_capture
from fluxcap.capture.warn import warn
from fluxcap.errors import UnsupportedError, printable
from fluxcap.stores.urls import is_url

LOOK_EVERY: Final = 0.02  # seconds between two looks for more of a file: its packets leave within 100 ms
NEXT_EVERY: Final = 0.1  # ... for another file, which asks the system about every file there is
TOLD: Final = 8  # bytes of a file that tell whether it is a capture

Key = tuple[int, int]  # device and inode: a file keeps them when it is renamed


def named(captures: Captures, follow: bool) -> list[Input]:
    """The inputs that captures name, or with `follow` their paths."""
    return followed(captures) if follow else expand(captures)


def followed(captures: Captures) -> list[Input]:
    """Each path by itself as an input, which Following reads: files, and directories as they stand at any time.

    FileNotFoundError for a missing path, ValueError for an empty list, TypeError for a capture that is no path.
    """
    one = isinstance(captures, str | os.PathLike)
    paths = [captures] if one else list(captures)  # type: ignore[arg-type]
    if not paths:
        raise ValueError("no input: the list of captures is empty")
    if not all(isinstance(path, str | os.PathLike) and path != STANDARD_INPUT for path in paths):
        raise TypeError("only files and directories are followed, and a pipe is read to its end anyway; name a path")
    names = [os.fsdecode(path) for path in paths]  # type: ignore[arg-type]
    if any(map(is_url, names)):
        raise ValueError("an object in a store does not grow, and is not followed; leave out follow")
    for name in names:
        if not os.path.isdir(name):  # noqa: PTH112 (an empty directory is followed, and expand() refuses it)
            expand(name)
    return [Input(name, partial(_nothing, name)) for name in names]


def as_read(inputs: list[Input], follow: bool) -> Iterable[Input]:
    """The inputs in the order of reading: those there are, or with `follow` what Following finds at their paths."""
    return Following([item.name for item in inputs]) if follow else inputs


@contextmanager
def _nothing(name: str) -> Iterator[Growing]:
    raise AssertionError(f"{name} is followed, not read by itself")
    yield


class Growing:
    """A source over a file that may still grow; at the end of what there is it waits until the file is `over`."""

    def __init__(self, file: io.FileIO, over: Callable[[], bool]) -> None:
        self._file = file
        self._over = over

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next bytes into the buffer and say how many; 0 at the end."""
        while not (n := self._file.readinto(buffer)):
            if self._over():
                return self._file.readinto(buffer) or 0  # what came before the next file did
            sleep(LOOK_EVERY)
        return n

    def wait(self, seconds: float) -> bool:
        """Whether more comes, or the end, within so many seconds."""
        until = monotonic() + seconds
        while os.fstat(self._file.fileno()).st_size <= self._file.tell() and not self._over():
            if monotonic() >= until:
                return False
            sleep(min(LOOK_EVERY, seconds))
        return True


class Mark(NamedTuple):
    """What a file was when its reading ended."""

    size: int
    changed: int  # ns
    head: bytes


class Following:
    """The captures of some paths as inputs without end: each when it is there, those written last at the end.

    A capture is over when another one is there that was not read: a program that rotates its files closes one before it
    writes to the next. A file that was read and is written anew, as the first of a ring is, is another capture.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._read: dict[Key, Mark] = {}
        self._current: io.FileIO | None = None
        self._head = b""  # of the current file
        self._looked = 0.0

    def __iter__(self) -> Iterator[Input]:
        while True:
            while (path := self._next()) is None:
                sleep(NEXT_EVERY)
            yield Input(path, partial(self._open, path), once=True)

    @contextmanager
    def _open(self, path: str) -> Iterator[Growing]:
        with open(path, "rb", buffering=0) as file:
            self._current, self._head = file, _head(file)
            if codec := recognise(self._head):
                help = "Leave out what follows it, or follow the capture itself."
                raise UnsupportedError(path, reason=f"{codec.name} compressed, which cannot be followed", help=help)
            try:
                # What is no capture is refused, not waited for.
                yield Growing(file, self._is_over if is_capture(self._head) else _at_once)
            finally:
                status = os.fstat(file.fileno())
                if self._is_anew(file, status):
                    warn(UserWarning(f"{printable(path)}: written anew while it was followed; read from its beginning"))
                else:
                    self._read[_key(status)] = Mark(status.st_size, status.st_mtime_ns, _head(file))
                self._current = None

    def _is_over(self) -> bool:
        if monotonic() - self._looked < NEXT_EVERY:
            return False
        self._looked = monotonic()
        return self._next() is not None

    def _next(self) -> str | None:
        """The capture not read yet that was written first."""
        found = []
        there = set()
        for path in self._there():
            with suppress(OSError), open(path, "rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                there.add(_key(status))
                if self._is_unread(path, file, status) and self._is_begun(path, file, status):
                    found.append((status.st_mtime_ns, as_counted(path), path))
        # A capture that rotates for days leaves no marks of files that are gone.
        self._read = {key: mark for key, mark in self._read.items() if key in there}
        return min(found)[-1] if found else None

    def _there(self) -> list[str]:
        """The files that there are now."""
        there: list[str] = []
        for path in self._paths:
            with suppress(OSError):  # none at the moment
                there += [item.name for item in expand(path) if item.size is not None]
        return there

    def _is_unread(self, path: str, file: io.FileIO, status: os.stat_result) -> bool:
        if self._current is not None and os.path.sameopenfile(file.fileno(), self._current.fileno()):
            return self._is_anew(file, status)
        mark = self._read.get(_key(status))
        if mark is None or status.st_size < mark.size:
            return True
        if (status.st_size, status.st_mtime_ns) == mark[:2]:
            return False
        # The system gives the number of a file that is gone to the next one.
        if _head(file)[: len(mark.head)] != mark.head:
            return True
        if status.st_size > mark.size:
            warn(
                UserWarning(
                    f"{printable(path)}: went on after another capture had begun; what it holds more is not read"
                )
            )
        self._read[_key(status)] = Mark(status.st_size, status.st_mtime_ns, mark.head)
        return False

    def _is_anew(self, file: io.FileIO, status: os.stat_result) -> bool:
        """Whether the current file was cut short, or begins with other bytes than before."""
        assert self._current is not None
        head = _head(file)
        if status.st_size < self._current.tell() or not head.startswith(self._head):
            return True
        self._head = head
        return False

    def _is_begun(self, path: str, file: io.FileIO, status: os.stat_result) -> bool:
        """Whether a file is a capture by now; one that the user named is read anyway, and refused if it is none."""
        return is_capture(_head(file)) or (path in self._paths and status.st_size >= TOLD)


def _at_once() -> bool:
    return True


def _key(status: os.stat_result) -> Key:
    return status.st_dev, status.st_ino


def _head(file: io.FileIO) -> bytes:
    return os.pread(file.fileno(), HEAD, 0)
