"""Libraries that have more than one name."""

from typing import Final

ZSTD_MODULES: Final = ("compression.zstd", "backports.zstd")  # compression.zstd exists from Python 3.14 on
