"""Exceptions and warnings as words for people and exit codes."""

import warnings
from collections.abc import Callable

from fluxcap.cli.exits import CommandError, Exit, UsageError, worst
from fluxcap.cli.messages import Messages
from fluxcap.errors import (
    CaptureError,
    ChangedError,
    DamagedCaptureWarning,
    FilterError,
    TooManyRowsError,
    UnfitRowsError,
)


def explained(error: Exception) -> CommandError:
    """An exception in the words of the command line."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, CaptureError | FilterError):
        return CommandError(str(error), error.help)
    if isinstance(error, ImportError) and not (error.name or "").startswith("fluxcap"):
        return UsageError.of(error)  # a library is missing or too old
    if isinstance(error, TooManyRowsError | UnfitRowsError | ChangedError):
        return UsageError.of(error)
    if isinstance(error, MemoryError):
        return CommandError(
            "out of memory", "Fewer fields in --by make fewer flows, and --max-memory SIZE stops before it is out."
        )
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return CommandError(f"{where}{error.strerror}", "Check the path and its permissions.")
    return CommandError(
        f"{type(error).__name__}: {error}",
        "This is a bug in fluxcap: please report it with what --debug shows.",
        Exit.BUG,
    )


def with_warnings(work: Callable[[], Exit], messages: Messages) -> Exit:
    """Do the work and say the library's warnings, after it or as `messages` has them; a damaged input decides on the
    exit code too."""
    warned = _Warned(messages)
    with warnings.catch_warnings():
        # Only the library's warnings about the inputs are for people; of two equal warnings both are shown.
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda warning, *place: warned.take(warning)
        try:
            code = work()
        finally:
            warned.say()
    return worst(code, warned.code)


class _Warned:
    """Warnings that are said in the end, or at once while an input is still being made."""

    def __init__(self, messages: Messages) -> None:
        self.code = Exit.DONE
        self._messages = messages
        self._waiting: list[Warning | str] = []

    def take(self, warning: Warning | str) -> None:
        """Take a warning that was issued."""
        self._waiting.append(warning)
        if self._messages.live:
            self.say()

    def say(self) -> None:
        """Say those that wait."""
        while self._waiting:
            warning = self._waiting.pop(0)
            if isinstance(warning, DamagedCaptureWarning):
                self._messages.error(str(warning.error), warning.error.help)
                self.code = Exit.DAMAGED
            else:
                self._messages.warning(str(warning))
