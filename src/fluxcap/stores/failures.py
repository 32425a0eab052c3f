"""What a store answered, as an OSError that names the object and holds no secret; and what is worth another try."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final, TypeVar

from fluxcap.stores.urls import shown, without_secrets

T = TypeVar("T")

# With waits of 0.1, 0.2, 0.4, 0.8 and 1.6 s. Of a store that fails one time in ten a million reads bring one failure.
TRIES: Final = 6
FIRST_WAIT: Final = 0.1  # seconds; each wait is twice the one before
# Packages whose own exceptions are about the connection.
_NETWORK: Final = {"aiohttp", "aiobotocore", "botocore", "gcsfs", "urllib3"}
_REFUSALS: Final = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_PASSING: Final = {408, 425, 429}  # of the answers 4xx: timeout, too early, too many requests
NEVER: Final = Event()


class NoRanges(Exception):  # noqa: N818 (no error: the object is read as a stream then)
    """The server sends whole objects only."""


def patiently(work: Callable[[], T], stopped: Event = NEVER) -> T:
    """Do the work, again where a failure may pass, until nobody waits for it any more."""
    tried = 0
    while True:
        try:
            return work()
        except Exception as error:
            tried += 1
            if is_last(error, tried, stopped):
                raise


def is_last(error: Exception, tried: int, stopped: Event = NEVER, tries: int = TRIES) -> bool:
    """Whether this failure of so many is the last; else the wait before the next try is over."""
    return tried == tries or not may_pass(error) or stopped.wait(FIRST_WAIT * 2 ** (tried - 1))


def may_pass(error: Exception) -> bool:
    """Whether another try may have another end."""
    if (status := _status(error)) is not None:
        return status >= 500 or status in _PASSING
    if isinstance(error, _REFUSALS):
        return False
    return isinstance(error, OSError | TimeoutError) or type(error).__module__.partition(".")[0] in _NETWORK


@contextmanager
def naming(url: str, place: str = "") -> Iterator[None]:
    """An exception that leaves this block is an OSError with the name of the object, and says `place` of it."""
    try:
        yield
    except (ImportError, NoRanges):
        raise
    except Exception as error:
        raise _named(error, url, place) from None  # the original may hold the credentials


def _named(error: Exception, url: str, place: str) -> OSError:
    status = _status(error)
    if status in (401, 403) or (status is None and isinstance(error, PermissionError)):
        number, reason = errno.EACCES, "the store refuses access"
    elif status in (None, 404, 410) and isinstance(error, FileNotFoundError):
        number, reason = errno.ENOENT, getattr(error, "said", "no such object")
    else:
        number, reason = errno.EIO, _reason(error)
    if status is not None and number != errno.EIO:
        reason += f" (HTTP {status})"
    return OSError(number, f"{reason}{place}", shown(url))


def _reason(error: Exception) -> str:
    status = _status(error)
    if status is not None:
        phrase = getattr(error, "message", "") or getattr(error.__cause__, "message", "")
        return f"HTTP {status} {phrase}".strip()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if type(error).__name__ == "ClientPayloadError":
        return "the connection ended before the answer"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, OSError) and error.errno and not said:
        said = os.strerror(error.errno)
    return without_secrets(said).strip() or type(error).__name__


def _status(error: BaseException | None) -> int | None:
    """The status of the HTTP answer behind an exception; fsspec makes "not found" of any."""
    while error is not None:
        if isinstance(status := getattr(error, "status", None), int):
            return status
        error = error.__cause__
    return None


def nothing_there(said: str) -> FileNotFoundError:
    """The exception for a place without objects, which naming() completes."""
    error = FileNotFoundError(said)
    error.said = said  # type: ignore[attr-defined]
    return error
