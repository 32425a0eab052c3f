"""The directory that demux fills: one file a socket or stream, and the files that say what is in them."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from fluxcap._core import SIDES
from fluxcap.formats import Listing, Rows, ndjson
from fluxcap.stores.urls import is_url, shown
from fluxcap.values.arrays import Array
from fluxcap.values.names import TCP, UDP, UDP_LITE
from fluxcap.whole_files import replacing

OPEN_AT_ONCE: Final = 256  # files; a process may have 1,024 by default
INDEX: Final = "index.ndjson"
MESSAGES: Final = "messages.ndjson"
GAPS: Final = "gaps.ndjson"
PROTOCOLS: Final = {TCP: "tcp", UDP: "udp", UDP_LITE: "udplite"}


def file_name(number: int, side: int, protocol: int) -> str:
    """A file name made of numbers alone: no text of a capture becomes part of a path."""
    letter = f"-{SIDES[side]}" if protocol == TCP else ""
    return f"{PROTOCOLS[protocol]}-{number:06}{letter}.bin"


def open_plain(path: str | os.PathLike[str], flags: int) -> int:
    """Open a regular file of a directory. ValueError for a link or a FIFO: in a directory from somebody else a link
    could lead to any file of this machine, and a FIFO could block for ever."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ValueError(f"{Path(path).name} is a symbolic link") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{Path(path).name} is not a regular file")
    return descriptor


class OpenFiles:
    """Descriptors of files of a directory; OPEN_AT_ONCE of them stay open, so that alternating between files costs
    little. A file object for each would take longer than its open(), write() and close()."""

    def __init__(self, directory: Path, flags: int) -> None:
        """`flags` are those of open()."""
        self._directory = os.fspath(directory)
        self._flags = flags
        self._open: OrderedDict[str, int] = OrderedDict()

    def __getitem__(self, name: str) -> int:
        if name in self._open:
            self._open.move_to_end(name)
        else:
            if len(self._open) == OPEN_AT_ONCE:
                os.close(self._open.popitem(last=False)[1])
            self._open[name] = open_plain(f"{self._directory}/{name}", self._flags)
        return self._open[name]

    def close(self) -> None:
        """Close the open files."""
        while self._open:
            os.close(self._open.popitem()[1])


class Folder:
    """A directory that was empty or did not exist, and the files in it that are appended to."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """FileExistsError if the directory is not empty, NotADirectoryError if it is something else; other OSErrors;
        ValueError for a URL, since files are appended to."""
        if is_url(os.fspath(path)):
            raise ValueError(f"{shown(os.fspath(path))} is no directory of this machine; write to one and copy it")
        self.path = Path(path)
        self.made = not self.path.exists()
        self.path.mkdir(exist_ok=True)
        if any(self.path.iterdir()):
            raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))
        self._files = OpenFiles(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def append(self, name: str, octets: bytes | memoryview) -> None:
        """Write these bytes at the end of a file. OSError with the name of the file if writing fails."""
        left = memoryview(octets)
        try:
            file = self._files[name]
            while left:
                left = left[os.write(file, left) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path / name)) from error

    def append_rows(self, name: str, columns: Mapping[str, Array]) -> None:
        """Write these rows at the end of a file, one JSON object a line."""
        buffer = io.BytesIO()
        ndjson.write(buffer, Rows([Listing(columns)], tuple(columns)))
        self.append(name, buffer.getbuffer())

    def write_index(self, lines: Mapping[str, Any], listings: Iterable[Listing]) -> None:
        """Write the index, which appears when it is whole: an object, then the rows of the listings."""
        with replacing(self.path / INDEX) as out:
            ndjson.write_object(out, lines)
            for listing in listings:
                ndjson.write(out, Rows([listing], listing.columns))

    def close(self) -> None:
        """Close the open files."""
        self._files.close()

    def discard(self) -> None:
        """Remove the directory, which is empty, if it did not exist before."""
        if self.made:
            self.path.rmdir()
