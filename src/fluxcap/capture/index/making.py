"""Making the index of a capture: one walk over the headers of its records."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from fluxcap._core import Walker
from fluxcap.capture.damaged import Unchanged, damaged
from fluxcap.capture.index import EVERY
from fluxcap.capture.index.file import Checkpoint, Index, write
from fluxcap.capture.index.identity import Identity, identity_of, path_of
from fluxcap.capture.inputs import Captures, Input, expand
from fluxcap.capture.magic import is_capture
from fluxcap.capture.warn import warn
from fluxcap.errors import DamagedCaptureWarning, printable
from fluxcap.plan.sizes import octets
from fluxcap.whole_files import naming

if TYPE_CHECKING:
    from fluxcap.errors import CaptureError


class Indexed(NamedTuple):
    """The index of one capture.

    Attributes
    ----------
    path : str
        The file or object that it is in.
    packets : int
        Records of the capture, up to damage if there is any.
    checkpoints : int
        Places where a reading can begin.

    See Also
    --------
    index : makes them.

    Examples
    --------
    >>> import fluxcap
    >>> fluxcap.index("x.pcap")[0].packets  # doctest: +SKIP
    """

    path: str
    packets: int
    checkpoints: int


def index(src: Captures, *, every: int | str = EVERY) -> list[Indexed]:
    """Write an index beside each capture, so that a reading can begin in the middle of it (extra `arrow`).

    Parameters
    ----------
    src : path, URL, or a list of these
        Captures that are not compressed. A path may be a glob or a directory (read with its sub-directories).
    every : int or str, default "16MB"
        Bytes from one place where a reading can begin to the next, at least: bytes, or a text such as "4MB".

    Returns
    -------
    list of Indexed
        One for each capture. The index of `x.pcap` is `x.pcap.fluxcap-index.parquet`.

    Raises
    ------
    NotACaptureError
        An input is not a capture.
    OSError
        An input cannot be read, or its index cannot be written.
    ValueError
        An input is compressed, has no place beside it, or is written to meanwhile; or `every` is no size.
    ModuleNotFoundError
        A library is missing; the message says how to install it.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; the index ends there.

    See Also
    --------
    read_packets : begins where `at` says.
    scan_packets : the same for captures larger than memory.

    Examples
    --------
    >>> import fluxcap
    >>> made = fluxcap.index("x.pcap")  # doctest: +SKIP
    >>> late = fluxcap.read_packets("x.pcap", at="2026-11-29T21:00:00Z")  # doctest: +SKIP
    """
    return list(index_inputs(expand(src), every))


def index_inputs(inputs: list[Input], every: int | str = EVERY) -> Iterator[Indexed]:
    """Write the index of each input. What was found in a directory and can have no index is passed over."""
    step = octets(every, "every")
    for item in inputs:
        try:
            path_of(item)
            unchanged = Unchanged([item])
            with naming(item.name):
                identity = identity_of(item)
        except ValueError as error:
            if not item.directory:
                raise
            warn(UserWarning(printable(str(error))))
            continue
        with naming(item.name):
            made = _made(item, identity, step, unchanged)
        if made is not None:
            yield made


def _made(item: Input, identity: Identity, every: int, unchanged: Unchanged) -> Indexed | None:
    walker, checkpoints = Walker(), []
    with item.open() as source:
        if item.directory and not is_capture(source.head):
            return None
        ended = False
        goal = every
        while not ended:
            ended = not (n := source.readinto(walker.space()))
            if ended:
                walker.finish()
            else:
                walker.advance(n)
            while walker.walk(goal) and not ended:
                checkpoints.append(Checkpoint(walker.packets + 1, walker.position, walker.newest, len(walker.headers)))
                goal = walker.position + every
        if (damage := walker.damage) is not None:
            _tell(damaged(damage, item.name, source.head, ""))
    unchanged.check(may_grow=False)
    written = write(item, Index(checkpoints, bytes(walker.headers), identity))
    return Indexed(os.fspath(written), walker.packets, len(checkpoints))


def _tell(error: CaptureError) -> None:
    if error.fatal:
        raise error
    warn(DamagedCaptureWarning(error))
