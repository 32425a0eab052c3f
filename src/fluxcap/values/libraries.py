"""Libraries: the version of this one, and those that have more than one name."""

from typing import Final

VERSION: Final = "0.1.0"  # pyproject.toml takes it from here, so that a source tree that nobody installed knows it too
ZSTD_MODULES: Final = ("compression.zstd", "backports.zstd")  # compression.zstd exists from Python 3.14 on
