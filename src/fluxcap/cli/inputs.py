"""The inputs that a command line names, checked before anything is read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fluxcap.cli.exits import UsageError
from fluxcap.cli.output import STANDARD, Output
from fluxcap.stores.urls import is_url

if TYPE_CHECKING:
    from fluxcap.capture.inputs import Input


class Sources(NamedTuple):
    """The inputs of a command."""

    inputs: list[Input]  # found once: the reading functions take them as they are

    @property
    def live(self) -> bool:
        """Whether an input may still be in the making."""
        return any(item.size is None and not is_url(item.name) for item in self.inputs)

    @property
    def in_stores(self) -> list[Input]:
        """The inputs that URLs name."""
        return [item for item in self.inputs if is_url(item.name)]


def find(paths: Sequence[str], output: Output, follow: bool = False) -> Sources:
    """The inputs that paths name; with `follow` the paths themselves. UsageError if one is missing, or if the output
    would overwrite one."""
    from fluxcap.capture.inputs import expand

    if STANDARD in paths and sys.stdin is None:
        raise UsageError("standard input is closed", "Leave it open, or name a file.")
    try:
        inputs = _followed(paths) if follow else expand(paths)
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename}: {error.strerror}", _nearest(error.filename)) from error
    output.refuse(item.name for item in inputs if follow or item.size is not None)
    if STANDARD in paths:
        output.refuse([STANDARD])
    return Sources(inputs)


def _followed(paths: Sequence[str]) -> list[Input]:
    from fluxcap.capture.live.following import followed

    if STANDARD in paths:
        raise UsageError("standard input is read as it comes anyway", "Leave out --follow, or name a file.")
    if any(map(is_url, paths)):
        raise UsageError("an object in a store does not grow", "Leave out --follow, or name a file.")
    return followed(paths)


def _nearest(name: str) -> str:
    if is_url(name):
        return "Check the URL, and whose credentials are used for it."
    missing = Path(name)
    try:
        names = [path.name for path in missing.parent.iterdir()]
    except OSError:
        return f"Check the path: {missing.parent} is not there either, or not to be read."
    import difflib

    near = difflib.get_close_matches(missing.name, names, n=1)
    return f"Did you mean {missing.parent / near[0]}?" if near else "Check the path; - is standard input."
