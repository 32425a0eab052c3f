"""The calls of this process that hooked_calls.c stands in front of. For a Python with that library in it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HOOK = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_char, ctypes.c_int, ctypes.c_long, ctypes.c_long)
READ, REMOVE = b"r", b"u"
_SIGNALS = -1000


def signalled(number: int) -> int:
    """What `ask` says for a signal to come before the call."""
    return _SIGNALS - number


@contextmanager
def hooked(library: str, ask: Callable[[bytes, int, int, int], int]) -> Iterator[None]:
    """Inside this context `ask` gets the kind, the descriptor, the offset and the bytes of each call about a file below
    the current directory. It says how many bytes the call may move, an errno below zero, or signalled()."""
    calls = ctypes.CDLL(library)
    calls.hook_calls.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    calls.hook_calls.restype = None
    hook = _HOOK(ask)
    folder = os.fsencode(Path.cwd())
    calls.hook_calls(ctypes.cast(hook, ctypes.c_void_p), folder)
    try:
        yield
    finally:
        calls.hook_calls(None, folder)
