"""What is wrong with an input, as the exception that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fluxcap._core import DAMAGES
from fluxcap.capture.compression import DecompressionError
from fluxcap.capture.inputs import contents
from fluxcap.errors import CaptureError, damage_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcap._core import Damage, Scanner, Source


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
