"""Packet captures as flow tables, with a verdict on every checksum.

Each name is imported when it is first used, so that `import fluxcap` costs next to nothing and never imports numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fluxcap.values.libraries import VERSION

if TYPE_CHECKING:
    from fluxcap._core import (
        DIRECTION_BASES,
        DISPOSITIONS,
        FLOW_COLUMNS,
        NO_TIME,
        SERVER_NAME_BASES,
        STATES,
        VERDICTS,
    )
    from fluxcap.capture.index.making import Indexed, index
    from fluxcap.capture.meter import progress
    from fluxcap.comparison.comparison import Comparison
    from fluxcap.comparison.reading import read_comparison
    from fluxcap.comparison.tables import ComparedFlowTable, ComparedPacketTable
    from fluxcap.errors import (
        CaptureError,
        DamagedCaptureWarning,
        FilterError,
        NotACaptureError,
        TruncatedError,
        UnsupportedError,
    )
    from fluxcap.explaining.explanation import Explanation
    from fluxcap.explaining.reading import explain
    from fluxcap.lake.export import Exported, export
    from fluxcap.lake.scan import Lake, scan_lake
    from fluxcap.page.report import report
    from fluxcap.plan.payload import Payload
    from fluxcap.reports.audit.reading import read_audit
    from fluxcap.reports.audit.report import AuditReport
    from fluxcap.reports.checksum_report import ChecksumReport
    from fluxcap.reports.checksums import read_checksums
    from fluxcap.reports.info import CaptureInfo
    from fluxcap.reports.survey import read_info
    from fluxcap.rewrite.dedupe import Deduped, dedupe
    from fluxcap.rewrite.demux import Delivered, demux
    from fluxcap.rewrite.mux import Muxed, mux
    from fluxcap.rewrite.repair import Repair, repair
    from fluxcap.rewrite.segment import segment
    from fluxcap.sockets.hosts import HostTable, read_hosts
    from fluxcap.sockets.life import LifeTable, read_life
    from fluxcap.sockets.table import SocketTable, read_sockets
    from fluxcap.tables.aggregator import FlowAggregator
    from fluxcap.tables.connections import ConnectionTable, read_connections
    from fluxcap.tables.flow_scan import FlowScan, scan_flows
    from fluxcap.tables.flows import FlowTable, merge
    from fluxcap.tables.naming.cicflowmeter import cicflowmeter
    from fluxcap.tables.packets import PacketTable
    from fluxcap.tables.read import read_flows, read_packets
    from fluxcap.tables.scan import PacketScan, scan_packets
    from fluxcap.tables.timeline.scan import TimelineScan, scan_timeline
    from fluxcap.tables.timeline.table import TimelineTable, read_timeline
    from fluxcap.values.names import END_REASONS, PROTOCOLS

__version__ = VERSION

_HOMES = {
    "_core": (
        *("DIRECTION_BASES", "DISPOSITIONS", "FLOW_COLUMNS", "NO_TIME", "SERVER_NAME_BASES", "STATES", "VERDICTS"),
    ),
    "capture.index.making": ("Indexed", "index"),
    "capture.meter": ("progress",),
    "tables.aggregator": ("FlowAggregator",),
    "reports.audit.reading": ("read_audit",),
    "reports.audit.report": ("AuditReport",),
    "reports.checksum_report": ("ChecksumReport",),
    "reports.checksums": ("read_checksums",),
    "comparison.comparison": ("Comparison",),
    "comparison.reading": ("read_comparison",),
    "comparison.tables": ("ComparedFlowTable", "ComparedPacketTable"),
    "tables.connections": ("ConnectionTable", "read_connections"),
    "rewrite.dedupe": ("Deduped", "dedupe"),
    "rewrite.demux": ("Delivered", "demux"),
    "errors": (
        *("CaptureError", "DamagedCaptureWarning", "FilterError"),
        *("NotACaptureError", "TruncatedError", "UnsupportedError"),
    ),
    "explaining.explanation": ("Explanation",),
    "explaining.reading": ("explain",),
    "lake.export": ("Exported", "export"),
    "lake.scan": ("Lake", "scan_lake"),
    "tables.flow_scan": ("FlowScan", "scan_flows"),
    "tables.flows": ("FlowTable", "merge"),
    "page.report": ("report",),
    "plan.payload": ("Payload",),
    "reports.info": ("CaptureInfo",),
    "reports.survey": ("read_info",),
    "sockets.hosts": ("HostTable", "read_hosts"),
    "sockets.life": ("LifeTable", "read_life"),
    "rewrite.mux": ("Muxed", "mux"),
    "tables.naming.cicflowmeter": ("cicflowmeter",),
    "tables.packets": ("PacketTable",),
    "tables.read": ("read_flows", "read_packets"),
    "tables.scan": ("PacketScan", "scan_packets"),
    "tables.timeline.scan": ("TimelineScan", "scan_timeline"),
    "tables.timeline.table": ("TimelineTable", "read_timeline"),
    "rewrite.repair": ("Repair", "repair"),
    "rewrite.segment": ("segment",),
    "sockets.table": ("SocketTable", "read_sockets"),
    "values.names": ("END_REASONS", "PROTOCOLS"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DIRECTION_BASES",
    "DISPOSITIONS",
    "END_REASONS",
    "FLOW_COLUMNS",
    "NO_TIME",
    "PROTOCOLS",
    "SERVER_NAME_BASES",
    "STATES",
    "VERDICTS",
    "AuditReport",
    "CaptureError",
    "CaptureInfo",
    "ChecksumReport",
    "ComparedFlowTable",
    "ComparedPacketTable",
    "Comparison",
    "ConnectionTable",
    "DamagedCaptureWarning",
    "Deduped",
    "Delivered",
    "Explanation",
    "Exported",
    "FilterError",
    "FlowAggregator",
    "FlowScan",
    "FlowTable",
    "HostTable",
    "Indexed",
    "Lake",
    "LifeTable",
    "Muxed",
    "NotACaptureError",
    "PacketScan",
    "PacketTable",
    "Payload",
    "Repair",
    "SocketTable",
    "TimelineScan",
    "TimelineTable",
    "TruncatedError",
    "UnsupportedError",
    "__version__",
    "cicflowmeter",
    "dedupe",
    "demux",
    "explain",
    "export",
    "index",
    "merge",
    "mux",
    "progress",
    "read_audit",
    "read_checksums",
    "read_comparison",
    "read_connections",
    "read_flows",
    "read_hosts",
    "read_info",
    "read_life",
    "read_packets",
    "read_sockets",
    "read_timeline",
    "repair",
    "report",
    "scan_flows",
    "scan_lake",
    "scan_packets",
    "scan_timeline",
    "segment",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value  # __getattr__ is not called for this name again
    return value


def __dir__() -> list[str]:
    return sorted(__all__)  # what people complete; modules and private names are not for them
