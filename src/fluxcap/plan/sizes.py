"""Amounts of memory as whole bytes."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {
    "": 1,
    **{letter + end: 1024**power for power, letter in enumerate("kmgt", 1) for end in ("", "ib")},
    **{letter + "b": 1000**power for power, letter in enumerate("kmgt", 1)},
}
_TEXT: Final = r"\s*(\d+)\s*([a-z]*)\s*"
LEAST: Final = 1 << 20  # a table of one flow has memory for some thousands already


def octets(size: int | str | None, name: str) -> int:
    """An amount of memory in bytes; 0 for None.

    Texts are a whole number and a unit: K M G T and KiB MiB GiB TiB by 1024, kB MB GB TB by 1000, bytes without one.
    ValueError or TypeError, naming the parameter `name`, if it is not a size, or less than a mebibyte.
    """
    if size is None:
        return 0
    if isinstance(size, str):
        match = re.fullmatch(_TEXT, size.lower())
        if match is None or match[2] not in _UNITS:
            raise ValueError(f"{name}: {size!r} is no size such as '512M', '2GiB' or '1500000000'")
        size = int(match[1]) * _UNITS[match[2]]
    if not isinstance(size, int) or isinstance(size, bool):
        raise TypeError(f"{name}: a {type(size).__name__} is no size")
    if not LEAST <= size < 1 << 63:
        raise ValueError(f"{name} is at least 1 MiB, not {size} bytes")
    return size
