"""Ctrl-C as an end of the input rather than of the output."""

import signal
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class Interruptible:
    """Inside this context Ctrl-C ends the items of until_interrupted(); the output of the items before is completed.

    A second Ctrl-C raises KeyboardInterrupt, as it does elsewhere.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._waiting = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def until_interrupted(self, items: Iterable[T]) -> Iterator[T]:
        """The items before the interrupt."""
        iterator = iter(items)
        while not self.interrupted:
            self._waiting = True
            try:
                item = next(iterator)
            except (StopIteration, KeyboardInterrupt):
                return
            finally:
                self._waiting = False
            yield item

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        again, self.interrupted = self.interrupted, True
        # A read that waits for input would resume after the handler (PEP 475): an exception breaks it off.
        if again or self._waiting:
            raise KeyboardInterrupt
