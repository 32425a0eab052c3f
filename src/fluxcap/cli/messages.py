"""Messages on standard error, and the one place that decides on colour."""

import os
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal, TextIO

from fluxcap.errors import printable

ColorChoice = Literal["auto", "always", "never"]

STYLES: Final = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "hint": "\x1b[1;36m", "help": "\x1b[1;36m"}
PLAIN: Final = "\x1b[0m"


def wants_color(stream: TextIO | None, choice: ColorChoice = "auto") -> bool:
    """Whether to colour this stream, by the option, else NO_COLOR, else FORCE_COLOR, else whether it is a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at this stream; None is a stream that was closed before the start."""
    return stream is not None and stream.isatty()


class Messages:
    """Lines on standard error. `quiet` leaves only errors."""

    def __init__(self, color: ColorChoice = "auto", quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = False  # an input is still being made: what is wrong with it is said at once
        self.wipe = ""  # erases a bar from the line that a message begins in
        self._color = wants_color(sys.stderr, color)

    def error(self, text: str, help: str = "") -> None:
        """Say what went wrong and where, then what to do."""
        self._say("error", text)
        if help:
            self._say("help", help)

    def warning(self, text: str) -> None:
        """Say what was wrong although the result is valid."""
        if not self.quiet:
            self._say("warning", text)

    def hint(self, text: str) -> None:
        """Say what may be worth knowing."""
        if not self.quiet:
            self._say("hint", text)

    def hints(self, metadata: Mapping[str, Any]) -> None:
        """Say the hints in the metadata of a result."""
        for sentence in metadata.get("hints", ()):
            self.hint(sentence)

    def _say(self, kind: str, text: str) -> None:
        label = f"{STYLES[kind]}{kind}:{PLAIN}" if self._color else f"{kind}:"
        first, *others = _lines(f"{kind}: ", printable(text))
        if sys.stderr is None:  # closed before the start; print() would write to standard output instead
            return
        try:
            print("\n".join([self.wipe + label + first.removeprefix(f"{kind}:"), *others]), file=sys.stderr, flush=True)
        except OSError:
            # Standard error fails: there is nowhere to say so. Its buffer would fail again at exit, with exit code 120.
            sys.stderr = None


def _lines(label: str, text: str) -> list[str]:
    """One line, or at a terminal as many as its width needs, so that it cuts no word that fits a line."""
    if not is_terminal(sys.stderr):
        return [label + text]
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return [label + text]
    import textwrap  # a millisecond, which a command that says nothing saves

    # A width of 0 is an unknown one, as on a serial line. A longer word, such as a path, stays whole: it can be copied.
    wrap = textwrap.TextWrapper(width, label, replace_whitespace=False, break_long_words=False, break_on_hyphens=False)
    return (width and wrap.wrap(text)) or [label + text]
