"""Numbers for people: grouped digits, binary units, durations."""

from typing import Final

from fluxcap.values import text

NS_PER: Final = {"µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
SECONDS_PER_MINUTE, SECONDS_PER_HOUR, SECONDS_PER_DAY = 60, 3_600, 86_400
DECIMAL_UNITS: Final = ("", "k", "M", "G", "T", "P")
BINARY_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def count(number: int) -> str:
    """12345 -> '12,345'."""
    return f"{number:,}"


def rate(number: float) -> str:
    """12345.6 -> '12,346', 0.01234 -> '0.012'."""
    return count(round(number)) if number >= 10 else f"{number:.2g}"


def counted(number: int, noun: str) -> str:
    """2, 'packet' -> '2 packets'."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def were(number: int) -> str:
    """The verb behind so many: 1 -> 'was'."""
    return "was" if number == 1 else "were"


def octets(number: int) -> str:
    """1536 -> '1.5 KiB'."""
    if number < 1024:
        return f"{number} B"
    scaled = float(number)
    for unit in BINARY_UNITS:
        scaled /= 1024
        # 1023.95 would be rounded up to 1024.0 of this unit.
        if scaled < 1023.95 or unit == BINARY_UNITS[-1]:
            break
    return f"{scaled:.1f} {unit}"


def bits(rate: float) -> str:
    """1_536_000.0 -> '1.5 Mbit/s'."""
    for unit in DECIMAL_UNITS:
        # 999.95 would be rounded up to 1000.0 of this unit.
        if rate < 999.95 or unit == DECIMAL_UNITS[-1]:
            break
        rate /= 1000
    return f"{rate:.1f} {unit}bit/s" if unit else f"{round(rate)} bit/s"


def duration(ns: int) -> str:
    """899000000000 -> '14m 59s'; three or four digits below a minute."""
    if ns < NS_PER["µs"]:
        return f"{ns} ns"
    if ns < NS_PER["ms"]:
        return f"{ns // 100 / 10} µs"
    if ns < NS_PER["s"]:
        return f"{ns // 100_000 / 10} ms"
    seconds, fraction = divmod(ns, NS_PER["s"])
    if seconds < SECONDS_PER_MINUTE:
        return f"{seconds}.{fraction // (NS_PER['s'] // 10)} s"
    if seconds < SECONDS_PER_HOUR:
        return f"{seconds // SECONDS_PER_MINUTE}m {seconds % SECONDS_PER_MINUTE:02d}s"
    if seconds < SECONDS_PER_DAY:
        return f"{seconds // SECONDS_PER_HOUR}h {seconds % SECONDS_PER_HOUR // SECONDS_PER_MINUTE:02d}m"
    return f"{seconds // SECONDS_PER_DAY}d {seconds % SECONDS_PER_DAY // SECONDS_PER_HOUR:02d}h"


def exact_span(first: int, last: int) -> str:
    """Two times as span() gives them, to the microsecond, or the nanosecond where one has nanoseconds."""
    microseconds = first % 1000 == last % 1000 == 0
    return _span(first, last, len("2026-11-02T10:00:00.123456" if microseconds else "2026-11-02T10:00:00.123456789"))


def span(first: int, last: int) -> str:
    """Two times, to the second and in UTC; the second time without the parts that equal those of the first."""
    return _span(first, last, len("2026-11-02T10:00:00"))


def _span(first: int, last: int, digits: int) -> str:
    texts = [text.time(ns)[:digits].replace("T", " ") for ns in (first, last)]
    date = len("2026-11-02 ")
    if texts[0] == texts[1]:
        del texts[1]
    elif texts[0][:date] == texts[1][:date]:
        texts[1] = texts[1][date:]
    return f"{' → '.join(texts)} UTC"


def shortened(name: str, most: int = 28) -> str:
    """The first letters of a long name: whatever a stranger writes, a terminal of 80 columns has room for it beside the
    ends of a flow."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
