"""Signals that wait for the end of a block, where an exception would be lost in a library or leave work half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, Self

# Those whose handlers raise.
_HELD: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class HeldSignals:
    """Inside this context handlers of signals wait until let_through(), or the end of the context.

    A mask of the main thread is not enough: any other thread takes the signal, and Python still runs the handler in the
    main thread, wherever that is.
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._waiting: list[int] = []
        self._inside = False
        self._holding = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other thread runs handlers
            for number in _HELD:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._handle)
        self._inside = self._holding = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inside = self._holding = False
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._raise_waiting()

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Run handlers in here, first those that wait."""
        self._holding = False
        try:
            self._raise_waiting()
            yield
        finally:
            self._holding = True

    def _raise_waiting(self) -> None:
        while self._waiting:
            signal.raise_signal(self._waiting.pop(0))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._holding:
            self._waiting.append(number)
            return
        # If the handler raises, let_through() is being left, and what comes next waits again.
        self._holding = self._inside
        self._before[number](number, frame)
        self._holding = False
