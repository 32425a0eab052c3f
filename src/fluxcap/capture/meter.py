"""How much of the inputs was read, as they are stored: for a person who waits, in whatever part of the program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol


class Measured(Protocol):
    """An input while it is read."""

    @property
    def reached(self) -> int:
        """Bytes of it that were read, as it is stored."""


class Meter:
    """Adds up what the readings of this process have read. Another thread may look at any time."""

    def __init__(self) -> None:
        self._ended = 0
        self._under_way: dict[int, Measured] = {}

    @property
    def octets(self) -> int:
        """Bytes of all inputs."""
        return self._ended + sum(one.reached for one in tuple(self._under_way.values()))

    def add(self, octets: int) -> None:
        """Count what another process has read."""
        self._ended += octets

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
