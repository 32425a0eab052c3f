"""Flows from octets as they come, for whoever has no file to read."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from fluxcap.capture.inputs import Memory, Octets
from fluxcap.capture.reading import OnDamage, Reading
from fluxcap.plan import keys
from fluxcap.plan.spec import key_spec
from fluxcap.tables.flows import FlowTable, flow_table

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration


class FlowAggregator:
    """A flow table that grows with the octets of one uncompressed capture, handed over in pieces of any size.

    Parameters as in read_flows(). result() may be asked for at any time, and feeding go on: a record that has not come
    whole is pending, neither counted nor lost. close(), or leaving the `with` block, says that nothing more will come:
    only then is an incomplete record damage. Octets after damage, or after `max_flows`, are not read.

        with fluxcap.FlowAggregator(by="ports") as flows:
            for piece in pieces:
                flows.feed(piece)
        table = flows.result()
    """

    def __init__(
        self,
        by: str | Iterable[str] = "5tuple",
        *,
        biflow: bool = True,
        where: str | None = None,
        decap: bool = True,
        semantics: str | None = None,
        idle_timeout: Duration | None = None,
        active_timeout: Duration | None = None,
        interval: Duration | None = None,
        max_flows: int | None = None,
        on_damage: OnDamage = "warn",
    ) -> None:
        self._key = keys.parse(by, biflow)
        self._semantics = semantics
        self._spec = key_spec(
            self._key,
            semantics=semantics,
            idle_timeout=idle_timeout,
            active_timeout=active_timeout,
            interval=interval,
            max_flows=max_flows,
        )
        self._reading = Reading(key=self._spec, where=where, decap=decap, on_damage=on_damage)
        self._reading.begin("<feed>")
        self._closed = False

    def feed(self, octets: Octets) -> None:
        """The next octets of the capture, split anywhere. NotACaptureError as soon as it is seen to be none."""
        if self._closed:
            raise ValueError("this aggregator is closed")
        source = Memory(memoryview(octets).cast("B"))
        while source.left and not self._reading.ended:
            self._step(source)

    def close(self) -> None:
        """The capture has ended. A second call does nothing."""
        if not self._closed:
            self._closed = True
            if not self._reading.ended:
                self._step(Memory(memoryview(b"")))

    def result(self) -> FlowTable:
        """The flows of all complete records so far."""
        return flow_table(FlowTable, self._reading, self._key, self._spec, self._semantics, last=False)

    def _step(self, source: Memory) -> None:
        with self._reading.partial(self.result):
            for _ in self._reading.feed(source.readinto):
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
