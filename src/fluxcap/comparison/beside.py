"""Work that a thread does while this one does something else."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from fluxcap.capture.ahead.belt import start

T = TypeVar("T")


class Beside(Generic[T]):
    """Calls a function in a thread of its own, one call at a time.

    Both threads use queues only, as a Belt does. Where there are too many threads, result() calls the function. A
    result is there until the next call: Ctrl-C may come while it is waited for, and it can be asked for again.
    """

    def __init__(self, work: Callable[..., T]) -> None:
        self._work = work
        self._asked: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        self._arguments: tuple[Any, ...] = ()
        self._bell: SimpleQueue[None] = SimpleQueue()  # there is an answer
        self._answer: tuple[T | None, BaseException | None] | None = None
        try:
            start(self._serve)
            self._alone = False
        except RuntimeError:
            self._alone = True

    def _serve(self) -> None:
        while (asked := self._asked.get()) is not None:
            try:
                self._answer = self._work(*asked), None
            except BaseException as error:
                self._answer = None, error
            self._bell.put(None)

    def ask(self, *arguments: Any) -> None:
        """Let the function be called, after the result of the call before."""
        self._answer = None
        self._arguments = arguments
        if not self._alone:
            self._asked.put(arguments)

    def result(self) -> T:
        """What the function gave. Raises what the function raised."""
        while self._answer is None:
            if self._alone:
                self._answer = self._work(*self._arguments), None
            else:
                self._bell.get()
        given, error = self._answer
        if error is not None:
            raise error
        return given  # type: ignore[return-value]

    def close(self) -> None:
        """Let the thread end. It is not waited for."""
        self._asked.put(None)
