"""How captures are read, whatever the result is: one struct, from the public function to the core.

A NamedTuple is as frozen as a dataclass can be; importing `dataclasses` would take a tenth of a command's start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from fluxcap.plan.payload import NONE, Payload
from fluxcap.plan.places import Place
from fluxcap.plan.tunnels import Tunnels

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration

# How much later than its time a record may stand in its input. libpcap hands over what it has captured after a timeout,
# which is a second in tcpdump and less in others: the queues of a network card, each with a buffer, are apart no more.
REORDER: Final = "1s"

# A copy of a packet comes within this time, if nothing else is said, and at most within the longest (ns), from which on
# a sender may have sent it again: pipeline/copies.pxd of the core has the reasons.
COPY_WINDOW: Final = "10ms"

# How long a packet that one of two points has seen is waited for at the other one. Clocks that NTP keeps are apart by
# less, and so are both ends of a path through a satellite and a full buffer.
IN_FLIGHT: Final = "10s"
COPY_WINDOW_MAX: Final = 200_000_000

OnDamage = Literal["warn", "raise", "resync"]
OnInterrupt = Literal["raise", "return"]
Order = Literal["time"]


class ReadOptions(NamedTuple):
    """Which records are read, how deep, by how many threads, and what ends the reading early."""

    where: str | None = None  # only records that this filter accepts, in the language of tcpdump
    decap: bool = True  # look into tunnels
    threads: int | None = 1  # at most this many; None: one a processor
    on_damage: OnDamage = "warn"
    on_interrupt: OnInterrupt = "raise"
    inner: bool = False  # the filter sees the innermost IP packet, not the headers around it
    tunnels: Tunnels | None = None  # UDP ports that carry one, besides the registered ones
    order: Order | None = None  # "time": inputs are merged and their records sorted; None: as they stand
    reorder: Duration | None = None  # how far records are sorted; None: REORDER
    dedupe: bool | Duration = False  # leave out copies of packets; True: that come within COPY_WINDOW
    ahead: int | None = None  # inputs after the current one that are decompressed while it is read; None: one a core
    follow: bool = False  # go on at the ends of files, and with the files that come next
    at: Place | None = None  # begin at this record; None: at the first
    payload: Payload = NONE  # bytes of each packet that a table of packets has
    on_end: Callable[[], None] | None = None  # called at the end of the inputs, not when Ctrl-C ends the reading

    @property
    def window(self) -> Duration:
        """`reorder`, or what it is if nothing is said."""
        return REORDER if self.reorder is None else self.reorder

    @property
    def copy_window(self) -> int:
        """Nanoseconds within which a copy of a packet comes; 0 where nothing is said: COPY_WINDOW."""
        return 0 if isinstance(self.dedupe, bool) else copy_window(self.dedupe, "dedupe")

    def check(self) -> None:
        """ValueError for a value that the option does not have."""
        if self.inner and self.where is None:
            raise ValueError("inner is about a filter, and there is none; say where")
        if self.order not in (None, "time"):
            raise ValueError(f"order is 'time' or None, not {self.order!r}")
        if self.reorder is not None and self.order is None:
            raise ValueError("reorder is about an order, and there is none; say order='time'")
        if self.follow and self.order is not None:
            raise ValueError("order='time' needs the ends of all inputs, and a file that is followed has none")
        if self.at is not None and (self.order is not None or self.follow):
            other = "follow" if self.follow else "order='time'"
            raise ValueError(f"at is a place in each input as it stands; it does not go with {other}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is at least 1, not {self.threads}")
        if self.ahead is not None and self.ahead < 0:
            raise ValueError(f"ahead is at least 0, not {self.ahead}")
        if self.on_damage not in get_args(OnDamage):
            raise ValueError(f"on_damage is 'warn', 'raise' or 'resync', not {self.on_damage!r}")
        if self.on_interrupt not in ("raise", "return"):
            raise ValueError(f"on_interrupt is 'raise' or 'return', not {self.on_interrupt!r}")


def copy_window(duration: Duration, name: str) -> int:
    """The time within which a copy comes, in nanoseconds. ValueError or TypeError naming the parameter `name`."""
    from fluxcap.plan.durations import nanoseconds  # most runs look for no copies, and start sooner without it

    window = nanoseconds(duration, name)
    if window > COPY_WINDOW_MAX:
        raise ValueError(f"{name} is at most 200ms, from which on a sender may repeat itself, not {duration!r}")
    return window


DEFAULT: Final = ReadOptions()
