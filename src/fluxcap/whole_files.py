"""Files that appear under their name only when they are whole."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether it is there and no regular file: a device, a FIFO or the like, which cannot be replaced."""
    return Path(path).exists() and not Path(path).is_file()


def check_target(path: str | os.PathLike[str], inputs: Iterable[str]) -> None:
    """ValueError where writing this file would destroy one of these, or where it is no regular file."""
    if is_special(path):
        raise ValueError(f"{path} is not a regular file")
    if (target := Path(path)).exists():
        for name in inputs:
            if Path(name).exists() and target.samefile(name):
                raise ValueError(f"{path} is one of the inputs, and would be overwritten")


class Unfinished:
    """A file beside the one it is to become; what is there under that name stays until then."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._target = Path(path).resolve()  # through a link: the file is replaced, not the link
        self._path = self._target.with_name(f".{self._target.name}.{os.urandom(4).hex()}")

    def open(self) -> int:
        """A descriptor to write to."""
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def keep(self) -> None:
        """It is whole."""
        if self._target.exists():
            self._path.chmod(stat.S_IMODE(self._target.stat().st_mode))
        self._path.replace(self._target)

    def discard(self) -> None:
        """It will not be."""
        self._path.unlink(missing_ok=True)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A stream to a file that takes this name when the block is left without an exception. A device or a FIFO that is
    there is written to, not replaced."""
    if is_special(path):
        with open(path, "wb") as out:
            yield out
        return
    unfinished = Unfinished(path)
    descriptor = unfinished.open()
    try:
        with open(descriptor, "wb") as out:
            yield out
        unfinished.keep()
    except BaseException:
        unfinished.discard()
        raise
