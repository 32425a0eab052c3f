"""Where in a capture a reading begins: at a record of some number, or of some time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import datetime

    import numpy as np

    At = int | str | datetime.datetime | np.datetime64

# RFC 3339 section 5.6, where a date may stand alone, seconds may be missing, and UTC need not be said.
_TIME: Final = r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d:\d\d)?)?"
_SECOND: Final = 10**9
_LATEST: Final = (1 << 63) - 1  # ns, in the year 2262
_LARGEST: Final = (1 << 64) - 1


class Place(NamedTuple):
    """The first record of this number or a higher one, or of this time or a later one."""

    packet: int | None = None  # its number in its file, from 1
    time: int | None = None  # ns since the epoch


def place_of(at: At | None, name: str = "at") -> Place | None:
    """The place that is meant; None for None. ValueError or TypeError, naming the parameter `name`, for what is no
    place."""
    if at is None:
        return None
    if isinstance(at, str):
        return Place(packet=_number(int(at), name)) if at.isdigit() else Place(time=_time(at, name))
    if isinstance(at, int) and not isinstance(at, bool):
        return Place(packet=_number(at, name))
    return Place(time=_checked(_instant(at, name), at, name))


def _number(number: int, name: str) -> int:
    if not 1 <= number <= _LARGEST:
        raise ValueError(f"{name}: packets are numbered from 1; there is no packet {number}")
    return number


def _time(text: str, name: str) -> int:
    import datetime

    found = re.fullmatch(_TIME, text.strip())
    if found is None:
        raise ValueError(f"{name}: {text!r} is no number of a packet, and no time such as 2026-11-29T21:05:00.5Z")
    day, minute, second, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    try:
        whole = datetime.datetime.fromisoformat(f"{day}T{minute or '00:00'}:{second or '00'}{zone}")
    except ValueError as error:
        raise ValueError(f"{name}: {text!r} is no time: {error}") from None
    return _checked(_since_epoch(whole) + int((fraction or "").ljust(9, "0")), text, name)


def _instant(at: Any, name: str) -> int:
    """The time of a datetime, or of numpy's."""
    import datetime

    if isinstance(at, datetime.datetime):
        return _since_epoch(at if at.tzinfo else at.replace(tzinfo=datetime.UTC))
    if type(at).__name__ == "datetime64":  # of numpy, which is not imported for this
        return int(at.astype("M8[ns]").astype("i8"))
    raise TypeError(f"{name}: a {type(at).__name__} is neither the number of a packet nor a time")


def _since_epoch(time: datetime.datetime) -> int:
    import datetime

    passed = time - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return passed // datetime.timedelta(microseconds=1) * 1000


def _checked(time: int, at: Any, name: str) -> int:
    if not -_LATEST <= time <= _LATEST:
        raise ValueError(f"{name}: {at!r} is no time that a column of nanoseconds can have")
    return time
