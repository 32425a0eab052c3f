"""Flows from bytes as they arrive, where there is no file to read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Self
from weakref import WeakSet

from fluxcap._core import HeldCounted
from fluxcap.capture.inputs import Octets
from fluxcap.capture.reading import Reading
from fluxcap.capture.sources import Memory
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.payload import Payload, payload_of
from fluxcap.plan.read_options import OnDamage, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.tables.flows import FlowTable, flow_table

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration
    from fluxcap.plan.keys import KeySet
    from fluxcap.plan.semantics import End, SemanticsName


class FlowAggregator:
    """A flow table that grows with the bytes of one uncompressed capture, fed in pieces of any size.

    result() may be called at any time, and feeding may go on: an incomplete record is pending, neither counted
    nor lost. close(), or the end of the `with` block, says that nothing more will come: only then is an
    incomplete record damage. Bytes after damage, or after a limit, are not read.

    Threads may share an aggregator: a call waits until the call of another thread is done; a piece is fed as a whole.
    After a MemoryError from feed() or close() nothing more is taken, since records are missing; result() gives
    what was counted before.

    Parameters
    ----------
    by : str or iterable of str, default "5tuple"
        Fields that make a flow, or a named set: "5tuple", "ports", "hosts", "sockets".
        "src_ip/24" is a network, "src_ip/24/64" one prefix length for IPv4 and one for IPv6.
    biflow : bool, default True
        Put both directions of a flow into one row, if the key is symmetric in source and destination.
    where : str, optional
        Count only records that match this filter, in tcpdump's language (extra `where`).
    inner : bool, default False
        Put the filter to the innermost IP packet. False: to the outermost headers, as tcpdump does.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    semantics : {"wireshark", "zeek", "nfstream", "yaf", "cicflowmeter"}, optional
        Take timeouts, direction and bytes from this program (docs/semantics.md).
    idle_timeout : float or str, optional
        End a flow after this long without a packet: seconds, or a text such as "30s" or "500ms".
    active_timeout : float or str, optional
        Split a flow that lasts longer than this. Same units.
    end : {"tcp"}, optional
        "tcp": a SYN begins another flow where a RST, or FINs of both sides, have ended the one before.
    interval : float or str, optional
        Add a column `interval` to the key: the start of the interval that the record falls into. Same units.
    max_flows : int, optional
        Stop, with a warning, before the record that would need one flow more.
    max_memory : int or str, optional
        Stop, with a warning, before the table of flows takes more than this: bytes, or a text such as "512M" or
        "2GiB". What was read before is exact.
    features : bool, default False
        Add statistics of packet sizes and gaps, and packets by TCP flag, as in read_flows().
    activity : bool, default False
        Add payload sizes, headers, TCP windows, bulks, active and idle times, subflows (docs/cicflowmeter.md).
    splt : int, default 0
        Add direction, size and gap of this many first packets, as in read_flows().
    payload : int or Payload, default 0
        Add the first so many payload bytes of each flow, as in read_flows().
    server_names : bool, default False
        Add the name of the server and what tells it, as in read_flows() (docs/server-names.md).
    threads : int, optional
        Threads to read with, at most one a processor. None: all, few for small inputs. The result is the same.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.

    Raises
    ------
    ValueError
        As in read_flows().

    Examples
    --------
    >>> import fluxcap
    >>> with open("samples/verdicts.pcap", "rb") as capture, fluxcap.FlowAggregator(by="ports") as flows:
    ...     while piece := capture.read(1000):
    ...         flows.feed(piece)
    >>> flows.result() == fluxcap.read_flows("samples/verdicts.pcap", by="ports")
    True
    """

    def __init__(
        self,
        by: KeySet | str | Iterable[str] = "5tuple",
        *,
        biflow: bool = True,
        where: str | None = None,
        inner: bool = False,
        decap: bool = True,
        tunnels: Tunnels | None = None,
        semantics: SemanticsName | None = None,
        idle_timeout: Duration | None = None,
        active_timeout: Duration | None = None,
        end: End | None = None,
        interval: Duration | None = None,
        max_flows: int | None = None,
        max_memory: int | str | None = None,
        features: bool = False,
        activity: bool = False,
        splt: int = 0,
        payload: int | Payload = 0,
        server_names: bool = False,
        threads: int | None = None,
        on_damage: OnDamage = "warn",
    ) -> None:
        self._plan = FlowPlan(
            keys.parse(by, biflow),
            semantics=semantics,
            idle_timeout=idle_timeout,
            active_timeout=active_timeout,
            end=end,
            interval=interval,
            max_flows=max_flows,
            max_memory=max_memory,
            features=features,
            activity=activity,
            splt=splt,
            payload=payload_of(payload),
            server_names=server_names,
        )
        self._reading = Reading(
            ReadOptions(where, decap, threads, on_damage, inner=inner, tunnels=tunnels), key=self._plan.spec()
        )
        self._reading.begin("<feed>")
        self._closed = False
        self._out_of_memory = False
        self._renew_lock()
        _ALIVE.add(self)

    def feed(self, octets: Octets) -> None:
        """Read the next bytes of the capture.

        Parameters
        ----------
        octets : bytes-like
            The next bytes, split anywhere.

        Raises
        ------
        NotACaptureError
            As soon as the bytes are seen not to begin a capture.
        CaptureError
            The capture is damaged and `on_damage` is "raise".
        ValueError
            The aggregator is closed.

        Examples
        --------
        >>> import fluxcap, pathlib
        >>> flows = fluxcap.FlowAggregator()
        >>> flows.feed(pathlib.Path("samples/verdicts.pcap").read_bytes())
        >>> len(flows.result()) > 0
        True
        """
        with self._lock:
            if self._closed:
                raise ValueError("this aggregator is closed")
            source = Memory(memoryview(octets).cast("B"))
            while source.left and not self._reading.ended:
                self._step(source)

    def close(self) -> None:
        """Say that the capture has ended. A second call does nothing.

        Raises
        ------
        TruncatedError
            A record is incomplete and `on_damage` is "raise".

        Warns
        -----
        DamagedCaptureWarning
            A record is incomplete.
        """
        with self._lock:
            if not self._closed:
                self._closed = True
                if not self._reading.ended:
                    self._step(Memory(memoryview(b"")))
                self._reading.end()
                self._reading.check()

    def result(self) -> FlowTable:
        """Give the flows of all complete records so far.

        A fragment of a datagram whose first fragment has not come counts by its addresses, as it does if the first
        fragment never comes.

        Returns
        -------
        FlowTable
            A copy: feeding may go on.
        """
        with self._lock, HeldCounted(self._reading.scanner):
            return flow_table(FlowTable, self._reading, self._plan, last=False)

    def _step(self, source: Memory) -> None:
        if self._out_of_memory:
            raise MemoryError("memory ran out before, and records are missing: this aggregator does not go on")
        try:
            with self._reading.partial(self.result):
                for _ in self._reading.feed(source.readinto):
                    pass
        except MemoryError:
            self._out_of_memory = True
            raise

    def _renew_lock(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()


_ALIVE: WeakSet[FlowAggregator] = WeakSet()


def _renew_locks() -> None:
    for aggregator in list(_ALIVE):
        aggregator._renew_lock()


# A forked process has only the thread that forked it: a lock that another thread held would never be released.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
