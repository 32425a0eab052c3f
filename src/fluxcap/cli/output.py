"""The output: standard output, or a file that appears under its name only when it is whole."""

import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from fluxcap import formats
from fluxcap.cli.exits import OutputError, UsageError
from fluxcap.cli.messages import ColorChoice, is_terminal, wants_color
from fluxcap.formats import Rows, Screen, Table
from fluxcap.stores.urls import is_url, shown
from fluxcap.whole_files import is_special, unfinished

STANDARD: Final = "-"
WIDE: Final = 1 << 16  # characters: no table is as wide
NARROW: Final = 80  # columns of a drawing in a file
BUFFER_OCTETS: Final = 1 << 18  # few system calls, but the first rows of a slow input still come soon


class Output(NamedTuple):
    """Where results go and in which format."""

    path: str | None  # None: standard output
    format: str  # one of formats.names()
    screen: Screen
    whole: bool = False  # nothing is written before all of it is made
    compressed: bool = False  # in the way that the suffix of the path says

    @property
    def for_people(self) -> bool:
        """Whether a person reads the output, not a program."""
        return self.format == "table"

    @property
    def binary(self) -> bool:
        """Whether the format must not be sent to a terminal."""
        return formats.is_binary(self.format)

    @property
    def on_terminal(self) -> bool:
        """Whether the output appears on a terminal."""
        return self.path is None and is_terminal(sys.stdout)

    def write(self, rows: Rows) -> None:
        """Write the rows, as they come."""
        with self.stream() as out:
            flushed = rows._replace(tables=_flushed(_begun(rows.tables), out))
            formats.find(self.format).write(out, flushed, self.screen)

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """The stream to write to. OutputError if writing fails, BrokenPipeError if nobody reads any longer."""
        if not self.whole:
            with self._file() as out:
                yield out
            return
        import shutil
        import tempfile

        with tempfile.TemporaryFile() as spool:
            yield spool
            spool.seek(0)
            with self._file() as out:
                shutil.copyfileobj(spool, out)

    @contextmanager
    def _file(self) -> Iterator[BinaryIO]:
        with _opened(self.path) as file:
            if self.path is None or not self.compressed:
                yield file
                return
            with formats.compressing(file, self.path) as out:
                yield out

    def refuse(self, inputs: Iterable[str]) -> None:
        """UsageError if writing would destroy one of these files while it is read."""
        if self.path and is_url(self.path):
            self._refuse_store(self.path, inputs)
            return
        try:
            target = Path(self.path).stat() if self.path else os.fstat(sys.stdout.fileno()) if sys.stdout else None
        except OSError:  # the output does not exist yet, or opening it will say why
            return
        if target is None or not stat.S_ISREG(target.st_mode):
            return
        for name in (name for name in inputs if not is_url(name)):
            if os.path.samestat(os.fstat(0) if name == STANDARD else Path(name).stat(), target):
                raise UsageError(f"{name} is an input, and the output would overwrite it", "Name another file with -o.")

    def _refuse_store(self, url: str, inputs: Iterable[str]) -> None:
        from fluxcap.stores.objects import check_writable

        if shown(url) in inputs:
            raise UsageError(f"{shown(url)} is an input, and the output would overwrite it", "Name another with -o.")
        try:
            check_writable(url)
        except ValueError as error:
            raise UsageError(str(error), "Name a file, or an object in a store that takes whole objects.") from error


def choose(format: str, path: str | None, color: ColorChoice, *, whole: bool = False, wide: bool = False) -> Output:
    """The output of --format, --output and --color. UsageError if they do not tell the format. `wide`: a table has all
    of its columns, in lines of any length."""
    width = WIDE if wide else None
    if path is None or path == STANDARD:
        terminal = is_terminal(sys.stdout)
        if terminal and format != "auto" and formats.is_binary(format):
            raise UsageError(f"{format} is not for terminals", "Name a file with -o, or write to a pipe.")
        fallback = "table" if terminal else "tsv"
        return Output(None, fallback if format == "auto" else format, _standard(width, color), whole)
    if format == "auto":
        # A device has no suffix that tells the format, and a box would be out of place there.
        named = formats.name_for(path) or ("tsv" if is_special(path) else None)
        if named is None:
            raise _nameless(path, formats.suffixes(), ", a text format also with .gz or .zst behind")
        format = named
    return Output(path, format, Screen(width, color == "always"), whole, formats.compresses(format, path))


def choose_of(suffixes: Mapping[str, str], format: str, path: str | None, color: ColorChoice) -> Output:
    """The output of a command that has formats of its own: by suffix, and "text" where nothing else is said. UsageError
    if the suffix names none of them."""
    if path is None or path == STANDARD:
        return Output(None, "text" if format == "auto" else format, _standard(None, color))
    if format == "auto":
        suffix = Path(path).suffix.lower()
        if suffix not in suffixes and not is_special(path):
            raise _nameless(path, suffixes)
        format = suffixes.get(suffix, "text")
    return Output(path, format, Screen(NARROW, color == "always"))


def _standard(width: int | None, color: ColorChoice) -> Screen:
    """What standard output can show."""
    return Screen(width, wants_color(sys.stdout, color), sys.stdout.encoding if is_terminal(sys.stdout) else "utf-8")


def _nameless(path: str, known: Iterable[str], more: str = "") -> UsageError:
    help = f"Use one of {' '.join(known)}{more}, or say which with -f."
    return UsageError(f"{path}: its suffix names no format", help)


def for_capture(path: str | None, asking: str, *, whole: bool = False) -> Output:
    """The output for a capture that `asking`, an option or a command, makes. UsageError without a path and at a
    terminal. `whole`: bytes may change until the capture is complete, so that nothing is written out before."""
    if path is None:
        raise UsageError(f"{asking} needs -o", "Name the capture to write with -o FILE; - is standard output.")
    if path == STANDARD and is_terminal(sys.stdout):
        raise UsageError("a capture is not for terminals", "Name a file with -o, or write to a pipe.")
    stream = path == STANDARD or is_special(path)
    return Output(None if path == STANDARD else path, "capture", formats.PLAIN, whole and stream)


def for_page(path: str | None) -> Output:
    """The output for a page that a browser shows. UsageError without a path, and at a terminal."""
    if path is None:
        raise UsageError("report needs -o", "Name the page to write, as in -o report.html; - is standard output.")
    if path == STANDARD and is_terminal(sys.stdout):
        raise UsageError("a page is not for terminals", "Name a file with -o, or write to a pipe.")
    return Output(None if path == STANDARD else path, "html", formats.PLAIN)


def print_text(text: str) -> None:
    """Write a text to standard output; it fails as results do."""
    with _opened(None) as out:
        out.write(text.encode())


def _begun(tables: Iterable[Table]) -> Iterator[Table]:
    """The tables, of which the first is made now: an input that cannot be read leaves no header of a table behind."""
    rest = iter(tables)
    return chain([first] if (first := next(rest, None)) is not None else [], rest)


def _flushed(tables: Iterable[Table], out: BinaryIO) -> Iterator[Table]:
    """The tables; when the next one is asked for, all that was written of those before leaves."""
    for table in tables:
        yield table
        out.flush()


class _Descriptor(io.FileIO):
    """A file descriptor whose failures are OutputErrors."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "wb")
        self._name = name

    def write(self, octets: Any, /) -> int:
        with _failing(self._name):
            return super().write(octets)

    def close(self) -> None:
        with _failing(self._name):
            super().close()


@contextmanager
def _failing(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{name}: {error.strerror}", "Check the space and the permissions there.") from error


@contextmanager
def _opened(path: str | None) -> Iterator[BinaryIO]:
    if path is None:
        if sys.stdout is None:
            raise OutputError("standard output is closed", "Leave it open, or name a file with -o.")
        with _buffered(os.dup(sys.stdout.fileno()), "standard output") as out:
            yield out
    elif is_special(path):
        # A device or FIFO cannot be replaced by a finished file.
        with _failing(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        with _buffered(descriptor, path) as out:
            yield out
    else:
        with _replacing(path) as out:
            yield out


@contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    made, name = unfinished(path), shown(path)
    with _failing(name):
        descriptor = made.open()
    try:
        with _buffered(descriptor, name) as out:
            yield out
        with _failing(name):
            made.keep()
    except BaseException:
        made.discard()
        raise


def _buffered(descriptor: int, name: str) -> io.BufferedWriter:
    return io.BufferedWriter(_Descriptor(descriptor, name), BUFFER_OCTETS)
