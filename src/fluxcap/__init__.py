"""Packet captures as flow tables, with a verdict on every checksum.

Each name is imported when it is first used, so that `import fluxcap` costs next to nothing and never imports numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluxcap._core import DIRECTION_BASES, DISPOSITIONS, STATES, VERDICTS
    from fluxcap.aggregator import FlowAggregator
    from fluxcap.checksums import ChecksumReport, read_checksums
    from fluxcap.connections import ConnectionTable, read_connections
    from fluxcap.demultiplexing import Delivered, demux
    from fluxcap.errors import (
        CaptureError,
        DamagedCaptureWarning,
        FilterError,
        NotACaptureError,
        TruncatedError,
        UnsupportedError,
    )
    from fluxcap.flow_table import FlowTable
    from fluxcap.info import CaptureInfo, read_info
    from fluxcap.life import LifeTable, read_life
    from fluxcap.merging import merge
    from fluxcap.multiplexing import Muxed, mux
    from fluxcap.packet_table import PacketScan, PacketTable
    from fluxcap.read import read_flows, read_packets, scan_packets
    from fluxcap.repairing import Repair, repair
    from fluxcap.segments import segment
    from fluxcap.sockets import SocketTable, read_sockets

    __version__: str

_HOMES = {
    "_core": ("DIRECTION_BASES", "DISPOSITIONS", "STATES", "VERDICTS"),
    "aggregator": ("FlowAggregator",),
    "checksums": ("ChecksumReport", "read_checksums"),
    "connections": ("ConnectionTable", "read_connections"),
    "demultiplexing": ("Delivered", "demux"),
    "errors": (
        *("CaptureError", "DamagedCaptureWarning", "FilterError"),
        *("NotACaptureError", "TruncatedError", "UnsupportedError"),
    ),
    "flow_table": ("FlowTable",),
    "info": ("CaptureInfo", "read_info"),
    "life": ("LifeTable", "read_life"),
    "merging": ("merge",),
    "multiplexing": ("Muxed", "mux"),
    "packet_table": ("PacketScan", "PacketTable"),
    "read": ("read_flows", "read_packets", "scan_packets"),
    "repairing": ("Repair", "repair"),
    "segments": ("segment",),
    "sockets": ("SocketTable", "read_sockets"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DIRECTION_BASES",
    "DISPOSITIONS",
    "STATES",
    "VERDICTS",
    "CaptureError",
    "CaptureInfo",
    "ChecksumReport",
    "ConnectionTable",
    "DamagedCaptureWarning",
    "Delivered",
    "FilterError",
    "FlowAggregator",
    "FlowTable",
    "LifeTable",
    "Muxed",
    "NotACaptureError",
    "PacketScan",
    "PacketTable",
    "Repair",
    "SocketTable",
    "TruncatedError",
    "UnsupportedError",
    "__version__",
    "demux",
    "merge",
    "mux",
    "read_checksums",
    "read_connections",
    "read_flows",
    "read_info",
    "read_life",
    "read_packets",
    "read_sockets",
    "repair",
    "scan_packets",
    "segment",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("fluxcap")
    elif name in _HOME_OF:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # so that this is not asked again
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
