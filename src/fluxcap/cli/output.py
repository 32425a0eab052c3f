"""Where the data go: standard output, or a file that appears under its name only when it is whole."""

import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from fluxcap import formats
from fluxcap.cli.exits import OutputError, UsageError
from fluxcap.cli.messages import ColorChoice, is_terminal, wants_color
from fluxcap.formats import Rows, Screen
from fluxcap.whole_files import Unfinished, is_special

STANDARD: Final = "-"
BUFFER_OCTETS: Final = 1 << 18  # few system calls, and the first rows of a slow input still come soon


class Output(NamedTuple):
    """Where results go and in which format."""

    path: str | None  # None: standard output
    format: str  # one of formats.names()
    screen: Screen
    whole: bool = False  # nothing is handed out before everything is made

    @property
    def for_people(self) -> bool:
        """Whether a person reads it rather than a program."""
        return self.format == "table"

    @property
    def binary(self) -> bool:
        """Whether a terminal must not be sent it."""
        return _is_binary(self.format)

    @property
    def on_terminal(self) -> bool:
        """Whether it is shown as it is written."""
        return self.path is None and is_terminal(sys.stdout)

    def write(self, rows: Rows) -> None:
        """Write the rows, as they come."""
        with self.stream() as out:
            formats.find(self.format).write(out, rows, self.screen)

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """The stream to write on. OutputError if that fails, BrokenPipeError if nobody reads it any longer."""
        if not self.whole:
            with _opened(self.path) as out:
                yield out
            return
        import shutil
        import tempfile

        with tempfile.TemporaryFile() as spool:
            yield spool
            spool.seek(0)
            with _opened(self.path) as out:
                shutil.copyfileobj(spool, out)

    def refuse(self, inputs: Iterable[str]) -> None:
        """UsageError if writing would destroy one of these files while it is read."""
        try:
            target = Path(self.path).stat() if self.path else os.fstat(sys.stdout.fileno()) if sys.stdout else None
        except OSError:  # it is not there, or opening it will say why
            return
        if target is None or not stat.S_ISREG(target.st_mode):
            return
        for name in inputs:
            if os.path.samestat(os.fstat(0) if name == STANDARD else Path(name).stat(), target):
                raise UsageError(f"{name} is an input, and the output would overwrite it", "Name another file with -o.")


def choose(format: str, path: str | None, color: ColorChoice, *, whole: bool = False) -> Output:
    """The output that --format, --output and --color ask for. UsageError if they do not tell the format."""
    if path is None or path == STANDARD:
        terminal = is_terminal(sys.stdout)
        if terminal and format != "auto" and _is_binary(format):
            raise UsageError(f"{format} is not for terminals", "Name a file with -o, or write to a pipe.")
        screen = Screen(None, wants_color(sys.stdout, color), sys.stdout.encoding if terminal else "utf-8")
        return Output(None, format if format != "auto" else "table" if terminal else "tsv", screen, whole)
    if format == "auto":
        # A device has no suffix to go by, and is no place for a box.
        named = formats.name_for(path) or ("tsv" if is_special(path) else None)
        if named is None:
            known = " ".join(formats.suffixes())
            raise UsageError(f"{path}: its suffix names no format", f"Use one of {known}, or say which with -f.")
        format = named
    return Output(path, format, Screen(None, color == "always"), whole)


def for_capture(path: str | None, asking: str, *, whole: bool = False) -> Output:
    """Where a capture goes that `asking`, an option or a command, makes. UsageError without a path and at a terminal.
    `whole`: what stands in it may change until it is all there, so that nothing of it is handed out before."""
    if path is None:
        raise UsageError(f"{asking} needs -o", "Name the capture to write with -o FILE; - is standard output.")
    if path == STANDARD and is_terminal(sys.stdout):
        raise UsageError("a capture is not for terminals", "Name a file with -o, or write to a pipe.")
    stream = path == STANDARD or is_special(path)
    return Output(None if path == STANDARD else path, "capture", formats.PLAIN, whole and stream)


def print_text(text: str) -> None:
    """Put a text on standard output, with the same care."""
    with _opened(None) as out:
        out.write(text.encode())


def _is_binary(format: str) -> bool:
    return getattr(formats.find(format), "BINARY", False)


class _Descriptor(io.FileIO):
    """A file descriptor whose failures say that it was the output that failed."""

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
        # It cannot be made whole under another name.
        with _failing(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        with _buffered(descriptor, path) as out:
            yield out
    else:
        with _replacing(path) as out:
            yield out


@contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    unfinished = Unfinished(path)
    with _failing(path):
        descriptor = unfinished.open()
    try:
        with _buffered(descriptor, path) as out:
            yield out
        with _failing(path):
            unfinished.keep()
    except BaseException:
        unfinished.discard()
        raise


def _buffered(descriptor: int, name: str) -> io.BufferedWriter:
    return io.BufferedWriter(_Descriptor(descriptor, name), BUFFER_OCTETS)
