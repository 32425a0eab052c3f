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
WIPE: Final = "\r\x1b[K"  # to the beginning of the line, and erase the rest


class Progress:
    """A bar that appears after half a second in this context, and vanishes at its end.

    A thread looks how much of the inputs was read, counted as they are stored, whatever decompression follows.
    """

    def __init__(self, sources: Sources, messages: Messages, passes: int = 1) -> None:
        sizes = [item.size for item in sources.inputs]
        self._total = sum(size or 0 for size in sizes) * passes if None not in sizes else None
        self._wanted = is_terminal(sys.stderr) and not messages.quiet and os.environ.get("TERM") != "dumb"
        self._messages = messages
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        if self._wanted:
            from threading import Event, Thread

            self._before = METER.octets
            self._over = Event()
            self._thread = Thread(target=self._show, daemon=True)
            self._thread.start()
            self._messages.wipe = WIPE
            WATCH.tidy.append(self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread is not None:
            WATCH.tidy.remove(self._stop)
            self._stop()
            self._messages.wipe = ""

    def _stop(self) -> None:
        assert self._thread is not None
        self._over.set()
        self._thread.join()

    def _show(self) -> None:
        if self._over.wait(PATIENCE):
            return
        line, painted = _Line(self._total), False
        try:
            while not self._over.wait(REFRESH):
                if _has_terminal():
                    _put(WIPE + line.after(METER.octets - self._before))
                    painted = True
            if painted and _has_terminal():
                _put(WIPE)
        except OSError:
            return  # the terminal is gone: there is nobody to show it to


class _Line:
    """What rich makes of the bytes read. rich's own display would hide the cursor, and is not for two to write to."""

    def __init__(self, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, color_system=None)
        known = (BarColumn(BAR), TaskProgressColumn()) if total is not None else ()
        left = (TimeRemainingColumn(), TextColumn("left")) if total is not None else ()
        self._progress = Progress(*known, TextColumn("{task.description}"), *left, console=self._console)
        self._task = self._progress.add_task("", total=total)
        self._total = total
        self._start = time.monotonic() - PATIENCE

    def after(self, done: int) -> str:
        """The line after so many bytes, as much of it as the terminal has room for."""
        speed = f"{human.octets(round(done / (time.monotonic() - self._start)))}/s"
        if self._total is None:
            said = f"{human.octets(done)} read  {speed}"
        else:
            done = min(done, self._total)  # a file may grow
            said = f"{human.octets(done)} of {human.octets(self._total)}  {speed}"
        self._progress.update(self._task, completed=done, description=said)
        with self._console.capture() as made:
            # A line that goes on in the next one could not be wiped.
            self._console.print(self._progress, width=self._console.width - 1, no_wrap=True, crop=True)
        return made.get().splitlines()[0].rstrip()


def _put(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


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
