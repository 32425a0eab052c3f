"""Packets gathered into a smaller result, batch by batch, as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from fluxcap.capture.inputs import Input
from fluxcap.capture.reading import Reading
from fluxcap.capture.steps import each
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.packets import PacketTable, packet_table
from fluxcap.tables.scan import BATCH_ROWS

T = TypeVar("T")


def by_batch(options: ReadOptions, columns: Sequence[str], plan: FlowPlan | None = None) -> Reading:
    """Plan a reading of these columns for gather(); with a plan also of the flows of the packets."""
    key = None if plan is None else plan.spec()
    return Reading(options._replace(threads=1), key=key, columns=columns, row_limit=BATCH_ROWS)


def gather(reading: Reading, inputs: Iterable[Input], add: Callable[[PacketTable], None], build: Callable[[], T]) -> T:
    """Add the packets of a reading, a batch at a time, and build the result from all of them.

    A CaptureError has the result from the packets before it. Ctrl-C comes between two batches, never inside add().
    """

    def finish() -> T:
        add(packet_table(reading))
        return build()

    with reading.partial(finish):
        for _ in each(reading, inputs, lambda: add(packet_table(reading))):
            pass
    return finish()
