"""Inputs that are still being made: how long do rows wait for more of the input before they leave?"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

# Seconds. A reader sees a packet within 100 ms, and an input that is fast leaves in fifty tables a second, not in one
# for each read of a few KiB.
PATIENCE: Final = 0.02

Wait = Callable[[float], bool]  # whether more comes, or the end, within so many seconds


class Handover:
    """Says before each read whether the rows made so far have to leave first."""

    def __init__(self, wait: Wait | None) -> None:
        """`wait` waits for more of the input; None: the input is there already, and nothing is handed over early."""
        self._wait = wait
        self._due: float | None = None  # when the rows have waited for PATIENCE

    def is_due(self) -> bool:
        """Wait for more input as long as the rows may wait; True when they have to leave."""
        if self._wait is None:
            return False
        now = monotonic()
        if self._due is None:
            self._due = now + PATIENCE
        if now < self._due and self._wait(self._due - now):
            return False
        self._due = None
        return True


def waiting(source: Any) -> Wait | None:
    """What waits for more of a source; None for one that does not come as it is made, or does not tell."""
    if (own := getattr(source, "wait", None)) is not None:
        return own  # type: ignore[no-any-return]
    try:
        descriptor = source.fileno()
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
    except (AttributeError, OSError):
        return None
    import select

    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return lambda seconds: bool(poll.poll(seconds * 1000))
