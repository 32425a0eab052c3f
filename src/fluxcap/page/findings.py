"""What the page tells about captures: the reports on them, and the numbers of each picture."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from fluxcap.capture.inputs import Captures, expand
from fluxcap.capture.warn import warn
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.plot import numbers
from fluxcap.plot.numbers import Numbers
from fluxcap.reports.checksum_report import ChecksumReport
from fluxcap.reports.checksums import collect_checksums
from fluxcap.reports.info import CaptureInfo
from fluxcap.reports.survey import collect_info
from fluxcap.sockets.hosts import host_table, parse
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.flows import FlowTable, collect_flows
from fluxcap.values.human import NS_PER

PASSES: Final = 4  # over the inputs
BAD_LISTED: Final = 50
SLICES: Final = 100  # intervals of a picture over time, at most
# Lengths of an interval that read well, in seconds; below a second these are 1, 2 and 5 times a power of ten.
ROUND: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
LEAST: Final = 1_000  # ns
ONE: Final = (str, bytes, bytearray, memoryview, os.PathLike)  # an input by itself, as is what can be read
OF_CONNECTIONS: Final = ("conversations", "ports", "outcomes", "servers", "handshakes", "losses", "flow_sizes")


class Findings(NamedTuple):
    """The reports on captures, and the numbers of each picture by its name."""

    info: CaptureInfo
    checksums: ChecksumReport
    step: int  # ns, of the pictures over time
    numbers: dict[str, Numbers]


def collect(src: Captures, options: ReadOptions) -> Findings:
    """Read the captures, PASSES times. ValueError for an input that can be read only once."""
    captures = src if isinstance(src, ONE) or hasattr(src, "read") else list(src)
    once = next((item.name for item in expand(captures) if item.once), None)
    if once is not None:
        raise ValueError(f"a report reads its inputs {PASSES} times, and {once} can be read once; save it to a file")
    with _each_warning_once():
        info = collect_info(captures, options)
        step = interval(info.duration or 0)
        checksums = collect_checksums(captures, BAD_LISTED, options)
        over_time = FlowPlan(keys.parse("protocol"), interval=f"{step}ns")
        flows = collect_flows(captures, over_time, options, FlowTable)
        connections = collect_flows(captures, FlowPlan(connections=True), options, ConnectionTable)
    found = {
        "throughput": numbers.throughput(flows),
        "verdicts": numbers.verdicts(flows),
        "hosts": numbers.hosts(host_table(connections, parse("address"))),
    }
    return Findings(
        info, checksums, step, found | {name: getattr(numbers, name)(connections) for name in OF_CONNECTIONS}
    )


def interval(duration: int) -> int:
    """The round length that cuts this time, in nanoseconds, into at most SLICES."""
    least = max(duration // (SLICES - 1) + 1, LEAST)
    day = ROUND[-1] * NS_PER["s"]
    lengths = (*_below_a_second(), *(seconds * NS_PER["s"] for seconds in ROUND))
    return next((length for length in lengths if length >= least), -(-least // day) * day)


def _below_a_second() -> Iterator[int]:
    power = LEAST
    while power < NS_PER["s"]:
        yield from (power, 2 * power, 5 * power)
        power *= 10


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """The readings of one capture meet the same damage."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        for one in {str(one.message): one for one in reversed(caught)}.values():
            warn(one.message if isinstance(one.message, Warning) else UserWarning(one.message))
