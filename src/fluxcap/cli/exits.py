"""The exit codes of the process, and the failures that lead to them."""

from enum import IntEnum
from typing import Self


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0  # also without a single row
    TOO_MANY_BAD = 1  # `check` found more than --max-bad, or `audit` or `compare` what --fail-on names
    REFUSED = 2  # wrong usage, or an input that cannot be read
    DAMAGED = 3  # results are printed, but an input was damaged or cut
    LIMITED = 4  # results are printed up to a limit that the user set
    NOT_WRITTEN = 5
    BUG = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # 128 + SIGINT, as in a shell
    PIPE_CLOSED = 141  # 128 + SIGPIPE


# A count from an unfinished or damaged reading is only a lower bound: that weighs more than too many bad checksums.
_RISING = (Exit.DONE, Exit.TOO_MANY_BAD, Exit.DAMAGED, Exit.LIMITED, Exit.INTERRUPTED)


def worst(*exits: Exit) -> Exit:
    """The exit code to report, among those of a command that printed its results."""
    return max(exits, key=_RISING.index)


class CommandError(Exception):
    """Ends the process: an `error:` line, a `help:` line, an exit code."""

    def __init__(self, message: str, help: str = "", code: Exit = Exit.REFUSED) -> None:
        super().__init__(message)
        self.help = help
        self.code = code


class UsageError(CommandError):
    """The command line asks for something that does not exist."""

    @classmethod
    def of(cls, error: ValueError | ImportError) -> Self:
        """Made from the library's message on a wrong argument: the advice follows a semicolon."""
        message, _, help = str(error).partition("; ")
        return cls(message, help[:1].upper() + help[1:])


class OutputError(CommandError):
    """The output could not be written."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message, help, Exit.NOT_WRITTEN)
