"""A progress bar on standard error, when a person waits."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from fluxcap.capture.meter import METER
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages, is_terminal
from fluxcap.values import human

if TYPE_CHECKING:
    from threading import Thread

    from fluxcap.cli.inputs import Sources

PATIENCE: Final = 0.5  # seconds before the bar appears
REFRESH: Final = 0.1  # seconds
BAR: Final = 30  # characters
UNKNOWN_WIDTH: Final = 80
WIPE: Final = "\r\x1b[K"  # to the beginning of the line, and erase the rest


class Progress:
    """A bar that appears after half a second in this context, and vanishes at its end.

    A thread looks how much of the inputs was read, counted as they are stored, whatever decompression follows.
    """

    def __init__(self, sources: Sources, messages: Messages, passes: int = 1) -> None:
        sizes = [item.size for item in sources.inputs]
        self._total = sum(size or 0 for size in sizes) * passes if None not in sizes else None
        self._wanted = is_terminal(sys.stderr) and not messages.quiet and os.environ.get("TERM") != "dumb"
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        if self._wanted:
            from threading import Event, Thread

            self._before = METER.octets
            self._over = Event()
            self._thread = Thread(target=self._show, daemon=True)
            self._thread.start()
            WATCH.tidy.append(self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread is not None:
            WATCH.tidy.remove(self._stop)
            self._stop()

    def _stop(self) -> None:
        assert self._thread is not None
        self._over.set()
        self._thread.join()

    def _show(self) -> None:
        start, wait, painted = time.monotonic(), PATIENCE, False
        try:
            while not self._over.wait(wait):
                wait = REFRESH
                if _has_terminal():
                    _put(WIPE + self._line(METER.octets - self._before, time.monotonic() - start))
                    painted = True
            if painted and _has_terminal():
                _put(WIPE)
        except OSError:
            return  # the terminal is gone: there is nobody to show it to

    def _line(self, done: int, seconds: float) -> str:
        speed = f"{human.octets(round(done / seconds))}/s"
        if self._total is None:
            return _fitting(f"{human.octets(done)} read  {speed}")
        done = min(done, self._total)  # a file may grow
        share = done / self._total if self._total else 1
        left = f"  {human.duration(round(seconds * (1 / share - 1) * human.NS_PER['s']))} left" if share else ""
        filled = round(share * BAR)
        bar = "#" * filled + "-" * (BAR - filled)
        return _fitting(f"{bar} {share:4.0%}  {human.octets(done)} of {human.octets(self._total)}  {speed}{left}")


def _put(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _fitting(line: str) -> str:
    """As much of the line as the terminal has room for: it could not be wiped if it went on in the next one."""
    width = os.get_terminal_size(sys.stderr.fileno()).columns or UNKNOWN_WIDTH  # 0, as on a serial line
    return line[: width - 1]


def _has_terminal() -> bool:
    """Whether the terminal shows what this program writes: no pager has set it to give keys one by one, and the shell
    has not put the program into the background."""
    import termios

    terminal = sys.stderr.fileno()
    if not termios.tcgetattr(terminal)[3] & termios.ICANON:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # the program has no terminal of its own, so that no shell put it anywhere
        return True
