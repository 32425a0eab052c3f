"""Exceptions and warnings as words for people and exit codes."""

import warnings
from collections.abc import Callable, Iterable

from fluxcap.cli.exits import CommandError, Exit, UsageError, worst
from fluxcap.cli.messages import Messages
from fluxcap.errors import CaptureError, DamagedCaptureWarning, FilterError, TooManyRowsError


def explained(error: Exception) -> CommandError:
    """An exception in the words of the command line."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, CaptureError | FilterError):
        return CommandError(str(error), error.help)
    if isinstance(error, ImportError) and not (error.name or "").startswith("fluxcap"):
        return UsageError.of(error)  # a library is missing or too old
    if isinstance(error, TooManyRowsError):
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
    """Do the work, then repeat the library's warnings; a damaged input decides on the exit code too."""
    with warnings.catch_warnings(record=True) as caught:
        # Only the library's warnings about the inputs are for people; of two equal warnings both are shown.
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            code = work()
        finally:
            damaged = _repeat([one.message for one in caught], messages)
    return worst(code, damaged)


def _repeat(caught: Iterable[Warning | str], messages: Messages) -> Exit:
    code = Exit.DONE
    for warning in caught:
        if isinstance(warning, DamagedCaptureWarning):
            messages.error(str(warning.error), warning.error.help)
            code = Exit.DAMAGED
        else:
            messages.warning(str(warning))
    return code
