"""Warnings that point to the line of the caller, not to one of this package."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

_PACKAGE = str(Path(__file__).parents[1]) + os.sep

_kept: Final[ContextVar[list[Warning] | None]] = ContextVar("kept", default=None)


@contextmanager
def keeping_warnings() -> Iterator[list[Warning]]:
    """In this context and thread warnings go into a list: warnings.catch_warnings() is for all threads at once."""
    kept: list[Warning] = []
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)


def warn(warning: Warning) -> None:
    """Issue a warning that points to the line that called into this package."""
    if (kept := _kept.get()) is not None:
        kept.append(warning)
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)
