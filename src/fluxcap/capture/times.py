"""What is said of the times of records: that some have none, or are out of order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxcap._core import ANOMALIES
from fluxcap.errors import Late, printable
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap._core import Totals
    from fluxcap.plan.read_options import ReadOptions

# Why a record has no time, by the anomaly.
NO_TIME_FOR: Final = {
    "without_time": "simple packet blocks",
    "time_out_of_range": "outside the years 1677 to 2262 of 64-bit nanoseconds",
}


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


def about_order(late: Late, name: str, options: ReadOptions, pool: int) -> str:
    """What records out of order mean for the result; `pool`: the bytes that were full before the window, or 0."""
    where = f"packet {late.packet:,} of {printable(name)}"
    found = f"{human.counted(late.records, 'record')} out of order, by up to {human.duration(late.by)}, first {where}"
    if options.order is None:
        return (
            f"{found}: who began a flow, timeouts and connections can depend on it;"
            ' order="time" (--order time) sorts such records'
        )
    window = str(options.window)
    if pool:
        window += f", or the {human.octets(pool)} of records that wait at most,"
    return f"{found}: later than the {window} that reorder (--reorder) allows, and read where they stand"
