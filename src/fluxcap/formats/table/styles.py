"""In which style the text of a cell is drawn, as rich names styles."""

from collections.abc import Mapping
from typing import Final


def unstyled(cell: str) -> str:
    """The style of every other text."""
    return ""


def alarm(cell: str) -> str:
    """For counts that should be zero."""
    return "dim" if cell == "0" else "bold red"


def notice(cell: str) -> str:
    """For counts that need a word of explanation unless they are zero."""
    return "dim" if cell == "0" else "yellow"


def verdict_style(cell: str) -> str:
    """The style of a name: that of a verdict, none for other names."""
    return VERDICT_STYLES.get(cell, "")


VERDICT_STYLES: Final[Mapping[str, str]] = {
    "good": "green",
    "bad": "bold red",
    "illegal": "bold red",
    "bad_length": "bold red",
    "partial": "yellow",
}
