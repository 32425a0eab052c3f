"""The columns of CICFlowMeter, made of ours: its names and its order, in its units. docs/cicflowmeter.md compares them.

The names and their order are those of version 4: FlowFeature.java in https://github.com/ahlashkari/CICFlowMeter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fluxcap.errors import UnfitRowsError
from fluxcap.values import text
from fluxcap.values.derived import Columns
from fluxcap.values.units import NS_PER_SECOND

if TYPE_CHECKING:
    from fluxcap.values.arrays import Array

NS_PER_MICROSECOND: Final = 1000
WAYS: Final = (("Fwd", ""), ("Bwd", "reverse_"))
FLAGS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "CWR", "ECE")
ENDS: Final = ("src_ip", "dst_ip", "src_port", "dst_port", "protocol")

Make = Callable[[Columns], Any]


def columns_of(flows: Columns) -> dict[str, Array]:
    """All columns of some flows, in order. UnfitRowsError for a table without what they are made of."""
    try:
        return {name: make(flows) for name, make in COLUMNS.items()}
    except KeyError:
        raise UnfitRowsError(
            "the columns of CICFlowMeter are of flows by 5tuple with both directions in a row, with features and"
            " activity"
        ) from None


def _ratio(of: Array, to: Array, nothing: float) -> Array:
    """The quotients, `nothing` where the divisor is 0."""
    ratios: Array = np.full(len(of), nothing, np.float64)
    np.divide(of, to, out=ratios, where=to != 0)
    return ratios


def _copied(name: str) -> Make:
    return lambda flows: flows[name].copy()


def _micro(name: str) -> Make:
    return lambda flows: flows[name] / NS_PER_MICROSECOND


def _both(name: str) -> Make:
    return lambda flows: flows[name] + flows[f"reverse_{name}"]


def _per(of: str, to: str) -> Make:
    """A mean over bulks or subflows, 0 where there are none."""
    return lambda flows: _ratio(flows[of], flows[to], 0)


def _per_second(count: Callable[[Columns], Array]) -> Make:
    """A rate over the duration of the flow; no number where that is 0 or not known."""

    def rate(flows: Columns) -> Array:
        duration = flows["duration"]
        return _ratio(count(flows) * float(NS_PER_SECOND), np.where(duration > 0, duration, 0), np.nan)

    return rate


def _bulk_rate(prefix: str) -> Make:
    """Bytes a second in bulks, 0 without a bulk; no number where all bulks took no time."""

    def rate(flows: Columns) -> Array:
        octets, time = flows[f"{prefix}bulk_bytes"], flows[f"{prefix}bulk_time"]
        return np.where(octets == 0, 0, _ratio(octets * float(NS_PER_SECOND), time, np.nan))

    return rate


def _span(first: str, last: str) -> Make:
    """Microseconds between two times, 0 without them."""
    return lambda flows: np.where(flows[last] > flows[first], flows[last] - flows[first], 0) / NS_PER_MICROSECOND


def _duration(flows: Columns) -> Array:
    """Microseconds; no number where it is not known."""
    duration = flows["duration"]
    return np.where(duration < 0, np.nan, duration / NS_PER_MICROSECOND)


def _identifiers(flows: Columns) -> Array:
    """Both addresses, both ports and the protocol, from the source."""
    src, dst, *numbers = (text.addresses(flows[name]) if name.endswith("ip") else flows[name].tolist() for name in ENDS)
    return np.array(["-".join(map(str, ends)).encode() for ends in zip(src, dst, *numbers, strict=True)], "S")


def _lengths(way: str, prefix: str, statistics: str) -> dict[str, Make]:
    """Of payloads."""
    return {f"{way} {one}".strip(): _copied(f"{prefix}payload_{OURS[one.split()[-1]]}") for one in _said(statistics)}


def _said(statistics: str) -> list[str]:
    return [f"Packet Length {one}" for one in statistics.split()]


def _times(theirs: str, ours: str, statistics: str = "Mean Std Max Min") -> dict[str, Make]:
    return {f"{theirs} {one}": _micro(f"{ours}_{OURS[one]}") for one in statistics.split()}


OURS: Final = {"Mean": "mean", "Std": "stddev", "Max": "max", "Min": "min"}
COLUMNS: Final[dict[str, Make]] = {
    "Flow ID": _identifiers,
    "Src IP": _copied("src_ip"),
    "Src Port": _copied("src_port"),
    "Dst IP": _copied("dst_ip"),
    "Dst Port": _copied("dst_port"),
    "Protocol": _copied("protocol"),
    "Timestamp": _copied("first"),
    "Flow Duration": _duration,
    "Total Fwd Packet": _copied("packets"),
    "Total Bwd packets": _copied("reverse_packets"),
    "Total Length of Fwd Packet": _copied("payload_bytes"),
    "Total Length of Bwd Packet": _copied("reverse_payload_bytes"),
    **_lengths("Fwd", "", "Max Min Mean Std"),
    **_lengths("Bwd", "reverse_", "Max Min Mean Std"),
    "Flow Bytes/s": _per_second(_both("payload_bytes")),
    "Flow Packets/s": _per_second(_both("packets")),
    **_times("Flow IAT", "both_gap"),
    "Fwd IAT Total": _span("forward_first", "forward_last"),
    **_times("Fwd IAT", "gap"),
    "Bwd IAT Total": _span("reverse_first", "reverse_last"),
    **_times("Bwd IAT", "reverse_gap"),
    **{
        f"{way} {flag} Flags": _copied(f"{prefix}{flag.lower()}_packets")
        for flag in ("PSH", "URG")
        for way, prefix in WAYS
    },
    **{f"{way} Header Length": _copied(f"{prefix}header_bytes") for way, prefix in WAYS},
    **{f"{way} Packets/s": _per_second(_copied(f"{prefix}packets")) for way, prefix in WAYS},
    **_lengths("", "both_", "Min Max Mean Std"),
    "Packet Length Variance": lambda flows: flows["both_payload_stddev"] ** 2,
    **{f"{flag} Flag Count": _both(f"{flag.lower()}_packets") for flag in FLAGS},
    "Down/Up Ratio": lambda flows: _ratio(flows["reverse_packets"], flows["packets"], float("nan")),
    "Average Packet Size": _copied("both_payload_mean"),
    **{f"{way} Segment Size Avg": _copied(f"{prefix}payload_mean") for way, prefix in WAYS},
    **{
        name: make
        for way, prefix in WAYS
        for name, make in (
            (f"{way} Bytes/Bulk Avg", _per(f"{prefix}bulk_bytes", f"{prefix}bulks")),
            (f"{way} Packet/Bulk Avg", _per(f"{prefix}bulk_packets", f"{prefix}bulks")),
            (f"{way} Bulk Rate Avg", _bulk_rate(prefix)),
        )
    },
    **{
        f"Subflow {way} {theirs}": _per(f"{prefix}{ours}", "subflows")
        for way, prefix in WAYS
        for theirs, ours in (("Packets", "packets"), ("Bytes", "payload_bytes"))
    },
    "FWD Init Win Bytes": _copied("first_window"),
    "Bwd Init Win Bytes": _copied("reverse_first_window"),
    "Fwd Act Data Pkts": _copied("data_packets"),
    "Fwd Seg Size Min": _copied("header_min"),
    **_times("Active", "active"),
    **_times("Idle", "idle"),
}
