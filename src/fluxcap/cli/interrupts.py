"""Ctrl-C as an end of the input rather than of the output."""

import signal
from collections.abc import Generator, Iterable, Iterator
from types import FrameType, TracebackType
from typing import Self, TypeVar, cast

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
        """The items before the interrupt; then, from a generator, those that it makes of what it has read."""
        iterator = iter(items)
        told = False  # the iterator knows of the interrupt
        while True:
            self._waiting = True
            try:
                if self.interrupted and not told:
                    told = True
                    item = _interrupt(iterator)
                else:
                    item = next(iterator)
                    told = self.interrupted
            except StopIteration:
                return
            except KeyboardInterrupt:  # from the iterator, or just before it went on
                if told:
                    return
                continue
            finally:
                self._waiting = False
            yield item

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        again, self.interrupted = self.interrupted, True
        # A read that waits for input would resume after the handler (PEP 475): an exception breaks it off.
        if again or self._waiting:
            raise KeyboardInterrupt


def _interrupt(iterator: Iterator[T]) -> T:
    """The item that an iterator gives on an interrupt; StopIteration or KeyboardInterrupt if it gives none."""
    if not isinstance(iterator, Generator):
        raise StopIteration
    return cast("Generator[T]", iterator).throw(KeyboardInterrupt)
