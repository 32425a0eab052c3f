"""The packages that fluxcap needs, and the lowest version of each that it works with."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from fluxcap.errors import install, missing

EXTRAS = {"duckdb": "sql", "pandas": "pandas", "polars": "polars", "pyarrow": "arrow"}  # of pyproject.toml
FLOOR = re.compile(r"([\w.-]+)>=([\w.]+)")


def wanted(package: str) -> Any:
    """The imported package. ImportError with advice if it is missing, or older than pyproject.toml admits."""
    try:
        found = importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise missing("this", package, EXTRAS[package]) from None
    there, least = metadata.version(package), _own_floors().get(package, "0")
    if _numbers(there) < _numbers(least):
        raise ImportError(
            f"this needs {package} {least} or newer, and {there} is installed; run {install(EXTRAS[package])}",
            name=package,
        )
    return found


def floors(requirements: Iterable[str]) -> dict[str, str]:
    """The lowest version of each package that a requirement such as `polars>=1.0,<2` states one for."""
    return {found[1]: found[2] for one in requirements if (found := FLOOR.match(one))}


@functools.cache
def _own_floors() -> dict[str, str]:
    try:
        return floors(metadata.requires("fluxcap") or ())
    except metadata.PackageNotFoundError:  # it runs from a source tree, whose requirements nobody has installed
        return {}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
