"""Work that a thread does while this one does something else."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from fluxcap.capture.ahead.belt import start

T = TypeVar("T")


class Beside(Generic[T]):
    """Calls a function in a thread of its own, and gives its results in turn.

    Both threads use queues only, as a Belt does. Where there are too many threads, result() calls the function.
    """

    def __init__(self, work: Callable[..., T]) -> None:
        self._work = work
        self._asked: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
        try:
            start(self._serve)
            self._alone = False
        except RuntimeError:
            self._alone = True

    def _serve(self) -> None:
        while (asked := self._asked.get()) is not None:
            try:
                self._done.put((self._work(*asked), None))
            except BaseException as error:
                self._done.put((None, error))

    def ask(self, *arguments: Any) -> None:
        """Let the function be called."""
        self._asked.put(arguments)

    def result(self) -> T:
        """What the function gave for what was asked first. Raises what the function raised."""
        if self._alone:
            asked = self._asked.get()
            assert asked is not None
            return self._work(*asked)
        given, error = self._done.get()
        if error is not None:
            raise error
        return given  # type: ignore[return-value]

    def close(self) -> None:
        """Let the thread end. It is not waited for."""
        self._asked.put(None)
