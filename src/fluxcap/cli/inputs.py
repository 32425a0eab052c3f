"""The inputs that a command line names, checked before anything is read."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcap.cli.exits import UsageError
from fluxcap.cli.output import STANDARD, Output

if TYPE_CHECKING:
    from fluxcap.inputs import Input


def find(paths: Sequence[str], output: Output) -> list[Input]:
    """What the paths mean. UsageError if one is not there, or if the output would overwrite one."""
    from fluxcap.inputs import expand

    try:
        inputs = expand(paths)
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename}: {error.strerror}", _nearest(Path(error.filename))) from error
    output.refuse(item.name for item in inputs if item.size is not None)
    if STANDARD in paths:
        output.refuse([STANDARD])
    return inputs


def _nearest(missing: Path) -> str:
    try:
        names = [path.name for path in missing.parent.iterdir()]
    except OSError:
        return f"Check the path: {missing.parent} is not there either, or not to be read."
    near = difflib.get_close_matches(missing.name, names, n=1)
    return f"Did you mean {missing.parent / near[0]}?" if near else "Check the path; - is standard input."
