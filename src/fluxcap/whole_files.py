"""Files that appear under their name only when they are whole."""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from fluxcap.stores.urls import is_url, shown

BEGINNING: Final = 200  # bytes kept of a name; file systems allow 255
_TEMPORARY: Final = re.compile(r"\.(.+)\.[0-9a-f]{8}")


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether the path exists and is not a regular file: a device, a FIFO or the like, which cannot be replaced."""
    # These two calls do not raise for an impossible name: opening it says why.
    return os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113


def check_target(path: str | os.PathLike[str], inputs: Iterable[str]) -> None:
    """ValueError if writing this file would destroy an input, or if it is not a regular file."""
    if is_url(os.fspath(path)):
        if shown(os.fspath(path)) in inputs:
            raise ValueError(f"{shown(os.fspath(path))} is one of the inputs, and would be overwritten")
        return
    if is_special(path):
        raise ValueError(f"{path} is not a regular file")
    if (target := Path(path)).exists():
        for name in inputs:
            if Path(name).exists() and target.samefile(name):
                raise ValueError(f"{path} is one of the inputs, and would be overwritten")


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # this file system has nothing to sync
            raise
    finally:
        os.close(descriptor)


@contextmanager
def naming(path: str | os.PathLike[str], instead_of: Path | None = None) -> Iterator[None]:
    """An OSError that leaves this block without the name of a file, or with the name `instead_of`, gets this name."""
    try:
        yield
    except OSError as error:
        if error.filename is None or error.filename == str(instead_of):
            error.filename = os.fspath(path)
            del error.filename2  # None would be shown as a second name
        raise


_unfinished: Final[set[Path]] = set()  # temporary files that are there


def discard_unfinished() -> None:
    """Remove every temporary file, since the process ends without the thread that writes it."""
    while _unfinished:
        _unfinished.pop().unlink(missing_ok=True)


class Unfinished(Protocol):
    """A temporary file; an existing target stays until the new file is whole."""

    def open(self) -> int:
        """A descriptor to write to. OSError if opening fails, or if the final name would be refused."""

    def keep(self) -> None:
        """Commit under the final name."""

    def discard(self) -> None:
        """Remove the temporary file."""


def target_of(name: str) -> str:
    """The name that a temporary file was to have; a short name that is not of one stays as it is."""
    found = _TEMPORARY.fullmatch(name)
    return found[1] if found else name


def unfinished(path: str | os.PathLike[str]) -> Unfinished:
    """A file that will have this path, or be the object of this URL."""
    name = os.fspath(path)
    return Upload(name) if is_url(name) else Beside(name)


class Beside:
    """A temporary file beside its target."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._target = Path(path).resolve()  # through a link: the file is replaced, not the link
        # The name of the target may have the greatest length: the addition must find room.
        begins = os.fsdecode(os.fsencode(self._target.name)[:BEGINNING])
        self._path = self._target.with_name(f".{begins}.{os.urandom(4).hex()}")

    def open(self) -> int:
        """A descriptor to write to. OSError if opening fails, or if the final name would be refused."""
        with naming(self._target, self._path):
            with suppress(FileNotFoundError):
                self._target.lstat()
            _unfinished.add(self._path)
            try:
                return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            except OSError:
                _unfinished.discard(self._path)
                raise

    def keep(self) -> None:
        """Commit under the final name, after the disk has all of it: a crash leaves the old file or the new file."""
        with naming(self._target, self._path):
            if self._target.exists():
                self._path.chmod(stat.S_IMODE(self._target.stat().st_mode))
            _sync(self._path, os.O_RDWR)
            self._path.replace(self._target)
            _unfinished.discard(self._path)
            _sync(self._target.parent, os.O_RDONLY)

    def discard(self) -> None:
        """Remove the temporary file."""
        self._path.unlink(missing_ok=True)
        _unfinished.discard(self._path)


class Upload:
    """A temporary file of this machine; the object is written when all of it is there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._path: Path | None = None

    def open(self) -> int:
        """A descriptor to write to. ValueError if nothing can be written to that store."""
        import tempfile

        from fluxcap.stores.objects import check_writable

        check_writable(self._url)
        descriptor, path = tempfile.mkstemp(prefix="fluxcap-")
        self._path = Path(path)
        _unfinished.add(self._path)
        return descriptor

    def keep(self) -> None:
        """Write the object."""
        from fluxcap.stores.objects import put

        put(str(self._path), self._url)
        self.discard()

    def discard(self) -> None:
        """Remove the temporary file."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            _unfinished.discard(self._path)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A stream to a file that gets this name when the block ends without an exception. An existing device or FIFO is
    written to, not replaced."""
    if is_special(path):
        with naming(path), open(path, "wb") as out:
            yield out
        return
    made = unfinished(path)
    descriptor = made.open()
    try:
        with naming(shown(os.fspath(path))), open(descriptor, "wb") as out:
            yield out
        made.keep()
    except BaseException:
        made.discard()
        raise
