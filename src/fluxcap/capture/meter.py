"""How much of the inputs was read, as they are stored: for a person who waits, in whatever part of the program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

EVERY: Final = 0.1  # seconds


class Measured(Protocol):
    """An input while it is read."""

    @property
    def reached(self) -> int:
        """Bytes of it that were read, as it is stored."""


class Meter:
    """Adds up what the readings of this process have read. Another thread may look at any time."""

    def __init__(self) -> None:
        self.expected = 0  # bytes of the inputs of the readings that have begun
        self.unsized = 0  # inputs of these whose size is not known
        self._ended = 0
        self._under_way: dict[int, Measured] = {}

    @property
    def octets(self) -> int:
        """Bytes of all inputs."""
        return self._ended + sum(one.reached for one in tuple(self._under_way.values()))

    def add(self, octets: int) -> None:
        """Count what another process has read."""
        self._ended += octets

    def expect(self, sizes: Iterable[int | None]) -> None:
        """Inputs of so many bytes are going to be read."""
        for size in sizes:
            self.expected += size or 0
            self.unsized += size is None

    @contextmanager
    def reading(self, measured: Measured) -> Iterator[None]:
        """Count this input from here on."""
        self._under_way[id(measured)] = measured
        try:
            yield
        finally:
            del self._under_way[id(measured)]
            self._ended += measured.reached


METER: Final = Meter()


@contextmanager
def progress(report: Callable[[int, int | None], object]) -> Iterator[None]:
    """Tell how far the readings in this block are, ten times a second and once at its end.

    All readings of this process count, in whatever function. A capture that is read twice, as read_comparison() does,
    counts twice.

    Parameters
    ----------
    report : callable
        Called by a thread of its own with the bytes read since the block began, as the inputs are stored, and with the
        bytes of all inputs that the readings have begun with so far: None, if the size of one is not known. What it
        raises ends the calls, and is raised at the end of the block.

    Returns
    -------
    context manager
        Of the block.

    Raises
    ------
    Exception
        What `report` has raised.

    Examples
    --------
    >>> import fluxcap
    >>> told = []
    >>> with fluxcap.progress(lambda read, size: told.append((read, size))):
    ...     flows = fluxcap.read_flows("samples/session.pcap")
    >>> told[-1]
    (139916, 139916)
    """
    from threading import Event, Thread

    before, expected, unsized, over = METER.octets, METER.expected, METER.unsized, Event()
    raised: list[BaseException] = []

    def tell() -> None:
        read = METER.octets - before
        report(read, max(METER.expected - expected, read) if METER.unsized == unsized else None)

    def watch() -> None:
        try:
            while not over.wait(EVERY):
                tell()
        except BaseException as error:
            raised.append(error)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if raised:
        raise raised[0]
    tell()
