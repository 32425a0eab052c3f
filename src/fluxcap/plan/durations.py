"""Lengths of time as whole nanoseconds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import datetime
    from fractions import Fraction

    import numpy as np

    Duration = int | float | str | datetime.timedelta | np.timedelta64

UNITS: Final = {  # nanoseconds
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
_TEXT = r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zµ]*)\s*"
_LONGEST = (1 << 63) - 1


def nanoseconds(duration: Duration | None, name: str) -> int:
    """A length of time in nanoseconds; 0 for None.

    Numbers are seconds; texts are a number and a unit (ns us ms s m h d; seconds without one). ValueError or TypeError,
    naming the parameter `name`, if it is not a length of time, not positive, or longer than 292 years.
    """
    if duration is None:
        return 0
    exact = _exact(duration, name)
    whole = round(exact)
    if not 0 < whole <= _LONGEST:
        raise ValueError(f"{name} must be at least 1 ns and at most 292 years, not {duration!r}")
    return whole


def _exact(duration: Any, name: str) -> Fraction | int:
    # Most runs have no timeout, and start sooner without these imports.
    import datetime
    from fractions import Fraction

    if isinstance(duration, datetime.timedelta):
        return duration // datetime.timedelta(microseconds=1) * 1000
    if isinstance(duration, str):
        match = re.fullmatch(_TEXT, duration)
        if match is None or (match[2] or "s") not in UNITS:
            raise ValueError(f"{name}: {duration!r} is no length of time such as 30, '500ms', '30s', '1.5m' or '1h'")
        return Fraction(match[1]) * UNITS[match[2] or "s"]
    if isinstance(duration, int) and not isinstance(duration, bool):
        return duration * UNITS["s"]
    if isinstance(duration, float):
        try:
            # The caller wrote the shortest decimal that names the float: 0.1 is 100 ms, not a hair more.
            return Fraction(float.__repr__(duration)) * UNITS["s"]
        except ValueError:  # inf, nan
            raise ValueError(f"{name} must be finite, not {duration!r}") from None
    if type(duration).__name__ == "timedelta64":  # of numpy, which is not imported for this
        return int(duration.astype("m8[ns]").astype("i8"))
    raise TypeError(f"{name}: a {type(duration).__name__} is no length of time")
