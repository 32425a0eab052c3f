"""What an input may be, and how its bytes are read: paths, globs, directories, URLs, standard input, files, bytes."""

from __future__ import annotations

import errno
import fnmatch
import glob
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn

from fluxcap.capture.compression import DecompressionError, decompressed, is_ahead, recognise, skippable
from fluxcap.capture.index import SUFFIX
from fluxcap.capture.live.handover import Handover, waiting
from fluxcap.capture.magic import HEAD, describe, is_capture
from fluxcap.capture.meter import METER, Measured
from fluxcap.capture.sources import Fetched, File, Iterated, Memory
from fluxcap.stores.urls import is_url, shown
from fluxcap.whole_files import naming

if TYPE_CHECKING:
    from fluxcap.capture.ahead.one_input import Source
    from fluxcap.stores.objects import Object

Octets = bytes | bytearray | memoryview

STANDARD_INPUT = "-"
STANDARD_INPUT_NAME = "<stdin>"
SKIPPED_AT_ONCE = 1 << 16  # bytes


class Opened:
    """The decompressed bytes of an input. The first bytes were read ahead (`head`) and are handed out first."""

    def __init__(self, source: Source, compression: str = "", ahead: bool = False) -> None:
        self.compression = compression
        self.ahead = ahead  # a thread of its own decompresses
        self.handover = Handover(waiting(source))
        self.by_core: Measured | None = None  # what reads `file`
        self._source = source
        self._handed = 0  # bytes given out by readinto()
        buffer = bytearray(HEAD)
        there = 0
        # A slow pipe is not waited for once its bytes tell what it is: an interrupt would lose them.
        while there < HEAD and not _is_told(bytes(buffer[:there])):
            try:
                n = source.readinto(memoryview(buffer)[there:])
            except DecompressionError:
                break  # the error comes again when the bytes before it are used up
            except OSError:
                if not there:
                    raise
                break
            if not n:
                break
            there += n
        self.head = bytes(buffer[:there])
        self._ahead = self.head

    @property
    def file(self) -> int | None:
        """The descriptor of a file that the core can read all remaining bytes from; None if there is no such file."""
        return self._source.fileno() if isinstance(self._source, io.FileIO) and not self._ahead else None

    @property
    def take_chunk(self) -> Callable[[], memoryview] | None:
        """A function that gives the next decompressed chunk; None for an input that is not decompressed."""
        return self._source.take if isinstance(self._source, Iterated) and not self._ahead else None

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next bytes into the buffer and say how many; 0 at the end."""
        if self._ahead:
            n = min(len(buffer), len(self._ahead))
            buffer[:n] = self._ahead[:n]
            self._ahead = self._ahead[n:]
        else:
            n = self._source.readinto(buffer)
        self._handed += n
        return n

    def seek(self, offset: int) -> bool:
        """Hand out the bytes from there on, next. False, and nothing changes, where these are made out of others."""
        if (seek := getattr(self._source, "seek", None)) is None:
            return False
        seek(offset)
        self._ahead = b""
        return True

    @property
    def reached(self) -> int:
        """Bytes of the source that were read by readinto() or by the core."""
        made = self._source.made if isinstance(self._source, Iterated) else 0
        return max(self._handed, made, 0 if self.by_core is None else self.by_core.reached)


class Input(NamedTuple):
    """One input, not yet opened."""

    name: str
    source: Callable[[], AbstractContextManager[Source]]  # opens it
    size: int | None = None  # bytes as stored, where that is known beforehand
    once: bool = False  # it cannot be read a second time
    directory: str = (
        ""  # where the file was found, if the user named only the directory: the file need not be a capture
    )

    @contextmanager
    def stored(self) -> Iterator[tuple[Opened, Opened]]:
        """The input as it is stored: from its first byte, and behind skippable frames. OSError if it cannot be
        opened."""
        with self.source() as source:
            with naming(self.name):
                whole = Opened(source)
                behind = _after_skippable(whole)
            yield whole, behind

    @contextmanager
    def open(self) -> Iterator[Opened]:
        """The input, decompressed. OSError if it cannot be opened, UnsupportedError if a library is missing."""
        with self.stored() as (whole, opened), METER.reading(whole):
            codec = recognise(opened.head)
            if codec is None:
                yield opened
                return
            with closing(decompressed(opened, codec, self.name, self.size)) as octets:
                yield Opened(Iterated(octets), codec.name, is_ahead(codec, self.size))


Capture = str | os.PathLike[str] | IO[bytes] | Octets | Input
Captures = Capture | Iterable[Capture]


def refuse_once(inputs: Iterable[Input], purpose: str) -> None:
    """ValueError if an input can be read only once; `purpose` is what it would have to be read again for."""
    for item in inputs:
        if item.once:
            raise ValueError(f"{item.name} can be read only once; save it to a file to {purpose}")


def _is_told(head: bytes) -> bool:
    """Whether these first bytes tell what an input is."""
    return is_capture(head) or recognise(head) is not None or skippable(head) > 0


def _after_skippable(opened: Opened) -> Opened:
    """The bytes behind all skippable frames at their start."""
    while left := skippable(opened.head):
        buffer = memoryview(bytearray(SKIPPED_AT_ONCE))
        while left and (n := opened.readinto(buffer[: min(left, len(buffer))])):
            left -= n
        opened = Opened(opened)
    return opened


def contents(head: bytes, compression: str = "") -> str:
    """What an input is that begins with these decompressed bytes: a noun with its article."""
    codec = recognise(head)
    if codec is None:
        return describe(head)
    outer = f" inside {compression} data" if compression else ""
    return f"{codec.name} data{outer}"


def expand(captures: Captures) -> list[Input]:
    """The inputs that `captures` names, in order. Directories are read with their sub-directories; files of a glob or a
    directory are sorted by name, numbers in names by value.

    FileNotFoundError for a missing path, a glob without matches or a directory without files; ValueError for an empty
    list; TypeError for anything that is not an input.
    """
    inputs = list(_expand(captures))
    if not inputs:
        raise ValueError("no input: the list of captures is empty")
    return inputs


def _expand(captures: Captures) -> Iterator[Input]:
    if isinstance(captures, (bytes, bytearray, memoryview)):
        view = memoryview(captures).cast("B")
        yield Input("<bytes>", lambda: nullcontext(Memory(view)), size=len(view))
    elif isinstance(captures, str) and captures == STANDARD_INPUT:
        yield Input(STANDARD_INPUT_NAME, lambda: nullcontext(File(_standard_input())), once=True)
    elif isinstance(captures, Input):
        yield captures
    elif isinstance(captures, (str, os.PathLike)):
        path = os.fsdecode(captures)
        yield from _objects(path) if is_url(path) else _paths(path)
    elif isinstance(captures, io.TextIOBase):
        raise TypeError("a capture is bytes: open the file in binary mode ('rb')")
    elif hasattr(captures, "readinto") or hasattr(captures, "read"):
        name = getattr(captures, "name", None)
        file = File(captures)
        yield Input(name if isinstance(name, str) else "<file>", lambda: nullcontext(file), once=True)
    elif isinstance(captures, Iterable):
        for capture in captures:
            yield from _expand(capture)
    else:
        kind = type(captures).__name__
        raise TypeError(f"a {kind} is no capture: give a path, an open binary file, bytes or a list of these")


def _standard_input() -> Any:
    # Without Python's buffer, which would wait for more bytes before it gave out what a slow pipe has brought.
    return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)


def _objects(url: str) -> Iterator[Input]:
    from fluxcap.stores import objects

    for one in sorted(objects.find(url), key=lambda one: as_counted(one.url)):
        if one.directory and one.url.endswith(SUFFIX):
            continue
        yield Input(shown(one.url), partial(_fetched, one), one.size, directory=one.directory)


@contextmanager
def _fetched(item: Object) -> Iterator[Source]:
    from fluxcap.capture.ahead.objects import fetched

    with closing(Fetched(partial(fetched, item))) as octets:
        yield octets


def _paths(path: str) -> Iterator[Input]:
    if not os.path.lexists(path) and glob.has_magic(path):
        # Path.glob() refuses absolute patterns.
        matches = sorted(_below(path) if "**" in Path(path).parts else glob.glob(path), key=as_counted)  # noqa: PTH207
        if not matches:
            raise FileNotFoundError(errno.ENOENT, "No file matches", path)
        for match in matches:
            if not match.endswith(SUFFIX):
                yield from _path(match)
    else:
        yield from _path(path)


def as_counted(path: str) -> tuple[list[tuple[str | tuple[int, str], ...]], str]:
    """A sort key that orders rotated files as people count them: cap.pcap, cap.pcap1, cap.pcap2, cap.pcap10."""
    return [tuple(_counted(name)) for name in Path(path).parts], path


def _counted(name: str) -> Iterator[str | tuple[int, str]]:
    """The texts and the numbers of a name in turn."""
    for place, part in enumerate(re.split(r"([0-9]+)", name)):
        yield (int(part), part) if place % 2 else part  # of equal numbers, `01` before `1`


def _below(pattern: str) -> Iterator[str]:
    """The files that a pattern with `**` matches. Links to directories are not followed: one may lead to a parent."""
    parts = Path(pattern).parts
    at = parts.index("**")
    for root in glob.glob(os.path.join(*parts[:at])) if at else [""]:  # noqa: PTH207, PTH118
        for folder, _, names in os.walk(root or os.curdir):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), root or os.curdir)  # noqa: PTH118
                if _matches(Path(path).parts, parts[at:]):
                    yield os.path.join(root, path)  # noqa: PTH118


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether each name matches its pattern; `**` is any number of names, none of them hidden, as in a shell."""
    if not patterns or not names:
        return not names and all(pattern == "**" for pattern in patterns)
    hidden = names[0].startswith(".") and not patterns[0].startswith(".")
    if patterns[0] == "**":
        return _matches(names, patterns[1:]) or (not hidden and _matches(names[1:], patterns))
    return not hidden and fnmatch.fnmatchcase(names[0], patterns[0]) and _matches(names[1:], patterns[1:])


def _path(path: str) -> Iterator[Input]:
    status = os.stat(path)  # noqa: PTH116 (Path("") would be the current directory)
    if stat.S_ISDIR(status.st_mode):
        files = sorted(_files_below(path), key=as_counted)
        if not files:
            raise FileNotFoundError(errno.ENOENT, "No file in this directory", path)
        for file in files:
            yield Input(file, _opener(file), Path(file).stat().st_size, directory=path)
    elif stat.S_ISREG(status.st_mode):
        yield Input(path, _opener(path), status.st_size)
    else:
        yield Input(path, _opener(path), once=True)


def _files_below(directory: str) -> Iterator[str]:
    for folder, _, names in os.walk(directory, onerror=_raise):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not name.endswith(SUFFIX):  # no socket, FIFO, dangling link
                yield str(path)


def _raise(error: OSError) -> NoReturn:
    raise error


def open_file(path: str) -> io.FileIO:
    """A file as an input is read from it; unbuffered, since the core's read buffer is the buffer."""
    return open(path, "rb", buffering=0)


def _opener(path: str) -> Callable[[], AbstractContextManager[Source]]:
    return partial(open_file, path)
