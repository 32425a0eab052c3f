"""What the page tells about captures: the reports on them, and the numbers of each picture."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Final, NamedTuple

import numpy as np

from fluxcap.capture.inputs import Captures, Input, expand
from fluxcap.capture.reading import Reading
from fluxcap.capture.shared import SharedInputs
from fluxcap.capture.warn import warn
from fluxcap.page import proofs
from fluxcap.page.evidence import COLUMNS, Evidence
from fluxcap.page.proofs import Proofs
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.plot import numbers
from fluxcap.plot.numbers import Numbers
from fluxcap.reports.checksum_report import ChecksumReport
from fluxcap.reports.checksums import Judging
from fluxcap.reports.info import CaptureInfo
from fluxcap.reports.survey import Survey
from fluxcap.sockets.hosts import host_table, parse
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.flows import flow_table
from fluxcap.tables.packets import PacketTable, packet_table
from fluxcap.tables.scan import BATCH_ROWS
from fluxcap.tables.timeline.counts import PACKET_COLUMNS
from fluxcap.tables.timeline.slices import Slices, interval
from fluxcap.tables.timeline.table import PROTOCOL, VERDICT

BAD_LISTED: Final = 50
OF_CONNECTIONS: Final = (
    *("conversations", "ports", "outcomes", "servers"),
    *("handshakes", "responses", "waits", "losses", "flow_sizes"),
)


class Findings(NamedTuple):
    """The reports on captures, the numbers of each picture by its name, and the packets that prove them."""

    info: CaptureInfo
    checksums: ChecksumReport
    step: int  # ns, of the pictures over time
    numbers: dict[str, Numbers]
    proofs: dict[str, Proofs]  # of each picture
    evidence: Evidence


def collect(src: Captures, options: ReadOptions, server_names: bool = False) -> Findings:
    """Read the captures once; look for the names of servers, or not."""
    judging = Judging(options, BAD_LISTED, stepwise=True)
    plan = FlowPlan(connections=True, server_names=server_names)
    # One thread: rows are made in order.
    survey = Survey(
        options._replace(threads=1),
        key=plan.spec(),
        columns=(*PACKET_COLUMNS, *(name for name in COLUMNS if name not in PACKET_COLUMNS)),
        row_limit=BATCH_ROWS,
        stepwise=True,
    )
    slices, lengths, evidence = Slices(), np.zeros(numbers.LENGTH_BITS + 1, np.int64), Evidence()

    def add(packets: PacketTable) -> None:
        slices.add(packets)
        evidence.add(packets)
        lengths[:] += numbers.lengths_of(packets)

    ahead = options.ahead if options.order is None else 0  # all inputs are open at once
    with _each_warning_once(), SharedInputs(expand(src), 2, ahead) as inputs:
        for _ in zip_longest(judging.judge(inputs.of(0)), _counted(survey, inputs.of(1), add)):
            pass
    metadata = survey.metadata()
    connections = flow_table(ConnectionTable, survey, plan, last=True)
    found = {
        "throughput": numbers.throughput(slices.timeline(PROTOCOL, metadata)),
        "verdicts": numbers.verdicts(slices.timeline(VERDICT, metadata)),
        "lengths": numbers.spans_of(lengths),
        "hosts": numbers.hosts(host_table(connections, parse("address")), connections),
        **{name: getattr(numbers, name)(connections) for name in OF_CONNECTIONS},
    }
    return Findings(
        survey.info(),
        judging.report(),
        interval(slices.duration),
        found,
        proofs.of_all(found, connections, evidence),
        evidence,
    )


def _counted(reading: Reading, inputs: Iterable[Input], add: Callable[[PacketTable], None]) -> Iterator[None]:
    """Read the inputs, and add their packets as they come."""
    for _ in reading.read(inputs):
        add(packet_table(reading))
        yield
    add(packet_table(reading))


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """Both readings of a capture meet the same damage."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        for one in {str(one.message): one for one in reversed(caught)}.values():
            warn(one.message if isinstance(one.message, Warning) else UserWarning(one.message))
