"""What is wrong with an input, as the exception that says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from fluxcap._core import DAMAGES
from fluxcap.capture.compression import DecompressionError
from fluxcap.capture.inputs import contents
from fluxcap.errors import CaptureError, ChangedError, damage_error, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcap._core import Damage, Scanner, Source
    from fluxcap.capture.inputs import Input


class Failure(NamedTuple):
    """Why the bytes of an input came to an end too early, where the core knows nothing of it."""

    kind: str  # of damage, as errors.damage_error() knows it
    what: str


def failure(error: DecompressionError | OSError) -> Failure:
    """What an exception says about the input that raised it."""
    if isinstance(error, DecompressionError):
        return Failure(error.kind, str(error))
    return Failure("read_error", error.strerror or str(error))


def damaged(damage: Damage, path: str, head: bytes, compression: str) -> CaptureError:
    """Damage that the core found in an input, of which these are the first decompressed bytes."""
    return damage_error(
        DAMAGES[damage["code"]],
        path=path,
        offset=damage["offset"],
        packet=damage["packet"],
        found=damage["found"],
        wanted=damage["wanted"],
        what=contents(head, compression),
    )


def skipped(source: Scanner | Source, path: str) -> Iterator[CaptureError]:
    """What the core has skipped of an input, and not told yet."""
    for offset, packet, size in source.strays():
        error = damage_error("resumed", path=path, offset=offset, packet=packet, found=size)
        error.skipped = size
        yield error


def broken_off(why: Failure, path: str, damage: Damage | None, read: tuple[int, int]) -> CaptureError:
    """The bytes of an input ended too early, for a reason that the core does not know.

    `damage` is the record that the core then found cut; where it found none, the end lies after `read`, packets and
    bytes.
    """
    packet, offset = read if damage is None else (damage["packet"], damage["offset"])
    return damage_error(why.kind, path=path, packet=packet, offset=offset, what=why.what)


class Unchanged:
    """The files of inputs that are read twice, as they were before."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._were = {item.name: os.stat(item.name) for item in inputs if _is_file(item)}  # noqa: PTH116 (as typed)

    def check(self, *, may_grow: bool = True) -> None:
        """ChangedError if a file is another one by now, or was written to. `may_grow`: except behind its end, where it
        is known how many records count."""
        for name, was in self._were.items():
            now = os.stat(name)  # noqa: PTH116 (as typed)
            if (now.st_dev, now.st_ino) != (was.st_dev, was.st_ino):
                raise ChangedError(f"{printable(name)} is another file")
            grown = may_grow and now.st_size > was.st_size
            if not grown and (now.st_size, now.st_mtime_ns) != (was.st_size, was.st_mtime_ns):
                raise ChangedError(f"{printable(name)} was written to")


def _is_file(item: Input) -> bool:
    return not item.once and os.path.isfile(item.name)  # noqa: PTH113 (neither bytes nor a URL)
