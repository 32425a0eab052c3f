"""Which capture an index was made of: what tells that it is another one by now."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fluxcap.capture.compression import recognise
from fluxcap.capture.index import SUFFIX
from fluxcap.stores.urls import is_url

if TYPE_CHECKING:
    from fluxcap.capture.inputs import Input

ENDS: Final = 4096  # bytes at the beginning and at the end of a capture that an index remembers


class Identity(NamedTuple):
    """What an index remembers of its capture."""

    size: int  # bytes
    modified: int | None  # ns since the epoch; None: an object in a store
    first: str  # SHA-256 of the first bytes
    last: str  # ... and of the last

    def is_of(self, other: Identity) -> bool:
        """Whether both are of the same capture; that in a store may be a copy of a file that was indexed here."""
        if self.modified is None or other.modified is None:
            return self._replace(modified=None) == other._replace(modified=None)
        return self == other


def path_of(item: Input) -> str:
    """Where the index of an input is. ValueError for an input that can have none."""
    if item.once or item.size is None or not (is_url(item.name) or os.path.exists(item.name)):  # noqa: PTH110
        raise ValueError(f"{item.name} has no place beside it for an index; name a file or a URL")
    return item.name + SUFFIX


def identity_of(item: Input) -> Identity:
    """The identity of an input as it is now. OSError if it cannot be read; ValueError if any byte of it can only be
    read behind those before it."""
    size = item.size or 0
    with item.source() as source:
        first = _read(source, min(ENDS, size))
        if (codec := recognise(first)) is not None:
            raise ValueError(
                f"{item.name} is {codec.name} data, which is read from its beginning on; decompress it to index it"
            )
        if not hasattr(source, "seek"):
            raise ValueError(f"{item.name} is read from its beginning on, and an index would be of no use")
        source.seek(max(size - ENDS, 0))
        last = _read(source, min(ENDS, size))
    modified = None if is_url(item.name) else os.stat(item.name).st_mtime_ns  # noqa: PTH116 (as the name was typed)
    return Identity(size, modified, hashlib.sha256(first).hexdigest(), hashlib.sha256(last).hexdigest())


def _read(source: Any, n: int) -> bytes:
    octets = bytearray(n)
    there = 0
    while there < n and (more := source.readinto(memoryview(octets)[there:])):
        there += more
    return bytes(octets[:there])
