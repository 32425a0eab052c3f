"""A progress bar on standard error, when a person waits."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages, is_terminal

if TYPE_CHECKING:
    from threading import Thread

    from fluxcap.cli.inputs import Sources

PATIENCE: Final = 0.5  # seconds before the bar appears
REFRESH: Final = 0.1  # seconds
ACCOUNTS: Final = Path("/proc/self/io")  # proc(5): `rchar` is what this process has read, from page cache or disk


class Progress:
    """A bar that appears after half a second in this context, and vanishes at its end.

    A thread asks the kernel how much the process has read; the reading loop does not count. The kernel counts bytes as
    they are stored, whatever decompression follows.
    """

    def __init__(self, sources: Sources, messages: Messages, passes: int = 1) -> None:
        sizes = [item.size for item in sources.inputs]
        self._total = sum(size or 0 for size in sizes) * passes if None not in sizes else None
        self._wanted = is_terminal(sys.stderr) and not messages.quiet and os.environ.get("TERM") != "dumb"
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        if self._wanted and ACCOUNTS.exists():
            from threading import Event, Thread

            self._start = _octets_read()
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
        if self._over.wait(PATIENCE):
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar

        parts = BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn()
        with Bar(*parts, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
            task = bar.add_task("", total=self._total)
            while not self._over.wait(REFRESH):
                done = _octets_read() - self._start
                # The process reads a little besides the inputs: modules that it imports.
                bar.update(task, completed=done if self._total is None else min(done, self._total), refresh=True)


def _octets_read() -> int:
    label, octets = ACCOUNTS.read_text().split()[:2]
    assert label == "rchar:"
    return int(octets)
