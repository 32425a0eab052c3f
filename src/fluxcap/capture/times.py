"""What is said of the times of records: that some have none, are out of order, or in the wrong unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from fluxcap._core import ANOMALIES
from fluxcap.errors import Late, printable
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap._core import CaptureFormat, Totals
    from fluxcap.plan.read_options import ReadOptions

# Why a record has no time, by the anomaly.
NO_TIME_FOR: Final = {
    "without_time": "simple packet blocks",
    "time_out_of_range": "outside the years 1677 to 2262 of 64-bit nanoseconds",
}

INPUTS_SHOWN: Final = 3  # in a warning
OF_FLOWS: Final = "who began a flow, timeouts and connections can depend on it"


class _Fractions(NamedTuple):
    """The records of an input whose fraction of a second is a second or more."""

    name: str
    over_second: int
    records: int  # of the input in all

    def __str__(self) -> str:
        return f"{self.over_second:,} of {human.counted(self.records, 'record')} of {printable(self.name)}"


class Units:
    """Which inputs hold nanoseconds where they say microseconds?"""

    def __init__(self) -> None:
        self._found: list[_Fractions] = []
        self._before = 0, 0

    def begin(self, totals: Totals) -> None:
        """Note what was read before an input."""
        self._before = _over_second(totals)

    def end(self, name: str, totals: Totals, form: CaptureFormat) -> None:
        """Add the input that was begun."""
        over_second, records = (now - before for now, before in zip(_over_second(totals), self._before, strict=True))
        self.add(name, over_second, records, form)

    def add(self, name: str, over_second: int, records: int, form: CaptureFormat) -> None:
        """Add an input with so many records whose fraction of a second is a second or more."""
        # Of nanoseconds that are read as microseconds, 999 in 1,000 are a second or more.
        if over_second * 2 > records and form["variant"] != "ns":
            self._found.append(_Fractions(name, over_second, records))

    def about(self) -> str:
        """What is to be said of them; empty if there are none."""
        if not self._found:
            return ""
        more = ", ..." if len(self._found) > INPUTS_SHOWN else ""
        return (
            f"the fraction of a second is a second or more in {', '.join(map(str, self._found[:INPUTS_SHOWN]))}{more}:"
            " probably nanoseconds where the input says microseconds, and the times are wrong"
        )


def _over_second(totals: Totals) -> tuple[int, int]:
    return totals["anomalies"][ANOMALIES.index("fraction_over_second")], totals["packets"]


def untimed(totals: Totals) -> dict[str, int]:
    """Records without a time, by the reason."""
    counts = dict(zip(ANOMALIES, totals["anomalies"], strict=True))
    return {name: counts[name] for name in NO_TIME_FOR if counts[name]}


def about_times(totals: Totals) -> list[str]:
    """'3 of 120 records have no time (simple packet blocks): null'."""
    found = untimed(totals)
    if not found:
        return []
    reasons = [f"{human.count(n)} {NO_TIME_FOR[name]}" for name, n in found.items()]
    why = ", ".join(reasons) if len(found) > 1 else NO_TIME_FOR[next(iter(found))]
    of = human.counted(totals["packets"], "record")
    n = sum(found.values())
    return [f"{human.count(n)} of {of} {'has' if n == 1 else 'have'} no time ({why}): null"]


def about_order(late: Late, name: str, options: ReadOptions, pool: int, depends: str = OF_FLOWS) -> str:
    """What records out of order mean for the result, and what depends on them; `pool`: the bytes that were full before
    the window, or 0."""
    where = f"packet {late.packet:,} of {printable(name)}"
    found = f"{human.counted(late.records, 'record')} out of order, by up to {human.duration(late.by)}, first {where}"
    if options.order is None:
        return f'{found}: {depends}; order="time" (--order time) sorts such records'
    window = str(options.window)
    if pool:
        window += f", or the {human.octets(pool)} of records that wait at most,"
    return f"{found}: later than the {window} that reorder (--reorder) allows, and read where they stand"
